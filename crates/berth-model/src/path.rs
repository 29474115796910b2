//! Paths as texts: nothing is looked up.

/// The path from `/`, without `.`, `..`, doubled and trailing slashes.
pub fn clean(path: &str) -> String {
    shortest(&format!("/{path}"))
}

/// The same place in the fewest letters: without `.`, doubled and trailing slashes, and without a `..` that something
/// stands before. Empty: `.`.
///
/// Source: Go's `path.Clean`.
pub fn shortest(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, want) in [
            ("/a/../proc", "/proc"),
            ("proc/", "/proc"),
            ("/..", "/"),
            ("//x/./y", "/x/y"),
            ("", "/"),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
    }

    #[test]
    fn relative_ones_stay_so() {
        for (path, want) in [
            ("../x", "../x"),
            ("x/..", "."),
            ("", "."),
            ("x//y/./z/", "x/y/z"),
            ("x/../../y", "../y"),
            ("/x/../..", "/"),
        ] {
            assert_eq!(shortest(path), want, "{path}");
        }
    }
}
