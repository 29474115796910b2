//! `berth context rm`.

use crate::cmd::each;
use crate::globals::Globals;
use crate::remote;
use crate::remote::contexts::{Contexts, DEFAULT, check_name};
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Forget names of daemons
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// Also the one that is used; one that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// The names
    #[arg(required = true, value_name = "CONTEXT")]
    names: Vec<String>,
}

impl Verb for Rm {
    fn run(self, globals: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        let current = remote::context_name(globals)?;
        each::named(&self.names, |name| self.remove(&contexts, name, &current))
    }
}

impl Rm {
    fn remove(&self, contexts: &Contexts, name: &str, current: &str) -> Result<(), Failure> {
        check_name(name)?;
        if !contexts.has(name) {
            return match self.force {
                true => Ok(()),
                false => contexts.get(name).map(drop),
            };
        }
        if name == current {
            if !self.force {
                return Err(Failure::new(format!("context `{name}` is in use"))
                    .hint("--force removes it and goes back to this machine"));
            }
            contexts.set_current(DEFAULT)?;
        }
        contexts.remove(name)
    }
}
