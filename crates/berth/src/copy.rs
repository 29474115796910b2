//! What `cp` makes of its two paths: docker's rules, pure.
//!
//! The source is a file, a directory, or (written `DIR/.`) a directory's content; what the destination is decides where
//! it goes and what it is called there.

use std::path::Path;

use berth_model::path::shortest;

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side<'a> {
    /// Standard input or output, an archive.
    Stream,
    /// A path of the host's.
    Host(&'a str),
    /// A path in a container.
    Inside {
        /// The container.
        container: &'a str,
        /// The path.
        path: &'a str,
    },
}

impl Side<'_> {
    /// `-`, `CONTAINER:PATH`, or a path; one that begins with `/` or `.` is always a path.
    pub fn parse(text: &str) -> Side<'_> {
        if text == "-" {
            return Side::Stream;
        }
        match text.split_once(':') {
            Some((container, path)) if !text.starts_with(['/', '.']) => {
                Side::Inside { container, path }
            }
            _ => Side::Host(text),
        }
    }
}

/// What there is at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A directory.
    Dir,
    /// Something else.
    Other,
}

/// Where the copy goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The directory to unpack in.
    pub dir: String,
    /// What the source is called there; `None`: as it is called.
    pub name: Option<String>,
}

/// Where a copy of a directory or something else goes, whose destination is `path`.
///
/// # Errors
/// docker's words.
pub fn plan(source_is_dir: bool, path: &str, there: There) -> Result<Plan, &'static str> {
    let (dir, base) = split(path);
    let renamed = Plan {
        dir,
        name: Some(base),
    };
    match (there, source_is_dir) {
        (There::Dir, _) => Ok(Plan {
            dir: path.to_owned(),
            name: None,
        }),
        (There::Other, true) => Err("cannot copy directory"),
        (There::Nothing, false) if path.ends_with('/') || wants_content(path) => {
            Err("no such directory")
        }
        _ => Ok(renamed),
    }
}

/// Whether it ends in `/.` or is `.`: a directory's content is meant.
pub fn wants_content(path: &str) -> bool {
    path.rsplit('/').next() == Some(".")
}

/// Directory and last component of a path; of `DIR/.` the latter is `.`.
pub fn split(path: &str) -> (String, String) {
    let clean = shortest(path);
    if wants_content(path) {
        return (clean, ".".to_owned());
    }
    match clean.rsplit_once('/') {
        Some(("", "")) => ("/".to_owned(), "/".to_owned()),
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((dir, name)) => (dir.to_owned(), name.to_owned()),
        None => (".".to_owned(), clean),
    }
}

/// A path of the host's in full; a slash or `/.` at its end stays, for it says something.
pub fn absolute(path: &str, cwd: &Path) -> String {
    let full = match path.starts_with('/') {
        true => shortest(path),
        false => shortest(&format!("{}/{path}", cwd.to_string_lossy())),
    };
    keep_end(full, path)
}

/// Gives `path` the end that `like` has.
pub fn keep_end(path: String, like: &str) -> String {
    if wants_content(like) && !wants_content(&path) {
        return format!("{}/.", path.trim_end_matches('/'));
    }
    if like.ends_with('/') && !path.ends_with('/') {
        return format!("{path}/");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides() {
        let inside = |container, path| Side::Inside { container, path };
        for (text, side) in [
            ("-", Side::Stream),
            ("c:/x", inside("c", "/x")),
            ("c:", inside("c", "")),
            ("c:x:y", inside("c", "x:y")),
            ("/a:b", Side::Host("/a:b")),
            ("./a:b", Side::Host("./a:b")),
            ("a", Side::Host("a")),
        ] {
            assert_eq!(Side::parse(text), side, "{text}");
        }
    }

    #[test]
    fn plans() {
        let to = |dir: &str, name: Option<&str>| {
            Ok(Plan {
                dir: dir.to_owned(),
                name: name.map(str::to_owned),
            })
        };
        for (is_dir, path, there, want) in [
            (false, "/d", There::Dir, to("/d", None)),
            (true, "/d/.", There::Dir, to("/d/.", None)),
            (false, "/d/f", There::Other, to("/d", Some("f"))),
            (true, "/d/f", There::Other, Err("cannot copy directory")),
            (false, "/d/new", There::Nothing, to("/d", Some("new"))),
            (true, "/d/new", There::Nothing, to("/d", Some("new"))),
            (true, "/d/new/", There::Nothing, to("/d", Some("new"))),
            (false, "/d/new/", There::Nothing, Err("no such directory")),
            (false, "/d/new/.", There::Nothing, Err("no such directory")),
            (false, "/new", There::Nothing, to("/", Some("new"))),
        ] {
            assert_eq!(plan(is_dir, path, there), want, "{path}");
        }
    }

    #[test]
    fn ends_are_kept() {
        let full = |path| absolute(path, Path::new("/cwd"));
        for (path, want) in [
            ("a", "/cwd/a"),
            ("a/", "/cwd/a/"),
            ("a/.", "/cwd/a/."),
            (".", "/cwd/."),
            ("../x//y", "/x/y"),
            ("/", "/"),
            ("/a/..", "/"),
        ] {
            assert_eq!(full(path), want, "{path}");
        }
        assert_eq!(split("/a/b/"), ("/a".into(), "b".into()));
        assert_eq!(split("/a/."), ("/a".into(), ".".into()));
        assert_eq!(split("x"), (".".into(), "x".into()));
    }
}
