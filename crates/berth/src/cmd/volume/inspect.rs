//! `berth volume inspect`.

use crate::cmd::inspect::print_all;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};
use crate::view::volume;

/// Show all that is known of volumes
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// Print with a Go template, or `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Volumes, by name
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        print_all(&self.names, self.format.as_deref(), |name| {
            Ok(volume::inspect(&engine.volume(name)?))
        })
    }
}
