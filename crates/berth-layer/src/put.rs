//! An archive into a directory that is in use: what is there stays but for what the archive replaces.
//!
//! Other than [`crate::apply()`], which fills a directory of ours:
//! - Whoever else uses the directory may change it meanwhile. Each entry's parent is resolved once, to a descriptor,
//!   and the entry made through that; metadata is set through the descriptor of what was made.
//! - Inside a container, whose root is then this process's own, a parent may be a link, as it is for `tar`; on the
//!   host no link below the directory is followed, and nothing above it reached: the archive comes from a container.
//! - A name that begins with `.wh.` is a name like any other.

use std::ffi::CString;
use std::io::BufRead;
use std::os::fd::{AsFd, OwnedFd};

use berth_model::ErrorKind;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};
use rustix::io::Errno;

use crate::error::{apply as failed, shown};
use crate::metadata::{self, Metadata};
use crate::path::{clean, join, prefixes, split};
use crate::tar::{Entry, Kind, Reader};
use crate::{Error, lookup};

/// Whose what the archive holds becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whose the archive says.
    OfTheArchive,
    /// One user's.
    Fixed {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// This process's.
    Caller,
}

/// How to unpack.
#[derive(Debug, Clone)]
pub struct PutOptions {
    /// No directory replaces what is none, nor the other way round.
    pub no_overwrite_dir_non_dir: bool,
    /// Owners.
    pub owner: Owner,
    /// Leave device nodes out.
    pub skip_devices: bool,
    /// The root of this process is a container's.
    pub inside: bool,
    /// The first component of names that begin with the one begins with the other.
    pub rename: Option<(Vec<u8>, Vec<u8>)>,
}

/// Unpacks the whole archive into `target`. `umask` must be 0 for what has no descriptor.
///
/// # Errors
/// A malformed archive, `Copy` where one thing may not replace another, the kernel's refusals.
pub fn put<R: BufRead>(
    reader: &mut Reader<R>,
    target: OwnedFd,
    options: PutOptions,
) -> Result<(), Error> {
    let mut putter = Putter {
        target,
        options,
        dirs: Vec::new(),
    };
    while let Some(entry) = reader.next()? {
        putter.entry(entry, reader)?;
    }
    putter.finish()
}

/// A directory whose metadata is set last: filling it changes its time, and its mode may forbid the filling.
struct Made {
    fd: OwnedFd,
    path: Vec<u8>,
    metadata: Metadata,
}

/// Directories that wait with their descriptors open; the oldest are settled when there are more.
const WAITING: usize = 256;

struct Putter {
    target: OwnedFd,
    options: PutOptions,
    dirs: Vec<Made>,
}

impl Putter {
    fn entry<R: BufRead>(&mut self, entry: Entry, reader: &mut Reader<R>) -> Result<(), Error> {
        let path = self.clean(&entry.path)?;
        if path.is_empty() {
            // The directory itself is there, and stays as it is.
            return Ok(());
        }
        let (dir, name) = split(&path);
        let name = lookup::c_name(name).map_err(|errno| failed("create", &path, errno))?;
        let parent = self.parent(dir)?;
        let there = lookup::stat(&parent, name.as_bytes());
        let there = there.map_err(|errno| failed("look at", &path, errno))?;
        if let Some(stat) = there
            && !self.may_stay(&stat, &entry, &path)?
        {
            remove(&parent, &name, &path)?;
        }
        match entry.kind {
            Kind::Dir => self.dir(&parent, &name, &path, &entry),
            Kind::File => self.file(&parent, &name, &path, &entry, reader),
            Kind::Symlink => {
                let link = lookup::c_name(&entry.link);
                link.and_then(|link| rustix::fs::symlinkat(&link, &parent, &name))
                    .map_err(|errno| failed("create", &path, errno))?;
                self.describe_nofollow(&parent, &name, &path, &entry)
            }
            Kind::Hardlink => self.hardlink(&parent, &name, &path, &entry),
            Kind::Fifo | Kind::Char { .. } | Kind::Block { .. } => {
                self.special(&parent, &name, &path, &entry)
            }
        }
    }

    /// An entry's clean path, renamed if that is asked for.
    fn clean(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        let refused = |why: &str| Error::Entry {
            path: shown(path),
            reason: why.to_owned(),
        };
        let clean = clean(path).map_err(refused)?;
        let Some((from, to)) = &self.options.rename else {
            return Ok(clean);
        };
        let renamed = match clean.strip_prefix(&from[..]) {
            // The root's content goes below the new name.
            _ if from.is_empty() && clean.is_empty() => to.clone(),
            _ if from.is_empty() => join(to, &clean),
            Some(b"") => to.clone(),
            Some(rest) if rest.starts_with(b"/") => [&to[..], rest].concat(),
            _ => clean,
        };
        Ok(renamed)
    }

    /// Whether what is there stays and the entry only changes it: a directory, of a directory.
    fn may_stay(&self, stat: &Stat, entry: &Entry, path: &[u8]) -> Result<bool, Error> {
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let wants_dir = entry.kind == Kind::Dir;
        if self.options.no_overwrite_dir_non_dir && is_dir != wants_dir {
            let (old, new) = match is_dir {
                true => ("directory", "non-directory"),
                false => ("non-directory", "directory"),
            };
            return Err(Error::Copy {
                kind: ErrorKind::InvalidInput,
                reason: format!("cannot overwrite {old} \"/{}\" with {new}", shown(path)),
            });
        }
        Ok(is_dir && wants_dir)
    }

    fn dir(
        &mut self,
        parent: &OwnedFd,
        name: &CString,
        path: &[u8],
        entry: &Entry,
    ) -> Result<(), Error> {
        match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("create", path, errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::empty())
            .map_err(|errno| failed("open", path, errno))?;
        // Of several entries for one directory the last one counts.
        self.dirs.retain(|made| made.path != path);
        if self.dirs.len() >= WAITING {
            // One that is not above what comes, if there is one: that is still being filled.
            let above = |made: &Made| {
                path.starts_with(&made.path) && path.get(made.path.len()) == Some(&b'/')
            };
            let at = self.dirs.iter().position(|made| !above(made));
            let done = self.dirs.remove(at.unwrap_or(0));
            self.settle(&done)?;
        }
        self.dirs.push(Made {
            fd,
            path: path.to_vec(),
            metadata: Metadata::from(entry),
        });
        Ok(())
    }

    fn file<R: BufRead>(
        &self,
        parent: &OwnedFd,
        name: &CString,
        path: &[u8],
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> Result<(), Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed("create", path, errno))?;
        let mut data = reader.data();
        loop {
            let chunk = data.chunk()?;
            if chunk.is_empty() {
                break;
            }
            let written = rustix::io::write(&fd, chunk);
            let written = written.map_err(|errno| failed("write", path, errno))?;
            data.consume(written);
        }
        self.describe(&fd, path, &Metadata::from(entry))
    }

    fn hardlink(
        &self,
        parent: &OwnedFd,
        name: &CString,
        path: &[u8],
        entry: &Entry,
    ) -> Result<(), Error> {
        let target = self.clean(&entry.link)?;
        let (dir, old) = split(&target);
        let dir = self.open(dir).map_err(|errno| failed("open", dir, errno))?;
        lookup::c_name(old)
            .and_then(|old| rustix::fs::linkat(&dir, &old, parent, name, AtFlags::empty()))
            .map_err(|errno| failed("link", path, errno))
    }

    fn special(
        &self,
        parent: &OwnedFd,
        name: &CString,
        path: &[u8],
        entry: &Entry,
    ) -> Result<(), Error> {
        let (kind, device) = match entry.kind {
            Kind::Char { major, minor } => {
                (FileType::CharacterDevice, rustix::fs::makedev(major, minor))
            }
            Kind::Block { major, minor } => {
                (FileType::BlockDevice, rustix::fs::makedev(major, minor))
            }
            _ => (FileType::Fifo, 0),
        };
        if kind != FileType::Fifo && self.options.skip_devices {
            return Ok(());
        }
        if kind == FileType::CharacterDevice && device == 0 {
            return Err(Error::Entry {
                path: shown(path),
                reason: "the device 0:0 would act as a whiteout".to_owned(),
            });
        }
        let mode = Mode::from_raw_mode(entry.mode & 0o1777);
        rustix::fs::mknodat(parent, name, kind, mode, device)
            .map_err(|errno| failed("create", path, errno))?;
        self.describe_nofollow(parent, name, path, entry)
    }

    /// The directory at a clean path, made where it is missing.
    fn parent(&self, dir: &[u8]) -> Result<OwnedFd, Error> {
        match self.open(dir) {
            Err(Errno::NOENT) => {}
            other => return other.map_err(|errno| failed("open", dir, errno)),
        }
        let mut above = self.open(b"").map_err(|errno| failed("open", dir, errno))?;
        for path in prefixes(dir) {
            above = match self.open(path) {
                Ok(there) => there,
                Err(Errno::NOENT) => self.make_parent(&above, path)?,
                Err(errno) => return Err(failed("open", path, errno)),
            };
        }
        Ok(above)
    }

    fn make_parent(&self, above: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Error> {
        let failed = |errno| failed("create", path, errno);
        let name = lookup::c_name(split(path).1).map_err(failed)?;
        rustix::fs::mkdirat(above, &name, Mode::from_raw_mode(0o755)).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(above, &name, flags, Mode::empty()).map_err(failed)?;
        if let Owner::Fixed { uid, gid } = self.options.owner {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::fs::fchown(&fd, Some(uid), Some(gid)).map_err(failed)?;
        }
        Ok(fd)
    }

    fn open(&self, dir: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        if !self.options.inside {
            return lookup::open_across(self.target.as_fd(), dir, flags);
        }
        let dir = if dir.is_empty() { b"." } else { dir };
        loop {
            let (flags, resolve) = (flags | OFlags::CLOEXEC, ResolveFlags::NO_MAGICLINKS);
            match rustix::fs::openat2(&self.target, dir, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }

    /// Sets what the entry says of something that is open.
    fn describe(&self, fd: &OwnedFd, path: &[u8], wanted: &Metadata) -> Result<(), Error> {
        let set = match self.options.owner {
            Owner::OfTheArchive => metadata::set(fd.as_fd(), wanted),
            Owner::Fixed { uid, gid } => {
                let wanted = Metadata {
                    uid,
                    gid,
                    ..wanted.clone()
                };
                metadata::set(fd.as_fd(), &wanted)
            }
            Owner::Caller => metadata::set_but_owner(fd.as_fd(), wanted),
        };
        set.map(drop)
            .map_err(|(step, errno)| failed(step, path, errno))
    }

    fn describe_nofollow(
        &self,
        parent: &OwnedFd,
        name: &CString,
        path: &[u8],
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut wanted = Metadata::from(entry);
        match self.options.owner {
            Owner::OfTheArchive => {}
            Owner::Fixed { uid, gid } => (wanted.uid, wanted.gid) = (uid, gid),
            Owner::Caller => {
                wanted.uid = rustix::process::geteuid().as_raw();
                wanted.gid = rustix::process::getegid().as_raw();
            }
        }
        metadata::set_nofollow(parent.as_fd(), name, &wanted)
            .map_err(|(step, errno)| failed(step, path, errno))
    }

    fn settle(&self, made: &Made) -> Result<(), Error> {
        self.describe(&made.fd, &made.path, &made.metadata)
    }

    fn finish(mut self) -> Result<(), Error> {
        // What is below goes first: its making changed the time of what is above.
        while let Some(made) = self.dirs.pop() {
            self.settle(&made)?;
        }
        Ok(())
    }
}

/// Removes what is there, a directory with all that is in it.
fn remove(parent: &OwnedFd, name: &CString, path: &[u8]) -> Result<(), Error> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(failed("replace", path, errno)),
    }
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(name.as_bytes());
    berth_fs::remove_tree_at(parent.as_fd(), name)
        .map_err(|error| failed("replace", path, error.errno().unwrap_or(Errno::IO)))
}

#[cfg(test)]
mod tests;
