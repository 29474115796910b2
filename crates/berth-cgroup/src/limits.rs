//! The limits in force, read back from the kernel.

use std::path::PathBuf;

use rustix::io::Errno;

use crate::Cgroup;
use crate::error::{Error, Result};

/// One limit as a file of the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What it limits, by one name for both cgroup versions: `memory`, `pids`, ….
    pub name: &'static str,
    /// The file that was read.
    pub file: PathBuf,
    /// Its content, as it stands there (lines separated by `\n`).
    pub raw: String,
    /// The number in it, in the file's unit (bytes, tasks, microseconds); `None`: no limit, or
    /// not one number.
    pub value: Option<u64>,
}

/// v1 answers "no limit" with the greatest whole number of pages.
const V1_NO_LIMIT: u64 = 1 << 62;

/// Name → v1 file, v2 file.
const FILES: [(&str, &str, &str); 14] = [
    ("memory", "memory.limit_in_bytes", "memory.max"),
    ("memory+swap", "memory.memsw.limit_in_bytes", ""),
    ("swap", "", "memory.swap.max"),
    (
        "memory-reservation",
        "memory.soft_limit_in_bytes",
        "memory.low",
    ),
    ("swappiness", "memory.swappiness", ""),
    ("pids", "pids.max", "pids.max"),
    ("cpu-weight", "cpu.shares", "cpu.weight"),
    ("cpu-quota", "cpu.cfs_quota_us", "cpu.max"),
    ("cpu-period", "cpu.cfs_period_us", ""),
    ("cpu-burst", "cpu.cfs_burst_us", "cpu.max.burst"),
    ("cpuset-cpus", "cpuset.cpus", "cpuset.cpus.effective"),
    ("cpuset-mems", "cpuset.mems", "cpuset.mems.effective"),
    ("io-weight", "blkio.bfq.weight", "io.weight"),
    ("devices", "devices.list", ""),
];

impl Cgroup {
    /// All limits that the kernel keeps for this cgroup, whoever set them.
    ///
    /// # Errors
    /// When a file that exists cannot be read.
    pub fn limits(&self) -> Result<Vec<Limit>> {
        let mut limits = Vec::new();
        for (name, v1, v2) in FILES {
            for dir in &self.dirs {
                let file = if dir.unified { v2 } else { v1 };
                if file.is_empty() {
                    continue;
                }
                match dir.try_read(file) {
                    Ok(text) => {
                        let raw = text.trim_end().to_owned();
                        let value = raw.parse().ok().filter(|n| dir.unified || *n < V1_NO_LIMIT);
                        limits.push(Limit {
                            name,
                            file: dir.path.join(file),
                            raw,
                            value,
                        });
                    }
                    Err(Errno::NOENT | Errno::NODEV) => {}
                    Err(source) => {
                        return Err(Error::ReadFile {
                            path: dir.path.join(file),
                            source,
                        });
                    }
                }
            }
        }
        Ok(limits)
    }
}
