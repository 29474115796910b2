//! `berth registry history`.

use berth_engine::registry::{self, Change};
use berth_oci::{Digest, Reference};

use super::failed;
use crate::cmd::print;
use crate::globals::Globals;
use crate::pull::registries;
use crate::ui::rows::{Listing, cell};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("When", "WHEN"),
        ("Who", "WHO"),
        ("From", "FROM"),
        ("To", "TO"),
        ("Why", "WHY"),
    ],
    table: "{{.When}}\t{{.Who}}\t{{.From}}\t{{.To}}\t{{.Why}}",
    quiet: "{{.To}}",
};

/// Show what a tag named, newest first: when, who, from which digest to which
#[derive(Debug, clap::Args)]
pub struct History {
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Whole digests
    #[arg(long)]
    no_trunc: bool,
    /// Only the digests that it named
    #[arg(short, long)]
    quiet: bool,
    /// The tag, in its registry
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: String,
}

impl Verb for History {
    fn run(self, _: &Globals) -> Outcome {
        let name = Reference::parse(&self.name)?;
        let changes = registry::history(registries()?, &name).map_err(|error| failed(&error))?;
        let whole = self.no_trunc || self.quiet || self.format.is_some();
        let rows: Vec<Value> = changes.iter().rev().map(|c| row(c, whole)).collect();
        print(&LISTING.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}

fn row(change: &Change, whole: bool) -> Value {
    let digest = |digest: &Option<Digest>| match digest {
        Some(digest) if whole => digest.to_string(),
        Some(digest) => digest.short().to_owned(),
        None => "none".to_owned(),
    };
    Value::fields([
        ("When", cell(&change.when)),
        ("Who", cell(&change.who)),
        ("From", cell(&digest(&change.from))),
        ("To", cell(&digest(&change.to))),
        ("Why", cell(change.why.as_deref().unwrap_or_default())),
    ])
}
