//! `berth context use`.

use crate::globals::Globals;
use crate::remote::contexts::{Contexts, DEFAULT};
use crate::verbs::{Outcome, Verb};

/// Say which daemon the verbs use from now on; `default`: none, the engine of this machine
#[derive(Debug, clap::Args)]
pub struct Use {
    /// The name
    #[arg(value_name = "CONTEXT")]
    name: String,
}

impl Verb for Use {
    fn run(self, _: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        if self.name != DEFAULT {
            contexts.get(&self.name)?;
        }
        contexts.set_current(&self.name)?;
        crate::cmd::print(&format!("{}\n", self.name))?;
        crate::cmd::note(&format!("Current context is now \"{}\"\n", self.name));
        if let Some(variable) = crate::remote::host_variable() {
            crate::cmd::note(&format!(
                "warning: {variable} is set, and wins: unset it, or give --context\n"
            ));
        }
        Ok(0)
    }
}
