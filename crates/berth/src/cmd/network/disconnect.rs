//! `berth network disconnect`.

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Take a container out of a network, also while it runs
#[derive(Debug, clap::Args)]
pub struct Disconnect {
    /// Also when the network is not there any more
    #[arg(short, long)]
    force: bool,
    /// Network, by name or id
    #[arg(value_name = "NETWORK")]
    network: String,
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Verb for Disconnect {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        engine.disconnect_network(&self.container, &self.network, self.force)?;
        Ok(0)
    }
}
