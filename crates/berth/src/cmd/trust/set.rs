//! `berth trust set`.

use berth_engine::trust::{Policy, Prefix};

use super::Asked;
use crate::cmd::note;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Say what images whose names begin so need to be pulled
#[derive(Debug, clap::Args)]
#[command(after_help = super::ABOUT_POLICIES)]
pub struct Set {
    /// A registry, or a registry and the first parts of a repository's name: docker.io/library
    prefix: String,
    #[command(flatten)]
    asked: Asked,
}

impl Verb for Set {
    fn run(self, _: &Globals) -> Outcome {
        let prefix: Prefix = self.prefix.parse()?;
        let require = self.asked.requirement()?;
        super::change(|_, policies| Ok(policies.with(Policy { prefix, require })))?;
        // `docker.io/busybox` reads as an image's name, and is none.
        let alone = self.prefix.strip_prefix("docker.io/");
        if let Some(name) = alone.filter(|name| *name != "library" && !name.contains('/')) {
            note(&format!(
                "note: this is for the user {name}'s images; the image `{name}` is docker.io/library/{name}\n"
            ));
        }
        Ok(0)
    }
}
