//! `berth registry fsck`.

use berth_registry_server::run;

use super::Place;
use crate::cmd::print;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Read all that a registry of this machine keeps, and say what is damaged
///
/// It may run meanwhile. Exits with 1 if anything is damaged; pushing it again mends it, blobs after --repair.
#[derive(Debug, clap::Args)]
pub struct Fsck {
    #[command(flatten)]
    place: Place,
    /// Remove blobs that are damaged, so that clients find them missing and push them again
    #[arg(long)]
    repair: bool,
}

impl Verb for Fsck {
    fn run(self, _: &Globals) -> Outcome {
        let (root, config) = self.place.open()?;
        let problems = run::check(&root, &config.caches, self.repair)?;
        for problem in &problems {
            print(&format!("{problem}\n"))?;
        }
        match problems.len() {
            0 => Ok(0),
            count => {
                // What is absent only a push can bring.
                let is_removable = !self.repair && !problems.iter().all(|p| p.is_absent);
                let hint = match is_removable {
                    true => {
                        "`berth registry fsck --repair` removes damaged blobs; then push the images again"
                    }
                    false => {
                        "push the images again: what is damaged was removed, or is replaced by a push"
                    }
                };
                let plural = if count == 1 { "" } else { "s" };
                Err(Failure::new(format!("{count} problem{plural}")).hint(hint))
            }
        }
    }
}
