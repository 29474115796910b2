//! `berth container prune`.

use std::io::{BufRead, IsTerminal};

use berth_engine::Container;
use berth_engine::logs::parse_moment;
use berth_engine::prune::Pruned;
use berth_model::Status;
use jiff::Timestamp;

use super::image_prune::told;
use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};
use berth_docker::Filters;

/// Remove all containers that do not run
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Only what was made before a time (until=24h, until=2026-01-31), or has a label (label=KEY[=VALUE], label!=…)
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let filters = Filters::parse(&self.filter, &["until", "label", "label!"]);
        let filters = filters.map_err(Failure::usage)?;
        let before = filters.values("until").last();
        let before = before
            .map(|text| parse_moment(text, Timestamp::now()))
            .transpose()?;
        if !self.force && !confirmed("WARNING! This will remove all stopped containers.")? {
            return Ok(1);
        }
        let engine = context::engine(globals)?;
        let stopped = engine.list()?.into_iter().filter(|one| {
            let ended = !one.status.is_up() && one.status != Status::Starting;
            let old = before.is_none_or(|limit| made(one).is_none_or(|time| time < limit));
            let labels = &one.config.labels;
            ended && old && filters.labels(labels) && filters.no_label(labels)
        });
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
        super::print(&told(&pruned, "reclaimed"))?;
        Ok(code)
    }
}

fn made(one: &Container) -> Option<Timestamp> {
    one.config.created.parse().ok()
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
