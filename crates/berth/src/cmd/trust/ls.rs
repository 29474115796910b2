//! `berth trust ls`.

use berth_engine::trust::Requirement;

use crate::cmd::{note, print};
use crate::globals::Globals;
use crate::pull::trust_files;
use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Prefix", "PREFIX"),
        ("Require", "REQUIRE"),
        ("Keys", "KEYS"),
    ],
    table: "{{.Prefix}}\t{{.Require}}\t{{.Keys}}",
    quiet: "{{.Prefix}}",
};

/// List the policies; the longest prefix of an image's name counts
#[derive(Debug, clap::Args)]
#[command(after_help = super::ABOUT_POLICIES)]
pub struct Ls {
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only the prefixes
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    fn run(self, _: &Globals) -> Outcome {
        let trust = trust_files().load()?;
        let policies = &trust.policies;
        let mut list: Vec<Value> = policies
            .policies()
            .iter()
            .map(|policy| row(&policy.prefix.to_string(), &policy.require))
            .collect();
        list.push(row("<default>", policies.default_requirement()));
        print(&LISTING.print(self.format.as_deref(), self.quiet, &list)?)?;
        if self.format.is_none() && !self.quiet {
            note(&match &trust.path {
                Some(path) => format!("from {}\n", path.display()),
                None => "there is no file of policies\n".to_owned(),
            });
        }
        Ok(0)
    }
}

fn row(prefix: &str, requirement: &Requirement) -> Value {
    let keys = requirement.keys().iter();
    let keys: Vec<String> = keys.map(|key| key.display().to_string()).collect();
    Value::fields([
        ("Prefix", prefix.to_owned().into()),
        ("Require", requirement.word().into()),
        ("Keys", rows::cell(&keys.join(", "))),
    ])
}
