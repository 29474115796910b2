//! `berth registry fsck`.

use berth_registry_server::run;

use super::Place;
use crate::cmd::print;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Read all that a registry of this machine keeps, and say what is damaged
///
/// It may run meanwhile. What is damaged is mended by pushing it again; exits with 1 if anything is.
#[derive(Debug, clap::Args)]
pub struct Fsck {
    #[command(flatten)]
    place: Place,
}

impl Verb for Fsck {
    fn run(self, _: &Globals) -> Outcome {
        let (root, _) = self.place.open()?;
        let problems = run::check(&root)?;
        for problem in &problems {
            print(&format!("{problem}\n"))?;
        }
        match problems.len() {
            0 => Ok(0),
            count => Err(Failure::new(format!("{count} problems"))
                .hint("push what is damaged again: good content takes the place of bad")),
        }
    }
}
