//! `berth manifest rm`.

use berth_oci::Reference;

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::{FAILED, Failure};
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
        let mut code = 0;
        for text in &self.lists {
            let list = Reference::parse(text).map_err(Failure::from);
            let removed = list.and_then(|list| Ok(engine.remove_index(&list)?));
            match removed {
                Ok(()) => print(&format!("{text}\n"))?,
                Err(failure) => {
                    note(&failure.to_string());
                    code = FAILED;
                }
            }
        }
        Ok(code)
    }
}
