//! `exec --cgroup [CONTROLLER[,CONTROLLER…]:]PATH`: an existing cgroup below the container's own, for the new
//! process. Without a controller it is the unified hierarchy's.

use std::path::{Component, Path, PathBuf};

use berth_cgroup::{Hierarchy, Layout};

use super::args::usage;
use crate::error::{Error, Result};

/// The container's cgroup directories, with those that are asked for in the place of theirs.
///
/// # Errors
/// [`Error::Usage`]; [`Error::Cgroup`] without hierarchies.
pub(super) fn paths(own: &[PathBuf], asked: &[String]) -> Result<Vec<PathBuf>> {
    let layout = Layout::detect()?;
    let mut paths = own.to_vec();
    let mut seen = Vec::new();
    for argument in asked {
        let (controllers, below) = match argument.split_once(':') {
            Some((controllers, below)) => (controllers.split(',').collect(), below),
            None if asked.len() == 1 => (vec![""], argument.as_str()),
            None => return Err(wrong(argument, "missing <controller>: prefix")),
        };
        for controller in controllers {
            if controller.is_empty() && argument.contains(':') {
                return Err(wrong(argument, "empty <controller> prefix"));
            }
            if seen.contains(&controller) {
                return Err(wrong(argument, "a controller is named twice"));
            }
            seen.push(controller);
            let hierarchy = hierarchy(&layout, controller)
                .ok_or_else(|| wrong(argument, "unknown controller"))?;
            let index = own
                .iter()
                .position(|path| {
                    path.starts_with(&hierarchy.mount) && !deeper(&layout, hierarchy, path)
                })
                .ok_or_else(|| wrong(argument, "the container has no cgroup there"))?;
            paths[index] =
                join(&own[index], below).ok_or_else(|| wrong(argument, "bad sub cgroup path"))?;
            if !paths[index].is_dir() {
                return Err(wrong(argument, "no such file or directory"));
            }
        }
    }
    Ok(paths)
}

fn hierarchy<'a>(layout: &'a Layout, controller: &str) -> Option<&'a Hierarchy> {
    match controller {
        "" => layout.unified.as_ref(),
        name => layout.v1_of(name),
    }
}

/// Whether the path belongs to a hierarchy that is mounted below this one.
fn deeper(layout: &Layout, outer: &Hierarchy, path: &Path) -> bool {
    layout.v1.iter().chain(&layout.unified).any(|inner| {
        inner.mount != outer.mount
            && inner.mount.starts_with(&outer.mount)
            && path.starts_with(&inner.mount)
    })
}

/// Below, never beside: no `..`.
fn join(own: &Path, below: &str) -> Option<PathBuf> {
    let mut path = own.to_owned();
    for component in Path::new(below).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn wrong(argument: &str, why: &str) -> Error {
    usage(format!("--cgroup {argument}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        let own = Path::new("/sys/fs/cgroup/memory/c");
        assert_eq!(join(own, "/a/./b"), Some(own.join("a/b")));
        assert_eq!(join(own, "../other"), None);
        assert_eq!(join(own, "a/../../b"), None);
    }

    #[test]
    fn mistakes_are_told() {
        let says = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|a| (*a).to_owned()).collect();
            paths(&[], &asked).unwrap_err().to_string()
        };
        assert!(says(&["b", "memory:a"]).contains("prefix"));
        assert!(says(&[":a"]).contains("empty"));
        assert!(says(&["nosuch:a"]).contains("unknown controller"));
    }
}
