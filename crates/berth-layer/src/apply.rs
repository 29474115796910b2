//! Applies a layer's entries to a directory.
//!
//! Rules (rows T1–T13 of the threat catalogue):
//! - Everything is reached from the target's descriptor by `openat2` without links, mounts or `..`. A
//!   parent is a real directory or becomes one: whatever else is in the way is replaced, never followed.
//! - An existing file is never opened for writing: it is unlinked, and a new one made with `O_EXCL`.
//! - Whiteouts affect the lower layers only, in whatever order the archive has them; they, and the metadata
//!   of directories that the layer implies but does not describe, are settled at the end (`finish`).
//!
//! The lower layers are looked at only for what this layer hides of them or links to, nearly all of it at the end:
//! so they may be unpacked at the same time, and a [`Gate`] opens when they are whole.
//!
//! Two forms of the result:
//! - [`Form::Overlay`]: the target holds this layer alone, and a character device 0:0 hides a name of the
//!   layers below. Opaque directories are written as single whiteouts, so that neither the privilege for
//!   `trusted.overlay.opaque` nor a different form for rootless engines is needed.
//! - [`Form::Plain`]: the target already holds a copy of the layers below; a whiteout removes.

mod finish;
mod nodes;

use std::collections::{BTreeMap, HashSet};
use std::ffi::CString;
use std::io::BufRead;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{apply as failed, shown};
use crate::limits::{LARGE_BYTES, LARGE_PATHS_BYTES, REMEMBERED_BYTES};
use crate::metadata::{self, Metadata};
use crate::path::{self, Name};
use crate::tar::{Entry, Kind, Reader, Time};
use crate::view::View;
pub use crate::view::{Gate, Lowers};
use crate::{Error, Limits, lookup};

/// What the target directory will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One layer of an overlay.
    Overlay,
    /// The whole tree.
    Plain,
}

/// How to apply.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The target's form.
    pub form: Form,
    /// Leave device nodes out (they cannot be made in a user namespace) and count them.
    pub skip_devices: bool,
    /// What the layer may cost.
    pub limits: Limits,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Entries made.
    pub entries: u64,
    /// Bytes of file data written.
    pub data_bytes: u64,
    /// Whiteouts that hide something.
    pub whiteouts: u64,
    /// Extended attributes that layers may not carry or the file system cannot hold.
    pub dropped_xattrs: u64,
    /// Device nodes left out.
    pub skipped_devices: u64,
    /// Paths of files that are large enough to be shared with other layers, as far as there is room for them here.
    /// A later entry may have replaced one.
    pub large: Vec<String>,
}

/// Applies the whole archive to `target`, over `lowers` (topmost first; none for [`Form::Plain`]).
///
/// The target is empty or, for [`Form::Plain`], holds the tree below. On failure it is left half done:
/// the caller throws it away. `umask` must be 0.
///
/// # Errors
/// A malformed archive, a refused entry, a limit exceeded, or the kernel's refusal.
pub fn apply<R: BufRead>(
    reader: &mut Reader<R>,
    target: OwnedFd,
    lowers: impl Into<Lowers>,
    options: Options,
) -> Result<Report, Error> {
    let mut applier = Applier::new(target, lowers, options)?;
    while let Some(entry) = reader.next()? {
        applier.entry(entry, reader)?;
    }
    applier.finish()
}

struct Applier {
    target: OwnedFd,
    view: View,
    options: Options,
    report: Report,
    /// Times of directories, set at the end because filling a directory changes its time. Later ones win.
    dir_times: Vec<(Vec<u8>, Time)>,
    /// Directories that entries lie in, but that no entry describes; true for those that this layer made. In the
    /// order of their paths, so that neighbours are looked at together.
    implicit: BTreeMap<Vec<u8>, bool>,
    /// For `Form::Plain`: what this layer made or used.
    created: HashSet<Vec<u8>>,
    /// Devices that were left out.
    skipped: HashSet<Vec<u8>>,
    whiteouts: Vec<Vec<u8>>,
    opaques: Vec<Vec<u8>>,
    /// Bytes of the paths in the collections above.
    remembered_bytes: usize,
    /// Bytes of the paths in `report.large`.
    large_bytes: usize,
    /// The directory used last.
    parent: Option<(Vec<u8>, OwnedFd)>,
}

impl Applier {
    fn new(target: OwnedFd, lowers: impl Into<Lowers>, options: Options) -> Result<Applier, Error> {
        let mut applier = Applier {
            target,
            view: View::new(lowers),
            options,
            report: Report::default(),
            dir_times: Vec::new(),
            implicit: BTreeMap::new(),
            created: HashSet::new(),
            skipped: HashSet::new(),
            whiteouts: Vec::new(),
            opaques: Vec::new(),
            remembered_bytes: 0,
            large_bytes: 0,
            parent: None,
        };
        applier.implicit.insert(Vec::new(), false);
        if options.form == Form::Plain {
            applier.created.insert(Vec::new());
            applier.keep_time(b"")?;
        }
        Ok(applier)
    }

    fn entry<R: BufRead>(&mut self, entry: Entry, reader: &mut Reader<R>) -> Result<(), Error> {
        let name = path::classify(&entry.path).map_err(|why| refused(&entry.path, why))?;
        let path = match name {
            Name::Plain(path) => path,
            Name::Ignored => return Ok(()),
            Name::Whiteout(hidden) | Name::Opaque(hidden)
                if !matches!(entry.kind, Kind::File | Kind::Hardlink) =>
            {
                return Err(refused(&hidden, "its whiteout is not a file"));
            }
            Name::Whiteout(hidden) => {
                self.remember(&hidden)?;
                self.whiteouts.push(hidden);
                return Ok(());
            }
            Name::Opaque(dir) => {
                self.remember(&dir)?;
                self.opaques.push(dir);
                return Ok(());
            }
        };
        if path.is_empty() && entry.kind != Kind::Dir {
            return Err(refused(&entry.path, "the root must be a directory"));
        }
        self.report.entries += 1;
        if self.options.form == Form::Plain {
            self.remember(&path)?;
            self.created.insert(path.clone());
        }
        match entry.kind {
            Kind::Dir => self.dir(&path, &entry),
            Kind::File => self.file(&path, &entry, reader),
            Kind::Hardlink => self.hardlink(&path, &entry),
            Kind::Symlink => self.symlink(&path, &entry),
            Kind::Fifo | Kind::Char { .. } | Kind::Block { .. } => self.special(&path, &entry),
        }
    }

    fn dir(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        let existed = if path.is_empty() {
            true
        } else {
            self.make_dir(path)?
        };
        self.implicit.remove(path);
        let fd = lookup::open_dir(self.target.as_fd(), path, OFlags::RDONLY)
            .map_err(|errno| failed("open", path, errno))?;
        if existed {
            clear_xattrs(&fd).map_err(|errno| failed("clear the attributes of", path, errno))?;
        }
        let dropped = metadata::set_owner_xattrs_mode(fd.as_fd(), &Metadata::from(entry))
            .map_err(|(step, errno)| failed(step, path, errno))?;
        self.report.dropped_xattrs += dropped;
        self.remember(path)?;
        self.dir_times.push((path.to_vec(), entry.mtime));
        // Archives have a directory's content after it.
        self.parent = Some((path.to_vec(), fd));
        Ok(())
    }

    /// Makes the directory; true if there was one already.
    fn make_dir(&mut self, path: &[u8]) -> Result<bool, Error> {
        let (dir, name) = path::split(path);
        let name = component(path, name)?;
        let parent = self.parent(dir)?;
        match rustix::fs::mkdirat(parent, &name, Mode::RWXU) {
            Ok(()) => return Ok(false),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("create", path, errno)),
        }
        let stat = lookup::stat(parent, name.as_bytes())
            .map_err(|errno| failed("look at", path, errno))?;
        if stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory) {
            return Ok(true);
        }
        self.clear(path)?;
        self.hides_below(path)?;
        let parent = self.parent(dir)?;
        rustix::fs::mkdirat(parent, &name, Mode::RWXU)
            .map_err(|errno| failed("create", path, errno))?;
        Ok(false)
    }

    fn file<R: BufRead>(
        &mut self,
        path: &[u8],
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> Result<(), Error> {
        let fd = self.create_file(path)?;
        let mut data = reader.data();
        loop {
            let chunk = data.chunk()?;
            if chunk.is_empty() {
                break;
            }
            let written =
                rustix::io::write(&fd, chunk).map_err(|errno| failed("write", path, errno))?;
            data.consume(written);
            self.report.data_bytes += written as u64;
        }
        let dropped = metadata::set(fd.as_fd(), &Metadata::from(entry))
            .map_err(|(step, errno)| failed(step, path, errno))?;
        self.report.dropped_xattrs += dropped;
        if entry.size >= LARGE_BYTES
            && let Ok(path) = std::str::from_utf8(path)
        {
            self.large_bytes += path.len();
            if self.large_bytes <= LARGE_PATHS_BYTES {
                self.report.large.push(path.to_owned());
            }
        }
        Ok(())
    }

    /// A new, empty file in place of whatever was there.
    fn create_file(&mut self, path: &[u8]) -> Result<OwnedFd, Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.make(path, |parent, name| {
            rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
        })
    }

    /// Runs `make` in the parent directory of `path`; once more after clearing the way if it is taken.
    fn make<T>(
        &mut self,
        path: &[u8],
        make: impl Fn(&OwnedFd, &CString) -> Result<T, Errno>,
    ) -> Result<T, Error> {
        let (dir, name) = path::split(path);
        let name = component(path, name)?;
        match make(self.parent(dir)?, &name) {
            Err(Errno::EXIST) => {}
            result => return result.map_err(|errno| failed("create", path, errno)),
        }
        self.clear(path)?;
        make(self.parent(dir)?, &name).map_err(|errno| failed("create", path, errno))
    }

    /// Removes what is at `path`, a directory with all that is in it.
    fn clear(&mut self, path: &[u8]) -> Result<(), Error> {
        let (dir, name) = path::split(path);
        let name = component(path, name)?;
        let parent = self.parent(dir)?;
        match rustix::fs::unlinkat(parent, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(failed("replace", path, errno)),
        }
        remove_tree(parent, &name, path)?;
        // The directory in the cache may have been in that tree.
        self.parent = None;
        Ok(())
    }

    /// The directory at this clean path, made where it is missing.
    fn parent(&mut self, dir: &[u8]) -> Result<&OwnedFd, Error> {
        if self.parent.as_ref().is_none_or(|(path, _)| path != dir) {
            let fd = self.open_or_make(dir)?;
            self.parent = Some((dir.to_vec(), fd));
        }
        match &self.parent {
            Some((_, fd)) => Ok(fd),
            None => Ok(&self.target),
        }
    }

    /// Goes up to what is there, and down again making what is not.
    fn open_or_make(&mut self, dir: &[u8]) -> Result<OwnedFd, Error> {
        let (mut there, mut missing) = (dir, Vec::new());
        let mut fd = loop {
            match lookup::open_dir(self.target.as_fd(), there, OFlags::PATH) {
                Ok(fd) => break fd,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !there.is_empty() => {
                    missing.push(there);
                    there = path::split(there).0;
                }
                Err(errno) => return Err(failed("open", there, errno)),
            }
        };
        self.mark_used(there)?;
        while let Some(path) = missing.pop() {
            fd = self.make_implicit(&fd, path)?;
        }
        Ok(fd)
    }

    /// `Form::Plain`: directories of the layers below that this layer puts something into.
    fn mark_used(&mut self, dir: &[u8]) -> Result<(), Error> {
        if self.options.form == Form::Overlay {
            return Ok(());
        }
        for prefix in path::prefixes(dir) {
            if !self.created.contains(prefix) {
                self.keep_time(prefix)?;
                self.remember(prefix)?;
                self.created.insert(prefix.to_vec());
                self.implicit.insert(prefix.to_vec(), false);
            }
        }
        Ok(())
    }

    /// `Form::Plain`: lets a directory that is about to be changed have its time back at the end.
    fn keep_time(&mut self, dir: &[u8]) -> Result<(), Error> {
        let stat = lookup::open_dir(self.target.as_fd(), dir, OFlags::PATH)
            .and_then(rustix::fs::fstat)
            .map_err(|errno| failed("look at", dir, errno))?;
        self.remember(dir)?;
        self.dir_times.push((dir.to_vec(), metadata::mtime(&stat)));
        Ok(())
    }

    /// Makes a directory that no entry describes (yet), in place of whatever else was there.
    fn make_implicit(&mut self, parent: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Error> {
        let name = component(path, path::split(path).1)?;
        let make = || rustix::fs::mkdirat(parent, &name, Mode::from_raw_mode(0o755));
        let mut made = make();
        if made == Err(Errno::EXIST) {
            rustix::fs::unlinkat(parent, &name, AtFlags::empty())
                .map_err(|errno| failed("replace", path, errno))?;
            self.hides_below(path)?;
            made = make();
        }
        made.map_err(|errno| failed("create", path, errno))?;
        self.remember(path)?;
        self.implicit.insert(path.to_vec(), true);
        if self.options.form == Form::Plain {
            self.created.insert(path.to_vec());
        }
        lookup::open_dir(parent.as_fd(), name.as_bytes(), OFlags::PATH)
            .map_err(|errno| failed("open", path, errno))
    }

    /// The file or link at `path` hid what the layers below have there, and so does the directory that takes
    /// its place.
    fn hides_below(&mut self, path: &[u8]) -> Result<(), Error> {
        self.remember(path)?;
        self.opaques.push(path.to_vec());
        Ok(())
    }

    fn remember(&mut self, path: &[u8]) -> Result<(), Error> {
        self.remembered_bytes += path.len();
        if self.remembered_bytes > REMEMBERED_BYTES {
            return Err(Error::Limit {
                limit: REMEMBERED_BYTES as u64,
                unit: "bytes of paths",
            });
        }
        Ok(())
    }
}

fn clear_xattrs(fd: &OwnedFd) -> Result<(), Errno> {
    for (name, _) in metadata::read_xattrs(fd.as_fd())? {
        rustix::fs::fremovexattr(fd, &lookup::c_name(&name)?)?;
    }
    Ok(())
}

fn remove_tree(parent: &OwnedFd, name: &CString, path: &[u8]) -> Result<(), Error> {
    berth_fs::tree::remove_tree_at(parent.as_fd(), std::ffi::OsStr::from_bytes(name.as_bytes()))
        .map_err(|error| failed("remove", path, error.errno().unwrap_or(Errno::IO)))
}

fn component(path: &[u8], name: &[u8]) -> Result<CString, Error> {
    lookup::c_name(name).map_err(|errno| failed("create", path, errno))
}

fn refused(path: &[u8], reason: &str) -> Error {
    Error::Entry {
        path: shown(path),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
