//! Changes the limits of a cgroup in use.

use std::path::{Path, PathBuf};

use berth_oci::spec::Resources;
use rustix::io::Errno;

use crate::apply::Apply;
use crate::create::{Made, wanted};
use crate::dir::Dir;
use crate::error::Result;
use crate::layout::{Hierarchy, Layout};
use crate::{Cgroup, Options, join};

/// How often processes are moved: each time catches what was forked in the one before.
const ROUNDS: usize = 50;

impl Cgroup {
    /// Changes limits; what `resources` leaves out stays as it is. Values that count together
    /// (memory and swap, on v2 quota and period) are to be given together.
    ///
    /// # Errors
    /// The refused write; those before it are taken back.
    pub fn update(&self, resources: &Resources, options: &Options) -> Result<()> {
        Apply::to_used(self, resources, options)
    }

    /// Gives the cgroup what these limits need beyond what was made at first: leaves in further v1
    /// hierarchies, with all its processes in them, and controllers in the unified one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn extend(&mut self, resources: &Resources, options: &Options) -> Result<()> {
        let layout = Layout::detect()?;
        let Some(parts) = self.parts(&layout) else {
            return Ok(());
        };
        let mut made = Made {
            adopt: true,
            ..Made::default()
        };
        for hierarchy in wanted(&layout, resources) {
            match self.leaf_in(hierarchy) {
                Some(dir) if dir.unified => {
                    if let Some((_, parents)) = parts.split_last() {
                        made.walk(hierarchy, parents, resources)?;
                    }
                }
                Some(_) => {}
                // An ordinary user's cgroup has all that was delegated from the beginning.
                None if options.rootless => {}
                None => made.leaf(hierarchy, &parts, resources)?,
            }
        }
        let first = self.dirs.len();
        self.dirs.append(&mut made.cgroup.dirs);
        // Moving a process is slow: not when there is nowhere to move it.
        if first == self.dirs.len() {
            return Ok(());
        }
        self.fill(first)
    }

    /// The directories that [`Cgroup::extend`] would make: to be written down before it does.
    ///
    /// # Errors
    /// When the host's hierarchies cannot be read.
    pub fn extension(&self, resources: &Resources, options: &Options) -> Result<Vec<PathBuf>> {
        let layout = Layout::detect()?;
        let Some(parts) = self.parts(&layout).filter(|_| !options.rootless) else {
            return Ok(Vec::new());
        };
        Ok(wanted(&layout, resources)
            .filter(|h| self.leaf_in(h).is_none())
            .map(|h| join(&h.mount, &parts))
            .collect())
    }

    /// The cgroup's name in each hierarchy.
    fn parts(&self, layout: &Layout) -> Option<Vec<String>> {
        let parts = |dir: &Dir| hierarchy_of(layout, dir).and_then(|h| below(h, &dir.path));
        self.dirs.iter().find_map(parts)
    }

    fn leaf_in(&self, hierarchy: &Hierarchy) -> Option<&Dir> {
        let mut dirs = self.dirs.iter();
        dirs.find(|d| d.path.starts_with(&hierarchy.mount))
    }

    /// Moves all processes into the leaves from the `first` on.
    fn fill(&self, first: usize) -> Result<()> {
        let mut moved = Vec::new();
        for _ in 0..ROUNDS {
            let pids = self.procs()?;
            let rest: Vec<i32> = pids.into_iter().filter(|p| !moved.contains(p)).collect();
            if rest.is_empty() {
                break;
            }
            for pid in rest {
                for dir in &self.dirs[first..] {
                    let (file, value) = ("cgroup.procs", pid.to_string());
                    match dir.try_write(file, &value) {
                        // It has ended.
                        Ok(()) | Err(Errno::SRCH) => {}
                        Err(source) => return Err(dir.refused(file, &value, source)),
                    }
                }
                moved.push(pid);
            }
        }
        Ok(())
    }
}

fn hierarchy_of<'a>(layout: &'a Layout, dir: &Dir) -> Option<&'a Hierarchy> {
    layout.all().find(|h| dir.path.starts_with(&h.mount))
}

fn below(hierarchy: &Hierarchy, path: &Path) -> Option<Vec<String>> {
    let rest = path.strip_prefix(&hierarchy.mount).ok()?;
    rest.iter().map(|c| c.to_str().map(str::to_owned)).collect()
}
