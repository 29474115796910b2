//! `berth trust default`.

use super::Asked;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Say what images need that no policy names
#[derive(Debug, clap::Args)]
#[command(after_help = super::ABOUT_POLICIES)]
pub struct Default {
    #[command(flatten)]
    asked: Asked,
}

impl Verb for Default {
    fn run(self, _: &Globals) -> Outcome {
        let require = self.asked.requirement()?;
        super::change(|_, policies| Ok(policies.with_default(require)))?;
        Ok(0)
    }
}
