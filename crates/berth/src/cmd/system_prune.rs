//! `berth system prune`.

use super::image_prune::{Common, What, prune, which};
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Remove containers that do not run, networks that no container is in, images that are not needed, and content that nothing needs
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Anonymous volumes that no container uses too
    #[arg(long)]
    volumes: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let images = self.common.images(self.all);
        let mut lines = vec![
            "all stopped containers",
            "all networks not used by at least one container",
        ];
        if self.volumes {
            lines.push("all anonymous volumes not used by at least one container");
        }
        lines.extend([which(images), "unused build cache"]);
        let warning = format!("WARNING! This will remove:\n  - {}\n", lines.join("\n  - "));
        let set = What {
            containers: true,
            networks: true,
            volumes: self.volumes,
            images,
        };
        prune(globals, &self.common, set, &warning)
    }
}
