//! `berth network prune`.

use berth_docker::select;
use berth_docker::select::containers::PRUNED;
use berth_engine::network::PruneNetworks;

use crate::cmd::container_prune::confirmed;
use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::verbs::{Outcome, Verb};

/// Remove the networks that no running container is in
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Only those made before a time (until=24h, until=2026-01-31), or with a label (label=KEY[=VALUE], label!=…)
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let filters = opts::filters(&self.filter, PRUNED)?;
        let warning =
            "WARNING! This will remove all custom networks not used by at least one container.";
        if !self.force && !confirmed(warning)? {
            return Ok(1);
        }
        let gone = context::engine(globals)?.prune_networks(&PruneNetworks {
            created_before: select::until(&filters)?,
            labels: &|labels| filters.labels(labels) && filters.no_label(labels),
        })?;
        if !gone.is_empty() {
            print(&format!("Deleted Networks:\n{}\n\n", gone.join("\n")))?;
        }
        Ok(0)
    }
}
