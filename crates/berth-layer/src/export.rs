//! The process that reads a container's files: `berth internal export REQUEST`. A rootless engine runs it inside the
//! user namespace that owns them.
//!
//! ```text
//! argv    one JSON object: [`Request`]
//! stdout  an archive, or changes: { `A` | `C` | `D`  path NUL }
//! stderr  one JSON line if it failed: a [`Failure`]
//! exit    0, or 1 if it failed
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::child;
use crate::{Change, Error, WriteOptions, changes, write_layer, write_merged};

/// Bytes written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What to write of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What it changed, as a list.
    Changes,
    /// What it changed, as a layer.
    Layer,
    /// All that it sees.
    Tree,
}

/// Of which container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What to write.
    pub what: What,
    /// Its layers, topmost (the writable one) first.
    pub layers: Vec<PathBuf>,
    /// Clean paths that the engine makes in every container.
    pub ours: Vec<String>,
    /// See [`WriteOptions`].
    pub mtime_clamp_secs: Option<i64>,
}

/// The process's main function; `args` come after `export`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    child::serve(args, run)
}

fn run(request: Request) -> Result<(), Error> {
    let mut layers = request
        .layers
        .iter()
        .map(|layer| child::open_dir(layer))
        .collect::<Result<Vec<OwnedFd>, _>>()?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let options = WriteOptions {
        mtime_clamp_secs: request.mtime_clamp_secs,
        root: request.what == What::Tree,
        ..WriteOptions::default()
    };
    if request.what == What::Tree || layers.is_empty() {
        return write_merged(layers, out, &options).map(drop);
    }
    let upper = layers.remove(0);
    let ours: Vec<Vec<u8>> = request.ours.into_iter().map(String::into_bytes).collect();
    let own = upper.try_clone().map_err(|source| Error::Read { source })?;
    let found = changes(own, layers, &ours)?;
    match request.what {
        What::Layer => write_layer(upper.as_fd(), &found, out, &options).map(drop),
        _ => list(&found, &mut out).map_err(|source| Error::Write { source }),
    }
}

fn list(changes: &BTreeMap<Vec<u8>, Change>, out: &mut impl Write) -> io::Result<()> {
    for (path, change) in changes {
        out.write_all(match change {
            Change::Added => b"A",
            Change::Changed => b"C",
            Change::Deleted => b"D",
        })?;
        out.write_all(path)?;
        out.write_all(b"\0")?;
    }
    out.flush()
}

/// Takes apart what [`What::Changes`] writes.
pub fn parse_changes(bytes: &[u8]) -> Vec<(Change, Vec<u8>)> {
    let records = bytes.split(|byte| *byte == 0);
    let parsed = records.filter_map(|record| {
        let (kind, path) = record.split_first()?;
        let change = match kind {
            b'A' => Change::Added,
            b'C' => Change::Changed,
            _ => Change::Deleted,
        };
        Some((change, path.to_vec()))
    });
    parsed.collect()
}
