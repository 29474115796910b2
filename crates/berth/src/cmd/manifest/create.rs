//! `berth manifest create`.

use berth_oci::Reference;

use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Make an index of images for several platforms
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Add to an index that exists
    #[arg(short, long)]
    amend: bool,
    /// The index's name
    list: String,
    /// Images: those that are here are taken from here, others from their registries, without their layers
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Verb for Create {
    fn run(self, globals: &Globals) -> Outcome {
        let list = Reference::parse(&self.list)?;
        context::engine(globals)?.create_index(registries()?, &list, &self.images, self.amend)?;
        print(&format!("Created manifest list {list}\n"))?;
        Ok(0)
    }
}
