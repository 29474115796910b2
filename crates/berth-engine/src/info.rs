//! What the engine works with: the host as it is now, and how much there is of everything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use berth_cgroup::Layout;
use berth_model::Status;
use berth_oci::Digest;

use crate::Engine;
use crate::image::{self, Error};
use crate::usage::of_containers;

/// The host, and counts.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// The same as long as host and root are: 32 hexadecimal digits in groups.
    pub id: String,
    /// All containers.
    pub containers: usize,
    /// Of these, those that run.
    pub running: usize,
    /// That are paused.
    pub paused: usize,
    /// Images, by id.
    pub images: usize,
    /// The file system below the root directory: `extfs`, `xfs`, …
    pub backing: &'static str,
    /// What cgroups are mounted.
    pub cgroups: Cgroups,
    /// The host's name.
    pub name: String,
    /// The kernel's release.
    pub kernel: String,
    /// The processor, as uname(2) calls it.
    pub machine: String,
    /// The distribution's name.
    pub system: String,
    /// Its version.
    pub system_version: String,
    /// CPUs that may be used.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The kernel forwards IPv4.
    pub forwards: bool,
}

/// What cgroups are mounted.
#[derive(Debug, Clone, Default)]
pub struct Cgroups {
    /// 1 or 2.
    pub version: u8,
    /// Both versions are.
    pub hybrid: bool,
    /// Swap can be limited.
    pub swap: bool,
    /// Controllers that can be used.
    pub controllers: BTreeSet<String>,
}

impl Engine {
    /// Looks at the host, and counts.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`].
    pub fn info(&self) -> Result<Info, Error> {
        let mut info = Info {
            id: self.host_id(),
            backing: backing(self.layout.root()),
            cgroups: cgroups(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            forwards: read("/proc/sys/net/ipv4/ip_forward").trim() == "1",
            ..Info::default()
        };
        for one in self.list().map_err(of_containers)? {
            info.containers += 1;
            info.paused += usize::from(one.status == Status::Paused);
            info.running += usize::from(one.status.is_alive() && one.status != Status::Paused);
        }
        let images = image::all(&self.store)?;
        let images: BTreeSet<&Digest> = images.iter().map(|found| found.image.id()).collect();
        info.images = images.len();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let uname = rustix::system::uname();
        (info.name, info.kernel) = (text(uname.nodename()), text(uname.release()));
        info.machine = text(uname.machine());
        let memory = rustix::system::sysinfo();
        info.memory_bytes = u64::from(memory.mem_unit).saturating_mul(memory.totalram);
        let release = read("/etc/os-release");
        let field = |name: &str| {
            let mut lines = release.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or("").trim_matches('"').to_owned()
        };
        (info.system, info.system_version) = (field("PRETTY_NAME"), field("VERSION_ID"));
        Ok(info)
    }

    fn host_id(&self) -> String {
        let host = read("/etc/machine-id");
        let digest = Digest::of(format!("{host}{}", self.layout.root().display()).as_bytes());
        let hex = digest.hex();
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
        parts.join("-")
    }
}

/// What cannot be read says nothing.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Docker's word for the file system. Source: statfs(2).
fn backing(path: &Path) -> &'static str {
    match rustix::fs::statfs(path).map(|found| found.f_type) {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0xf2f5_2010) => "f2fs",
        _ => "<unknown>",
    }
}

fn cgroups() -> Cgroups {
    let Ok(layout) = Layout::detect() else {
        return Cgroups::default();
    };
    let unified = layout.unified.as_ref().map(|unified| unified.mount.clone());
    let v1 = layout
        .v1
        .iter()
        .flat_map(|one| one.controllers.iter().cloned());
    let v2 = unified.map_or_else(String::new, |mount: PathBuf| {
        std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default()
    });
    Cgroups {
        version: if layout.v1.is_empty() { 2 } else { 1 },
        hybrid: !layout.v1.is_empty() && layout.unified.is_some(),
        swap: layout.swap_accounting(),
        controllers: v1.chain(v2.split_whitespace().map(str::to_owned)).collect(),
    }
}
