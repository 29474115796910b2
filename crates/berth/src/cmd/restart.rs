//! `berth restart`.

use super::stop::Patience;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Stop containers and start them again
#[derive(Debug, clap::Args)]
pub struct Restart {
    #[command(flatten)]
    patience: Patience,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Restart {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let (signal, timeout) = (self.patience.signal, self.patience.timeout());
        super::each::in_turn(&engine, &self.containers, |id| {
            Ok(engine.restart(id, signal, timeout)?)
        })
    }
}
