//! `berth volume ls`.

use berth_engine::volumes::VolumeFilter;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};
use crate::view::volume;

/// List volumes
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Narrow the list (dangling=true, driver=…, label=KEY[=VALUE], name=…)
    #[arg(short, long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    fn run(self, globals: &Globals) -> Outcome {
        let known = ["dangling", "driver", "label", "name"];
        let filters = opts::filters(&self.filter, &known)?;
        let filter = VolumeFilter {
            dangling: filters.boolean("dangling").map_err(Failure::new)?,
            names: filters.values("name").to_vec(),
            drivers: filters.values("driver").to_vec(),
            labels: filters.values("label").to_vec(),
        };
        let engine = context::engine(globals)?;
        let rows: Vec<_> = engine.volumes(&filter)?.iter().map(volume::row).collect();
        let text = volume::LISTING.print(self.format.as_deref(), self.quiet, &rows)?;
        super::super::print(&text)?;
        Ok(0)
    }
}
