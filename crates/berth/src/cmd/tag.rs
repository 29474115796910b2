//! `berth tag`.

use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Give an image one more name
#[derive(Debug, clap::Args)]
pub struct Tag {
    /// The image, by name or id
    image: String,
    /// The new name
    name: String,
}

impl Verb for Tag {
    fn run(self, globals: &Globals) -> Outcome {
        context::engine(globals)?.tag_image(&self.image, &self.name)?;
        Ok(0)
    }
}
