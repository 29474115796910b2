//! The process that answers for names in user networks: `berth internal network`, one a run directory. The engine starts
//! it with the first container that needs it, and again where it was killed.

use std::path::PathBuf;
use std::process::Command;

use berth_dns::Resolver;

use crate::{Engine, Error};

impl Engine {
    /// Speaks to the resolver.
    pub(crate) fn resolver<T>(
        &self,
        act: impl FnOnce(&Resolver<'_>) -> berth_dns::Result<T>,
    ) -> Result<T, Error> {
        let line = self.own_line(&["network"]);
        let command = || {
            let mut command = Command::new(&self.options.berth);
            command.env_clear().args(&line[1..]);
            // Whoever starts it may be a foreground client, who blocks the signals that he passes on.
            berth_sys::signals::reset_in_child(&mut command);
            command
        };
        let resolver = Resolver {
            run_dir: self.layout.run_dir(),
            command: &command,
            keep: &|child| self.keep_child(child),
        };
        act(&resolver).map_err(Error::Names)
    }

    /// Starts the resolver again if it was killed: then it serves all containers that run. Whether it was.
    ///
    /// # Errors
    /// [`Error::Names`].
    pub fn ensure_resolver(&self) -> Result<bool, Error> {
        if self.options.rootless {
            return Ok(false);
        }
        self.resolver(|resolver| resolver.ensure())
    }

    /// Waits until a resolver ends, one that is yet to start if none runs.
    ///
    /// # Errors
    /// [`Error::Names`].
    pub fn wait_for_resolver(&self) -> Result<(), Error> {
        self.resolver(|resolver| resolver.wait())
    }
}

/// Paths of the resolver.
impl crate::layout::Layout {
    /// A network's names, one file a container.
    pub fn network_names(&self, network: &str) -> PathBuf {
        berth_dns::record::names(self.run_dir(), network)
    }

    /// How a container's questions are answered.
    pub fn dns(&self, id: &berth_model::ContainerId) -> PathBuf {
        berth_dns::record::task(self.run_dir(), id.as_str())
    }
}
