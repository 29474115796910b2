//! `berth kill`.

use berth_model::signal;

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Send a signal to containers, SIGKILL by default
#[derive(Debug, clap::Args)]
pub struct Kill {
    /// The signal, by name or number
    #[arg(short, long, value_parser = signal::parse, default_value = "KILL")]
    signal: i32,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Kill {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        super::each::at_once(&engine, &self.containers, |id| {
            Ok(engine.kill(id, self.signal)?)
        })
    }
}
