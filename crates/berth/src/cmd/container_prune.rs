//! `berth container prune`.

use std::io::{BufRead, IsTerminal};

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove all containers that do not run
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        if !self.force && !confirmed("WARNING! This will remove all stopped containers.")? {
            return Ok(1);
        }
        let engine = context::engine(globals)?;
        let stopped: Vec<_> = engine
            .list()?
            .into_iter()
            .filter(|one| !one.status.is_alive() && one.status != berth_model::Status::Starting)
            .collect();
        let mut removed = String::new();
        let mut code = 0;
        for one in stopped {
            match engine.remove(&one.config.id, false, true) {
                Ok(()) => removed.push_str(&format!("{}\n", one.config.id)),
                // Somebody was faster.
                Err(berth_engine::Error::NoContainer { .. }) => {}
                Err(error) => {
                    super::note(&Failure::from(error).to_string());
                    code = 1;
                }
            }
        }
        if !removed.is_empty() {
            super::print(&format!("Deleted Containers:\n{removed}"))?;
        }
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
