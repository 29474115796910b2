//! `berth search`.

use berth_engine::registry::{self, Hit};

use crate::globals::Globals;
use crate::opts;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::ui::rows::{self, Listing};
use crate::ui::table;
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};
use berth_docker::search;

/// Longest shown description, in characters.
const DESCRIPTION_MAX: usize = 45;

const LISTING: Listing<'_> = Listing {
    headers: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("StarCount", "STARS"),
        ("IsOfficial", "OFFICIAL"),
        ("IsAutomated", "AUTOMATED"),
    ],
    table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    quiet: "",
};

/// Search a registry for images
#[derive(Debug, clap::Args)]
pub struct Search {
    /// Narrow the list (is-official=true, is-automated=…, stars=NUMBER)
    #[arg(short, long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Print with a Go template, `table TEMPLATE` or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// At most so many (1 to 100)
    #[arg(long, value_name = "NUMBER", default_value_t = search::LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(search::LIMIT_MAX)))]
    limit: u32,
    /// Do not shorten descriptions
    #[arg(long)]
    no_trunc: bool,
    /// What to look for; behind `HOST/`, in that registry, else in Docker Hub
    #[arg(value_name = "TERM")]
    term: String,
}

impl Verb for Search {
    fn run(self, _: &Globals) -> Outcome {
        let filters = opts::filters(&self.filter, search::FILTERS)?;
        let (server, term) = search::place(&self.term)?;
        let hits = registry::search(registries()?, &server, term, self.limit)?;
        let hits = search::narrow(hits, &filters).map_err(Failure::new)?;
        let rows: Vec<Value> = hits.iter().map(|hit| row(hit, !self.no_trunc)).collect();
        super::print(&LISTING.print(self.format.as_deref(), false, &rows)?)?;
        Ok(0)
    }
}

fn row(hit: &Hit, truncate: bool) -> Value {
    let line = hit.description.replace(['\n', '\r'], " ");
    let line = match truncate {
        true => table::ellipsis(&line, DESCRIPTION_MAX),
        false => line,
    };
    let mark = |yes: bool| Value::from(if yes { "[OK]" } else { "" });
    Value::fields([
        ("Description", rows::cell(&line)),
        ("IsAutomated", mark(hit.is_automated)),
        ("IsOfficial", mark(hit.is_official)),
        ("Name", rows::cell(&hit.name)),
        ("StarCount", hit.star_count.to_string().into()),
    ])
}
