//! Id maps of user namespaces: what can be told to be wrong with them before anything is made, and how
//! they are written.
//!
//! ```text
//! the caller is root (of whatever namespace)   it writes them
//! one entry that maps the caller's own id      so does he, after denying setgroups(2)
//! all else                                     newuidmap and newgidmap, by /etc/subuid and /etc/subgid
//! ```
//!
//! Source: config-linux.md "User namespace mappings"; user_namespaces(7), newuidmap(1).

use std::io;

use berth_oci::spec::{IdMapping, Linux, User};
use berth_sys::userns::{self, IdMap};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::{Error, Result, invalid, step};

/// Most entries that the kernel takes. Source: UID_GID_MAP_MAX_EXTENTS, linux/user_namespace.h.
const MAX_ENTRIES: usize = 340;

/// Checks both maps, and that they have the ids of `user`.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub(crate) fn check(linux: &Linux, user: Option<&User>) -> Result<()> {
    check_map("uidMappings", &linux.uid_mappings)?;
    check_map("gidMappings", &linux.gid_mappings)?;
    let Some(user) = user else { return Ok(()) };
    let wanted = [
        ("user", user.uid, &linux.uid_mappings),
        ("group", user.gid, &linux.gid_mappings),
    ];
    for (what, id, map) in wanted {
        if !map.is_empty() && on_host(map, id).is_none() {
            return invalid(format!("the {what} {id} of the process has no mapping"));
        }
    }
    Ok(())
}

/// The host's id behind the container's.
pub(crate) fn on_host(map: &[IdMapping], id: u32) -> Option<u32> {
    map.iter().find_map(|m| {
        let offset = id.checked_sub(m.container_id)?;
        (offset < m.size).then(|| m.host_id + offset)
    })
}

fn check_map(name: &str, map: &[IdMapping]) -> Result<()> {
    if map.len() > MAX_ENTRIES {
        return invalid(format!("{name} has more than {MAX_ENTRIES} entries"));
    }
    for (index, entry) in map.iter().enumerate() {
        let end = |first: u32| first.checked_add(entry.size);
        if entry.size == 0 || end(entry.container_id).is_none() || end(entry.host_id).is_none() {
            return invalid(format!("{name} has an entry of {} ids", entry.size));
        }
        let twice = |a: fn(&IdMapping) -> u32| {
            map[..index]
                .iter()
                .any(|m| a(m) < a(entry) + entry.size && a(entry) < a(m) + m.size)
        };
        if twice(|m| m.container_id) || twice(|m| m.host_id) {
            return invalid(format!("{name} has an id twice"));
        }
    }
    Ok(())
}

/// Writes both maps of `pid`, a child that has just made its user namespace.
///
/// # Errors
/// [`Error::IdMaps`].
pub(crate) fn write(pid: i32, linux: &Linux) -> Result<()> {
    let (uids, gids) = (entries(&linux.uid_mappings), entries(&linux.gid_mappings));
    let own =
        |maps: &[IdMap], id: u32| matches!(maps, [map] if map.count == 1 && map.outside == id);
    let alone = own(&uids, rustix::process::geteuid().as_raw())
        && own(&gids, rustix::process::getegid().as_raw());
    let write = if rustix::process::geteuid().is_root() || alone {
        userns::write_maps
    } else {
        userns::write_maps_by_helpers
    };
    write(pid, &uids, &gids).map_err(|source| Error::IdMaps { source })
}

pub(crate) fn entries(list: &[IdMapping]) -> Vec<IdMap> {
    let entry = |m: &IdMapping| IdMap {
        inside: m.container_id,
        outside: m.host_id,
        count: m.size,
    };
    list.iter().map(entry).collect()
}

/// After the entry of a user namespace: becomes its user and group 0. Where it maps no 0, those of the
/// process to come; what this process may do here does not depend on it.
///
/// # Errors
/// [`Error::Step`]: the namespace maps neither.
pub(crate) fn become_root(user: &User) -> Result<()> {
    let fail = |errno| step("become root of the user namespace", errno);
    let gid = |id| {
        let gid = Gid::from_raw(id);
        set_thread_res_gid(gid, gid, gid)
    };
    let uid = |id| {
        let uid = Uid::from_raw(id);
        set_thread_res_uid(uid, uid, uid)
    };
    match gid(0) {
        Err(Errno::INVAL) => gid(user.gid),
        other => other,
    }
    .map_err(fail)?;
    // Denied in some user namespaces; the process's own come later.
    let _ = set_thread_groups(&[]);
    match uid(0) {
        Err(Errno::INVAL) => uid(user.uid),
        other => other,
    }
    .map_err(fail)
}

/// A configuration may give the maps of a user namespace that is joined, too (containerd does): they must
/// then be its own. Read from the outside, where the process `pid` is in it.
///
/// # Errors
/// [`Error::InvalidSpec`], [`Error::IdMaps`].
pub(crate) fn compare(pid: i32, linux: &Linux) -> Result<()> {
    let maps = [
        ("uid_map", "uidMappings", &linux.uid_mappings),
        ("gid_map", "gidMappings", &linux.gid_mappings),
    ];
    for (file, name, wanted) in maps {
        if wanted.is_empty() {
            continue;
        }
        let text = std::fs::read_to_string(format!("/proc/{pid}/{file}"))
            .map_err(|source| Error::IdMaps { source })?;
        let real = parse(&text).ok_or_else(|| Error::IdMaps {
            source: io::ErrorKind::InvalidData.into(),
        })?;
        let sorted = |list: &[IdMapping]| {
            let mut list: Vec<_> = list
                .iter()
                .map(|m| (m.container_id, m.host_id, m.size))
                .collect();
            list.sort_unstable();
            list
        };
        if sorted(&real) != sorted(wanted) {
            return invalid(format!(
                "{name} are not those of the user namespace to be joined: leave them out"
            ));
        }
    }
    Ok(())
}

fn parse(text: &str) -> Option<Vec<IdMapping>> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(str::parse);
        Some(IdMapping {
            container_id: fields.next()?.ok()?,
            host_id: fields.next()?.ok()?,
            size: fields.next()?.ok()?,
        })
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(u32, u32, u32)]) -> Vec<IdMapping> {
        let entry = |&(container_id, host_id, size): &(u32, u32, u32)| IdMapping {
            container_id,
            host_id,
            size,
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn what_the_kernel_would_refuse_is_told_before() {
        let good: [&[(u32, u32, u32)]; 3] = [
            &[(0, 1000, 1)],
            &[(0, 1000, 1), (1, 100_000, 65_536)],
            &[(10, 0, 10), (0, 10, 10), (4_294_967_294, 50, 1)],
        ];
        for good in good {
            check_map("m", &map(good)).unwrap();
        }
        let bad: [&[(u32, u32, u32)]; 6] = [
            &[(0, 0, 0)],
            &[(4_294_967_295, 0, 1)],
            &[(0, 4_294_967_290, 10)],
            &[(0, 0, 10), (9, 100, 1)],
            &[(0, 0, 10), (10, 9, 1)],
            &[(5, 100, 5), (0, 200, 6)],
        ];
        for bad in bad {
            assert!(check_map("m", &map(bad)).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..341).map(|n| (n, n, 1)).collect();
        assert!(check_map("m", &map(&many)).is_err());
        check_map("m", &map(&many[1..])).unwrap();
    }

    #[test]
    fn the_process_must_be_somebody() {
        let linux = Linux {
            uid_mappings: map(&[(0, 1000, 10)]),
            gid_mappings: map(&[(5, 1000, 1)]),
            ..Linux::default()
        };
        let user = |uid, gid| User {
            uid,
            gid,
            ..User::default()
        };
        check(&linux, Some(&user(9, 5))).unwrap();
        for (uid, gid) in [(10, 5), (0, 4), (0, 6)] {
            assert!(check(&linux, Some(&user(uid, gid))).is_err(), "{uid} {gid}");
        }
        check(&Linux::default(), Some(&user(10, 10))).unwrap();
    }

    #[test]
    fn maps_are_read_as_the_kernel_shows_them() {
        let shown = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(
            parse(shown).unwrap(),
            map(&[(0, 1000, 1), (1, 100_000, 65_536)])
        );
        assert_eq!(parse("0 x 1\n"), None);
        compare(std::process::id() as i32, &Linux::default()).unwrap();
        let other = Linux {
            uid_mappings: map(&[(7, 7, 7)]),
            ..Linux::default()
        };
        assert!(compare(std::process::id() as i32, &other).is_err());
    }
}
