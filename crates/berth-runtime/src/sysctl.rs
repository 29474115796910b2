//! Sysctls: only those that belong to a namespace of the container's own (security: R22), written
//! through a procfs of ours that the container cannot prepare (security: R15).
//!
//! Source: config-linux.md "Sysctl"; namespaces(7).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::error::{Error, Result, step};
use crate::mounts::detached;

/// Namespaces that are the container's own, not the host's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    /// Network.
    pub network: bool,
    /// IPC.
    pub ipc: bool,
    /// Host name.
    pub uts: bool,
}

const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

/// Checks all keys.
///
/// # Errors
/// [`Error::SysctlNotAllowed`].
pub fn check(sysctls: &BTreeMap<String, String>, own: Own) -> Result<()> {
    sysctls
        .keys()
        .try_for_each(|key| path_of(key, own).map(drop))
}

/// Writes the values.
///
/// # Errors
/// [`Error::Sysctl`].
pub fn apply(sysctls: &BTreeMap<String, String>, own: Own) -> Result<()> {
    if sysctls.is_empty() {
        return Ok(());
    }
    let proc = detached("proc", &[], 0).map_err(|e| step("open a procfs", e))?;
    for (key, value) in sysctls {
        let path = path_of(key, own)?;
        write(&proc, &path, value).map_err(|source| Error::Sysctl {
            key: key.clone(),
            source,
        })?;
    }
    Ok(())
}

fn write(proc: &OwnedFd, path: &str, value: &str) -> io::Result<()> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(proc, format!("sys/{path}"), flags, Mode::empty(), resolve)?;
    rustix::io::write(file, value.as_bytes())?;
    Ok(())
}

/// The path below `/proc/sys` of an allowed key.
fn path_of(key: &str, own: Own) -> Result<String> {
    let refuse = |reason| {
        Err(Error::SysctlNotAllowed {
            key: key.to_owned(),
            reason,
        })
    };
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_' | b'-' | b':' | b'@');
    if key.is_empty() || !key.bytes().all(plain) {
        return refuse("it has a character that no sysctl has");
    }
    // The first separator says which one it is: with `/`, a dot is part of a name (`eth0.1`).
    let path = match key.find(['.', '/']) {
        Some(at) if key.as_bytes()[at] == b'.' => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => key.to_owned(),
    };
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("it is no path below /proc/sys");
    }
    let (owned, which) = if path.starts_with("net/") {
        (own.network, "it belongs to the host's network namespace")
    } else if IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/") {
        (own.ipc, "it belongs to the host's ipc namespace")
    } else if path == "kernel/domainname" {
        (own.uts, "it belongs to the host's uts namespace")
    } else {
        (false, "it belongs to the whole host")
    };
    if owned { Ok(path) } else { refuse(which) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Own = Own {
        network: true,
        ipc: true,
        uts: true,
    };

    /// R22.
    #[test]
    fn only_namespaced_keys() {
        for good in [
            "net.ipv4.ip_forward",
            "net/ipv4/conf/eth0.1/forwarding",
            "kernel.shm_rmid_forced",
            "fs.mqueue.msg_max",
            "kernel.domainname",
        ] {
            assert!(path_of(good, ALL).is_ok(), "{good}");
            assert!(path_of(good, Own::default()).is_err(), "{good} of the host");
        }
        for bad in [
            "kernel.core_pattern",
            "kernel.shm_rmid_forced+kernel.core_pattern",
            "vm.overcommit_memory",
            "kernel.hostname",
            "net/../kernel/core_pattern",
            "net.ipv4/../x",
            "net..ipv4",
            "net",
            "",
            "/net/x",
            "fs.file-max",
            "net.x\nkernel.y",
            "user.max_user_namespaces",
            "kernel/shmmax/../core_pattern",
            "net.ipv4.conf.a/b/../c ",
        ] {
            assert!(path_of(bad, ALL).is_err(), "{bad}");
        }
        assert_eq!(
            path_of("net.ipv4.conf.eth0/1.forwarding", ALL).unwrap(),
            "net/ipv4/conf/eth0.1/forwarding"
        );
    }
}
