//! Entries that are no files or directories: links and special inodes.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Applier, component, failed, refused};
use crate::metadata::{self, Metadata};
use crate::path::{self, Name};
use crate::tar::{Entry, Kind};
use crate::view::Found;
use crate::{Error, lookup};

impl Applier {
    pub(super) fn symlink(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        let link =
            lookup::c_name(&entry.link).map_err(|_| refused(path, "its target holds a NUL"))?;
        self.report.dropped_xattrs += entry.xattrs.len() as u64;
        self.make(path, |parent, name| {
            rustix::fs::symlinkat(&link, parent, name)
        })?;
        self.set_nofollow(path, &Metadata::from(entry))
    }

    pub(super) fn special(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        let (file_type, device) = match entry.kind {
            Kind::Char { major: 0, minor: 0 } => {
                return Err(refused(path, "the device 0:0 would act as a whiteout"));
            }
            Kind::Char { major, minor } => {
                (FileType::CharacterDevice, rustix::fs::makedev(major, minor))
            }
            Kind::Block { major, minor } => {
                (FileType::BlockDevice, rustix::fs::makedev(major, minor))
            }
            _ => (FileType::Fifo, 0),
        };
        if file_type != FileType::Fifo && self.options.skip_devices {
            return self.skip_device(path);
        }
        self.report.dropped_xattrs += entry.xattrs.len() as u64;
        // Setuid and setgid mean nothing here, and the chown below clears them.
        let mode = Mode::from_raw_mode(entry.mode & 0o1777);
        self.make(path, |parent, name| {
            rustix::fs::mknodat(parent, name, file_type, mode, device)
        })?;
        self.set_nofollow(path, &Metadata::from(entry))
    }

    /// Leaves a device out; it would have replaced what this layer and those below have here.
    fn skip_device(&mut self, path: &[u8]) -> Result<(), Error> {
        self.report.skipped_devices += 1;
        self.clear(path)?;
        self.created.remove(path);
        self.remember(path)?;
        self.whiteouts.push(path.to_vec());
        self.remember(path)?;
        self.skipped.insert(path.to_vec());
        Ok(())
    }

    pub(super) fn hardlink(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        let target = match path::classify(&entry.link) {
            Ok(Name::Plain(target)) if !target.is_empty() => target,
            Ok(_) => return Err(refused(path, "a hard link to no file")),
            Err(why) => return Err(refused(path, &format!("its link target is refused: {why}"))),
        };
        if target == path {
            return Err(refused(path, "a hard link to itself"));
        }
        if let Some((dir, stat)) = self.in_target(&target)? {
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                return Err(refused(path, "a hard link to a directory"));
            }
            let name = component(&target, path::split(&target).1)?;
            return self.make(path, |parent, new| {
                rustix::fs::linkat(&dir, &name, parent, new, AtFlags::empty())
            });
        }
        if self.skipped.contains(&target) {
            return self.skip_device(path);
        }
        match self
            .view
            .find(&target)
            .map_err(|errno| failed("look at", &target, errno))?
        {
            Some(Found::Other(dir, stat)) => self.copy_up(path, &target, &dir, &stat),
            Some(Found::Dir) => Err(refused(path, "a hard link to a directory")),
            None => Err(refused(path, "a hard link to a file that does not exist")),
        }
    }

    /// What this layer has at a clean path: the directory that it lies in, and its `stat`.
    fn in_target(&self, path: &[u8]) -> Result<Option<(OwnedFd, Stat)>, Error> {
        let (dir, name) = path::split(path);
        let dir = match lookup::open_dir(self.target.as_fd(), dir, OFlags::PATH) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(refused(path, "a hard link through a link or file"));
            }
            Err(errno) => return Err(failed("open", dir, errno)),
        };
        let stat = lookup::stat(&dir, name).map_err(|errno| failed("look at", path, errno))?;
        Ok(stat.map(|stat| (dir, stat)))
    }

    /// A link to a file of the layers below gets a copy: overlay cannot link across layers.
    fn copy_up(
        &mut self,
        path: &[u8],
        target: &[u8],
        dir: &OwnedFd,
        stat: &Stat,
    ) -> Result<(), Error> {
        let name = path::split(target).1;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                let limit = self.options.limits.total_bytes;
                if size > limit.saturating_sub(self.report.data_bytes) {
                    return Err(Error::Limit {
                        limit,
                        unit: "bytes",
                    });
                }
                let from = lookup::open(dir.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK)
                    .map_err(|errno| failed("open", target, errno))?;
                let to = self.create_file(path)?;
                let copied = metadata::copy_file(&from, &to)
                    .map_err(|(step, errno)| failed(step, path, errno))?;
                self.report.data_bytes += copied;
                return Ok(());
            }
            FileType::Symlink => {
                let link = rustix::fs::readlinkat(dir, name, Vec::new())
                    .map_err(|errno| failed("read the link", target, errno))?;
                self.make(path, |parent, name| {
                    rustix::fs::symlinkat(&link, parent, name)
                })?;
            }
            kind => self.make(path, |parent, name| {
                rustix::fs::mknodat(parent, name, kind, mode, stat.st_rdev)
            })?,
        }
        self.set_nofollow(path, &Metadata::from_stat(stat))
    }

    fn set_nofollow(&mut self, path: &[u8], metadata: &Metadata) -> Result<(), Error> {
        let (dir, name) = path::split(path);
        let name = component(path, name)?;
        let parent = self.parent(dir)?;
        metadata::set_nofollow(parent.as_fd(), &name, metadata)
            .map_err(|(step, errno)| failed(step, path, errno))
    }
}
