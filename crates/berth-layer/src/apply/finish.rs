//! What can only be known at the end of a layer: whiteouts, implied directories, times of directories.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Applier, Form, Report, component, failed, remove_tree};
use crate::metadata::{self, Metadata};
use crate::view;
use crate::{Error, lookup, path};

/// What this layer has at a path.
enum Here {
    Nothing,
    Dir(OwnedFd),
    /// A file, or a file where one of the directories above should be: nothing below shows through.
    Other,
}

impl Applier {
    pub(super) fn finish(mut self) -> Result<Report, Error> {
        let whiteouts: HashSet<Vec<u8>> = std::mem::take(&mut self.whiteouts).into_iter().collect();
        let opaques: HashSet<Vec<u8>> = std::mem::take(&mut self.opaques).into_iter().collect();
        let mut sorted: Vec<(&Vec<u8>, bool)> =
            whiteouts.iter().map(|path| (path, false)).collect();
        sorted.extend(opaques.iter().map(|path| (path, true)));
        // Parents first: below a hidden directory there is nothing to look for.
        sorted.sort();
        for (path, opaque) in sorted {
            match (self.options.form, opaque) {
                (Form::Overlay, false) => self.hide(path)?,
                (Form::Overlay, true) => self.hide_content(path)?,
                (Form::Plain, false) => self.remove(path)?,
                (Form::Plain, true) => self.remove_content(path)?,
            }
        }
        for (path, time) in std::mem::take(&mut self.dir_times) {
            // A later entry may have replaced the directory.
            let Some(fd) = self.reopen(&path)? else {
                continue;
            };
            metadata::set_time(fd.as_fd(), time)
                .map_err(|(step, errno)| failed(step, &path, errno))?;
        }
        self.describe_implicit(&whiteouts, &opaques)?;
        Ok(self.report)
    }

    /// The directory that this layer has at `path`.
    fn reopen(&self, path: &[u8]) -> Result<Option<OwnedFd>, Error> {
        match lookup::open_dir(self.target.as_fd(), path, OFlags::RDONLY) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(failed("open", path, errno)),
        }
    }

    /// Overlay: hides what the lower layers have at `path`, unless this layer has something there itself.
    fn hide(&mut self, path: &[u8]) -> Result<(), Error> {
        match self.here(path)? {
            Here::Dir(_) => self.hide_content(path),
            Here::Other => Ok(()),
            Here::Nothing if self.exists_below(path)? => self.whiteout(path),
            Here::Nothing => Ok(()),
        }
    }

    /// Overlay: hides what the lower layers have in the directory `path` and this layer has not.
    fn hide_content(&mut self, path: &[u8]) -> Result<(), Error> {
        let mut work = vec![path.to_vec()];
        while let Some(dir) = work.pop() {
            if matches!(self.here(&dir)?, Here::Other) {
                continue;
            }
            let below = self
                .view
                .dir(&dir)
                .map_err(|errno| failed("look at", &dir, errno))?;
            let names = view::names(below).map_err(|errno| failed("read", &dir, errno))?;
            for (name, is_dir) in names {
                let child = path::join(&dir, &name);
                match self.here(&child)? {
                    Here::Nothing => self.whiteout(&child)?,
                    Here::Dir(_) if is_dir => work.push(child),
                    Here::Dir(_) | Here::Other => {}
                }
            }
        }
        Ok(())
    }

    fn whiteout(&mut self, path: &[u8]) -> Result<(), Error> {
        self.report.whiteouts += 1;
        let limit = self.options.limits.entries;
        if self.report.whiteouts > limit {
            return Err(Error::Limit {
                limit,
                unit: "whiteouts",
            });
        }
        let (dir, name) = path::split(path);
        let name = component(path, name)?;
        let parent = self.parent(dir)?;
        // Allowed to everybody, also in a user namespace, since Linux 5.8.
        rustix::fs::mknodat(parent, &name, FileType::CharacterDevice, Mode::empty(), 0)
            .map_err(|errno| failed("hide", path, errno))
    }

    /// Plain: removes what the layers below left at `path`.
    fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        if self.created.contains(path) {
            return self.remove_content(path);
        }
        match self.here(path)? {
            Here::Nothing => return Ok(()),
            // `here` also says so when a directory above is a file of this layer.
            Here::Other | Here::Dir(_) => {}
        }
        let (dir, name) = path::split(path);
        let Here::Dir(parent) = self.here(dir)? else {
            return Ok(());
        };
        if !self.created.contains(dir) {
            self.keep_time(dir)?;
        }
        self.report.whiteouts += 1;
        self.parent = None;
        remove_tree(&parent, &component(path, name)?, path)
    }

    /// Plain: removes what the layers below left in the directory `path`.
    fn remove_content(&mut self, path: &[u8]) -> Result<(), Error> {
        let mut work = vec![path.to_vec()];
        while let Some(dir) = work.pop() {
            let Some(fd) = self.reopen(&dir)? else {
                continue;
            };
            let names = berth_fs::dirs::names(fd.as_fd())
                .map_err(|error| failed("read", &dir, error.errno().unwrap_or(Errno::IO)))?;
            for name in names {
                let name = name.as_bytes();
                let child = path::join(&dir, name);
                if self.created.contains(&child) {
                    work.push(child);
                } else {
                    self.report.whiteouts += 1;
                    self.parent = None;
                    remove_tree(&fd, &component(&child, name)?, &child)?;
                }
            }
        }
        Ok(())
    }

    /// Directories without an entry look as they did below; where nothing was, or it is hidden, a default.
    fn describe_implicit(
        &mut self,
        whiteouts: &HashSet<Vec<u8>>,
        opaques: &HashSet<Vec<u8>>,
    ) -> Result<(), Error> {
        for (path, fresh) in std::mem::take(&mut self.implicit) {
            let Some(fd) = self.reopen(&path)? else {
                continue;
            };
            let (above, _) = path::split(&path);
            let hidden = path::prefixes(&path).any(|prefix| whiteouts.contains(prefix))
                || path::prefixes(above).any(|prefix| opaques.contains(prefix))
                || (opaques.contains(&b""[..]) && !path.is_empty());
            let metadata = match self.options.form {
                Form::Plain if hidden || fresh => Some(Metadata::default_dir()),
                Form::Plain => None,
                Form::Overlay if hidden => Some(Metadata::default_dir()),
                Form::Overlay => Some(self.below(&path)?.unwrap_or_else(Metadata::default_dir)),
            };
            let Some(metadata) = metadata else { continue };
            metadata::set(fd.as_fd(), &metadata)
                .map_err(|(step, errno)| failed(step, &path, errno))?;
        }
        Ok(())
    }

    /// Metadata of the directory that the lower layers show at `path`.
    fn below(&mut self, path: &[u8]) -> Result<Option<Metadata>, Error> {
        let parts = self
            .view
            .dir(path)
            .map_err(|errno| failed("look at", path, errno))?;
        parts
            .first()
            .map(|top| Metadata::of(top.as_fd()))
            .transpose()
            .map_err(|errno| failed("read the metadata of", path, errno))
    }

    fn exists_below(&mut self, path: &[u8]) -> Result<bool, Error> {
        self.view
            .find(path)
            .map(|found| found.is_some())
            .map_err(|errno| failed("look at", path, errno))
    }

    fn here(&self, path: &[u8]) -> Result<Here, Error> {
        match lookup::open_dir(self.target.as_fd(), path, OFlags::PATH) {
            Ok(fd) => Ok(Here::Dir(fd)),
            Err(Errno::NOENT) => Ok(Here::Nothing),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(Here::Other),
            Err(errno) => Err(failed("open", path, errno)),
        }
    }
}
