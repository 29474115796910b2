//! What a container shares with its host, in CRIU's words: bind mounts, covers of masked paths, namespaces that
//! were joined, standard streams.
//!
//! ```text
//! mount       in the dump: mount point = mount point       in the restore: mount point = where to take it from
//! mask        in the dump: mount point = /dev/null         in the restore: /dev/null = /dev/null
//! namespace   in the dump: net[INODE]:extRootNetNS         in the restore: a descriptor of that name
//! stream      in the dump: file[MOUNT:INODE] (hex)         in the restore: a descriptor of that name, or of
//!                                                          the pipe's, which needs no word in the dump
//! ```
//! Source: criu(8), `--external` and `--inherit-fd`; runc 1.3, criu_linux.go.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_model::path::clean;
use berth_oci::spec::{Linux, Mount, Namespace, NamespaceKind, Spec};
use rustix::fs::{FileType, Mode, OFlags};

use super::opts::Opts;
use crate::error::{Error, Result, step};
use crate::mount_options::is_bind;
use crate::mount_target::inside;
use crate::namespaces::{file_name, word};
use crate::{cgroup_mount, devices};

/// Stands for a masked file in an image.
const NULL: &str = "/dev/null";
/// Pseudo terminals. Source: Documentation/admin-guide/devices.txt.
const PTY_MAJORS: std::ops::Range<u32> = 136..144;

/// A directory that is the root of a tree of mounts or files.
pub(super) struct Tree {
    root: OwnedFd,
    name: PathBuf,
}

impl Tree {
    /// # Errors
    /// [`Error::ReadFile`].
    pub(super) fn open(path: &Path) -> Result<Tree> {
        let fail = |source| Error::ReadFile {
            path: path.to_owned(),
            source,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let name = name_of(&root).map_err(fail)?;
        Ok(Tree { root, name })
    }

    /// Its own path.
    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Where a path leads, with all links inside followed; `None` if nowhere.
    fn find(&self, path: &str) -> Option<(String, FileType)> {
        let root = self.root.as_fd();
        let file = berth_fs::resolve_in_root(root, path, OFlags::PATH, Mode::empty()).ok()?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file).ok()?.st_mode);
        let name = name_of(&file).ok()?;
        let inside = name.strip_prefix(&self.name).ok()?;
        Some((format!("/{}", inside.to_str()?), kind))
    }

    /// A mount's place: as it is written, if there is nothing yet.
    fn place(&self, mount: &Mount) -> String {
        let found = self.find(&mount.destination);
        found.map_or_else(|| clean(&mount.destination), |(place, _)| place)
    }

    /// Makes the mount points that are missing, but for those below another mount.
    ///
    /// # Errors
    /// [`Error::Mount`].
    pub(super) fn make_places(&self, spec: &Spec, bundle: &Path) -> Result<()> {
        for mount in &spec.mounts {
            let place = clean(&mount.destination);
            let above = |other: &Mount| inside(&place, &clean(&other.destination)).is_some();
            if spec.mounts.iter().any(above) || self.find(&place).is_some() {
                continue;
            }
            let file = is_bind(mount) && !source(mount, bundle).is_dir();
            self.make(&place, file).map_err(|source| Error::Mount {
                destination: mount.destination.clone(),
                what: "its mount point".to_owned(),
                source,
            })?;
        }
        Ok(())
    }

    fn make(&self, path: &str, file: bool) -> io::Result<()> {
        let mode = Mode::from_raw_mode(0o755);
        let make_dir = |path: &str| berth_fs::create_dir_all_in_root(self.root.as_fd(), path, mode);
        if !file {
            make_dir(path)?;
            return Ok(());
        }
        let (parent, name) = crate::rootfs::split(path)?;
        let parent = make_dir(parent)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
        Ok(())
    }
}

/// Tells of the mounts in a running container.
pub(super) fn mounts_of_running(opts: &mut Opts, spec: &Spec, linux: &Linux, tree: &Tree) {
    for mount in spec.mounts.iter().filter(|mount| is_bind(mount)) {
        let place = tree.place(mount);
        opts.external_mount(&place, &place);
    }
    for (place, kind) in linux.masked_paths.iter().filter_map(|p| tree.find(p)) {
        if kind != FileType::Directory {
            opts.external_mount(&place, NULL);
        }
    }
    bound_devices(opts, linux);
}

/// Tells where to take them from.
pub(super) fn mounts_to_restore(
    opts: &mut Opts,
    spec: &Spec,
    linux: &Linux,
    tree: &Tree,
    bundle: &Path,
) {
    for mount in spec.mounts.iter().filter(|mount| is_bind(mount)) {
        let source = source(mount, bundle);
        opts.external_mount(&tree.place(mount), &source.to_string_lossy());
    }
    if !linux.masked_paths.is_empty() {
        opts.external_mount(NULL, NULL);
    }
    bound_devices(opts, linux);
}

/// On cgroup v1 without a cgroup namespace each hierarchy is bound in from the host.
///
/// # Errors
/// [`Error::Unsupported`].
pub(super) fn check_cgroup_mounts(spec: &Spec, linux: &Linux) -> Result<()> {
    let mounts = spec
        .mounts
        .iter()
        .any(|m| m.kind.as_deref() == Some("cgroup"));
    let own = linux.namespace(NamespaceKind::Cgroup).is_some();
    if mounts && !own && !cgroup_mount::host_is_unified() {
        return Err(Error::Unsupported {
            what: "checkpoint and restore of cgroup v1 mounts without a cgroup namespace",
        });
    }
    Ok(())
}

/// Namespaces that the dump shall take for somebody else's.
///
/// # Errors
/// [`Error::JoinNamespace`].
pub(super) fn namespaces_of_running(opts: &mut Opts, linux: &Linux, pid: i32) -> Result<()> {
    for namespace in linux.namespaces.iter().filter(|n| n.path.is_some()) {
        if let Some(name) = external_name(namespace.kind) {
            let path = format!("/proc/{pid}/ns/{}", file_name(namespace.kind));
            let at = std::fs::metadata(&path).map_err(|e| join(namespace.kind, path.into(), e))?;
            opts.external(&format!(
                "{}[{}]:{name}",
                file_name(namespace.kind),
                at.ino()
            ));
        }
    }
    Ok(())
}

/// Namespaces that are joined again. CRIU inherits what is returned: it must be open while CRIU starts.
///
/// # Errors
/// [`Error::JoinNamespace`], [`Error::Unsupported`].
pub(super) fn namespaces_to_restore(opts: &mut Opts, linux: &Linux) -> Result<Vec<OwnedFd>> {
    let mut inherited = Vec::new();
    for Namespace { kind, path } in &linux.namespaces {
        let Some(path) = path else { continue };
        match (external_name(*kind), kind) {
            (Some(name), _) => {
                let file = rustix::fs::open(path, OFlags::RDONLY, Mode::empty())
                    .map_err(|e| join(*kind, path.clone(), e.into()))?;
                opts.inherit(name, file.as_raw_fd());
                inherited.push(file);
            }
            (None, NamespaceKind::Cgroup) => {
                return Err(Error::Unsupported {
                    what: "restoring into an existing cgroup namespace",
                });
            }
            (None, kind) => opts.join_namespace(file_name(*kind), &path.to_string_lossy()),
        }
    }
    Ok(inherited)
}

fn external_name(kind: NamespaceKind) -> Option<&'static str> {
    match kind {
        NamespaceKind::Network => Some("extRootNetNS"),
        NamespaceKind::Pid => Some("extRootPidNS"),
        _ => None,
    }
}

/// What the three standard streams are; what the container cannot reach itself is declared external.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn streams_of_running(opts: &mut Opts, pid: i32) -> Result<Vec<String>> {
    let fail = |e: io::Error| step("look at the container's standard streams", e);
    let mountinfo = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).map_err(fail)?;
    let own: BTreeSet<&str> = mountinfo
        .lines()
        .filter_map(|l| l.split(' ').next())
        .collect();
    let mut keys = Vec::new();
    for number in 0..3 {
        let path = format!("/proc/{pid}/fd/{number}");
        let (Ok(link), Ok(file)) = (std::fs::read_link(&path), std::fs::metadata(&path)) else {
            keys.push(String::new()); // closed
            continue;
        };
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).map_err(fail)?;
        let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        let mount = mount.unwrap_or_default().trim();
        let kind = FileType::from_raw_mode(file.mode());
        let terminal = kind == FileType::CharacterDevice
            && PTY_MAJORS.contains(&rustix::fs::major(file.rdev()));
        let link = link.to_string_lossy().into_owned();
        if link.starts_with('/') && kind != FileType::Socket && !terminal && !own.contains(mount) {
            let mount: u32 = mount.parse().unwrap_or_default();
            let key = format!("file[{mount:x}:{:x}]", file.ino());
            opts.external(&key);
            keys.push(key);
        } else {
            keys.push(link);
        }
    }
    Ok(keys)
}

/// This process's streams in place of those that are gone. CRIU inherits what is returned.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn streams_to_restore(opts: &mut Opts, keys: &[String]) -> Result<Vec<OwnedFd>> {
    let fail = |e: rustix::io::Errno| step("hand over the standard streams", e);
    let mut inherited = Vec::new();
    for (number, key) in keys.iter().enumerate().take(3) {
        let is_last = !keys.iter().skip(number + 1).any(|other| other == key);
        if !is_last || !is_key(key) {
            continue;
        }
        let shared = keys.iter().filter(|other| *other == key).count() > 1;
        // One file behind several streams: it has to do for reading and writing.
        let both = format!("/proc/self/fd/{number}");
        let both = rustix::fs::open(both, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let file = match both {
            Ok(file) if shared => file,
            _ => rustix::io::dup(stream(number)).map_err(fail)?,
        };
        opts.inherit(key, file.as_raw_fd());
        inherited.push(file);
    }
    Ok(inherited)
}

fn stream(number: usize) -> std::os::fd::BorrowedFd<'static> {
    match number {
        0 => rustix::stdio::stdin(),
        1 => rustix::stdio::stdout(),
        _ => rustix::stdio::stderr(),
    }
}

/// `pipe:[N]` or `file[HEX:HEX]`.
fn is_key(key: &str) -> bool {
    let inside = |prefix| key.strip_prefix(prefix)?.strip_suffix(']');
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    match (inside("pipe:["), inside("file[")) {
        (Some(number), _) => number.parse::<u64>().is_ok(),
        (_, Some(pair)) => pair.split_once(':').is_some_and(|(a, b)| hex(a) && hex(b)),
        _ => false,
    }
}

/// Device nodes are bound from the host in a user namespace, which can make none.
fn bound_devices(opts: &mut Opts, linux: &Linux) {
    if linux.namespace(NamespaceKind::User).is_none() {
        return;
    }
    let given = linux.devices.iter().filter_map(|d| d.path.to_str());
    for device in given.chain(devices::DEFAULT.iter().map(|(path, ..)| *path)) {
        opts.external_mount(device, device);
    }
}

fn source(mount: &Mount, bundle: &Path) -> PathBuf {
    bundle.join(mount.source.as_deref().unwrap_or_default())
}

fn name_of(file: &OwnedFd) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn join(kind: NamespaceKind, path: PathBuf, source: io::Error) -> Error {
    Error::JoinNamespace {
        kind: word(kind),
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_streams_are_taken_from_an_image() {
        for good in ["pipe:[4711]", "file[1f:8c]"] {
            assert!(is_key(good), "{good}");
        }
        for bad in [
            "",
            "pipe:[]",
            "pipe:[x]",
            "file[1f]",
            "file[:]",
            "/dev/pts/0",
            "extRootNetNS",
            "socket:[1]",
        ] {
            assert!(!is_key(bad), "{bad}");
        }
    }

    #[test]
    fn links_in_the_root_are_followed_inside() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        tree.make("/run/file", true).unwrap();
        std::os::unix::fs::symlink("/run", dir.path().join("var")).unwrap();
        let found = tree.find("/var/file").unwrap();
        assert_eq!(found, ("/run/file".to_owned(), FileType::RegularFile));
        assert!(tree.find("/var/nothing").is_none());
    }
}
