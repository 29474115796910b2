//! `berth ps`.

use berth_engine::Container;
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::ui::diagnostic::Failure;
use crate::ui::rows::Listing;
use crate::verbs::{Outcome, Verb};
use crate::view::{container, network};
use berth_docker::Filters;

/// List containers
#[derive(Debug, clap::Args)]
pub struct Ps {
    /// Those that do not run too
    #[arg(short, long)]
    all: bool,
    /// Narrow the list (status=exited, name=…, label=…, ancestor=…, …)
    #[arg(short, long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// The last created ones, running or not
    #[arg(short = 'n', long, value_name = "NUMBER")]
    last: Option<usize>,
    /// The last created one
    #[arg(short, long)]
    latest: bool,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Show what each has written, and with its image
    #[arg(short, long)]
    size: bool,
}

impl Verb for Ps {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let filters = Filters::parse(&self.filter, container::FILTERS).map_err(Failure::usage)?;
        let all = engine.list()?;
        let (before, since) = (
            bound(&all, &filters, "before")?,
            bound(&all, &filters, "since")?,
        );
        let last = if self.latest { Some(1) } else { self.last };
        let show_all = self.all || last.is_some() || filters.has("status") || filters.has("exited");
        let mut shown = Vec::new();
        for one in &all {
            let created = &one.config.created;
            let inside = before.as_ref().is_none_or(|time| created < time)
                && since.as_ref().is_none_or(|time| created > time);
            let wanted = container::passes(one, &filters).map_err(Failure::usage)?;
            if inside && wanted && (show_all || one.status.is_up()) {
                shown.push(one);
            }
        }
        shown.truncate(last.unwrap_or(usize::MAX));
        let now = Timestamp::now();
        // Measuring reads whole directories.
        let measured = self.size
            || self
                .format
                .as_deref()
                .is_some_and(|text| text.contains(".Size"));
        let rows: Vec<_> = shown
            .iter()
            .map(|one| {
                let size = measured.then(|| {
                    (
                        engine.writable_bytes(&one.config.id),
                        engine.image_bytes(one),
                    )
                });
                let ports = network::ports(&engine.network_settings(one)?);
                Ok(container::row(one, now, !self.no_trunc, size, &ports))
            })
            .collect::<Result<_, berth_engine::Error>>()?;
        let mut table = container::LISTING.table.to_owned();
        if self.size {
            table.push_str("\t{{.Size}}");
        }
        let listing = Listing {
            table: &table,
            ..container::LISTING
        };
        super::print(&listing.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}

/// The time of the container that `before` or `since` names.
fn bound(all: &[Container], filters: &Filters, key: &str) -> Result<Option<String>, Failure> {
    let Some(name) = filters.values(key).last() else {
        return Ok(None);
    };
    let found = all
        .iter()
        .find(|one| one.name == *name || one.config.id.as_str().starts_with(name.as_str()));
    match found {
        Some(one) => Ok(Some(one.config.created.clone())),
        None => Err(Failure::new(format!("no such container: {name}"))),
    }
}
