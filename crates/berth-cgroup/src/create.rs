//! Makes a container's leaves, one hierarchy at a time, with the parents that they need.

use berth_oci::spec::Resources;
use rustix::io::Errno;

use crate::apply::Apply;
use crate::delegation::delegated_leaves;
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::layout::{Hierarchy, Layout, SYSTEMD};
use crate::{Cgroup, Options, components, join, systemd, v1, v2};

/// How often a parent that others remove under our hands is made again.
const RACE_RETRIES: usize = 10;

impl Cgroup {
    /// The cgroup `path`, where another has made the leaf in some of the hierarchies and processes may be
    /// in it: the others' leaves are made, and the limits written. What is made here is removed on failure.
    ///
    /// # Errors
    /// Whatever was refused, with the file and the value.
    pub fn adopt(path: &str, resources: &Resources, options: &Options) -> Result<Self> {
        let layout = Layout::detect()?;
        let parts = components(path)?;
        let mut made = Made {
            adopt: true,
            ..Made::default()
        };
        let done = wanted(&layout, resources)
            .try_for_each(|hierarchy| made.leaf(hierarchy, &parts, resources))
            .and_then(|()| Apply::to_new(&made.cgroup, resources, options));
        match done {
            Ok(()) => Ok(made.cgroup),
            Err(error) => {
                made.undo();
                Err(error)
            }
        }
    }
}

/// What has been made so far.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) cgroup: Cgroup,
    /// A leaf that is there already is taken as it is.
    pub(crate) adopt: bool,
    /// Parents made on the way, outermost first: (directory it is in, name).
    pub(crate) parents: Vec<(Dir, String)>,
}

impl Made {
    /// Makes the leaves of an ordinary user.
    pub(crate) fn delegated_leaves(
        &mut self,
        layout: &Layout,
        parts: &[String],
        resources: &Resources,
    ) -> Result<()> {
        for (hierarchy, inside) in delegated_leaves(layout, parts)? {
            self.leaf(&hierarchy, &inside, resources)?;
        }
        Ok(())
    }

    /// Makes the leaf in one hierarchy, with its parents.
    pub(crate) fn leaf(
        &mut self,
        hierarchy: &Hierarchy,
        parts: &[String],
        resources: &Resources,
    ) -> Result<()> {
        for attempt in 0.. {
            match self.try_leaf(hierarchy, parts, resources) {
                Err(
                    Error::MakeDir {
                        source: Errno::NOENT,
                        ..
                    }
                    | Error::OpenDir {
                        source: Errno::NOENT,
                        ..
                    },
                ) if attempt < RACE_RETRIES => {}
                other => return other,
            }
        }
        Ok(())
    }

    fn try_leaf(
        &mut self,
        hierarchy: &Hierarchy,
        parts: &[String],
        resources: &Resources,
    ) -> Result<()> {
        let unified = hierarchy.controllers.is_empty();
        // A cpuset parent may be one that nobody has filled yet.
        let look = unified || hierarchy.is_of("cpuset");
        // The last component is split off: parents are shared, the leaf is this container's own.
        let Some((name, parents)) = parts.split_last() else {
            return Ok(());
        };
        // Nearly always the parents are there: one look-up instead of one for each component.
        let path = join(&hierarchy.mount, parents);
        let parent = match look {
            true => self.walk(hierarchy, parents, resources)?,
            false => match Dir::open_in(&path, unified) {
                Ok(dir) => dir,
                Err(_) => self.walk(hierarchy, parents, resources)?,
            },
        };
        if !parent.make(name)? && !self.adopt {
            // A left-over of a start that was cut short. Who runs in it is not ours to judge.
            parent.remove(name).map_err(|error| match error {
                Error::RemoveDir {
                    path,
                    source: Errno::BUSY,
                } => Error::InUse { path },
                other => other,
            })?;
            parent.make(name)?;
        }
        let mut leaf = parent.child(name)?;
        leaf.controllers.clone_from(&hierarchy.controllers);
        v1::prepare(&leaf, hierarchy)?;
        self.cgroup.dirs.push(leaf);
        Ok(())
    }

    /// Opens each parent in turn, makes those that are missing and passes controllers down.
    pub(crate) fn walk(
        &mut self,
        hierarchy: &Hierarchy,
        parents: &[String],
        resources: &Resources,
    ) -> Result<Dir> {
        let mut dir = Dir::open_in(&hierarchy.mount, hierarchy.controllers.is_empty())?;
        let passed = v2::needed_controllers(resources);
        for name in parents {
            v2::pass_down(&dir, &passed)?;
            let made = dir.make(name)?;
            let child = dir.child(name)?;
            v1::prepare(&child, hierarchy)?;
            let parent = std::mem::replace(&mut dir, child);
            if made {
                self.parents.push((parent, name.clone()));
            }
        }
        v2::pass_down(&dir, &passed)?;
        Ok(dir)
    }

    /// Takes everything back. Best effort: the error that led here is the one to report.
    pub(crate) fn undo(self) {
        for dir in &self.cgroup.dirs {
            let _ = crate::remove::remove_empty(dir);
        }
        remove_parents(&self.parents);
    }
}

/// Best effort, as [`Made::undo`].
pub(crate) fn remove_parents(parents: &[(Dir, String)]) {
    for (parent, name) in parents.iter().rev() {
        // Another container may use it by now: then the kernel says EBUSY.
        let _ = parent.remove(name);
    }
}

/// The hierarchies where root's container gets a leaf.
pub(crate) fn wanted<'a>(
    layout: &'a Layout,
    resources: &'a Resources,
) -> impl Iterator<Item = &'a Hierarchy> {
    let cpuset = resources
        .cpu
        .as_ref()
        .is_some_and(|c| c.cpus.is_some() || c.mems.is_some());
    let network = resources.network.as_ref();
    let frozen_by_v2 = layout.unified.is_some();
    // Each directory costs time at the start and at the end: those that only limit are made when a
    // limit asks for them.
    let needed = move |h: &&Hierarchy| {
        h.controllers.iter().any(|c| match c.as_str() {
            // Sharing the parent's set of CPUs needs no directory.
            "cpuset" => cpuset,
            "freezer" => !frozen_by_v2,
            "hugetlb" => !resources.hugepage_limits.is_empty(),
            "net_cls" => network.is_some_and(|n| n.class_id.is_some()),
            "net_prio" => network.is_some_and(|n| !n.priorities.is_empty()),
            "rdma" => !resources.rdma.is_empty(),
            // Else the container would be a part of the service that its caller is, and stop with it.
            SYSTEMD => systemd::is_running(),
            _ => true,
        })
    };
    layout
        .v1
        .iter()
        .filter(needed)
        .chain(layout.unified.as_ref())
}
