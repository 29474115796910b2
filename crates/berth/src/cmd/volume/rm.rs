//! `berth volume rm`.

use crate::cmd::each;
use crate::context;
use crate::globals::Globals;
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
        let remove = |name: &str| Ok(engine.remove_volume(name, self.force)?);
        each::named(&self.names, remove)
    }
}
