//! The other end of a copy: files of the user who asks, packed and unpacked in this process with his rights.

use std::ffi::OsStr;
use std::io::{BufReader, Read, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use berth_layer::put::{Owner, PutOptions};
use berth_layer::tar::Reader;
use berth_layer::{Limits, WriteOptions, write_single, write_tree};
use rustix::fs::{FileType, Mode, OFlags};

use crate::Error;
use crate::error::Chain;

/// A file or a tree of the user's.
#[derive(Debug)]
pub struct HostTree {
    /// It, or the directory that it lies in.
    dir: OwnedFd,
    /// Of what is no directory: its name there.
    name: Option<Vec<u8>>,
}

impl HostTree {
    /// Opens what is at a path; a link is the link, unless a slash comes after it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<HostTree, Error> {
        let failed = |source: rustix::io::Errno| Error::Io {
            action: "open",
            path: path.to_owned(),
            source: source.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &Path, flags| rustix::fs::open(path, flags, Mode::empty());
        let is_dir = rustix::fs::lstat(path).map_err(failed)?.st_mode;
        if FileType::from_raw_mode(is_dir) == FileType::Directory {
            let dir = open(path, flags).map_err(failed)?;
            return Ok(HostTree { dir, name: None });
        }
        let name = path
            .file_name()
            .unwrap_or(OsStr::new("."))
            .as_bytes()
            .to_vec();
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let dir = open(parent.unwrap_or(Path::new(".")), flags).map_err(failed)?;
        let name = Some(name);
        Ok(HostTree { dir, name })
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.name.is_none()
    }
}

/// Writes a tree as an archive in which it is called `name`.
///
/// # Errors
/// [`Error::CopyFiles`].
pub fn pack(tree: &HostTree, name: &[u8], output: impl Write) -> Result<(), Error> {
    let options = WriteOptions {
        root: true,
        root_name: name.to_vec(),
        live: true,
        ..WriteOptions::default()
    };
    let written = match &tree.name {
        None => write_tree(tree.dir.as_fd(), output, &options).map(drop),
        Some(file) => write_single(&tree.dir, file, output, &options).map(drop),
    };
    written.map_err(failed)
}

/// Unpacks an archive in a directory; all in it becomes the caller's. No link below the directory is followed. Names
/// that begin with the first of `rename` begin with the second instead.
///
/// # Errors
/// [`Error::CopyFiles`], [`Error::Io`].
pub fn unpack(
    input: impl Read,
    dir: &Path,
    rename: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let target = rustix::fs::open(dir, flags, Mode::empty()).map_err(|errno| Error::Io {
        action: "open",
        path: dir.to_owned(),
        source: errno.into(),
    })?;
    let limits = Limits {
        total_bytes: u64::MAX,
        entries: u64::MAX,
        ..Limits::default()
    };
    let mut reader = Reader::new(BufReader::with_capacity(256 << 10, input), limits);
    let options = PutOptions {
        no_overwrite_dir_non_dir: true,
        owner: Owner::Caller,
        skip_devices: false,
        inside: false,
        rename,
    };
    berth_layer::put::put(&mut reader, target, options).map_err(failed)
}

fn failed(error: berth_layer::Error) -> Error {
    let causes: Vec<String> = berth_model::error::causes(&error)
        .map(ToString::to_string)
        .collect();
    Error::CopyFiles {
        message: error.to_string(),
        kind: error.kind(),
        hint: error.hint(),
        source: causes
            .split_first()
            .map(|(first, rest)| Chain::of(first, rest)),
    }
}
