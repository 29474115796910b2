//! Names of entries, taken apart and checked.
//!
//! A name is a sequence of components from the layer's root; a leading slash, doubled slashes and `.` mean
//! nothing. `..` is refused, never resolved: no archive that a builder writes has one.

use crate::limits::{NAME_BYTES, PATH_BYTES};

/// Prefix of whiteouts. Source: OCI image-spec, layer.md, "Whiteouts".
pub const WHITEOUT: &[u8] = b".wh.";

/// The name of an opaque whiteout.
pub const OPAQUE: &[u8] = b".wh..wh..opq";

/// Prefix of the housekeeping files of AUFS, found in old images; they are no part of the tree.
const WHITEOUT_META: &[u8] = b".wh..wh.";

/// What a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Name {
    /// An entry at this clean path (empty: the root).
    Plain(Vec<u8>),
    /// The lower layers' entry at this clean path is gone.
    Whiteout(Vec<u8>),
    /// All that the lower layers have in the directory at this clean path is gone.
    Opaque(Vec<u8>),
    /// Housekeeping of AUFS: nothing to do.
    Ignored,
}

/// The clean form of a path: components joined by single slashes, none at either end.
///
/// # Errors
/// Why the path is refused.
pub fn clean(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    if path.len() > PATH_BYTES {
        return Err("the path is too long");
    }
    let mut clean = Vec::with_capacity(path.len());
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err("the path holds `..`"),
            _ if component.len() > NAME_BYTES => return Err("a component of the path is too long"),
            _ if component.contains(&0) => return Err("the path holds a NUL"),
            _ => {}
        }
        if !clean.is_empty() {
            clean.push(b'/');
        }
        clean.extend_from_slice(component);
    }
    Ok(clean)
}

/// Takes a name apart.
///
/// # Errors
/// Why the name is refused.
pub fn classify(path: &[u8]) -> Result<Name, &'static str> {
    let path = clean(path)?;
    let (dir, base) = split(&path);
    let dir_is_reserved = dir
        .split(|byte| *byte == b'/')
        .any(|component| component.starts_with(WHITEOUT));
    if dir_is_reserved || (base.starts_with(WHITEOUT_META) && base != OPAQUE) {
        let housekeeping = path
            .split(|byte| *byte == b'/')
            .any(|component| component.starts_with(WHITEOUT_META));
        return if housekeeping {
            Ok(Name::Ignored)
        } else {
            Err("a whiteout is no directory")
        };
    }
    if base == OPAQUE {
        return Ok(Name::Opaque(dir.to_vec()));
    }
    let Some(hidden) = base.strip_prefix(WHITEOUT) else {
        return Ok(Name::Plain(path));
    };
    // `.wh.` alone would be the directory itself, `.wh..` and `.wh...` the special names.
    if matches!(hidden, b"" | b"." | b"..") {
        return Err("a whiteout of nothing");
    }
    Ok(Name::Whiteout(join(dir, hidden)))
}

/// Directory and last component of a clean path.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// A clean path from a clean directory and a component.
pub(crate) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() {
        name.to_vec()
    } else {
        [dir, b"/", name].concat()
    }
}

/// The path itself and all directories above it, from the root's children down; none for the root.
pub(crate) fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    let whole = (!path.is_empty()).then_some(path.len());
    slashes.chain(whole).map(|end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_paths() {
        for (path, expected) in [
            (&b"a/b"[..], Ok(&b"a/b"[..])),
            (b"/a//b/", Ok(b"a/b")),
            (b"./a/./b", Ok(b"a/b")),
            (b"./", Ok(b"")),
            (b"/", Ok(b"")),
            (b"a\nb/\xff", Ok(b"a\nb/\xff")),
            (b"a...", Ok(b"a...")),
            (b"..", Err("the path holds `..`")),
            (b"a/../b", Err("the path holds `..`")),
            (b"/..", Err("the path holds `..`")),
            (b"a\0b", Err("the path holds a NUL")),
        ] {
            assert_eq!(
                clean(path).as_deref(),
                expected.as_ref().map(|path| *path),
                "{path:?}"
            );
        }
        assert!(clean(&[b'a'; 255]).is_ok());
        assert!(clean(&[b'a'; 256]).is_err());
        assert!(clean(&b"a/".repeat(2047)).is_ok());
        assert!(clean(&b"a/".repeat(10_000)).is_err());
    }

    #[test]
    fn t8_whiteout_names() {
        for (path, expected) in [
            (&b".wh.a"[..], Ok(Name::Whiteout(b"a".to_vec()))),
            (b"d/.wh.a", Ok(Name::Whiteout(b"d/a".to_vec()))),
            (b"d/.wh..wh..opq", Ok(Name::Opaque(b"d".to_vec()))),
            (b".wh..wh..opq", Ok(Name::Opaque(b"".to_vec()))),
            (b".wh..wh.plnk", Ok(Name::Ignored)),
            (b".wh..wh.plnk/12.3", Ok(Name::Ignored)),
            (b".wh..wh.aufs", Ok(Name::Ignored)),
            (b".wh....", Ok(Name::Whiteout(b"...".to_vec()))),
            (b".wh..x", Ok(Name::Whiteout(b".x".to_vec()))),
            (b".wh.", Err("a whiteout of nothing")),
            (b".wh..", Err("a whiteout of nothing")),
            (b".wh...", Err("a whiteout of nothing")),
            (b"d/.wh...", Err("a whiteout of nothing")),
            (b".wh./etc", Err("a whiteout is no directory")),
            (b".wh.d/x", Err("a whiteout is no directory")),
            (b"a/.wh.d/.wh.x", Err("a whiteout is no directory")),
            (b".wh..wh..opq/x", Ok(Name::Ignored)),
            (b".whx", Ok(Name::Plain(b".whx".to_vec()))),
        ] {
            assert_eq!(
                classify(path),
                expected,
                "{:?}",
                String::from_utf8_lossy(path)
            );
        }
    }

    #[test]
    fn prefixes_go_down() {
        assert_eq!(
            prefixes(b"a/b/c").collect::<Vec<_>>(),
            [&b"a"[..], b"a/b", b"a/b/c"]
        );
        assert_eq!(prefixes(b"").count(), 0);
    }
}
