//! `berth kill`.

use berth_model::signal;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Send a signal to containers, SIGKILL by default
#[derive(Debug, clap::Args)]
pub struct Kill {
    /// The signal, by name or number
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Kill {
    fn run(self, globals: &Globals) -> Outcome {
        let signal = signal::parse(&self.signal).map_err(Failure::new)?;
        let engine = context::engine(globals)?;
        super::each::at_once(&engine, &self.containers, |id| Ok(engine.kill(id, signal)?))
    }
}
