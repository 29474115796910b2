//! `berth trust rm`.

use berth_engine::trust::{Error, Prefix};

use crate::globals::{self, Globals};
use crate::pull::trust_files;
use crate::verbs::{Outcome, Verb};

/// Remove the policy of a prefix
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// The prefix, as `berth trust ls` shows it
    prefix: String,
}

impl Verb for Rm {
    fn run(self, _: &Globals) -> Outcome {
        let prefix: Prefix = self.prefix.parse()?;
        let path = trust_files().edit(globals::rootless(), |path, policies| {
            policies.without(&prefix).ok_or_else(|| Error::NoPolicy {
                prefix: self.prefix.clone(),
                path: path.to_owned(),
            })
        })?;
        super::super::note(&format!("written to {}\n", path.display()));
        Ok(0)
    }
}
