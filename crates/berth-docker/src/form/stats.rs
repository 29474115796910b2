//! What a container uses.

use std::collections::BTreeMap;

use berth_engine::stats::{NetworkUse, Sample};
use berth_model::ContainerId;
use serde::Serialize;

use super::{NEVER, null_if_empty};
use crate::Version;

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    read: &'a str,
    preread: &'a str,
    pids_stats: Pids,
    blkio_stats: Blkio<'a>,
    num_procs: u32,
    storage_stats: super::Empty,
    cpu_stats: Cpu<'a>,
    precpu_stats: Cpu<'a>,
    memory_stats: Memory<'a>,
    name: String,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    os_type: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<&'a str, Network>,
}

#[derive(Debug, Serialize)]
struct Pids {
    #[serde(skip_serializing_if = "super::is_empty")]
    current: u64,
    #[serde(skip_serializing_if = "super::is_empty")]
    limit: u64,
}

#[derive(Debug, Serialize)]
struct Blkio<'a> {
    io_service_bytes_recursive: Option<Vec<Entry<'a>>>,
    io_serviced_recursive: Option<Vec<Entry<'a>>>,
    io_queue_recursive: Option<Vec<Entry<'a>>>,
    io_service_time_recursive: Option<Vec<Entry<'a>>>,
    io_wait_time_recursive: Option<Vec<Entry<'a>>>,
    io_merged_recursive: Option<Vec<Entry<'a>>>,
    io_time_recursive: Option<Vec<Entry<'a>>>,
    sectors_recursive: Option<Vec<Entry<'a>>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    major: u64,
    minor: u64,
    op: &'a str,
    value: u64,
}

#[derive(Debug, Serialize)]
struct Cpu<'a> {
    cpu_usage: CpuUsage<'a>,
    #[serde(skip_serializing_if = "super::is_empty")]
    system_cpu_usage: u64,
    #[serde(skip_serializing_if = "super::is_empty")]
    online_cpus: u32,
    throttling_data: Throttling,
}

#[derive(Debug, Serialize)]
struct CpuUsage<'a> {
    total_usage: u64,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    percpu_usage: &'a [u64],
    usage_in_kernelmode: u64,
    usage_in_usermode: u64,
}

#[derive(Debug, Serialize)]
struct Throttling {
    periods: u64,
    throttled_periods: u64,
    throttled_time: u64,
}

#[derive(Debug, Serialize)]
struct Memory<'a> {
    #[serde(skip_serializing_if = "super::is_empty")]
    usage: u64,
    #[serde(skip_serializing_if = "super::is_empty")]
    max_usage: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stats: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "super::is_empty")]
    failcnt: u64,
    #[serde(skip_serializing_if = "super::is_empty")]
    limit: u64,
}

#[derive(Debug, Serialize)]
struct Network {
    rx_bytes: u64,
    rx_packets: u64,
    rx_errors: u64,
    rx_dropped: u64,
    tx_bytes: u64,
    tx_packets: u64,
    tx_errors: u64,
    tx_dropped: u64,
}

impl<'a> Document<'a> {
    /// Of one moment, and of the one before it.
    pub(crate) fn of(
        id: &'a ContainerId,
        name: &str,
        sample: &'a Sample,
        before: &'a Sample,
        version: Version,
    ) -> Document<'a> {
        let moment = |sample: &'a Sample| match sample.read.as_str() {
            "" => NEVER,
            read => read,
        };
        let memory = &sample.counters.memory;
        Document {
            read: moment(sample),
            preread: moment(before),
            pids_stats: Pids {
                current: sample.counters.pids,
                limit: sample.counters.pids_limit,
            },
            blkio_stats: Blkio::of(sample),
            num_procs: 0,
            storage_stats: super::Empty {},
            cpu_stats: Cpu::of(sample),
            precpu_stats: Cpu::of(before),
            memory_stats: Memory {
                usage: memory.usage.usage,
                max_usage: memory.usage.peak,
                stats: &memory.raw,
                failcnt: memory.usage.failures,
                limit: sample.memory_limit,
            },
            name: format!("/{name}"),
            id: id.as_str(),
            os_type: (version >= Version(1, 51)).then_some("linux"),
            networks: sample
                .networks
                .iter()
                .map(|(name, used)| (name.as_str(), Network::of(*used)))
                .collect(),
        }
    }
}

impl<'a> Blkio<'a> {
    fn of(sample: &'a Sample) -> Blkio<'a> {
        let io = &sample.counters.io;
        macro_rules! entries {
            ($list:expr) => {
                null_if_empty(
                    $list
                        .iter()
                        .map(|entry| Entry {
                            major: entry.major,
                            minor: entry.minor,
                            op: &entry.op,
                            value: entry.value,
                        })
                        .collect(),
                )
            };
        }
        Blkio {
            io_service_bytes_recursive: entries!(io.service_bytes),
            io_serviced_recursive: entries!(io.serviced),
            io_queue_recursive: entries!(io.queued),
            io_service_time_recursive: entries!(io.service_time),
            io_wait_time_recursive: entries!(io.wait_time),
            io_merged_recursive: entries!(io.merged),
            io_time_recursive: entries!(io.time),
            sectors_recursive: entries!(io.sectors),
        }
    }
}

impl<'a> Cpu<'a> {
    fn of(sample: &'a Sample) -> Cpu<'a> {
        let cpu = &sample.counters.cpu;
        Cpu {
            cpu_usage: CpuUsage {
                total_usage: cpu.total,
                percpu_usage: &cpu.per_cpu,
                usage_in_kernelmode: cpu.kernel,
                usage_in_usermode: cpu.user,
            },
            system_cpu_usage: sample.system_cpu,
            online_cpus: sample.online_cpus,
            throttling_data: Throttling {
                periods: cpu.periods,
                throttled_periods: cpu.throttled_periods,
                throttled_time: cpu.throttled,
            },
        }
    }
}

impl Network {
    fn of(used: NetworkUse) -> Network {
        Network {
            rx_bytes: used.rx_bytes,
            rx_packets: used.rx_packets,
            rx_errors: used.rx_errors,
            rx_dropped: used.rx_dropped,
            tx_bytes: used.tx_bytes,
            tx_packets: used.tx_packets,
            tx_errors: used.tx_errors,
            tx_dropped: used.tx_dropped,
        }
    }
}
