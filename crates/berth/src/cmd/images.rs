//! `berth images`.

use berth_docker::select;
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::rows::Listing;
use crate::verbs::{Outcome, Verb};
use crate::view::image;

/// List images
#[derive(Debug, clap::Args)]
pub struct Images {
    /// Accepted for docker's sake: berth has no intermediate images
    #[arg(short, long)]
    all: bool,
    /// Show the digests too
    #[arg(long)]
    digests: bool,
    /// Narrow the list (dangling=true, reference=…, label=…, label!=…, before=…, since=…, until=…)
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
    /// Only the images with this name (a pattern)
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Verb for Images {
    fn run(self, globals: &Globals) -> Outcome {
        // As docker: the name is one more pattern beside those of the filters.
        let named = self.name.iter().map(|name| format!("reference={name}"));
        let texts: Vec<String> = self.filter.iter().cloned().chain(named).collect();
        let filters = opts::filters(&texts, select::IMAGES)?;
        let engine = context::engine(globals)?;
        let shown = engine.image_rows(&select::images(&engine, &filters)?)?;
        let now = Timestamp::now();
        let rows: Vec<_> = shown
            .iter()
            .map(|row| image::row(row, now, !self.no_trunc))
            .collect();
        let table = if self.digests {
            image::TABLE_WITH_DIGESTS
        } else {
            image::LISTING.table
        };
        let listing = Listing {
            table,
            ..image::LISTING
        };
        super::print(&listing.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}
