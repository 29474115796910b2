//! One cgroup directory, held by descriptor: every read and write goes through it, so that a
//! path is looked up once only. An error names the whole path and the value.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The file system type of cgroup v2. Source: linux/magic.h.
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;

/// A directory of one hierarchy.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    pub(crate) path: PathBuf,
    pub(crate) unified: bool,
    /// Its hierarchy's v1 controllers, where they are known already; else its files show them.
    pub(crate) controllers: Vec<String>,
}

impl Dir {
    /// Opens an existing directory and finds out its hierarchy's kind.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut dir = Dir::open_in(path, false)?;
        let kind = rustix::fs::fstatfs(&dir.fd).map_err(|source| Error::OpenDir {
            path: path.to_owned(),
            source,
        })?;
        dir.unified = kind.f_type as u64 == CGROUP2_SUPER_MAGIC;
        Ok(dir)
    }

    /// Opens an existing directory of a hierarchy whose kind is known.
    pub(crate) fn open_in(path: &Path, unified: bool) -> Result<Self> {
        match rustix::fs::openat(CWD, path, path_flags(), Mode::empty()) {
            Ok(fd) => Ok(Dir {
                fd,
                path: path.to_owned(),
                unified,
                controllers: Vec::new(),
            }),
            Err(source) => Err(Error::OpenDir {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Opens a child.
    pub(crate) fn child(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, path_flags(), Mode::empty()) {
            Ok(fd) => Ok(Dir {
                fd,
                path,
                unified: self.unified,
                controllers: Vec::new(),
            }),
            Err(source) => Err(Error::OpenDir { path, source }),
        }
    }

    /// Makes a child; `false` when it was there already.
    pub(crate) fn make(&self, name: &str) -> Result<bool> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(source) => Err(Error::MakeDir {
                path: self.path.join(name),
                source,
            }),
        }
    }

    /// Removes a child directory; one that is gone already is fine.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NODEV) => Ok(()),
            Err(source) => Err(Error::RemoveDir {
                path: self.path.join(name),
                source,
            }),
        }
    }

    /// Names of the child cgroups.
    pub(crate) fn children(&self) -> Result<Vec<String>> {
        let list = || -> std::result::Result<Vec<String>, Errno> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?;
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::new(fd)? {
                let entry = entry?;
                let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
                if entry.file_type() == FileType::Directory && name != "." && name != ".." {
                    names.push(name.to_string_lossy().into_owned());
                }
            }
            Ok(names)
        };
        match list() {
            Err(Errno::NOENT | Errno::NODEV) => Ok(Vec::new()),
            other => other.map_err(|source| Error::OpenDir {
                path: self.path.clone(),
                source,
            }),
        }
    }

    /// Whether it is of the hierarchy of a v1 controller, one of whose files is `file`.
    pub(crate) fn is_of(&self, controller: &str, file: &str) -> bool {
        match self.controllers.as_slice() {
            [] => self.has(file),
            known => known.iter().any(|c| c == controller),
        }
    }

    /// Whether a file is there.
    pub(crate) fn has(&self, file: &str) -> bool {
        rustix::fs::accessat(&self.fd, file, rustix::fs::Access::EXISTS, AtFlags::empty()).is_ok()
    }

    /// Whether a file may be written.
    pub(crate) fn may_write(&self, file: &str) -> bool {
        rustix::fs::accessat(
            &self.fd,
            file,
            rustix::fs::Access::WRITE_OK,
            AtFlags::EACCESS,
        )
        .is_ok()
    }

    /// Writes a value in one write, as cgroup files want it.
    pub(crate) fn write(&self, file: &str, value: &str) -> Result<()> {
        self.try_write(file, value)
            .map_err(|source| self.refused(file, value, source))
    }

    /// The error of a refused write.
    pub(crate) fn refused(&self, file: &str, value: &str, source: Errno) -> Error {
        Error::WriteFile {
            path: self.path.join(file),
            value: value.to_owned(),
            source,
        }
    }

    /// Like [`Dir::write`], with the bare errno for callers that act on it.
    pub(crate) fn try_write(&self, file: &str, value: &str) -> std::result::Result<(), Errno> {
        // No O_CREAT and no O_TRUNC: cgroupfs files exist or are not supported.
        let fd = rustix::fs::openat(
            &self.fd,
            file,
            OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        rustix::io::write(&fd, value.as_bytes()).map(drop)
    }

    /// Reads a file as text.
    pub(crate) fn read(&self, file: &str) -> Result<String> {
        self.try_read(file).map_err(|source| Error::ReadFile {
            path: self.path.join(file),
            source,
        })
    }

    /// Like [`Dir::read`], with the bare errno.
    pub(crate) fn try_read(&self, file: &str) -> std::result::Result<String, Errno> {
        read_fd(&self.open_file(file)?)
    }

    /// Opens a file for reading.
    pub(crate) fn open_file(&self, file: &str) -> std::result::Result<OwnedFd, Errno> {
        rustix::fs::openat(
            &self.fd,
            file,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn path_flags() -> OFlags {
    // O_PATH serves openat, mkdirat, CLONE_INTO_CGROUP and bpf(2) alike.
    OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Reads to the end.
pub(crate) fn read_fd(fd: &OwnedFd) -> std::result::Result<String, Errno> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if bytes.capacity() - bytes.len() < 1024 {
            bytes.reserve(bytes.capacity());
        }
        if rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes))? == 0 {
            return Ok(String::from_utf8(bytes)
                .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()));
        }
    }
}
