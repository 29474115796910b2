//! Programs that we started and that outlive the verb: shims, which become monitors, and reapers. A command that ends
//! leaves them to init; in a daemon somebody has to take notice of their ends.

use std::process::Child;
use std::sync::{Mutex, PoisonError};

use crate::Engine;

/// Those of this process that have not ended yet, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<Vec<Child>>);

impl Engine {
    /// Remembers one, and takes notice of those that have ended.
    pub(crate) fn keep_child(&self, child: Child) {
        self.collect_children();
        self.children().push(child);
    }

    /// Takes notice of those that have ended.
    pub fn collect_children(&self) {
        // One that cannot be asked about is not ours any more.
        self.children()
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    fn children(&self) -> std::sync::MutexGuard<'_, Vec<Child>> {
        // A list is whole whatever panicked.
        self.children
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
