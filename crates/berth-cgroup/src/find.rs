//! Finds the leaves of a cgroup whose maker died before it could tell where they are.

use crate::delegation::delegated_leaves;
use crate::error::Result;
use crate::layout::Layout;
use crate::{Cgroup, Options, components, join};

impl Cgroup {
    /// The leaves of `path` that are there, wherever [`Cgroup::begin`] and [`Cgroup::complete`] may have made them.
    ///
    /// # Errors
    /// When a directory cannot be looked at; a path that is none.
    pub fn find(path: &str, options: &Options) -> Result<Self> {
        let layout = Layout::detect()?;
        let parts = components(path)?;
        let places: Vec<_> = if options.rootless {
            let leaves = delegated_leaves(&layout, &parts)?.into_iter();
            leaves
                .map(|(hierarchy, inside)| join(&hierarchy.mount, &inside))
                .collect()
        } else {
            let places = layout.all().map(|h| join(&h.mount, &parts));
            places.collect()
        };
        Cgroup::open(&places)
    }
}
