//! A cgroup made in two parts, so that the second is made while init is busy with its namespaces: the leaf
//! that init is born into, then all others and the limits.

use std::path::PathBuf;

use berth_oci::spec::Resources;
use rustix::fs::{CWD, Mode, OFlags};

use crate::apply::Apply;
use crate::create::{Made, remove_parents, wanted};
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::layout::{Hierarchy, Layout};
use crate::{Cgroup, Options, components};

/// What [`Cgroup::begin`] has left to do.
#[derive(Debug)]
pub struct Rest {
    parts: Vec<String>,
    /// Where leaves are still to be made; all of v1.
    hierarchies: Vec<Hierarchy>,
    /// Parents made on the way: (directory it is in, name).
    parents: Vec<(Dir, String)>,
}

impl Cgroup {
    /// Makes the unified leaf of the cgroup `path` (absolute in each hierarchy, such as `/berth/<id>`), if
    /// there is that hierarchy; for an ordinary user all leaves. No limit is in force yet.
    ///
    /// An empty left-over of the same path is replaced. Processes are not moved.
    ///
    /// # Errors
    /// Whatever was refused; nothing is left behind.
    pub fn begin(path: &str, resources: &Resources, options: &Options) -> Result<(Cgroup, Rest)> {
        Self::begin_in(&Layout::detect()?, path, resources, options)
    }

    pub(crate) fn begin_in(
        layout: &Layout,
        path: &str,
        resources: &Resources,
        options: &Options,
    ) -> Result<(Cgroup, Rest)> {
        let parts = components(path)?;
        let mut made = Made::default();
        let mut rest = Rest {
            parts,
            hierarchies: Vec::new(),
            parents: Vec::new(),
        };
        let begun = if options.rootless {
            made.delegated_leaves(layout, &rest.parts, resources)
        } else {
            let (v1, unified): (Vec<_>, Vec<_>) = wanted(layout, resources)
                .cloned()
                .partition(|hierarchy| !hierarchy.controllers.is_empty());
            rest.hierarchies = v1;
            let mut leaves = unified.iter();
            leaves.try_for_each(|hierarchy| made.leaf(hierarchy, &rest.parts, resources))
        };
        if let Err(error) = begun {
            made.undo();
            return Err(error);
        }
        rest.parents = made.parents;
        Ok((made.cgroup, rest))
    }

    /// Makes the other leaves and writes the limits. What was made stays there on failure: the cgroup is
    /// to be removed, then [`Rest::undo`] does the last.
    ///
    /// # Errors
    /// Whatever was refused, with the file and the value.
    pub fn complete(
        &mut self,
        rest: &mut Rest,
        resources: &Resources,
        options: &Options,
    ) -> Result<()> {
        let mut made = Made {
            cgroup: std::mem::take(self),
            parents: std::mem::take(&mut rest.parents),
            adopt: false,
        };
        let mut left = rest.hierarchies.iter();
        let done = left
            .try_for_each(|hierarchy| made.leaf(hierarchy, &rest.parts, resources))
            .and_then(|()| Apply::to_new(&made.cgroup, resources, options));
        rest.parents = made.parents;
        *self = made.cgroup;
        done
    }

    /// As [`Cgroup::join_v1`], for a process that was made when only this much of the cgroup was there.
    /// `all` are the directories that are there now.
    ///
    /// # Errors
    /// The refused write.
    pub fn join_v1_of(&self, all: &[PathBuf]) -> Result<()> {
        self.join_v1()?;
        let here = |path: &&PathBuf| self.dirs.iter().any(|dir| dir.path == **path);
        for path in all.iter().filter(|path| !here(path)) {
            let tasks = path.join("tasks");
            let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &tasks, flags, Mode::empty())
                .and_then(|file| rustix::io::write(file, b"0"))
                .map_err(|source| Error::WriteFile {
                    path: tasks,
                    value: "0".to_owned(),
                    source,
                })?;
        }
        Ok(())
    }
}

impl Rest {
    /// Removes the parents that were made, as far as nobody else uses them.
    pub fn undo(self) {
        remove_parents(&self.parents);
    }
}
