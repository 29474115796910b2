//! Time and the set of CPUs.

use super::{Pressure, keyed};
use crate::Cgroup;

/// Time in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CpuUse {
    /// In all.
    pub total: u64,
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub kernel: u64,
    /// `total` by CPU (v1).
    pub per_cpu: Vec<u64>,
    /// `user` by CPU (v1).
    pub per_cpu_user: Vec<u64>,
    /// `kernel` by CPU (v1).
    pub per_cpu_kernel: Vec<u64>,
    /// Periods of the quota that have passed.
    pub periods: u64,
    /// Those in which it was used up.
    pub throttled_periods: u64,
    /// Time waited because of that.
    pub throttled: u64,
    /// Waiting for a CPU.
    pub pressure: Option<Pressure>,
}

/// Where it may run; v1's flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are the kernel's files
pub struct CpuSet {
    pub cpus: Vec<u16>,
    pub mems: Vec<u16>,
    pub cpu_exclusive: u64,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

pub(super) fn time(cgroup: &Cgroup) -> CpuUse {
    let mut time = CpuUse {
        pressure: cgroup.pressure("cpu.pressure"),
        ..CpuUse::default()
    };
    // v1's own files after v2's, which a hybrid host's unified leaf has as well.
    let mut dirs: Vec<_> = cgroup.dirs.iter().collect();
    dirs.sort_by_key(|dir| !dir.unified);
    for dir in dirs {
        let text = dir.try_read("cpu.stat").unwrap_or_default();
        for (key, n) in keyed(&text) {
            match key {
                "usage_usec" => time.total = n * 1000,
                "user_usec" => time.user = n * 1000,
                "system_usec" => time.kernel = n * 1000,
                "nr_periods" => time.periods = n,
                "nr_throttled" => time.throttled_periods = n,
                "throttled_usec" => time.throttled = n * 1000,
                "throttled_time" => time.throttled = n,
                _ => {}
            }
        }
    }
    if let Some(text) = cgroup.first("cpuacct.stat") {
        let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        for (key, n) in keyed(&text) {
            match key {
                "user" => time.user = n * tick,
                "system" => time.kernel = n * tick,
                _ => {}
            }
        }
        time.total = cgroup.count("cpuacct.usage");
        let numbers = |text: String| {
            text.split_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect()
        };
        time.per_cpu = cgroup
            .first("cpuacct.usage_percpu")
            .map(numbers)
            .unwrap_or_default();
        (time.per_cpu_user, time.per_cpu_kernel) = cgroup
            .first("cpuacct.usage_all")
            .map(|text| modes(&text))
            .unwrap_or_default();
    }
    time
}

/// `cpu user system`, a line each.
pub(super) fn modes(text: &str) -> (Vec<u64>, Vec<u64>) {
    let line = |line: &str| -> Option<(u64, u64)> {
        let mut words = line.split(' ').skip(1);
        Some((
            words.next()?.parse().ok()?,
            words.next()?.trim().parse().ok()?,
        ))
    };
    text.lines().filter_map(line).unzip()
}

pub(super) fn set(cgroup: &Cgroup) -> CpuSet {
    let Some(dir) = cgroup.v1_of("cpuset", "cpuset.mems") else {
        return CpuSet::default();
    };
    let text = |file: &str| dir.try_read(file).unwrap_or_default();
    let number = |file: &str| text(file).trim().parse().unwrap_or(0);
    CpuSet {
        cpus: list(&text("cpuset.cpus")),
        mems: list(&text("cpuset.mems")),
        cpu_exclusive: number("cpuset.cpu_exclusive"),
        mem_hardwall: number("cpuset.mem_hardwall"),
        mem_exclusive: number("cpuset.mem_exclusive"),
        memory_migrate: number("cpuset.memory_migrate"),
        memory_spread_page: number("cpuset.memory_spread_page"),
        memory_spread_slab: number("cpuset.memory_spread_slab"),
        memory_pressure: number("cpuset.memory_pressure"),
        sched_load_balance: number("cpuset.sched_load_balance"),
        sched_relax_domain_level: text("cpuset.sched_relax_domain_level")
            .trim()
            .parse()
            .unwrap_or(0),
    }
}

/// `0-3,7`.
pub(super) fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u16>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}
