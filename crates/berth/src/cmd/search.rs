//! `berth search`.

use berth_engine::registry::{self, Hit, Server};

use crate::globals::Globals;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::ui::rows::{self, Listing};
use crate::ui::table;
use crate::ui::template::Value;
use crate::verbs::{Outcome, Verb};
use berth_docker::Filters;

/// As docker's daemon has it when nothing is asked.
const LIMIT: u32 = 25;
/// What Docker Hub gives at once.
const LIMIT_MAX: u32 = 100;
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
    #[arg(long, value_name = "NUMBER", default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
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
        let filters = Filters::parse(&self.filter, &["is-official", "is-automated", "stars"])
            .map_err(Failure::usage)?;
        let stars = match filters.values("stars").last() {
            Some(text) => text
                .parse()
                .map_err(|_| Failure::usage(format!("`stars={text}` is not a number")))?,
            None => 0,
        };
        let official = filters.boolean("is-official").map_err(Failure::usage)?;
        let automated = filters.boolean("is-automated").map_err(Failure::usage)?;
        let (server, term) = place(&self.term)?;
        let mut hits = registry::search(registries()?, &server, term, self.limit)?;
        hits.retain(|hit| {
            hit.star_count >= stars
                && official.is_none_or(|want| hit.is_official == want)
                && automated.is_none_or(|want| hit.is_automated == want)
        });
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.star_count));
        let rows: Vec<Value> = hits.iter().map(|hit| row(hit, !self.no_trunc)).collect();
        super::print(&LISTING.print(self.format.as_deref(), false, &rows)?)?;
        Ok(0)
    }
}

/// The registry, and the term that it is asked for: docker's rule for what is a host.
fn place(term: &str) -> Result<(Server, &str), Failure> {
    match term.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
            Ok((Server::parse(host)?, rest))
        }
        _ => Ok((Server::hub(), term.strip_prefix("library/").unwrap_or(term))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_names_its_registry() {
        for (text, server, term) in [
            ("redis", "docker.io", "redis"),
            ("library/redis", "docker.io", "redis"),
            ("bitnami/redis", "docker.io", "bitnami/redis"),
            ("localhost/redis", "localhost", "redis"),
            ("r.example:5000/a/b", "r.example:5000", "a/b"),
        ] {
            let (found, rest) = place(text).expect("a term");
            assert_eq!((found.name(), rest), (server, term), "{text}");
        }
        assert!(place("r.example:x/a").is_err());
    }
}
