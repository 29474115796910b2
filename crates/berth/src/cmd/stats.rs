//! `berth stats`.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use berth_engine::stats::{Sample, Sampler};
use berth_engine::{Container, Engine};
use berth_model::ContainerId;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};
use crate::view::stats;

/// Between two samples that make a rate.
const PAUSE: Duration = Duration::from_secs(1);
/// Likewise, for who wants one answer.
const SHORT_PAUSE: Duration = Duration::from_millis(500);
/// Clears a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Show what containers use, again and again
#[derive(Debug, clap::Args)]
pub struct Stats {
    /// Those that do not run too
    #[arg(short, long)]
    all: bool,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// What a daemon wrote down (stats_interval_s in its daemon.toml), the oldest first
    #[arg(long, conflicts_with_all = ["all", "no_stream"])]
    history: bool,
    /// Once only
    #[arg(long)]
    no_stream: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Containers, by name or id; none: all that run
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Stats {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        if self.history {
            return self.past(&engine);
        }
        let mut sampler = engine.sampler();
        let mut before = self.samples(&engine, &mut sampler)?;
        let terminal = std::io::stdout().is_terminal();
        loop {
            std::thread::sleep(if self.no_stream { SHORT_PAUSE } else { PAUSE });
            let now = self.samples(&engine, &mut sampler)?;
            let rows: Vec<_> = now
                .iter()
                .map(|(container, sample)| {
                    let id = &container.config.id;
                    let first = before.iter().find(|(other, _)| other.config.id == *id);
                    let named = self.containers.iter().find(|text| {
                        **text == container.name || id.as_str().starts_with(text.as_str())
                    });
                    let named = named.map(String::as_str);
                    stats::row(
                        container,
                        named,
                        sample,
                        first.map(|(_, sample)| sample),
                        !self.no_trunc,
                    )
                })
                .collect();
            let text = stats::LISTING.print(self.format.as_deref(), false, &rows)?;
            if terminal && !self.no_stream {
                super::print(CLEAR)?;
            }
            super::print(&text)?;
            if self.no_stream {
                return Ok(0);
            }
            before = now;
        }
    }
}

impl Stats {
    fn past(&self, engine: &Engine) -> Outcome {
        let mut rows = Vec::new();
        for container in self.wanted(engine)? {
            let moments = engine.history(&container.config.id)?;
            let row = |moment| stats::past(&container, moment, !self.no_trunc);
            rows.extend(moments.iter().map(row));
        }
        super::print(&stats::PAST.print(self.format.as_deref(), false, &rows)?)?;
        Ok(0)
    }

    /// Of each container that is to be shown.
    fn samples(
        &self,
        engine: &Engine,
        sampler: &mut Sampler<'_>,
    ) -> Result<Vec<(Container, Sample)>, Failure> {
        let mut found = Vec::new();
        for container in self.wanted(engine)? {
            match sampler.sample(&container.config.id) {
                Ok(sample) => found.push((container, sample)),
                // Gone meanwhile.
                Err(berth_engine::Error::NoContainer { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let seen: BTreeMap<&ContainerId, ()> =
            found.iter().map(|(one, _)| (&one.config.id, ())).collect();
        sampler.keep(|id| seen.contains_key(id));
        Ok(found)
    }

    fn wanted(&self, engine: &Engine) -> Result<Vec<Container>, Failure> {
        if self.containers.is_empty() {
            let mut all = engine.list()?;
            all.retain(|one| self.all || one.status.is_alive());
            return Ok(all);
        }
        let one = |name: &String| Ok(engine.inspect(&engine.find(name)?)?);
        self.containers.iter().map(one).collect()
    }
}
