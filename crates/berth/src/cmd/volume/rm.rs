//! `berth volume rm`.

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::{self, Failure};
use crate::verbs::{Outcome, Verb};

/// Remove volumes that no container uses
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// That there is none is fine
    #[arg(short, long)]
    force: bool,
    /// Volumes, by name
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let mut code = 0;
        for name in &self.names {
            match engine.remove_volume(name, self.force) {
                Ok(()) => print(&format!("{name}\n"))?,
                Err(error) => {
                    note(&Failure::from(error).to_string());
                    code = diagnostic::FAILED;
                }
            }
        }
        Ok(code)
    }
}
