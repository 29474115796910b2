//! What a container used: a line of JSON for each moment at which a daemon looked, beside its task. It outlives the
//! daemon, is gone with a reboot, and holds the last hours: two files, the older one thrown away when the newer is full.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use berth_fs::Durability;
use berth_model::ContainerId;
use serde::{Deserialize, Serialize, Serializer};

use super::Sample;
use crate::error::files;
use crate::{Engine, Error};

/// Bytes of a file: some 180 moments.
const MAX_BYTES: u64 = 32 << 10;

/// What a container used until a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When: RFC 3339.
    pub time: String,
    /// Percent of one CPU since the moment before.
    #[serde(serialize_with = "hundredths")]
    pub cpu_percent: f64,
    /// Bytes of memory, without the cache that can be dropped at once.
    pub memory: u64,
    /// Bytes that it may have.
    pub memory_limit: u64,
    /// Bytes received and sent since its start.
    pub network: (u64, u64),
    /// Bytes read from and written to block devices since its start.
    pub block: (u64, u64),
    /// Processes and threads.
    pub pids: u64,
}

impl Moment {
    /// Of a sample, and the one before it.
    pub fn of(sample: &Sample, before: &Sample) -> Moment {
        Moment {
            time: sample.read.clone(),
            cpu_percent: sample.cpu_percent(before),
            memory: sample.memory_used(),
            memory_limit: sample.memory_limit,
            network: sample.network_bytes(),
            block: sample.block_bytes(),
            pids: sample.counters.pids,
        }
    }
}

impl Engine {
    /// Writes a moment down; `false`: the container is gone.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Files`].
    pub fn note_moment(&self, id: &ContainerId, moment: &Moment) -> Result<bool, Error> {
        let path = self.layout.history(id);
        let failed = |source| Error::Io {
            action: "write",
            path: path.clone(),
            source,
        };
        let mut line = serde_json::to_vec(moment).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let open = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path);
        let mut file = match open {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        // One write: a reader sees all of a line or none, but for a disk that is full.
        file.write_all(&line).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > MAX_BYTES {
            berth_fs::rename(&path, &older(&path), Durability::Volatile)
                .map_err(files("rotate the history"))?;
        }
        Ok(true)
    }

    /// What was written down of a container, the oldest first; nothing, if no daemon did.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Io`].
    pub fn history(&self, id: &ContainerId) -> Result<Vec<Moment>, Error> {
        self.config(id)?;
        let path = self.layout.history(id);
        let mut text = String::new();
        for path in [older(&path), path] {
            match File::open(&path)
                .and_then(|file| file.take(2 * MAX_BYTES).read_to_string(&mut text))
            {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Io {
                        action: "read",
                        path,
                        source,
                    });
                }
                _ => {}
            }
        }
        // What a full disk has cut short says nothing.
        let lines = text.lines();
        Ok(lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }
}

/// More digits say nothing.
fn hundredths<S: Serializer>(percent: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((percent * 100.0).round() / 100.0)
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}
