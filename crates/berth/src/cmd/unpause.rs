//! `berth unpause`.

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Let frozen containers run on
#[derive(Debug, clap::Args)]
pub struct Unpause {
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Unpause {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        super::each::at_once(&engine, &self.containers, |id| Ok(engine.unpause(id)?))
    }
}
