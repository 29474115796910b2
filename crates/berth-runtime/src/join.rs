//! What a further process of a container joins: every namespace in which its init is and the runtime is not,
//! whether the configuration names it or not.
//!
//! A container that has a namespace of its own and is now found in the runtime's has lost it: nothing is
//! started there (security: R29). Without a mount namespace of its own, its root is init's.
//!
//! Source: setns(2), namespaces(7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use berth_oci::spec::{Linux, Namespace, NamespaceKind};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, statat};
use rustix::io::Errno;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::error::{Error, Result};
use crate::namespaces::{bit, file_name, word};

const KINDS: [NamespaceKind; 8] = [
    NamespaceKind::User,
    NamespaceKind::Mount,
    NamespaceKind::Pid,
    NamespaceKind::Network,
    NamespaceKind::Ipc,
    NamespaceKind::Uts,
    NamespaceKind::Cgroup,
    NamespaceKind::Time,
];

/// The way into a container.
#[derive(Debug)]
pub(crate) struct Way {
    kinds: ThreadNameSpaceType,
    root: Option<OwnedFd>,
}

impl Way {
    /// Looks where the container's init is: `init`, whose number is `pid`.
    ///
    /// # Errors
    /// [`Error::JoinContainer`]: among others, that the process has ended.
    pub(crate) fn to(init: &OwnedFd, pid: i32, linux: &Linux) -> Result<Way> {
        let way = find(pid, linux).map_err(|source| Error::JoinContainer { source })?;
        // Nobody has waited for it, so the number was its own all the time (security: R28, R29): where
        // nothing is joined, nothing else would tell.
        berth_sys::signals::send(init, 0).map_err(fail)?;
        Ok(way)
    }

    /// Whether the container's user namespace is not the runtime's.
    pub(crate) fn other_user(&self) -> bool {
        self.kinds.contains(ThreadNameSpaceType::USER)
    }

    /// Joins all at once.
    ///
    /// # Errors
    /// [`Error::JoinContainer`]: among others, that the process has ended.
    pub(crate) fn join(&self, init: impl AsFd) -> Result<()> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        move_into_thread_name_spaces(init.as_fd(), self.kinds).map_err(fail)
    }

    /// Enters init's root, where no mount namespace has brought it.
    ///
    /// # Errors
    /// [`Error::JoinContainer`].
    pub(crate) fn enter_root(&mut self) -> Result<()> {
        let Some(root) = self.root.take() else {
            return Ok(());
        };
        rustix::process::fchdir(&root)
            .and_then(|()| rustix::process::chroot("."))
            .map_err(fail)
    }
}

fn find(pid: i32, linux: &Linux) -> io::Result<Way> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: String| rustix::fs::open(path, flags, Mode::empty());
    let (theirs, ours) = (
        open(format!("/proc/{pid}/ns"))?,
        open("/proc/self/ns".into())?,
    );
    let mut kinds = ThreadNameSpaceType::empty();
    for kind in KINDS {
        let of = |directory: &OwnedFd| statat(directory, file_name(kind), AtFlags::empty());
        let (theirs, ours) = match (of(&theirs), of(&ours)) {
            // A kernel without this kind.
            (Err(Errno::NOENT), _) if kind == NamespaceKind::Time => continue,
            (theirs, ours) => (theirs?, ours?),
        };
        if id(&theirs) != id(&ours) {
            kinds |= ThreadNameSpaceType::from_bits_retain(bit(kind) as u32);
        } else if is_isolated(linux, kind, &ours) {
            return Err(io::Error::other(format!(
                "its {} namespace is not its own any more",
                word(kind)
            )));
        }
    }
    let by_namespace = linux.namespace(NamespaceKind::Mount).is_some()
        && kinds.contains(ThreadNameSpaceType::MOUNT);
    let root = match by_namespace {
        true => None,
        false => Some(open(format!("/proc/{pid}/root"))?),
    };
    Ok(Way { kinds, root })
}

/// Whether the configuration says that the container is not where the runtime is.
fn is_isolated(linux: &Linux, kind: NamespaceKind, ours: &Stat) -> bool {
    match linux.namespace(kind) {
        None => false,
        Some(Namespace { path: None, .. }) => true,
        Some(Namespace {
            path: Some(path), ..
        }) => !rustix::fs::stat(path).is_ok_and(|it| id(&it) == id(ours)),
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn fail(errno: Errno) -> Error {
    Error::JoinContainer {
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux(kind: NamespaceKind, path: Option<&str>) -> Linux {
        Linux {
            namespaces: vec![Namespace {
                kind,
                path: path.map(Into::into),
            }],
            ..Linux::default()
        }
    }

    /// R28, R29: a number that has become another process's is not followed into that one's root.
    #[test]
    fn r29_an_init_that_has_ended_is_not_entered() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let start_time = crate::pid::start_time(pid).unwrap();
        let init = crate::pid::open(pid, start_time).unwrap().unwrap();
        Way::to(&init, pid, &Linux::default()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // As if its number were this process's now.
        let own = std::process::id() as i32;
        assert!(Way::to(&init, own, &Linux::default()).is_err());
    }

    /// R29: this process is where it is itself; a container of a namespace of its own cannot be.
    #[test]
    fn r29_a_container_found_in_our_namespace_is_not_entered() {
        let own = std::process::id() as i32;
        let start_time = crate::pid::start_time(own).unwrap();
        let init = crate::pid::open(own, start_time).unwrap().unwrap();
        let to = |linux: &Linux| Way::to(&init, own, linux);
        let way = to(&Linux::default()).unwrap();
        assert!(way.kinds.is_empty() && way.root.is_some() && !way.other_user());
        for kind in KINDS {
            let path = format!("/proc/self/ns/{}", file_name(kind));
            to(&linux(kind, Some(&path))).unwrap();
            for path in [None, Some("/nonexistent"), Some("/proc/version")] {
                let refusal = to(&linux(kind, path)).unwrap_err();
                assert!(format!("{refusal:?}").contains(word(kind)), "{refusal:?}");
            }
        }
    }
}
