//! `berth trust rm`.

use berth_engine::trust::{Error, Prefix};

use crate::globals::Globals;
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
        super::change(|path, policies| {
            policies.without(&prefix).ok_or_else(|| Error::NoPolicy {
                prefix: self.prefix.clone(),
                path: path.to_owned(),
            })
        })?;
        Ok(0)
    }
}
