//! `berth container prune`.

use std::io::{BufRead, IsTerminal};

use berth_docker::Filters;
use berth_docker::select::containers::{PRUNED, prunable};
use berth_engine::prune::Pruned;
use berth_model::event::Subject;

use super::image_prune::told;
use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove all containers that do not run
#[derive(Debug, clap::Args)]
pub struct Prune {
    #[command(flatten)]
    which: Which,
}

/// What is pruned, of things that have a time and labels.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Only what was made before a time (until=24h, until=2026-01-31), or has a label (label=KEY[=VALUE], label!=…)
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Which {
    /// The filters; `None`: the user said no.
    ///
    /// # Errors
    /// A filter that is none; there is nobody to ask.
    pub fn agreed(&self, warning: &str) -> Result<Option<Filters>, Failure> {
        let filters = opts::filters(&self.filter, PRUNED)?;
        let agreed = self.force || confirmed(warning)?;
        Ok(agreed.then_some(filters))
    }
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let warning = "WARNING! This will remove all stopped containers.";
        let Some(filters) = self.which.agreed(warning)? else {
            return Ok(1);
        };
        let engine = context::engine(globals)?;
        let stopped = prunable(&filters, engine.list()?)?;
        let mut pruned = Pruned::default();
        let mut code = 0;
        for one in stopped {
            let bytes = engine.writable_bytes(&one.config.id);
            match engine.remove(&one.config.id, false, true) {
                Ok(()) => {
                    pruned.bytes += bytes;
                    pruned.containers.push(one.config.id);
                }
                // Somebody was faster.
                Err(berth_engine::Error::NoContainer { .. }) => {}
                Err(error) => {
                    super::note(&Failure::from(error).to_string());
                    code = 1;
                }
            }
        }
        engine.record_prune(Subject::Container, pruned.bytes);
        super::print(&told(&pruned, "reclaimed"))?;
        Ok(code)
    }
}

/// Asks on the terminal; without one the answer is no.
///
/// # Errors
/// There is nobody to ask.
pub fn confirmed(warning: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("nobody can be asked whether to go on")
            .hint("--force goes on without asking"));
    }
    super::note(&format!(
        "{warning}\nAre you sure you want to continue? [y/N] "
    ));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
