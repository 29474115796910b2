//! `berth volume prune`.

use berth_engine::prune::Pruned;
use berth_engine::volumes::PruneVolumes;

use crate::cmd::container_prune::confirmed;
use crate::cmd::image_prune::told;
use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Remove the volumes that no container uses and nobody has named
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Those with a name too
    #[arg(short, long)]
    all: bool,
    /// Only those with a label (label=KEY[=VALUE], label!=…); all=true: those with a name too
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let filters = opts::filters(&self.filter, &["all", "label", "label!"])?;
        let all = self.all || filters.boolean("all").map_err(Failure::new)? == Some(true);
        let which = if all { "local" } else { "anonymous local" };
        let warning = format!(
            "WARNING! This will remove {which} volumes not used by at least one container."
        );
        if !self.force && !confirmed(&warning)? {
            return Ok(1);
        }
        let pruned = context::engine(globals)?.prune_volumes(&PruneVolumes {
            all,
            labels: &|labels| filters.labels(labels) && filters.no_label(labels),
        })?;
        let pruned = Pruned {
            volumes: pruned.names,
            bytes: pruned.bytes,
            ..Pruned::default()
        };
        print(&told(&pruned, "reclaimed"))?;
        Ok(0)
    }
}
