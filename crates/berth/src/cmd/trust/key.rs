//! `berth trust key generate`.

use std::path::PathBuf;

use berth_engine::trust;

use crate::cmd::{note, print};
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Make a pair of keys: NAME.key signs, NAME.pub verifies; cosign and skopeo take them, too
#[derive(Debug, clap::Args)]
pub struct Generate {
    /// File with the passphrase of the private key; else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The files' name, without its ending
    name: PathBuf,
}

impl Verb for Generate {
    fn run(self, _: &Globals) -> Outcome {
        let passphrase = super::passphrase(self.passphrase_file.as_deref(), true)?;
        if passphrase.is_empty() {
            note("note: the private key has no passphrase\n");
        }
        for path in trust::generate(&self.name, &passphrase)? {
            print(&format!("{}\n", path.display()))?;
        }
        Ok(0)
    }
}
