//! User namespaces: id maps, and the ranges that `/etc/subuid` and `/etc/subgid` give a user.
//! Plain parsers: no name service is asked, for a static program has none.
//!
//! ```text
//! /etc/subuid         NAME-OR-UID:FIRST:COUNT
//! /proc/PID/uid_map   FIRST-INSIDE FIRST-OUTSIDE COUNT
//! ```
//!
//! Source: user_namespaces(7), subuid(5), newuidmap(1).

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, Stdio};

use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::process::{CloneOptions, Forked, clone3, exit_now, namespace};

/// `count` ids from `inside` on are those from `outside` on in the parent namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// First id in the new namespace.
    pub inside: u32,
    /// First id in the namespace of the one who writes the map.
    pub outside: u32,
    /// Number of ids.
    pub count: u32,
}

/// A range of ids that a user may map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubRange {
    /// First id.
    pub first: u32,
    /// Number of ids.
    pub count: u32,
}

/// Writes both maps of the process `pid`, which has just made a user namespace. Needs CAP_SETUID
/// and CAP_SETGID in the parent namespace, or maps of one entry that maps the caller itself.
///
/// # Errors
/// The kernel's: `EPERM`, `EINVAL`.
pub fn write_maps(pid: i32, uids: &[IdMap], gids: &[IdMap]) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        // Else an ordinary user could drop a group that denies him something. Source: CVE-2014-8989.
        write(pid, "setgroups", "deny")?;
    }
    write(pid, "uid_map", &lines(uids))?;
    write(pid, "gid_map", &lines(gids))
}

fn write(pid: i32, file: &str, text: &str) -> io::Result<()> {
    let path = format!("/proc/{pid}/{file}");
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    // The kernel takes a map in one write only.
    rustix::io::write(file, text.as_bytes())?;
    Ok(())
}

fn lines(maps: &[IdMap]) -> String {
    maps.iter().fold(String::new(), |mut text, map| {
        let _ = writeln!(text, "{} {} {}", map.inside, map.outside, map.count);
        text
    })
}

/// A user namespace with these maps and nobody in it, made by a child that ends at once.
///
/// # Errors
/// The kernel's; `EBUSY` when this process has more than one thread.
pub fn with_maps(uids: &[IdMap], gids: &[IdMap]) -> io::Result<OwnedFd> {
    // The child waits for the end of this pipe, so it ends with us, too.
    let (wait, go) = io::pipe()?;
    let options = CloneOptions {
        namespaces: namespace::USER,
        ..CloneOptions::default()
    };
    match clone3(options)? {
        Forked::Child => {
            drop(go);
            let _ = rustix::io::read(&wait, &mut [0; 1]);
            exit_now(0)
        }
        Forked::Parent(child) => {
            let users = write_maps(child.pid, uids, gids).and_then(|()| {
                let path = format!("/proc/{}/ns/user", child.pid);
                let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
                Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)
            });
            drop(go);
            let options = WaitIdOptions::EXITED;
            rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(child.pidfd.as_fd()), options))?;
            users
        }
    }
}

/// Writes both maps of the process `pid` with `newuidmap` and `newgidmap`, which are set-user-ID and
/// check them against `/etc/subuid` and `/etc/subgid`.
///
/// # Errors
/// `NotFound` when they are not installed; what they print when they refuse.
pub fn write_maps_by_helpers(pid: i32, uids: &[IdMap], gids: &[IdMap]) -> io::Result<()> {
    run_helper("newuidmap", pid, uids)?;
    run_helper("newgidmap", pid, gids)
}

fn run_helper(program: &str, pid: i32, maps: &[IdMap]) -> io::Result<()> {
    let mut command = Command::new(program);
    command
        .arg(pid.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for map in maps {
        command.args([map.inside, map.outside, map.count].map(|n| n.to_string()));
    }
    let output = command
        .output()
        .map_err(|e| io::Error::new(e.kind(), format!("run {program}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        said.trim().to_owned(),
    ))
}

/// The ranges that `text` (of `/etc/subuid` or `/etc/subgid`) gives to a user. Lines that make no
/// sense give nothing.
pub fn sub_ranges(text: &str, uid: u32, name: Option<&str>) -> Vec<SubRange> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = Some(owner) == name || owner.parse() == Ok(uid);
            let range = SubRange {
                first: first.parse().ok()?,
                count: count.trim().parse().ok()?,
            };
            let sane = range.count > 0
                && range.first > 0
                && range.first.checked_add(range.count).is_some();
            (ours && sane && fields.next().is_none()).then_some(range)
        })
        .collect()
}

/// The name of `uid` in `text` (of `/etc/passwd`).
pub fn user_name(text: &str, uid: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

/// The map of a rootless engine: 0 inside is the user, and 1, 2, … are the ranges in their order.
pub fn rootless_map(own: u32, ranges: &[SubRange]) -> Vec<IdMap> {
    let mut maps = vec![IdMap {
        inside: 0,
        outside: own,
        count: 1,
    }];
    let mut inside: u32 = 1;
    for range in ranges {
        let count = range.count.min(u32::MAX - 1 - inside);
        if count > 0 {
            maps.push(IdMap {
                inside,
                outside: range.first,
                count,
            });
        }
        inside += count;
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_user() {
        let text = "alice:100000:65536\nbob:165536:65536\n1000:300000:10\nalice:x:1\nalice:5\nalice:1:2:3\nalice:0:9\nalice:4294967295:2\n";
        let range = |first, count| SubRange { first, count };
        assert_eq!(
            sub_ranges(text, 1000, Some("alice")),
            [range(100_000, 65536), range(300_000, 10)]
        );
        assert_eq!(sub_ranges(text, 1000, None), [range(300_000, 10)]);
        assert_eq!(sub_ranges(text, 1, Some("carol")), []);
    }

    #[test]
    fn name_of_a_user() {
        let text =
            "root:x:0:0::/:/bin/sh\n::5:5\nbroken\nalice:x:1000:1000:A:/home/alice:/bin/bash\n";
        assert_eq!(user_name(text, 1000), Some("alice"));
        assert_eq!(user_name(text, 5), None);
        assert_eq!(user_name(text, 7), None);
    }

    #[test]
    fn the_rootless_map_counts_on() {
        let ranges = [
            SubRange {
                first: 100_000,
                count: 65536,
            },
            SubRange {
                first: 300_000,
                count: 10,
            },
        ];
        let map = |inside, outside, count| IdMap {
            inside,
            outside,
            count,
        };
        assert_eq!(
            rootless_map(1000, &ranges),
            [
                map(0, 1000, 1),
                map(1, 100_000, 65536),
                map(65537, 300_000, 10)
            ]
        );
        let huge = [
            SubRange {
                first: 1,
                count: u32::MAX - 1,
            },
            SubRange { first: 1, count: 9 },
        ];
        assert_eq!(
            rootless_map(5, &huge),
            [map(0, 5, 1), map(1, 1, u32::MAX - 2)]
        );
        assert_eq!(
            lines(&rootless_map(5, &ranges[1..])),
            "0 5 1\n1 300000 10\n"
        );
    }
}
