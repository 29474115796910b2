//! Copying an image's files into an empty volume: the process `berth internal fill REQUEST`, which a rootless engine
//! runs inside the user namespace that owns both.
//!
//! ```text
//! argv    one JSON object: [`Request`]
//! stderr  one JSON line if it failed: a [`Failure`]
//! exit    0, or 1 if it failed
//!
//! VOLUME/_data      what containers see
//!        _filling   a copy in the making: worth nothing when its maker is gone
//!        _filled    a copy that is whole, on its way into `_data`
//! ```
//! Half a copy is never taken for a whole one: `_filled` comes to be by a rename, and whoever finds it moves on what
//! is left in it, name by name, so that containers which use the volume already keep the directory that they see.
//! The caller holds the volume's lock.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use berth_fs::{failpoint, remove_tree_at};
use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::child;
use crate::copy::transfer;
use crate::error::tree;
use crate::merged::resolve;
use crate::metadata::{self, Metadata};
use crate::view::{self, Found, View};
use crate::write::write_view;
use crate::{Error, WriteOptions, lookup};

/// What containers see of a volume.
pub const DATA: &str = "_data";
/// A copy in the making.
pub const FILLING: &str = "_filling";
/// A copy that is whole.
pub const FILLED: &str = "_filled";

/// What to copy where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The image's layers, topmost first.
    pub layers: Vec<PathBuf>,
    /// A path inside; links are followed in the image. Nothing, or no directory, there: nothing is copied.
    pub path: String,
    /// The volume's directory.
    pub volume: PathBuf,
    /// Leave device nodes out: rootless.
    pub skip_devices: bool,
    /// The copy survives a power cut.
    pub durable: bool,
}

/// What an image has at a path.
#[derive(Debug)]
pub enum Source {
    /// No directory.
    Nothing,
    /// A directory with nothing in it.
    Empty(OwnedFd),
    /// A directory with something in it.
    Full,
}

/// Looks at `path` in the merged view of `layers`, topmost first; links are followed inside the view.
///
/// # Errors
/// `Tree`, `OpenDir`.
pub fn source(layers: &[PathBuf], path: &str) -> Result<Source, Error> {
    let mut view = View::new(open_all(layers)?);
    let failed = |errno| tree("look at", path.as_bytes(), errno);
    let Some((clean, Found::Dir)) = resolve(&mut view, path.as_bytes()).map_err(failed)? else {
        return Ok(Source::Nothing);
    };
    let parts = view.dir(&clean).map_err(failed)?;
    if !view::names(parts).map_err(failed)?.is_empty() {
        return Ok(Source::Full);
    }
    Ok(match parts.first() {
        Some(top) => Source::Empty(top.try_clone().map_err(|source| Error::Read { source })?),
        None => Source::Nothing,
    })
}

/// Gives the directory `to` the owner, mode, attributes and time of `from`.
///
/// # Errors
/// `Tree`.
pub fn describe(from: &OwnedFd, to: &OwnedFd) -> Result<(), Error> {
    let found = Metadata::of(from.as_fd());
    let found = found.map_err(|errno| tree("read the metadata of", b"", errno))?;
    let set = metadata::set(to.as_fd(), &found);
    set.map(drop)
        .map_err(|(step, errno)| tree(step, DATA.as_bytes(), errno))
}

/// The process's main function; `args` come after `fill`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    child::serve(args, run)
}

fn run(request: Request) -> Result<(), Error> {
    rustix::process::umask(Mode::empty());
    fill(&request)
}

/// Copies, if the volume is empty; first finishes what somebody else has begun. `umask` must be 0.
///
/// # Errors
/// The copy's; the volume is then as empty as it was.
pub fn fill(request: &Request) -> Result<(), Error> {
    let volume = child::open_dir(&request.volume)?;
    let data = open_in(&volume, DATA)?;
    finish(&volume, &data)?;
    if !is_empty(&data)? {
        return Ok(());
    }
    let layers = open_all(&request.layers)?;
    let copied = copy(request, &volume, layers)?;
    if !copied {
        return Ok(());
    }
    failpoint!("fill.copied");
    step(
        "keep",
        FILLED,
        rustix::fs::renameat(&volume, FILLING, &volume, FILLED),
    )?;
    failpoint!("fill.filled");
    finish(&volume, &data)
}

/// Makes `_filling` whole; whether there was something to copy.
fn copy(request: &Request, volume: &OwnedFd, layers: Vec<OwnedFd>) -> Result<bool, Error> {
    discard(volume, FILLING)?;
    let path = request.path.as_bytes();
    let again = request.layers.clone();
    let mut view = View::new(layers);
    let failed = |errno| tree("look at", path, errno);
    let Some((clean, Found::Dir)) = resolve(&mut view, path).map_err(failed)? else {
        return Ok(false);
    };
    step(
        "make",
        FILLING,
        rustix::fs::mkdirat(volume, FILLING, Mode::RWXU),
    )?;
    failpoint!("fill.filling");
    let write = move |output| {
        let options = WriteOptions {
            root: true,
            ..WriteOptions::default()
        };
        write_view(&mut View::new(open_all(&again)?), &clean, output, &options).map(drop)
    };
    let filling = open_in(volume, FILLING)?;
    let target = filling
        .try_clone()
        .map_err(|source| Error::Read { source })?;
    transfer(write, target, request.skip_devices)?;
    if request.durable {
        step("sync", FILLING, rustix::fs::syncfs(&filling))?;
    }
    Ok(true)
}

/// Moves what `_filled` has into `_data`, where nothing has the name yet, and gives `_data` its metadata.
fn finish(volume: &OwnedFd, data: &OwnedFd) -> Result<(), Error> {
    discard(volume, FILLING)?;
    let filled = match lookup::open_dir(volume.as_fd(), FILLED.as_bytes(), OFlags::RDONLY) {
        Err(Errno::NOENT) => return Ok(()),
        other => step("open", FILLED, other)?,
    };
    let names = berth_fs::dirs::names(filled.as_fd());
    let names = names.map_err(|error| {
        tree(
            "read",
            FILLED.as_bytes(),
            error.errno().unwrap_or(Errno::IO),
        )
    })?;
    for name in names {
        failpoint!("fill.move");
        match rustix::fs::renameat_with(&filled, &name, data, &name, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(tree("move", name.as_bytes(), errno)),
        }
    }
    describe(&filled, data)?;
    failpoint!("fill.moved");
    discard(volume, FILLED)
}

fn discard(volume: &OwnedFd, name: &str) -> Result<(), Error> {
    remove_tree_at(volume.as_fd(), name).map_err(|error| {
        tree(
            "remove",
            name.as_bytes(),
            error.errno().unwrap_or(Errno::IO),
        )
    })
}

fn is_empty(data: &OwnedFd) -> Result<bool, Error> {
    let names = berth_fs::dirs::names(data.as_fd());
    names
        .map(|names| names.is_empty())
        .map_err(|error| tree("read", DATA.as_bytes(), error.errno().unwrap_or(Errno::IO)))
}

fn open_in(volume: &OwnedFd, name: &str) -> Result<OwnedFd, Error> {
    let dir = lookup::open_dir(volume.as_fd(), name.as_bytes(), OFlags::RDONLY);
    step("open", name, dir)
}

fn open_all(layers: &[PathBuf]) -> Result<Vec<OwnedFd>, Error> {
    layers.iter().map(|path| child::open_dir(path)).collect()
}

fn step<T>(operation: &'static str, name: &str, result: Result<T, Errno>) -> Result<T, Error> {
    result.map_err(|errno| tree(operation, name.as_bytes(), errno))
}
