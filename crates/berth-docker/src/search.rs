//! What a search is asked for, and which of what it finds is shown.

use std::cmp::Reverse;

use berth_engine::registry::{Error, Hit, Server};

use crate::filter::Filters;

/// As docker's daemon has it when nothing is asked.
pub const LIMIT: u32 = 25;
/// What Docker Hub gives at once.
pub const LIMIT_MAX: u32 = 100;
/// The filters of a search.
pub const FILTERS: &[&str] = &["is-official", "is-automated", "stars"];

/// The registry, and the term that it is asked for: docker's rule for what is a host.
///
/// # Errors
/// The host is none.
pub fn place(term: &str) -> Result<(Server, &str), Error> {
    match term.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
            Ok((Server::parse(host)?, rest))
        }
        _ => Ok((Server::hub(), term.strip_prefix("library/").unwrap_or(term))),
    }
}

/// What passes, the most liked first.
///
/// # Errors
/// A value that cannot be.
pub fn narrow(mut hits: Vec<Hit>, filters: &Filters) -> Result<Vec<Hit>, String> {
    let stars = match filters.values("stars").last() {
        Some(text) => text
            .parse()
            .map_err(|_| format!("`stars={text}` is not a number"))?,
        None => 0,
    };
    let official = filters.boolean("is-official")?;
    let automated = filters.boolean("is-automated")?;
    hits.retain(|hit| {
        hit.star_count >= stars
            && official.is_none_or(|want| hit.is_official == want)
            && automated.is_none_or(|want| hit.is_automated == want)
    });
    hits.sort_by_key(|hit| Reverse(hit.star_count));
    Ok(hits)
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

    #[test]
    fn hits_are_narrowed() {
        let hit = |name: &str, star_count, is_official| Hit {
            name: name.to_owned(),
            description: String::new(),
            star_count,
            is_official,
            is_automated: false,
        };
        let names = |filter: &str| {
            let filters = Filters::parse(&[filter.to_owned()], FILTERS).unwrap();
            let hits = vec![hit("a", 1, false), hit("b", 9, true)];
            let shown = narrow(hits, &filters)?;
            Ok::<_, String>(shown.into_iter().map(|hit| hit.name).collect::<Vec<_>>())
        };
        assert_eq!(names("stars=0").unwrap(), ["b", "a"]);
        assert_eq!(names("stars=2").unwrap(), ["b"]);
        assert_eq!(names("is-official=false").unwrap(), ["a"]);
        assert!(names("is-automated=true").unwrap().is_empty());
        assert!(names("stars=x").is_err() && names("is-official=x").is_err());
    }
}
