//! Paths as texts: nothing is looked up.

/// The path from `/`, without `.`, `..`, doubled and trailing slashes: Go's `path.Clean` of an absolute one.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
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
}
