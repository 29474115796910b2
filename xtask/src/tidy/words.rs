//! No file tells about the machine it was written on: no home or work directories, and no hosts beside
//! those that everybody can reach and examples.

use super::Problem;
use super::source::Source;

/// Directories of one machine. Split, so that this file passes its own rule.
const PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// What may stand after `://`, with its subdomains.
const HOSTS: &[&str] = &[
    "github.com",
    "rust-lang.org",
    "rustup.rs",
    "docs.rs",
    "crates.io",
    "rustsec.org",
    "nexte.st",
    "opencontainers.org",
    "man7.org",
    "kernel.org",
    "debian.org",
    "docker.com",
    "docker.io",
    "podman.io",
    "apache.org",
    "json-schema.org",
    "ietf.org",
    "rfc-editor.org",
    "w3.org",
    "no-color.org",
    "reproducible-builds.org",
    "gnu.org",
    "golang.org",
    "go.dev",
    "freedesktop.org",
    "semver.org",
    "localhost",
    "host",
    "127.0.0.1",
    "example",
    "example.com",
    "example.org",
    "test",
    "invalid",
];

/// Looks at each line of a text file.
pub fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let path = &source.path;
    if path == "Cargo.lock" {
        return problems;
    }
    // Tests speak of evil hosts and of paths inside containers.
    let lines = source.text.lines().zip(&source.test).enumerate();
    for (n, (line, _)) in lines.filter(|(_, (_, test))| !**test) {
        for place in PLACES.iter().filter(|place| line.contains(**place)) {
            problems.push(Problem::error(
                path,
                n + 1,
                format!("`{place}` belongs to a machine"),
            ));
        }
        for host in hosts(line).filter(|host| !is_known(host)) {
            let text = format!("host `{host}` is not on the list in xtask/src/tidy/words.rs");
            problems.push(Problem::error(path, n + 1, text));
        }
    }
    problems
}

/// The host of each URL in a line, lower case, without port.
fn hosts(line: &str) -> impl Iterator<Item = String> + '_ {
    let after = line
        .match_indices("://")
        .map(|(at, sep)| (at, &line[at + sep.len()..]));
    after
        .filter(|(at, _)| line[..*at].ends_with("http") || line[..*at].ends_with("https"))
        .filter_map(|(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'));
            let host = rest[..end.unwrap_or(rest.len())]
                .trim_end_matches('.')
                .to_ascii_lowercase();
            (!host.is_empty()).then_some(host)
        })
}

fn is_known(host: &str) -> bool {
    HOSTS
        .iter()
        .any(|known| host == *known || host.ends_with(&format!(".{known}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<Problem> {
        super::check(&Source::parse(path, text))
    }

    #[test]
    fn machine_places_are_told() {
        let path = ["see ", PLACES[0], "x"].concat();
        assert_eq!(check("README.md", &path).len(), 1);
        assert_eq!(check("crates/x/src/a/tests.rs", &path).len(), 0);
        assert_eq!(check("README.md", "network/x and groot/x").len(), 0);
    }

    #[test]
    fn hosts_have_to_be_known() {
        assert_eq!(
            check("a.md", "https://docs.rs/x http://sub.example.com:80/").len(),
            0
        );
        let bad = check(
            "a.md",
            "ok https://mirror.somewhere.net/x, https://docs.rs.evil.net",
        );
        assert_eq!(bad.len(), 2);
        assert!(bad[0].text.contains("mirror.somewhere.net"));
    }

    #[test]
    fn formatted_urls_have_no_host() {
        assert_eq!(check("a.rs", "format!(\"https://{host}/v2/\")").len(), 0);
    }
}
