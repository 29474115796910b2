//! `berth trust verify`.

use std::path::PathBuf;

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::pull::{registries, trust_files};
use crate::verbs::{Outcome, Verb};

/// Hold an image against the policies, or against keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The image as it is here, or else as its registry has it; its signatures are read from the registry. Printed is the \
name with the digest that was verified: what is pulled by that is what was verified.")]
pub struct Verify {
    /// Public key that has to have signed it, whatever the policies say; several: one of them
    #[arg(long = "key", value_name = "FILE", action = clap::ArgAction::Append)]
    keys: Vec<PathBuf>,
    /// The image
    image: String,
}

impl Verb for Verify {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let (config, trust) = (registries()?, trust_files().load()?);
        let keys = super::absolute(&self.keys)?;
        let approval = engine.verify_image(config, &trust, &self.image, &keys)?;
        print(&format!(
            "{}@{}\n",
            approval.reference.name(),
            approval.digest
        ))?;
        note(&match approval.key {
            Some(key) => format!("signed by {}\n", key.display()),
            None => format!("accepted without a signature by {}\n", approval.origin),
        });
        Ok(0)
    }
}
