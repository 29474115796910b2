//! Mounts of the host for tests, and how mounts look inside a container.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // this whole module is a test

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use serde_json::{Value, json};

use crate::rig::Bundle;

/// A tmpfs of the host, unmounted when it goes.
pub struct HostMount {
    pub path: PathBuf,
}

impl HostMount {
    /// At `directory/name`, with options as in `nosuid,size=1m`.
    pub fn tmpfs(directory: &Path, name: &str, options: &str) -> HostMount {
        let path = directory.join(name);
        std::fs::create_dir_all(&path).unwrap();
        let mut flags = MountFlags::empty();
        let mut data = Vec::new();
        for option in options.split(',').filter(|o| !o.is_empty()) {
            flags |= match option {
                "ro" => MountFlags::RDONLY,
                "nosuid" => MountFlags::NOSUID,
                "nodev" => MountFlags::NODEV,
                "noexec" => MountFlags::NOEXEC,
                "noatime" => MountFlags::NOATIME,
                "nodiratime" => MountFlags::NODIRATIME,
                _ => {
                    data.push(option);
                    continue;
                }
            };
        }
        let data = CString::new(data.join(",")).unwrap();
        rustix::mount::mount("tmpfs", &path, "tmpfs", flags, &*data).unwrap();
        // Who else may be there is none of this test's business.
        let private = MountPropagationFlags::PRIVATE;
        rustix::mount::mount_change(&path, private).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        HostMount { path }
    }

    pub fn make_shared(&self) {
        rustix::mount::mount_change(&self.path, MountPropagationFlags::SHARED).unwrap();
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
    }
}

/// A line of mountinfo.
#[derive(Debug)]
pub struct Info {
    pub kind: String,
    /// `shared`, `master`, `unbindable`.
    pub propagation: String,
    /// Of the mount and of the file system.
    pub options: Vec<String>,
}

impl Info {
    /// Of what is mounted at `path` inside.
    pub fn inside(bundle: &mut Bundle, path: &str) -> Info {
        Info::all_inside(bundle, &[path]).remove(0)
    }

    /// Of several; the topmost counts.
    pub fn all_inside(bundle: &mut Bundle, paths: &[&str]) -> Vec<Info> {
        let before = bundle.config["process"]["args"].take();
        bundle.config["process"]["args"] = json!(["cat", "/proc/self/mountinfo"]);
        let run = bundle.run();
        bundle.config["process"]["args"] = before;
        let lines: Vec<&str> = run.ok().lines().collect();
        let line = |path: &&str| {
            let there = |line: &&&str| line.split(' ').nth(4) == Some(path);
            lines
                .iter()
                .rev()
                .find(there)
                .unwrap_or_else(|| panic!("no mount at {path}"))
        };
        paths.iter().map(|path| Info::parse(line(path))).collect()
    }

    /// Source: proc_pid_mountinfo(5).
    fn parse(line: &str) -> Info {
        let (mount, system) = line.split_once(" - ").unwrap();
        let fields: Vec<&str> = mount.split(' ').collect();
        let system: Vec<&str> = system.split(' ').collect();
        let words = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        let tags = fields[6..].iter().map(|tag| tag.split(':').next().unwrap());
        let of_the_system = words(system[2]).into_iter().filter(|word| word != "rw");
        Info {
            kind: system[0].to_owned(),
            propagation: tags.collect::<Vec<_>>().join(" "),
            options: words(fields[5]).into_iter().chain(of_the_system).collect(),
        }
    }

    #[track_caller]
    pub fn assert(&self, has: &str, has_not: &str, what: &str) {
        for word in has.split_ascii_whitespace() {
            assert!(
                self.options.iter().any(|o| o == word),
                "{what}: no {word} in {self:?}"
            );
        }
        for word in has_not.split_ascii_whitespace() {
            assert!(
                !self.options.iter().any(|o| o == word),
                "{what}: {word} in {self:?}"
            );
        }
    }
}

/// A container with one more mount, at `/mnt`; how it is seen inside.
pub fn seen(bundle: &mut Bundle, mount: Value) -> Info {
    bundle.mount(mount);
    Info::inside(bundle, "/mnt")
}

/// A tmpfs at `/mnt`.
pub fn tmpfs(options: &[&str]) -> Value {
    json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": options})
}
