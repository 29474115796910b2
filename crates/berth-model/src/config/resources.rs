//! Limits: memory, CPUs, processes, block devices, devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Limits; `None` is "not asked for".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceConfig {
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Number of tasks; default 4096; -1 no limit.
    pub pids: Option<i64>,
    /// Name (`nofile`) → soft, hard.
    pub ulimits: BTreeMap<String, (u64, u64)>,
    /// Bytes of `/dev/shm`; default 64 MiB.
    pub shm_bytes: Option<u64>,
    /// Parent of the container's cgroup, absolute in each hierarchy.
    pub cgroup_parent: Option<String>,
    /// Bytes that it is pushed back to when memory runs short.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_reservation_bytes: Option<u64>,
    /// Bytes of memory and swap together; -1: no limit of swap; `None`: twice the memory.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swap_bytes: Option<i64>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swappiness: Option<u64>,
    /// Who runs out of memory waits instead of being killed.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_kill_disable: bool,
    /// -1000 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_score_adj: Option<i32>,
    /// CPU time beside `nano_cpus`.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu: CpuConfig,
    /// Block devices.
    #[serde(skip_serializing_if = "is_default")]
    pub blkio: BlkioConfig,
    /// Devices of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<DeviceConfig>,
    /// Further rules of the device cgroup, `c 1:3 rwm`.
    #[serde(skip_serializing_if = "is_default")]
    pub device_rules: Vec<String>,
}

/// CPU time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuConfig {
    /// Weight, 2 to 262144, against others' 1024.
    pub shares: Option<u64>,
    /// Microseconds in each period; -1: no limit.
    pub quota_us: Option<i64>,
    /// Microseconds.
    pub period_us: Option<u64>,
    /// Microseconds of real-time scheduling in each real-time period.
    pub realtime_runtime_us: Option<i64>,
    /// Microseconds.
    pub realtime_period_us: Option<u64>,
    /// CPUs that may be used, `0-3,5`; empty: all.
    pub cpus: String,
    /// Memory nodes, likewise.
    pub mems: String,
}

/// Block input and output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioConfig {
    /// 10 to 1000.
    pub weight: Option<u16>,
    /// Weight by device.
    pub weight_device: Vec<DeviceValue>,
    /// Bytes a second.
    pub read_bps: Vec<DeviceValue>,
    /// Bytes a second.
    pub write_bps: Vec<DeviceValue>,
    /// Operations a second.
    pub read_iops: Vec<DeviceValue>,
    /// Operations a second.
    pub write_iops: Vec<DeviceValue>,
}

/// A number for a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceValue {
    /// Its node on the host.
    pub path: String,
    /// A weight or a rate.
    pub value: u64,
}

/// A device of the host, or a directory of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// On the host.
    pub host: String,
    /// Inside.
    pub container: String,
    /// Of `rwm`.
    pub permissions: String,
}

/// The first name that is no limit.
pub fn unknown_ulimit(limits: &BTreeMap<String, (u64, u64)>) -> Option<&str> {
    let mut names = limits.keys().map(String::as_str);
    names.find(|name| !ULIMITS.contains(name))
}

/// The limits that `--ulimit` can name. Source: getrlimit(2).
pub const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
