//! `berth trust inspect`.

use std::path::PathBuf;

use berth_engine::trust::Signed;
use jiff::Timestamp;

use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::pull::{registries, trust_files};
use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Digest", "DIGEST"),
        ("Name", "SIGNED NAME"),
        ("Key", "KEY"),
        ("CreatedAt", "CREATED AT"),
        ("Creator", "CREATOR"),
        ("Verdict", "VERDICT"),
    ],
    table: "{{.Name}}\t{{.Key}}\t{{.CreatedAt}}\t{{.Creator}}\t{{.Verdict}}",
    quiet: "{{.Key}}",
};

/// Show the signatures of an image, and which known key made each
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Known are the keys of all policies and those of --key. What a signature by no known key says is shown too, but \
anybody may have written it.")]
pub struct Inspect {
    /// Public key to know, besides those of the policies
    #[arg(long = "key", value_name = "FILE", action = clap::ArgAction::Append)]
    keys: Vec<PathBuf>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// The image
    image: String,
}

impl Verb for Inspect {
    fn run(self, globals: &Globals) -> Outcome {
        let engine = context::engine(globals)?;
        let (config, trust) = (registries()?, trust_files().load()?);
        let keys = super::absolute(&self.keys)?;
        let found = engine.image_signatures(config, &trust, &self.image, &keys)?;
        let list: Vec<Value> = found.iter().map(row).collect();
        print(&LISTING.print(self.format.as_deref(), false, &list)?)?;
        Ok(0)
    }
}

fn row(signed: &Signed) -> Value {
    let payload = signed.payload.as_ref();
    let name = payload.map(|payload| payload.identity.to_string());
    let time = payload.and_then(|payload| Timestamp::from_second(payload.timestamp?).ok());
    let creator = payload.and_then(|payload| payload.creator.as_deref());
    let key = signed.key.as_ref().map(|key| key.display().to_string());
    let unknown = || "<unknown>".to_owned();
    Value::fields([
        ("Digest", signed.of.to_string().into()),
        ("Name", rows::cell(&name.unwrap_or_else(unknown))),
        ("Key", rows::cell(&key.unwrap_or_else(unknown))),
        (
            "CreatedAt",
            time.map_or_else(unknown, |time| time.to_string()).into(),
        ),
        ("Creator", rows::cell(creator.unwrap_or("<unknown>"))),
        (
            "Verdict",
            rows::cell(signed.problem.as_deref().unwrap_or("good")),
        ),
    ])
}
