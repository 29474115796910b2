//! What a cgroup uses now.

use std::time::Duration;

use crate::Cgroup;
use crate::error::{Error, Result};

/// Use of resources; `None` where the kernel does not count it here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory in bytes, page cache included.
    pub memory_bytes: Option<u64>,
    /// The page cache's part of it that can be dropped at once.
    pub inactive_file_bytes: Option<u64>,
    /// The greatest `memory_bytes` so far.
    pub memory_peak_bytes: Option<u64>,
    /// Processes killed because the memory limit was hit.
    pub oom_kills: Option<u64>,
    /// Tasks (processes and threads).
    pub pids: Option<u64>,
    /// CPU time used.
    pub cpu: Option<Duration>,
    /// Time the group had to wait because its CPU quota was used up.
    pub cpu_throttled: Option<Duration>,
}

impl Cgroup {
    /// Reads the counters.
    ///
    /// # Errors
    /// When a counter is there and cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats {
            memory_bytes: self.number(&["memory.usage_in_bytes", "memory.current"])?,
            memory_peak_bytes: self.number(&["memory.max_usage_in_bytes", "memory.peak"])?,
            oom_kills: self.oom_kills()?,
            pids: self.number(&["pids.current"])?,
            ..Stats::default()
        };
        stats.inactive_file_bytes = match self.keyed("memory.stat", "total_inactive_file")? {
            None => self.keyed("memory.stat", "inactive_file")?,
            some => some,
        };
        stats.cpu = match self.number(&["cpuacct.usage"])? {
            Some(ns) => Some(Duration::from_nanos(ns)),
            // A v1 cpu.stat has no usage; only v2's has this key.
            None => self
                .keyed("cpu.stat", "usage_usec")?
                .map(Duration::from_micros),
        };
        stats.cpu_throttled = match self.keyed("cpu.stat", "throttled_usec")? {
            Some(us) => Some(Duration::from_micros(us)),
            None => self
                .keyed("cpu.stat", "throttled_time")?
                .map(Duration::from_nanos),
        };
        Ok(stats)
    }

    /// How many processes were killed for memory.
    ///
    /// # Errors
    /// When the counter is there and cannot be read.
    pub fn oom_kills(&self) -> Result<Option<u64>> {
        match self.keyed("memory.oom_control", "oom_kill")? {
            None => self.keyed("memory.events", "oom_kill"),
            some => Ok(some),
        }
    }

    /// The number in the first of these files that some hierarchy has.
    fn number(&self, files: &[&str]) -> Result<Option<u64>> {
        for file in files {
            for dir in &self.dirs {
                if let Ok(text) = dir.try_read(file) {
                    let bad = || Error::ParseFile {
                        path: dir.path.join(file),
                        text: text.clone(),
                    };
                    return text.trim().parse().map(Some).map_err(|_| bad());
                }
            }
        }
        Ok(None)
    }

    /// The number behind a key in a file of lines `key number`.
    fn keyed(&self, file: &str, key: &str) -> Result<Option<u64>> {
        for dir in &self.dirs {
            let Ok(text) = dir.try_read(file) else {
                continue;
            };
            let found = text
                .lines()
                .filter_map(|l| l.split_once(' '))
                .find(|(k, _)| *k == key);
            if let Some((_, number)) = found {
                let bad = || Error::ParseFile {
                    path: dir.path.join(file),
                    text: number.to_owned(),
                };
                return number.trim().parse().map(Some).map_err(|_| bad());
            }
        }
        Ok(None)
    }
}
