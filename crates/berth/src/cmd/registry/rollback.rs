//! `berth registry rollback`.

use berth_engine::registry;
use berth_oci::{Digest, Reference};

use super::failed;
use crate::cmd::print;
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Have a tag name what it named before
///
/// Nothing is deleted: the history gets one more line, and another rollback undoes this one.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// What it shall name, one of its history; without it, what it named before its last change
    #[arg(long, value_name = "DIGEST")]
    to: Option<Digest>,
    /// The tag, in its registry
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: String,
}

impl Verb for Rollback {
    fn run(self, _: &Globals) -> Outcome {
        let name = Reference::parse(&self.name)?;
        let now = registry::rollback(registries()?, &name, self.to.as_ref());
        print(&format!("{}\n", now.map_err(|error| failed(&error))?))?;
        Ok(0)
    }
}
