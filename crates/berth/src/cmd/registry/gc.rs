//! `berth registry gc`.

use std::time::Duration;

use berth_registry_server::run;
use berth_registry_server::storage::rules::parse_duration;
use berth_registry_server::storage::{CollectOptions, FRESH};

use super::Place;
use crate::cmd::print;
use crate::globals::Globals;
use crate::ui::human;
use crate::verbs::{Outcome, Verb};

/// Remove what a registry of this machine does not need
///
/// It may run meanwhile: nothing waits, and what is younger than the grace time stays, as it may be part of a push.
#[derive(Debug, clap::Args)]
pub struct Gc {
    #[command(flatten)]
    place: Place,
    /// What is younger stays: 90s, 15m, 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = time)]
    grace: Option<Duration>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

impl Verb for Gc {
    fn run(self, _: &Globals) -> Outcome {
        let (root, config) = self.place.open()?;
        let set = config.collect.options();
        let options = CollectOptions {
            grace: self.grace.unwrap_or(set.grace),
            dry_run: self.dry_run,
            ..set
        };
        let collected = run::collect(&root, &options, &config.settings.rules)?;
        let verb = if self.dry_run {
            "would remove"
        } else {
            "removed"
        };
        print(&format!(
            "{verb} {} tags, {} manifests, {} blobs of repositories, {} uploads; {} freed\n",
            collected.tags,
            collected.manifests,
            collected.blobs,
            collected.uploads,
            human::size(collected.bytes)
        ))?;
        for (repository, digest) in &collected.damaged {
            crate::cmd::note(&format!(
                "warning: manifest {digest} of `{repository}` is damaged: nothing of it was collected; push it again\n"
            ));
        }
        Ok(0)
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).ok_or("write it as 90s, 15m, 12h or 30d")?;
    match time > FRESH {
        true => Ok(time),
        false => {
            Err("it has to be longer than 10m, or it would take what is being pushed".to_owned())
        }
    }
}
