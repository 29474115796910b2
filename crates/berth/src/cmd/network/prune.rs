//! `berth network prune`.

use berth_docker::select;
use berth_engine::network::PruneNetworks;

use crate::cmd::container_prune::Which;
use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::verbs::{Outcome, Verb};

/// Remove the networks that no running container is in
#[derive(Debug, clap::Args)]
pub struct Prune {
    #[command(flatten)]
    which: Which,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let warning =
            "WARNING! This will remove all custom networks not used by at least one container.";
        let Some(filters) = self.which.agreed(warning)? else {
            return Ok(1);
        };
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
