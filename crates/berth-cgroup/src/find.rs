//! Finds the leaves of a cgroup whose maker died before it could tell where they are.

use crate::delegation::delegated_in;
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
            let name = rootless_name(&parts);
            let delegated = delegated_in(&layout)?;
            let inside = |d: &crate::delegation::Delegation| {
                let mut parts: Vec<&str> = d.parent.iter().map(String::as_str).collect();
                parts.push(&name);
                join(&d.hierarchy.mount, &parts)
            };
            delegated.iter().map(inside).collect()
        } else {
            let all = layout.v1.iter().chain(&layout.unified);
            all.map(|hierarchy| join(&hierarchy.mount, &parts))
                .collect()
        };
        Cgroup::open(&places)
    }
}

/// An ordinary user's leaf: the parent is the caller's own cgroup, another in each hierarchy, so only the
/// path's last component counts.
pub(crate) fn rootless_name(parts: &[&str]) -> String {
    format!("berth-{}", parts.last().copied().unwrap_or_default())
}
