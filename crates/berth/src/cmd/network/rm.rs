//! `berth network rm`.

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove networks that no container is in
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// That there is none is fine
    #[arg(short, long)]
    force: bool,
    /// Networks, by name or id
    #[arg(required = true, value_name = "NETWORK")]
    names: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let mut code = 0;
        for name in &self.names {
            match engine.remove_network(name) {
                Ok(()) => print(&format!("{name}\n"))?,
                Err(error @ berth_engine::Error::NoNetwork { .. }) => {
                    // As docker: it is told, and fails nothing.
                    note(&Failure::from(error).to_string());
                    code = if self.force { code } else { 1 };
                }
                Err(error) => {
                    note(&Failure::from(error).to_string());
                    code = 1;
                }
            }
        }
        Ok(code)
    }
}
