//! `berth pause`.

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Freeze all processes of containers
#[derive(Debug, clap::Args)]
pub struct Pause {
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Pause {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        super::each::at_once(&engine, &self.containers, |id| Ok(engine.pause(id)?))
    }
}
