//! `berth rename`.

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Give a container another name
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// The container, by name or id
    container: String,
    /// Its new name
    name: String,
}

impl Verb for Rename {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let id = engine.find(&self.container)?;
        engine.rename(&id, &self.name)?;
        Ok(0)
    }
}
