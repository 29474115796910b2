//! The host's apt sources: which archive of Debian it uses, and which keys it trusts for it.
//!
//! Both forms are read, the one-line one and deb822. Only entries that are Debian's own archive
//! (its main and security parts) are taken, whatever mirror they point at.
//!
//! Source: sources.list(5).

use std::path::{Path, PathBuf};

/// One archive that the host uses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    /// Path of a key ring; a key in the text itself is left out.
    signed_by: Option<String>,
    trusted: bool,
}

/// Lines in one-line form for `suite`, from the host's sources in `etc_apt`.
pub(super) fn for_suite(etc_apt: &Path, suite: &str) -> Vec<String> {
    let mut sources = Vec::new();
    for path in files(etc_apt) {
        // What apt cannot read it ignores too.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        match path
            .extension()
            .is_some_and(|extension| extension == "sources")
        {
            true => sources.extend(parse_deb822(&text)),
            false => sources.extend(text.lines().filter_map(parse_line)),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for source in sources.iter().filter(|source| source.is_debian()) {
        lines.extend(source.lines(suite));
    }
    lines.dedup();
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    // The main archive decides: without it nothing can be installed.
    let main = format!(" {suite} main");
    if lines.iter().any(|line| line.ends_with(&main)) {
        lines
    } else {
        Vec::new()
    }
}

/// Suites that have neither updates nor security updates of their own.
pub(super) fn is_rolling(suite: &str) -> bool {
    matches!(suite, "sid" | "unstable" | "experimental" | "rc-buggy")
}

/// The suite with security updates for `suite`.
pub(super) fn security_suite(suite: &str) -> String {
    match suite {
        "buster" | "stretch" | "jessie" | "oldoldstable" => format!("{suite}/updates"),
        _ => format!("{suite}-security"),
    }
}

fn files(etc_apt: &Path) -> Vec<PathBuf> {
    let mut files = vec![etc_apt.join("sources.list")];
    let mut more: Vec<PathBuf> = std::fs::read_dir(etc_apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e == "list" || e == "sources")
        })
        .collect();
    more.sort();
    files.extend(more);
    files
}

impl Source {
    fn is_debian(&self) -> bool {
        let last = self
            .uri
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        last.starts_with("debian") && self.components.iter().any(|c| c == "main")
    }

    fn is_security(&self) -> bool {
        let ending = |suite: &String| suite.ends_with("-security") || suite.ends_with("/updates");
        self.suites.iter().all(ending)
    }

    /// What this source becomes for another suite: the same parts (updates, security) of it.
    fn lines(&self, suite: &str) -> Vec<String> {
        let mut options = Vec::new();
        if let Some(path) = &self.signed_by {
            options.push(format!("signed-by={path}"));
        }
        if self.trusted {
            options.push("trusted=yes".to_owned());
        }
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("[{}] ", options.join(" "))
        };
        let mut suites = Vec::new();
        if self.is_security() {
            if !is_rolling(suite) {
                suites.push(security_suite(suite));
            }
        } else {
            suites.push(suite.to_owned());
            let updates = |s: &String| s.ends_with("-updates") && !s.contains("proposed");
            if self.suites.iter().any(updates) && !is_rolling(suite) {
                suites.push(format!("{suite}-updates"));
            }
        }
        suites
            .into_iter()
            .map(|suite| format!("deb {options}{} {suite} main", self.uri))
            .collect()
    }
}

/// `deb [option=value …] URI SUITE COMPONENT…`
fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let mut rest = line
        .strip_prefix("deb")?
        .strip_prefix(char::is_whitespace)?
        .trim_start();
    let (mut signed_by, mut trusted) = (None, false);
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        rest = after;
        for option in options.split_whitespace() {
            match option.split_once('=') {
                Some(("signed-by", path)) => signed_by = Some(path.to_owned()),
                Some(("trusted", "yes")) => trusted = true,
                _ => {}
            }
        }
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source {
        uri,
        suites: vec![suite],
        components: words.collect(),
        signed_by,
        trusted,
    })
}

/// Stanzas of `Field: value`, continued by lines that begin with a blank.
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza(fields: &[(String, String)]) -> Vec<Source> {
    let get = |name: &str| {
        fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, v)| v.as_str())
    };
    let list = |name: &str| -> Vec<String> {
        get(name)
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let is = |name: &str, value: &str| get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
    if is("enabled", "no") || !list("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    // A path, not a key in the text.
    let signed_by = get("signed-by").filter(|v| v.starts_with('/') && !v.contains('\n'));
    let of = |uri| Source {
        uri,
        suites: list("suites"),
        components: list("components"),
        signed_by: signed_by.map(str::to_owned),
        trusted: is("trusted", "yes"),
    };
    list("uris").into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc_apt(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn both_forms_are_read_and_turned_to_another_suite() {
        let dir = etc_apt(&[
            (
                "sources.list.d/debian.sources",
                "# made by hand\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n\
                 Suites: bookworm\n  bookworm-updates\nComponents: main contrib\n\
                 Signed-By: /k.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security/\n\
                 Suites: bookworm-security\nComponents: main\nTrusted: yes\n",
            ),
            (
                "sources.list.d/other.sources",
                "Types: deb\nURIs: https://x.example/node_20.x\nSuites: bookworm\nComponents: main\n",
            ),
        ]);
        assert_eq!(
            for_suite(dir.path(), "trixie"),
            [
                "deb [signed-by=/k.gpg] http://mirror.example/debian trixie main",
                "deb [signed-by=/k.gpg] http://mirror.example/debian trixie-updates main",
                "deb [trusted=yes] http://mirror.example/debian-security/ trixie-security main",
            ]
        );
        assert_eq!(
            for_suite(dir.path(), "sid"),
            ["deb [signed-by=/k.gpg] http://mirror.example/debian sid main"]
        );
        assert!(for_suite(dir.path(), "buster")[2].ends_with(" buster/updates main"));
    }

    #[test]
    fn one_line_sources() {
        let dir = etc_apt(&[(
            "sources.list",
            "# deb http://no/debian bookworm main\ndeb-src http://no/debian bookworm main\n\
             deb [arch=amd64 signed-by=/a.gpg] http://m/debian bookworm main non-free # why\n\
             deb http://m/debian bookworm-backports main\n\
             deb https://download.example/linux/debian-thing bookworm stable\n",
        )]);
        assert_eq!(
            for_suite(dir.path(), "bookworm"),
            [
                "deb [signed-by=/a.gpg] http://m/debian bookworm main",
                "deb http://m/debian bookworm main"
            ]
        );
    }

    #[test]
    fn without_an_archive_there_is_nothing() {
        let dir = etc_apt(&[(
            "sources.list",
            "deb http://m/debian-security x-security main\n",
        )]);
        assert!(for_suite(dir.path(), "trixie").is_empty());
        assert!(for_suite(Path::new("/nonexistent"), "trixie").is_empty());
        let off = "Types: deb\nEnabled: no\nURIs: http://m/debian\nSuites: a\nComponents: main\n";
        assert!(parse_deb822(off).is_empty());
        let key = "Types: deb\nURIs: http://m/debian\nSuites: a\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x\n";
        assert_eq!(parse_deb822(key)[0].signed_by, None);
    }
}
