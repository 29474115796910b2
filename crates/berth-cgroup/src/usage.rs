//! All that the kernel counts for a cgroup, in the shape that is common to both versions: that of v1.
//!
//! Source: Documentation/admin-guide/cgroup-v1/*.rst, cgroup-v2.rst; the conversions are runc's.

mod cpu;
mod io;
mod memory;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::Cgroup;
use crate::dir::Dir;
use crate::error::Result;

pub use cpu::{CpuSet, CpuUse};
pub use io::{Io, IoEntry};
pub use memory::{MemoryUse, Usage};

/// A snapshot of all counters. What the kernel does not count here is 0 or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    /// Time.
    pub cpu: CpuUse,
    /// v1's cpuset, where the container has one.
    pub cpuset: CpuSet,
    /// Memory.
    pub memory: MemoryUse,
    /// Tasks now.
    pub pids: u64,
    /// Tasks at most; 0 is "no limit".
    pub pids_limit: u64,
    /// Block devices.
    pub io: Io,
    /// Huge pages by their size (`2MB`).
    pub hugetlb: BTreeMap<String, Usage>,
}

/// How long tasks wait for a resource. Source: Documentation/accounting/psi.rst.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pressure {
    /// Some task waits.
    pub some: Stall,
    /// All tasks wait.
    pub full: Stall,
}

/// Shares of time in percent, over 10, 60 and 300 s; in all, in µs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs)] // the fields are the kernel's own
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total: u64,
}

impl Cgroup {
    /// Reads all counters.
    ///
    /// # Errors
    /// When the processes cannot be counted; a counter that cannot be read is left out.
    pub fn counters(&self) -> Result<Counters> {
        let pids = match self.first("pids.current") {
            Some(text) => number(&text),
            None => self.procs()?.len() as u64,
        };
        Ok(Counters {
            cpu: cpu::time(self),
            cpuset: cpu::set(self),
            memory: memory::all(self),
            pids,
            // `max` is no number.
            pids_limit: self
                .first("pids.max")
                .map_or(0, |text| text.trim().parse().unwrap_or(0)),
            io: io::all(self),
            hugetlb: memory::huge_pages(self),
        })
    }

    /// The text of the first such file that there is.
    fn first(&self, file: &str) -> Option<String> {
        self.dirs.iter().find_map(|dir| dir.try_read(file).ok())
    }

    /// The number in a file; 0 when there is none, the greatest for `max`.
    fn count(&self, file: &str) -> u64 {
        self.first(file).map_or(0, |text| number(&text))
    }

    fn pressure(&self, file: &str) -> Option<Pressure> {
        self.unified()
            .and_then(|dir| dir.try_read(file).ok())
            .map(|text| pressure(&text))
    }
}

/// `max` is the greatest number, as Go's readers have it.
fn number(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        text => text.parse().unwrap_or(0),
    }
}

/// Lines `key number`.
fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// The number in a directory's file, as [`Cgroup::count`].
fn count_in(dir: &Dir, file: &str) -> u64 {
    dir.try_read(file).map_or(0, |text| number(&text))
}

/// The number behind a key in a directory's file; 0 when there is none.
pub(crate) fn value_of(dir: &Dir, file: &str, key: &str) -> u64 {
    let text = dir.try_read(file).unwrap_or_default();
    keyed(&text).find(|(k, _)| *k == key).map_or(0, |(_, n)| n)
}

fn pressure(text: &str) -> Pressure {
    let stall = |line: &str| {
        let mut stall = Stall::default();
        for (key, value) in line.split(' ').filter_map(|w| w.split_once('=')) {
            let share = || value.parse().unwrap_or_default();
            match key {
                "avg10" => stall.avg10 = share(),
                "avg60" => stall.avg60 = share(),
                "avg300" => stall.avg300 = share(),
                "total" => stall.total = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        stall
    };
    let of = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).map(stall);
    Pressure {
        some: of("some ").unwrap_or_default(),
        full: of("full ").unwrap_or_default(),
    }
}
