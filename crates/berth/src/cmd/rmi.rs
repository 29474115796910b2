//! `berth rmi`, and `berth image prune`.

use berth_engine::image::{Error, Removed};

use super::container_prune::confirmed;
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

/// Remove images that have no name
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Those that no container uses too
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let which = if self.all {
            "images without at least one container associated to them"
        } else {
            "dangling images"
        };
        if !self.force && !confirmed(&format!("WARNING! This will remove all {which}."))? {
            return Ok(1);
        }
        let engine = context::engine(globals)?;
        let mut steps = Vec::new();
        for row in engine.images()? {
            if row.containers > 0 || (row.reference.is_some() && !self.all) {
                continue;
            }
            let name = row
                .reference
                .map_or_else(|| row.id.to_string(), |reference| reference.to_string());
            match engine.remove_image(&name, false) {
                Ok(more) => steps.extend(more),
                // It went with another name, or somebody has begun to use it.
                Err(Error::NoImage { .. } | Error::InUse { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !steps.is_empty() {
            super::print(&format!("Deleted Images:\n{}", told(&steps)))?;
        }
        Ok(0)
    }
}
