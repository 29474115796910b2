//! `berth network ls`.

use berth_docker::select;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::verbs::{Outcome, Verb};
use crate::view::network;

/// List networks
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Narrow the list (name=…, id=…, driver=…, label=KEY[=VALUE], dangling=true, type=builtin|custom, scope=…)
    #[arg(short, long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    fn run(self, globals: &Globals) -> Outcome {
        let filters = opts::filters(&self.filter, select::NETWORKS)?;
        let attached = filters.has("dangling");
        let all = context::engine(globals)?.networks(attached)?;
        let shown = select::networks(&all, &filters)?.into_iter();
        let rows: Vec<_> = shown.map(|one| network::row(one, !self.no_trunc)).collect();
        crate::cmd::print(&network::LISTING.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}
