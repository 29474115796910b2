//! `berth network inspect`.

use crate::cmd::inspect::print_all;
use crate::context;
use crate::globals::Globals;
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

/// Show all that is known of networks
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Also what serves the network
    #[arg(short, long)]
    verbose: bool,
    /// Networks, by name or id
    #[arg(required = true, value_name = "NETWORK")]
    names: Vec<String>,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            Ok(Value::of(&berth_docker::network(&engine.network(name)?)))
        })
    }
}
