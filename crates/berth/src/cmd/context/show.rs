//! `berth context show`.

use crate::globals::Globals;
use crate::remote;
use crate::verbs::{Outcome, Verb};

/// Print the name of the context that is used
#[derive(Debug, clap::Args)]
pub struct Show {}

impl Verb for Show {
    fn run(self, globals: &Globals) -> Outcome {
        let name = remote::context_name(globals)?;
        crate::cmd::print(&format!("{name}\n"))?;
        Ok(0)
    }
}
