//! `berth context ls`.

use std::rc::Rc;

use crate::globals::Globals;
use crate::remote;
use crate::remote::contexts::{Context, Contexts, DEFAULT};
use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Marked", "NAME"),
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("DockerEndpoint", "DOCKER ENDPOINT"),
        ("Error", "ERROR"),
        ("Current", "CURRENT"),
    ],
    table: "{{.Marked}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
    quiet: "{{.Name}}",
};

/// List the names of daemons
#[derive(Debug, clap::Args)]
pub struct Ls {
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
}

impl Verb for Ls {
    fn run(self, globals: &Globals) -> Outcome {
        let contexts = Contexts::open()?;
        let current = remote::context_name(globals)?;
        let here = Context::new(
            DEFAULT,
            remote::default_description(),
            &remote::default_host(),
        );
        let mut all = vec![here];
        all.extend(contexts.all()?);
        // docker puts `default` where its letters have it.
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let mut rows: Vec<Value> = all
            .iter()
            .map(|one| row(&one.name, one.description(), endpoint(one), "", &current))
            .collect();
        if !all.iter().any(|one| one.name == current) {
            rows.push(row(&current, "", "", "no such context", &current));
        }
        crate::cmd::print(&LISTING.print(self.format.as_deref(), self.quiet, &rows)?)?;
        Ok(0)
    }
}

fn endpoint(context: &Context) -> &str {
    context.endpoint().map_or("", |endpoint| &endpoint.host)
}

fn row(name: &str, description: &str, endpoint: &str, error: &str, current: &str) -> Value {
    let is_current = name == current;
    let marked = format!("{name}{}", if is_current { " *" } else { "" });
    Value::fields([
        ("Current", is_current.into()),
        ("Description", rows::cell(description)),
        ("DockerEndpoint", rows::cell(endpoint)),
        ("Error", error.into()),
        // Not a field of its own in JSON.
        (
            "Marked",
            Value::Method(Rc::new(move |_| Ok(rows::cell(&marked)))),
        ),
        ("Name", rows::cell(name)),
    ])
}
