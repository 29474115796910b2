//! `berth manifest rm`.

use berth_oci::Reference;

use crate::cmd::each;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Forget indexes that were made here; the images in them stay
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// The indexes
    #[arg(required = true, value_name = "LIST")]
    lists: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        each::named(&self.lists, |list| {
            Ok(engine.remove_index(&Reference::parse(list)?)?)
        })
    }
}
