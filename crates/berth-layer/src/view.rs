//! The merged view of the lower layers, as overlay will show it, without mounting anything.
//!
//! Each lower is a directory in overlay's form: a character device 0:0 hides the name below it, a mark on a
//! directory all that is below it. The applier makes no such marks (see `apply`), but a container's own writes do.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{Dir, FileType, OFlags, Stat};
use rustix::io::Errno;

use crate::lookup;
use crate::metadata::{is_opaque, is_whiteout};
use crate::path::{prefixes, split};

/// One layer's directory, opened for reading, of those that are merged.
pub(crate) type Part = Rc<OwnedFd>;

/// Most descriptors that are kept on the way, unless one directory alone has more.
const KEPT: usize = 256;

/// The lower layers.
pub(crate) struct View {
    /// Topmost first.
    lowers: Vec<Part>,
    /// The directories down to the one looked at last, each by the length of its path: neighbours are asked for
    /// one after the other. Some of the upper ones may be missing; one without parts is the last.
    way: Vec<(usize, Vec<Part>)>,
    /// The path that was asked for last.
    last: Vec<u8>,
    /// Waited for before the first look.
    gate: Option<Gate>,
}

/// The lower layers of a layer that is being unpacked.
pub struct Lowers {
    /// Their directories, topmost first.
    pub dirs: Vec<OwnedFd>,
    /// They are being unpacked, too, and not looked at before this opens.
    pub gate: Option<Gate>,
}

impl From<Vec<OwnedFd>> for Lowers {
    fn from(dirs: Vec<OwnedFd>) -> Lowers {
        Lowers { dirs, gate: None }
    }
}

/// Opens with a byte that can be read from the descriptor; its end means that it never will.
#[derive(Debug)]
pub struct Gate(pub OwnedFd);

impl Gate {
    fn pass(&self) -> Result<(), Errno> {
        loop {
            match rustix::io::read(&self.0, &mut [0]) {
                Ok(0) => return Err(Errno::CANCELED),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// What a path is in the view.
pub(crate) enum Found {
    /// A directory.
    Dir,
    /// Anything else: the directory it lies in, and its `stat`.
    Other(Part, Box<Stat>),
}

impl View {
    /// The view of these layers, topmost first.
    pub fn new(lowers: impl Into<Lowers>) -> View {
        let Lowers { dirs, gate } = lowers.into();
        View {
            lowers: dirs.into_iter().map(Rc::new).collect(),
            way: Vec::new(),
            last: Vec::new(),
            gate,
        }
    }

    /// Looks a clean path up.
    pub fn find(&mut self, path: &[u8]) -> Result<Option<Found>, Errno> {
        if path.is_empty() {
            return Ok(Some(Found::Dir));
        }
        let (dir, name) = split(path);
        for part in self.dir(dir)? {
            let Some(stat) = lookup::stat(part, name)? else {
                continue;
            };
            return Ok(
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    Some(Found::Dir)
                } else if is_whiteout(&stat) {
                    None
                } else {
                    Some(Found::Other(part.clone(), Box::new(stat)))
                },
            );
        }
        Ok(None)
    }

    /// The parts of the directory at a clean path, topmost (whose metadata shows) first; none if it is no
    /// directory.
    pub fn dir(&mut self, path: &[u8]) -> Result<&[Part], Errno> {
        if let Some(gate) = self.gate.take() {
            gate.pass()?;
        }
        let stays = |(length, _): &(usize, _)| {
            let rest = path.strip_prefix(&self.last[..*length]);
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        self.way.truncate(self.way.partition_point(stays));
        self.last = path.to_vec();
        let from = self.way.last().map_or(0, |(length, _)| *length);
        for prefix in prefixes(path).filter(|prefix| prefix.len() > from) {
            if self.lowest().is_empty() {
                break;
            }
            let parts = step(self.lowest(), split(prefix).1)?;
            self.way.push((prefix.len(), parts));
            self.forget_some();
        }
        Ok(self.lowest())
    }

    /// The end of the way.
    fn lowest(&self) -> &[Part] {
        self.way.last().map_or(&self.lowers, |(_, parts)| parts)
    }

    /// Drops directories near the root while too many descriptors are open.
    fn forget_some(&mut self) {
        let open = |way: &[(usize, Vec<Part>)]| way.iter().map(|(_, parts)| parts.len()).sum();
        while self.way.len() > 1 && KEPT < open(&self.way) {
            self.way.remove(0);
        }
    }
}

/// The parts of the directory `name` in a directory of these parts.
fn step(parts: &[Part], name: &[u8]) -> Result<Vec<Part>, Errno> {
    let mut found: Vec<Part> = Vec::new();
    for part in parts {
        let dir = match lookup::open_dir(part.as_fd(), name, OFlags::RDONLY) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => continue,
            // A whiteout, or whatever else is no directory, hides what is below.
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(errno) => return Err(errno),
        };
        // A mark matters only now that there is something for it to hide.
        if let Some(above) = found.last()
            && is_opaque(above)?
        {
            break;
        }
        found.push(Rc::new(dir));
    }
    Ok(found)
}

/// The names in a directory's parts; true for those that are directories.
pub(crate) fn names(parts: &[Part]) -> Result<BTreeMap<Vec<u8>, bool>, Errno> {
    let mut merged: BTreeMap<Vec<u8>, Option<bool>> = BTreeMap::new();
    for part in parts {
        for entry in Dir::read_from(part)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || merged.contains_key(name) {
                continue;
            }
            let shown = match entry.file_type() {
                FileType::Directory => Some(true),
                FileType::CharacterDevice | FileType::Unknown => match lookup::stat(part, name)? {
                    Some(stat) if is_whiteout(&stat) => None,
                    Some(stat) => {
                        Some(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
                    }
                    None => None,
                },
                _ => Some(false),
            };
            merged.insert(name.to_vec(), shown);
        }
    }
    Ok(merged
        .into_iter()
        .filter_map(|(name, shown)| Some((name, shown?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn view(layers: &[&tempfile::TempDir]) -> View {
        let open = |dir: &&tempfile::TempDir| fs::File::open(dir.path()).unwrap().into();
        View::new(layers.iter().map(open).collect::<Vec<OwnedFd>>())
    }

    fn found(view: &mut View, path: &str) -> (String, usize) {
        let what = match view.find(path.as_bytes()).unwrap() {
            None => "nothing".to_owned(),
            Some(Found::Dir) => "directory".to_owned(),
            Some(Found::Other(_, stat)) => format!("{} bytes", stat.st_size),
        };
        (what, view.dir(path.as_bytes()).unwrap().len())
    }

    /// What was looked at before must not matter.
    #[test]
    fn any_order_finds_the_same() {
        let [top, middle, low] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        for (layer, dirs) in [
            (&top, &["a/b", "c", "ab"][..]),
            (&middle, &["a/b/x", "c", "ab/x"]),
            (&low, &["a/b/x/y", "c/hidden", "d/e"]),
        ] {
            for dir in dirs {
                fs::create_dir_all(layer.path().join(dir)).unwrap();
            }
        }
        fs::write(middle.path().join("a/file"), "12").unwrap();
        fs::write(low.path().join("a/b/file"), "1").unwrap();
        // Hides what `low` has, not what `middle` has itself.
        let mark = middle.path().join("c");
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(mark, "trusted.overlay.opaque", b"y", flags).unwrap();
        fs::write(middle.path().join("d"), "123").unwrap();
        let expected = [
            ("", "directory", 3),
            ("a", "directory", 3),
            ("a/b", "directory", 3),
            ("a/b/x", "directory", 2),
            ("a/b/x/y", "directory", 1),
            ("a/b/x/z", "nothing", 0),
            ("a/b/file", "1 bytes", 0),
            ("a/file", "2 bytes", 0),
            ("ab", "directory", 2),
            ("ab/x", "directory", 1),
            ("c", "directory", 2),
            ("c/hidden", "nothing", 0),
            ("d", "3 bytes", 0),
            ("d/e", "nothing", 0),
            ("none/at/all", "nothing", 0),
        ];
        let layers = [&top, &middle, &low];
        let mut asked = view(&layers);
        for (first, ..) in expected {
            for (path, what, parts) in expected {
                asked.dir(first.as_bytes()).unwrap();
                let wanted = (what.to_owned(), parts);
                assert_eq!(found(&mut asked, path), wanted, "{path} after {first}");
            }
        }
    }

    #[test]
    fn a_deep_tree_needs_few_descriptors() {
        let layers = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let path = vec!["d"; 500].join("/");
        for layer in &layers {
            fs::create_dir_all(layer.path().join(&path)).unwrap();
        }
        let mut view = view(&[&layers[0], &layers[1]]);
        assert_eq!(found(&mut view, &path), ("directory".to_owned(), 2));
        let open: usize = view.way.iter().map(|(_, parts)| parts.len()).sum();
        assert!(open <= KEPT, "{open}");
        assert_eq!(found(&mut view, "d/d"), ("directory".to_owned(), 2));
    }
}
