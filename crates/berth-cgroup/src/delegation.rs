//! Cgroups that an ordinary user may make: below the cgroup that the caller itself is in, where
//! somebody (systemd with `Delegate=yes`, root with chown) has given it away.
//!
//! `/proc/PID/cgroup` has one line per hierarchy: `ID:CONTROLLERS:PATH`, `0::PATH` for v2; the
//! paths are seen from the root of the reader's cgroup namespace.

use crate::dir::Dir;
use crate::error::Result;
use crate::join;
use crate::layout::{Hierarchy, Layout, read_proc};

/// A place where the caller may make cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delegation {
    /// The hierarchy.
    pub(crate) hierarchy: Hierarchy,
    /// The cgroup in it that is the caller's to fill: the components below the hierarchy's mount.
    pub(crate) parent: Vec<String>,
}

/// Where the caller may make cgroups: in each hierarchy the outermost cgroup, of those that hold
/// it, which it may write to. Empty for a plain user.
///
/// # Errors
/// When `/proc` cannot be read.
pub(crate) fn delegated_in(layout: &Layout) -> Result<Vec<Delegation>> {
    let own = read_proc("/proc/self/cgroup")?;
    let mut found = Vec::new();
    for hierarchy in layout.all() {
        if let Some(path) = path_in(&own, hierarchy)
            && let Some(parent) = outermost_writable(hierarchy, path)
        {
            found.push(Delegation {
                hierarchy: hierarchy.clone(),
                parent,
            });
        }
    }
    Ok(found)
}

/// An ordinary user's leaves: hierarchy, and components below its mount. The parent is the caller's own cgroup, another
/// in each hierarchy, so only the last component of the asked path counts.
///
/// # Errors
/// As [`delegated_in`].
pub(crate) fn delegated_leaves(
    layout: &Layout,
    parts: &[String],
) -> Result<Vec<(Hierarchy, Vec<String>)>> {
    let name = format!("berth-{}", parts.last().map_or("", String::as_str));
    let leaf = |Delegation { hierarchy, parent }| {
        let mut inside = parent;
        inside.push(name.clone());
        (hierarchy, inside)
    };
    Ok(delegated_in(layout)?.into_iter().map(leaf).collect())
}

/// Controllers and path of each line of a `/proc/PID/cgroup`.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// The path in one hierarchy, below what its mount shows.
fn path_in<'a>(text: &'a str, hierarchy: &Hierarchy) -> Option<&'a str> {
    let path = entries(text).find_map(|(controllers, path)| {
        let same = match hierarchy.controllers.first() {
            None => controllers.is_empty(),
            Some(first) => controllers.split(',').any(|c| c == first),
        };
        same.then_some(path)
    })?;
    if hierarchy.root == "/" {
        return Some(path);
    }
    // The mount shows a part of the hierarchy: what lies outside it cannot be reached.
    path.strip_prefix(hierarchy.root.as_str())
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Climbs from `path` as long as the directory is writable.
fn outermost_writable(hierarchy: &Hierarchy, path: &str) -> Option<Vec<String>> {
    let parts = path.split('/').filter(|p| !p.is_empty());
    let mut parts: Vec<String> = parts.map(str::to_owned).collect();
    if parts.iter().any(|part| part == "..") {
        return None;
    }
    let writable = |depth: usize| {
        Dir::open(&join(&hierarchy.mount, &parts[..depth]))
            .is_ok_and(|dir| dir.may_write(".") && dir.may_write("cgroup.procs"))
    };
    let depth = (0..=parts.len())
        .rev()
        .take_while(|depth| writable(*depth))
        .last()?;
    parts.truncate(depth);
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(controllers: &[&str], root: &str) -> Hierarchy {
        Hierarchy {
            mount: "/x".into(),
            root: root.into(),
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    #[test]
    fn each_hierarchy_has_its_own_path() {
        let text = "9:name=systemd:/init\n4:cpu,cpuacct:/a:b\n0::/user.slice/x\n";
        assert_eq!(path_in(text, &hierarchy(&["cpuacct"], "/")), Some("/a:b"));
        assert_eq!(path_in(text, &hierarchy(&[], "/")), Some("/user.slice/x"));
        assert_eq!(path_in(text, &hierarchy(&["pids"], "/")), None);
    }

    #[test]
    fn a_partial_mount_shows_only_what_is_below_it() {
        let text = "0::/user.slice/x\n";
        assert_eq!(path_in(text, &hierarchy(&[], "/user.slice")), Some("/x"));
        assert_eq!(path_in(text, &hierarchy(&[], "/user")), None);
    }
}
