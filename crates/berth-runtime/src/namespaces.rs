//! Which namespaces are made and which are joined.
//!
//! Source: config-linux.md "Namespaces"; clone(2), setns(2).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_oci::spec::{Namespace, NamespaceKind};
use berth_sys::process::{CloneOptions, Forked, clone3, namespace};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{
    LinkNameSpaceType, move_into_link_name_space, set_thread_res_gid, set_thread_res_uid,
};

use crate::error::{Error, Result};
use crate::sysctl::Own;

/// What init's process is made with, and what it joins.
#[derive(Debug, Default)]
pub struct Plan {
    /// [`namespace`] bits for clone3.
    pub new: u64,
    /// A cgroup namespace is made by init itself, once it is in its cgroup.
    pub new_cgroup: bool,
    /// Joined by init.
    joins: Vec<Join>,
    /// A pid namespace counts for children only, so the maker of init joins it.
    join_pid: Option<Join>,
    /// Which ones are not the host's.
    pub own: Own,
}

#[derive(Debug)]
struct Join {
    kind: NamespaceKind,
    path: PathBuf,
    file: OwnedFd,
}

impl Join {
    fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.file.as_fd(), Some(link_type(self.kind))).map_err(|errno| {
            Error::JoinNamespace {
                kind: word(self.kind),
                path: self.path.clone(),
                source: errno.into(),
            }
        })
    }
}

impl Plan {
    /// Opens what is to be joined.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`], [`Error::Unsupported`].
    pub fn new(namespaces: &[Namespace]) -> Result<Plan> {
        let mut plan = Plan::default();
        for wanted in namespaces {
            let own = match &wanted.path {
                None => {
                    match wanted.kind {
                        NamespaceKind::Cgroup => plan.new_cgroup = true,
                        kind => plan.new |= bit(kind),
                    }
                    true
                }
                Some(path) => plan.join(wanted.kind, path)?,
            };
            match wanted.kind {
                NamespaceKind::Network => plan.own.network = own,
                NamespaceKind::Ipc => plan.own.ipc = own,
                NamespaceKind::Uts => plan.own.uts = own,
                _ => {}
            }
        }
        Ok(plan)
    }

    /// Whether a new user namespace is made.
    pub fn new_user(&self) -> bool {
        self.new & namespace::USER != 0
    }

    /// Joins what init joins.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`].
    pub fn join_all(&self) -> Result<()> {
        self.joins.iter().try_for_each(Join::enter)
    }

    /// Makes init's process in the pid namespace to be joined.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`], [`Error::Clone`].
    pub fn fork(&self, options: CloneOptions<'_>) -> Result<Forked> {
        let fork = || clone3(options).map_err(|source| Error::Clone { source });
        let Some(join) = &self.join_pid else {
            return fork();
        };
        let back = open(NamespaceKind::Pid, Path::new("/proc/self/ns/pid"))?;
        join.enter()?;
        let forked = fork();
        // For the caller's next children. The child itself is in, and could not leave.
        if !matches!(forked, Ok(Forked::Child)) {
            back.enter()?;
        }
        forked
    }

    fn join(&mut self, kind: NamespaceKind, path: &Path) -> Result<bool> {
        let what = match kind {
            NamespaceKind::User => Some("joining an existing user namespace"),
            NamespaceKind::Mount => Some("joining an existing mount namespace"),
            _ => None,
        };
        if let Some(what) = what {
            return Err(Error::Unsupported { what });
        }
        let join = open(kind, path)?;
        let fail = |source| Error::JoinNamespace {
            kind: word(kind),
            path: path.to_owned(),
            source,
        };
        let theirs = rustix::fs::fstat(&join.file).map_err(|e| fail(e.into()))?;
        let ours = std::fs::metadata(format!("/proc/self/ns/{}", file_name(kind))).map_err(fail)?;
        let own = (theirs.st_dev, theirs.st_ino) != (ours.dev(), ours.ino());
        match kind {
            // Joining one's own is allowed for all but pid namespaces' children, and changes nothing.
            NamespaceKind::Pid => self.join_pid = Some(join),
            _ => self.joins.push(join),
        }
        Ok(own)
    }
}

fn open(kind: NamespaceKind, path: &Path) -> Result<Join> {
    let fail = |source| Error::JoinNamespace {
        kind: word(kind),
        path: path.to_owned(),
        source,
    };
    let file = OwnedFd::from(File::open(path).map_err(fail)?);
    // A fifo or a device has no business here; setns itself checks the kind of namespace.
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    if crate::mounts::magic(&file).map_err(fail)? != NSFS_MAGIC {
        return Err(fail(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a namespace",
        )));
    }
    Ok(Join {
        kind,
        path: path.to_owned(),
        file,
    })
}

/// `CLONE_NEW*` of a kind.
pub fn bit(kind: NamespaceKind) -> u64 {
    match kind {
        NamespaceKind::Pid => namespace::PID,
        NamespaceKind::Network => namespace::NETWORK,
        NamespaceKind::Mount => namespace::MOUNT,
        NamespaceKind::Ipc => namespace::IPC,
        NamespaceKind::Uts => namespace::UTS,
        NamespaceKind::User => namespace::USER,
        NamespaceKind::Cgroup => namespace::CGROUP,
        NamespaceKind::Time => namespace::TIME,
    }
}

fn link_type(kind: NamespaceKind) -> LinkNameSpaceType {
    match kind {
        NamespaceKind::Pid => LinkNameSpaceType::ProcessID,
        NamespaceKind::Network => LinkNameSpaceType::Network,
        NamespaceKind::Mount => LinkNameSpaceType::Mount,
        NamespaceKind::Ipc => LinkNameSpaceType::InterProcessCommunication,
        NamespaceKind::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        NamespaceKind::User => LinkNameSpaceType::User,
        NamespaceKind::Cgroup => LinkNameSpaceType::ControlGroup,
        NamespaceKind::Time => LinkNameSpaceType::Time,
    }
}

/// The spec's word for a kind.
pub fn word(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Pid => "pid",
        NamespaceKind::Network => "network",
        NamespaceKind::Mount => "mount",
        NamespaceKind::Ipc => "ipc",
        NamespaceKind::Uts => "uts",
        NamespaceKind::User => "user",
        NamespaceKind::Cgroup => "cgroup",
        NamespaceKind::Time => "time",
    }
}

/// The name below `/proc/PID/ns`.
pub fn file_name(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Network => "net",
        NamespaceKind::Mount => "mnt",
        other => word(other),
    }
}

/// Becomes user and group 0 of the user namespace that this process has entered.
///
/// # Errors
/// The kernel's: `EINVAL` when the namespace maps no 0.
pub fn take_root_ids() -> std::result::Result<(), Errno> {
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

/// Whether this process runs in a user namespace other than the host's first.
pub fn in_user_namespace() -> bool {
    // The first one maps everything to itself, in one line. Source: user_namespaces(7).
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: NamespaceKind, path: Option<&str>) -> Namespace {
        Namespace {
            kind,
            path: path.map(PathBuf::from),
        }
    }

    #[test]
    fn new_ones_and_joined_ones() {
        let plan = Plan::new(&[
            of(NamespaceKind::Pid, None),
            of(NamespaceKind::Cgroup, None),
            of(NamespaceKind::Network, Some("/proc/self/ns/net")),
        ])
        .unwrap();
        assert_eq!(plan.new, namespace::PID);
        assert!(
            plan.new_cgroup && !plan.own.network,
            "the host's own is not the container's"
        );
        assert_eq!(plan.joins.len(), 1);
    }

    #[test]
    fn what_is_no_namespace_is_refused() {
        for path in ["/dev/null", "/proc/self/status", "/nonexistent"] {
            assert!(
                Plan::new(&[of(NamespaceKind::Network, Some(path))]).is_err(),
                "{path}"
            );
        }
    }
}
