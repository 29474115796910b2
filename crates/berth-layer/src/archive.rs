//! Files into and out of a container: the process `berth internal archive REQUEST`.
//!
//! ```text
//! argv    one JSON object: [`Request`]
//! stdin   put: an archive, compressed or not
//! stdout  stat, get: one JSON line, a [`PathStat`]; get: then the archive
//! stderr  one JSON line if it failed: a [`Failure`]
//! exit    0, or 1 if it failed
//! ```
//!
//! It enters the mount namespace of a container that runs, or makes one of the same mounts for one that does not
//! (`enter`). The container's root is then its own, so whatever a path or a link says, it leads to a place inside.
//! Before it looks at the first path it gives up its rights (`confine`): no new process, no socket, and for reading no
//! writing either. Nothing of the container's is executed or loaded. A path is resolved once, to a descriptor; what is
//! below it is reached through that, and no link there is followed (security: D5, D6, D7, D27).
//!
//! | module | |
//! |---|---|
//! | `enter` | into the container's mounts |
//! | `path` | Docker's rules for paths |
//! | [`crate::put`] | an archive into a directory that is in use |

mod enter;
mod path;

use std::ffi::OsString;
use std::io::{self, BufReader, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use berth_model::ErrorKind;
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::child;
use crate::confine::{Rights, confine_inside};
use crate::error::{shown, tree};
use crate::put::{self, Owner, PutOptions};
use crate::tar::Reader;
use crate::write::{write_single, write_tree};
use crate::{Error, Limits, WriteOptions, decompress};

pub use enter::{Bind, Place};
pub use path::PathStat;

/// Bytes written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What to do where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The container's files.
    pub place: Place,
    /// A path inside, absolute or from the root.
    pub path: String,
    /// What to do there.
    pub action: Action,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Describe what is there.
    Stat,
    /// Describe it, and write it as an archive.
    Get,
    /// Unpack an archive there.
    Put(Put),
}

/// How to unpack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Put {
    /// No directory replaces what is none, nor the other way round.
    pub no_overwrite_dir_non_dir: bool,
    /// All belongs to this user and group; `None`: to whom the archive says.
    pub owner: Option<(u32, u32)>,
    /// Leave device nodes out: rootless.
    pub skip_devices: bool,
}

/// The process's main function; `args` come after `archive`. Call it before any thread is started.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    child::serve(args, run)
}

fn run(request: Request) -> Result<(), Error> {
    rustix::process::umask(Mode::empty());
    let root = request.place.enter()?;
    let rights = match request.action {
        Action::Put(_) => Rights::Write,
        _ => Rights::Read,
    };
    confine_inside(&root, rights)?;
    match &request.action {
        Action::Stat => stat(&root, &request.path),
        Action::Get => get(&root, &request.path),
        Action::Put(put) => unpack(&root, &request.path, put),
    }
}

fn stat(root: &OwnedFd, path: &str) -> Result<(), Error> {
    let found = path::find(root, path)?;
    let mut out = io::stdout().lock();
    tell(&found.stat, &mut out)
}

fn tell(stat: &PathStat, out: &mut impl Write) -> Result<(), Error> {
    let mut line = serde_json::to_vec(stat).map_err(|source| Error::Request { source })?;
    line.push(b'\n');
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|source| Error::Write { source })
}

fn get(root: &OwnedFd, path: &str) -> Result<(), Error> {
    let found = path::find(root, path)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    tell(&found.stat, &mut out)?;
    let options = WriteOptions {
        root: true,
        root_name: found.archive_name.clone(),
        live: true,
        ..WriteOptions::default()
    };
    match &found.parent {
        None => {
            let dir = rustix::fs::openat(
                &found.target,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            );
            let dir = dir.map_err(|errno| tree("open", path.as_bytes(), errno))?;
            write_tree(dir.as_fd(), out, &options).map(drop)
        }
        Some((parent, name)) => write_single(parent, name, out, &options).map(drop),
    }
}

fn unpack(root: &OwnedFd, path: &str, asked: &Put) -> Result<(), Error> {
    let target = path::directory(root, path)?;
    if let Some(what) =
        read_only(root, &target).map_err(|errno| tree("look at", path.as_bytes(), errno))?
    {
        return Err(Error::Copy {
            kind: ErrorKind::Denied,
            reason: what.to_owned(),
        });
    }
    let limits = Limits {
        total_bytes: u64::MAX,
        entries: u64::MAX,
        ..Limits::default()
    };
    let input = decompress::decompress(io::stdin(), limits)?;
    let mut reader = Reader::new(BufReader::with_capacity(BUFFER_BYTES, input), limits);
    let owner = match asked.owner {
        Some((uid, gid)) => Owner::Fixed { uid, gid },
        None => Owner::OfTheArchive,
    };
    let options = PutOptions {
        no_overwrite_dir_non_dir: asked.no_overwrite_dir_non_dir,
        owner,
        skip_devices: asked.skip_devices,
        inside: true,
        rename: None,
    };
    put::put(&mut reader, target, options).map_err(|error| in_dockers_words(error, path))
}

/// Which of Docker's refusals fits a directory that cannot be written.
fn read_only(root: &OwnedFd, target: &OwnedFd) -> Result<Option<&'static str>, Errno> {
    let flags = rustix::fs::fstatvfs(target)?.f_flag;
    if !flags.contains(StatVfsMountFlags::RDONLY) {
        return Ok(None);
    }
    Ok(Some(match enter::same_mount(root, target)? {
        true => "container rootfs is marked read-only",
        false => "mounted volume is marked read-only",
    }))
}

fn in_dockers_words(error: Error, path: &str) -> Error {
    match error {
        // A mount below the directory.
        Error::Apply {
            source: Errno::ROFS,
            ..
        } => Error::Copy {
            kind: ErrorKind::Denied,
            reason: format!(
                "mounted volume is marked read-only (below {})",
                shown(path.as_bytes())
            ),
        },
        other => other,
    }
}
