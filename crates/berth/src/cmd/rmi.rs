//! `berth rmi`.

use berth_engine::image::{Error, Removed};

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove names of images, and with its last name the image
#[derive(Debug, clap::Args)]
pub struct Rmi {
    /// Remove an image with several names, or one that a stopped container uses; one that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// Accepted for docker's sake: berth has no images that are only others' parents
    #[arg(long)]
    no_prune: bool,
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Verb for Rmi {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let mut code = 0;
        for name in &self.images {
            match engine.remove_image(name, self.force) {
                Ok(steps) => super::print(&told(&steps))?,
                Err(error) => {
                    let absent = matches!(error, Error::NoImage { .. });
                    super::note(&Failure::from(error).to_string());
                    code = if absent && self.force { code } else { 1 };
                }
            }
        }
        Ok(code)
    }
}

fn told(steps: &[Removed]) -> String {
    let line = |step: &Removed| match step {
        Removed::Untagged(name) => format!("Untagged: {name}\n"),
        Removed::Deleted(id) => format!("Deleted: {id}\n"),
    };
    steps.iter().map(line).collect()
}
