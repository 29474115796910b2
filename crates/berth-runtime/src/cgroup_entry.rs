//! Init's way into its cgroups. Where it can go ahead, the runtime makes them while init makes its
//! namespaces and file systems; it waits for them where it needs them, at the latest before hooks see it.

use std::cell::OnceCell;
use std::path::PathBuf;

use berth_cgroup::Cgroup;
use berth_sys::process::{namespace, unshare};

use crate::error::{Result, step};
use crate::namespaces::Plan;
use crate::sync::Sync;

/// See above.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(crate) sync: &'a Sync,
    plan: &'a Plan,
    /// As it was when init was made.
    cgroup: &'a Cgroup,
    told: OnceCell<Vec<PathBuf>>,
    entered: OnceCell<()>,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(sync: &'a Sync, plan: &'a Plan, cgroup: &'a Cgroup) -> Entry<'a> {
        Entry {
            sync,
            plan,
            cgroup,
            told: OnceCell::new(),
            entered: OnceCell::new(),
        }
    }

    /// Waits until the runtime has made them all.
    ///
    /// # Errors
    /// It has failed.
    pub(crate) fn wait(&self) -> Result<()> {
        if self.told.get().is_none() {
            let _ = self.told.set(self.sync.wait_place()?);
        }
        Ok(())
    }

    /// Enters them, the first time that it is called.
    ///
    /// # Errors
    /// The runtime has failed; the refused move.
    pub(crate) fn enter(&self) -> Result<()> {
        if self.entered.set(()).is_err() {
            return Ok(());
        }
        if self.plan.goes_ahead() {
            self.wait()?;
            self.cgroup.join_v1_of(self.paths())?;
        } else if !self.plan.held {
            let _ = self.told.set(self.cgroup.paths());
            self.cgroup.join_v1()?;
        }
        // The namespace's root is the cgroup that its maker is in.
        if self.plan.new_cgroup {
            unshare(namespace::CGROUP).map_err(|e| step("make the cgroup namespace", e))?;
        }
        Ok(())
    }

    /// The directories; none before they are entered.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        self.told.get().map_or(&[], Vec::as_slice)
    }
}
