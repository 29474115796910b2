//! `berth image prune`, and what it shares with `berth system prune`.

use berth_engine::Engine;
use berth_engine::image::Removed;
use berth_engine::logs::parse_moment;
use berth_engine::prune::{Images, PruneRequest, Pruned};
use jiff::Timestamp;

use super::container_prune::confirmed;
use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::opts::number;
use crate::ui::diagnostic::Failure;
use crate::ui::human;
use crate::verbs::{Outcome, Verb};

/// Remove images that have no name, or that no container uses
#[derive(Debug, clap::Args)]
pub struct Prune {
    /// Those with a name too, if no container uses them
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// The options that both have.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Only what was made before a time (until=24h, until=2026-01-31), or has a label (label=KEY[=VALUE], label!=…)
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Remove unused images, the least recently used first, until all images take no more than this (10GB)
    #[arg(long, value_name = "BYTES", value_parser = number::bytes)]
    keep_storage: Option<u64>,
}

impl Verb for Prune {
    fn run(self, globals: &Globals) -> Outcome {
        let images = self.common.images(self.all);
        let warning = format!("WARNING! This will remove all {}.", which(images));
        let set = What {
            containers: false,
            networks: false,
            volumes: false,
            images,
        };
        prune(globals, &self.common, set, &warning)
    }
}

/// What is to be pruned.
pub struct What {
    /// Containers that do not run.
    pub containers: bool,
    /// Networks that no container is in.
    pub networks: bool,
    /// Anonymous volumes.
    pub volumes: bool,
    /// Images.
    pub images: Images,
}

/// As docker's warnings call them.
pub fn which(images: Images) -> &'static str {
    match images {
        Images::Unused => "images without at least one container associated to them",
        Images::Above(_) => {
            "images that no container uses, the least recently used first, above --keep-storage"
        }
        Images::Dangling | Images::None => "dangling images",
    }
}

impl Common {
    /// Which images may go.
    pub fn images(&self, all: bool) -> Images {
        match (self.keep_storage, all) {
            (Some(bytes), _) => Images::Above(bytes),
            (None, true) => Images::Unused,
            (None, false) => Images::Dangling,
        }
    }
}

/// Plans, asks, removes, tells.
pub fn prune(globals: &Globals, common: &Common, what: What, warning: &str) -> Outcome {
    let filters = opts::filters(&common.filter, &["until", "label", "label!"])?;
    let before = filters.values("until").last();
    let before = before
        .map(|text| parse_moment(text, Timestamp::now()))
        .transpose()?
        .map(|time| time.to_string());
    if !common.force && !common.dry_run && !confirmed(warning)? {
        return Ok(1);
    }
    let engine = context::engine(globals)?;
    let request = PruneRequest {
        containers: what.containers,
        networks: what.networks,
        volumes: what.volumes,
        images: what.images,
        created_before: before,
        labels: &|labels| filters.labels(labels) && filters.no_label(labels),
    };
    let (pruned, word) = pruned(&engine, &request, common.dry_run)?;
    super::print(&told(&pruned, word))?;
    Ok(0)
}

fn pruned(
    engine: &Engine,
    request: &PruneRequest<'_>,
    dry_run: bool,
) -> Result<(Pruned, &'static str), Failure> {
    let plan = engine.plan_prune(request)?;
    if dry_run {
        return Ok((plan.expected, "reclaimable"));
    }
    Ok((engine.prune(plan)?, "reclaimed"))
}

/// The same for a dry run and for what was done, but for one word.
pub fn told(pruned: &Pruned, word: &str) -> String {
    let image = |step: &Removed| match step {
        Removed::Untagged(name) => format!("untagged: {name}"),
        Removed::Deleted(id) => format!("deleted: {id}"),
    };
    let content = pruned.blobs.iter().map(|digest| format!("blob: {digest}"));
    let snapshots = pruned
        .snapshots
        .iter()
        .map(|chain| format!("snapshot: {chain}"));
    let sections: [(&str, Vec<String>); 5] = [
        (
            "Containers",
            pruned.containers.iter().map(ToString::to_string).collect(),
        ),
        ("Networks", pruned.networks.clone()),
        ("Volumes", pruned.volumes.clone()),
        ("Images", pruned.images.iter().map(image).collect()),
        ("Content", content.chain(snapshots).collect()),
    ];
    let mut text = String::new();
    for (name, lines) in sections {
        if !lines.is_empty() {
            text.push_str(&format!("Deleted {name}:\n{}\n\n", lines.join("\n")));
        }
    }
    text.push_str(&format!(
        "Total {word} space: {}\n",
        human::size(pruned.bytes)
    ));
    text
}
