//! What containers use: counters of the kernel, read at one moment.
//!
//! Two samples make a rate; see [`Sample::cpu_percent`]. A [`Sampler`] keeps the cgroups of the containers that it was
//! asked for open, so that many containers each second cost a few reads each.
//!
//! Source: proc_stat(5), proc_pid_net(5); the shape is that of Docker's `GET /containers/{id}/stats`.

pub mod history;

use std::collections::BTreeMap;

use berth_cgroup::{Cgroup, Counters};
use berth_model::task::Pid;
use berth_model::{ContainerId, config::NetworkMode};

use crate::observe::is_alive;
use crate::{Engine, Error};

/// What a container used until a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// When: RFC 3339; empty for a container that does not run.
    pub read: String,
    /// What the cgroups count.
    pub counters: Counters,
    /// Bytes that it may have: its limit, or the host's memory.
    pub memory_limit: u64,
    /// Nanoseconds that all CPUs of the host spent, in all.
    pub system_cpu: u64,
    /// CPUs of the host.
    pub online_cpus: u32,
    /// By interface, without the loopback; empty for the host's network.
    pub networks: BTreeMap<String, NetworkUse>,
}

/// What went over an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are the kernel's own
pub struct NetworkUse {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

impl Sample {
    /// Whether the container ran.
    pub fn is_running(&self) -> bool {
        !self.read.is_empty()
    }

    /// Percent of one CPU since the sample `before`, as docker shows it.
    pub fn cpu_percent(&self, before: &Sample) -> f64 {
        let used = self
            .counters
            .cpu
            .total
            .saturating_sub(before.counters.cpu.total);
        let passed = self.system_cpu.saturating_sub(before.system_cpu);
        if used == 0 || passed == 0 {
            return 0.0;
        }
        used as f64 / passed as f64 * f64::from(self.online_cpus) * 100.0
    }

    /// Bytes of memory without the cache that can be dropped at once, as docker shows it.
    pub fn memory_used(&self) -> u64 {
        let memory = &self.counters.memory;
        let raw = &memory.raw;
        let inactive = raw.get("total_inactive_file").or(raw.get("inactive_file"));
        let inactive = inactive.copied().unwrap_or(0);
        match inactive < memory.usage.usage {
            true => memory.usage.usage - inactive,
            false => memory.usage.usage,
        }
    }

    /// Bytes received and sent over all interfaces.
    pub fn network_bytes(&self) -> (u64, u64) {
        let all = self.networks.values();
        all.fold((0, 0), |(rx, tx), one| {
            (rx + one.rx_bytes, tx + one.tx_bytes)
        })
    }

    /// Bytes read from and written to block devices.
    pub fn block_bytes(&self) -> (u64, u64) {
        let entries = || self.counters.io.service_bytes.iter();
        let of = |op: &str| {
            let those = entries().filter(|entry| entry.op.eq_ignore_ascii_case(op));
            those.map(|entry| entry.value).sum()
        };
        (of("read"), of("write"))
    }
}

/// Takes samples of several containers again and again.
pub struct Sampler<'e> {
    engine: &'e Engine,
    open: BTreeMap<ContainerId, Open>,
}

/// A container that ran when it was looked at last.
struct Open {
    pid: Pid,
    cgroup: Cgroup,
    has_network: bool,
}

impl Engine {
    /// What a container uses now; nothing, if it does not run.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Cgroup`].
    pub fn stats(&self, id: &ContainerId) -> Result<Sample, Error> {
        self.sampler().sample(id)
    }

    /// For samples of several containers, or of one again and again.
    pub fn sampler(&self) -> Sampler<'_> {
        Sampler {
            engine: self,
            open: BTreeMap::new(),
        }
    }
}

impl Sampler<'_> {
    /// What a container uses now; nothing, if it does not run.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Cgroup`].
    pub fn sample(&mut self, id: &ContainerId) -> Result<Sample, Error> {
        if self.open.get(id).is_none_or(|open| !is_alive(&open.pid)) {
            self.open.remove(id);
            let config = self.engine.config(id)?;
            let Some(pid) = self.engine.pid(id)?.filter(is_alive) else {
                return Ok(Sample::default());
            };
            let cgroup = Cgroup::open(&pid.cgroups).map_err(cgroup_error)?;
            let open = Open {
                pid,
                cgroup,
                has_network: config.network != NetworkMode::Host,
            };
            self.open.insert(id.clone(), open);
        }
        match self.open.get(id) {
            Some(open) => open.sample(),
            None => Ok(Sample::default()),
        }
    }

    /// Lets go of the others: they are not asked for any more.
    pub fn keep(&mut self, wanted: impl Fn(&ContainerId) -> bool) {
        self.open.retain(|id, _| wanted(id));
    }
}

impl Open {
    fn sample(&self) -> Result<Sample, Error> {
        let counters = match self.cgroup.counters() {
            Ok(counters) => counters,
            // It has ended meanwhile.
            Err(_) if !is_alive(&self.pid) => return Ok(Sample::default()),
            Err(error) => return Err(cgroup_error(error)),
        };
        let (system_cpu, online_cpus) = host_cpu(&read("/proc/stat"));
        let host = host_memory(&read("/proc/meminfo"));
        let limit = counters.memory.usage.limit;
        let networks = match self.has_network {
            true => interfaces(&read(&format!("/proc/{}/net/dev", self.pid.pid))),
            false => BTreeMap::new(),
        };
        Ok(Sample {
            read: crate::clock::now(),
            // No limit is a number greater than any memory.
            memory_limit: if limit == 0 || (host != 0 && limit > host) {
                host
            } else {
                limit
            },
            counters,
            system_cpu,
            online_cpus,
            networks,
        })
    }
}

fn cgroup_error(source: berth_cgroup::Error) -> Error {
    Error::Cgroup {
        action: "read",
        source,
    }
}

/// What is not there counts nothing.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Clock ticks a second in `/proc`: fixed for user space on every architecture that berth runs on.
const TICKS: u64 = 100;

/// Nanoseconds of all CPUs, and how many there are.
fn host_cpu(stat: &str) -> (u64, u32) {
    let mut lines = stat.lines();
    let all = lines.next().unwrap_or_default();
    // User to softirq: what a host gave to its guests is in there already.
    let fields = all.split_ascii_whitespace().skip(1).take(7);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    let cpus = lines.filter(|line| line.starts_with("cpu")).count();
    let nanos = ticks.saturating_mul(1_000_000_000 / TICKS);
    (nanos, u32::try_from(cpus).unwrap_or(u32::MAX))
}

/// Bytes.
fn host_memory(meminfo: &str) -> u64 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn interfaces(dev: &str) -> BTreeMap<String, NetworkUse> {
    let mut found = BTreeMap::new();
    for line in dev.lines() {
        let Some((name, counters)) = line.split_once(':') else {
            continue;
        };
        let fields = counters.split_ascii_whitespace();
        let fields: Vec<u64> = fields.map(|field| field.parse().unwrap_or(0)).collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or(0);
        let name = name.trim();
        if name == "lo" {
            continue;
        }
        let counted = NetworkUse {
            rx_bytes: at(0),
            rx_packets: at(1),
            rx_errors: at(2),
            rx_dropped: at(3),
            tx_bytes: at(8),
            tx_packets: at(9),
            tx_errors: at(10),
            tx_dropped: at(11),
        };
        found.insert(name.to_owned(), counted);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let stat = "cpu  1 2 3 4 5 6 7 100 0 0\ncpu0 1 2\ncpu1 1 2\nintr 9\n";
        assert_eq!(host_cpu(stat), (280_000_000, 2));
        assert_eq!(host_memory("MemTotal:       16 kB\nMemFree: 1 kB\n"), 16384);
        let dev = "Inter-|   Receive\n face |bytes\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
        let found = interfaces(dev);
        assert_eq!(found.len(), 1);
        let eth0 = found["eth0"];
        assert_eq!(
            (
                eth0.rx_bytes,
                eth0.rx_dropped,
                eth0.tx_bytes,
                eth0.tx_dropped
            ),
            (1, 4, 5, 8)
        );
    }

    #[test]
    fn rates_are_of_two_samples() {
        let sample = |used: u64, passed: u64| {
            let mut sample = Sample {
                system_cpu: passed,
                online_cpus: 2,
                ..Sample::default()
            };
            sample.counters.cpu.total = used;
            sample
        };
        assert_eq!(sample(150, 1200).cpu_percent(&sample(100, 1000)), 50.0);
        assert_eq!(sample(100, 1200).cpu_percent(&sample(150, 1000)), 0.0);
        let mut cached = sample(0, 0);
        cached.counters.memory.usage.usage = 100;
        cached
            .counters
            .memory
            .raw
            .insert("total_inactive_file".into(), 30);
        assert_eq!(cached.memory_used(), 70);
    }
}
