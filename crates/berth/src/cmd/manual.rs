//! `berth internal manual`: the manual pages, from the same definitions as the help. Called once, by `make install`.

use std::path::PathBuf;

use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{self, Outcome, Verb};

/// Write a manual page of each verb
#[derive(Debug, clap::Args)]
pub struct Manual {
    /// Where to: a directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Verb for Manual {
    fn run(self, _: &Globals) -> Outcome {
        let written = clap_mangen::generate_to(verbs::command(), &self.directory);
        written.map_err(|error| {
            let place = self.directory.display();
            Failure::of(&error).within(format!("cannot write manual pages to `{place}`"))
        })?;
        Ok(0)
    }
}
