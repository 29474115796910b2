//! `berth stop`.

use std::time::Duration;

use berth_model::signal;

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Ask containers to end, and kill those that do not
#[derive(Debug, clap::Args)]
pub struct Stop {
    #[command(flatten)]
    patience: Patience,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// How to end a container
#[derive(Debug, clap::Args)]
pub struct Patience {
    /// The signal that asks; the container's own by default
    #[arg(short, long, value_parser = signal::parse)]
    pub signal: Option<i32>,
    /// Seconds before the kill (-1: wait for ever); the container's own by default
    #[arg(
        short = 't',
        long = "time",
        visible_alias = "timeout",
        value_name = "SECONDS",
        allow_hyphen_values = true
    )]
    pub time: Option<i64>,
}

impl Patience {
    /// How long to wait; `None`: as the container says.
    pub fn timeout(&self) -> Option<Duration> {
        self.time
            .map(|seconds| u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs))
    }
}

impl Verb for Stop {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let (signal, timeout) = (self.patience.signal, self.patience.timeout());
        super::each::at_once(&engine, &self.containers, |id| {
            Ok(engine.stop(id, signal, timeout)?)
        })
    }
}
