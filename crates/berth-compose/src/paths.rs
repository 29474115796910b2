//! Paths of the host, by their letters alone.

use berth_model::path::shortest;

/// Absolute, without `.` and `..`.
pub(crate) fn absolute(text: &str, base: &str, home: Option<&str>) -> String {
    let expanded = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}")
        }
        _ => text.to_owned(),
    };
    match expanded.starts_with('/') {
        true => shortest(&expanded),
        false => shortest(&format!("{base}/{expanded}")),
    }
}

/// Where a build takes its files: a path becomes absolute, all else stays.
pub(crate) fn context(text: &str, base: &str, home: Option<&str>) -> String {
    let is_scheme = |scheme: &str| {
        scheme.len() > 1
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    // service:NAME, docker-image://…, https://…, git@host:path
    let elsewhere = text.starts_with("git@")
        || text.starts_with("github.com/")
        || matches!(text.split_once(':'), Some((scheme, rest)) if is_scheme(scheme) && (rest.starts_with("//") || scheme == "service" || scheme == "target"));
    match text.is_empty() || elsewhere {
        true => text.to_owned(),
        false => absolute(text, base, home),
    }
}

/// The directory that a path is in.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None => ".",
    }
}

/// The last name of a path.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute() {
        for (text, want) in [
            (".", "/a/b"),
            ("./x", "/a/b/x"),
            ("../x", "/a/x"),
            ("../../../x", "/x"),
            ("x//y/./z/", "/a/b/x/y/z"),
            ("/etc/../usr", "/usr"),
            ("~", "/home/u"),
            ("~/x", "/home/u/x"),
            ("~other/x", "/a/b/~other/x"),
        ] {
            assert_eq!(absolute(text, "/a/b", Some("/home/u")), want, "{text}");
        }
    }

    #[test]
    fn contexts_elsewhere_stay() {
        for text in [
            "https://example.com/x.git#main:dir",
            "git@example.com:x/y.git",
            "github.com/x/y",
            "service:base",
            "docker-image://alpine",
            "ssh://git@example.com/x",
            "",
        ] {
            assert_eq!(context(text, "/a", None), text);
        }
        for (text, want) in [("x", "/a/x"), ("./x:y", "/a/x:y"), ("/b", "/b")] {
            assert_eq!(context(text, "/a", None), want);
        }
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(
            [parent("/a/b"), parent("/a"), parent("a")],
            ["/a", "/", "."]
        );
        assert_eq!([last("/a/b"), last("a")], ["b", "a"]);
    }
}
