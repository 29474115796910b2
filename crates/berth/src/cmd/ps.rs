//! `berth ps`.

use berth_docker::select::containers::{CONTAINERS, containers, wants_ended};
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::rows::Listing;
use crate::verbs::{Outcome, Verb};
use crate::view::{container, network};

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
        let filters = opts::filters(&self.filter, CONTAINERS)?;
        let last = if self.latest { Some(1) } else { self.last };
        let show_all = self.all || last.is_some() || wants_ended(&filters);
        let mut shown = containers(&engine, &filters, engine.list()?)?;
        shown.retain(|one| show_all || one.status.is_up());
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
