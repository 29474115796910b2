//! `berth manifest push`.

use berth_oci::Reference;

use crate::cmd::{note, print};
use crate::context;
use crate::globals::Globals;
use crate::pull::registries;
use crate::verbs::{Outcome, Verb};

/// Bring an index, and what its registry lacks of its images, to the registry
#[derive(Debug, clap::Args)]
pub struct Push {
    /// Forget the index here afterwards
    #[arg(short, long)]
    purge: bool,
    /// The index
    list: String,
}

impl Verb for Push {
    fn run(self, globals: &Globals) -> Outcome {
        let list = Reference::parse(&self.list)?;
        let engine = context::engine(globals)?;
        let pushed = engine.push_index(registries()?, &list, &mut |image, there| {
            let how = if there { "Already exists" } else { "Pushed" };
            let platform = image.platform.as_ref().map(ToString::to_string);
            let platform = platform.unwrap_or_else(|| "image".to_owned());
            note(&format!("{} ({platform}): {how}\n", image.digest.short()));
        })?;
        print(&format!("{}\n", pushed.digest))?;
        if self.purge {
            engine.remove_index(&list)?;
        }
        Ok(0)
    }
}
