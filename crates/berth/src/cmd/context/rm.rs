//! `berth context rm`.

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
        let mut code = 0;
        for name in &self.names {
            match self.remove(&contexts, name, &current) {
                Ok(()) => crate::cmd::print(&format!("{name}\n"))?,
                Err(failure) => {
                    crate::cmd::note(&failure.to_string());
                    code = 1;
                }
            }
        }
        Ok(code)
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
