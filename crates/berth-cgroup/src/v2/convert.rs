//! The specification's limits, which are v1's, in v2's words. What has none is refused.
//!
//! Source: runtime-spec config-linux.md, "Unified", which wants an error for what has no counterpart. Other
//! runtimes drop some of these silently; no caller that knows v2 sends them.

use berth_oci::spec::{BlockIo, Cpu, Memory, Resources, ThrottleDevice};

use crate::error::{Error, Result};
use crate::words::{self, number_or_max, set};

/// A value for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) file: String,
    pub(crate) value: String,
    pub(crate) controller: &'static str,
    pub(crate) setting: &'static str,
    /// Nothing is lost where the kernel has no such file.
    pub(crate) optional: bool,
}

impl Write {
    fn new(
        controller: &'static str,
        file: impl Into<String>,
        value: impl ToString,
        setting: &'static str,
    ) -> Write {
        Write {
            file: file.into(),
            value: value.to_string(),
            controller,
            setting,
            optional: false,
        }
    }
}

/// All writes but [`weights`] and `unified`, in order, for the controllers that are `here`.
pub(crate) fn writes(
    resources: &Resources,
    here: impl Fn(&'static str) -> bool,
) -> Result<Vec<Write>> {
    let mut list = Vec::new();
    if let Some(memory) = resources.memory.as_ref().filter(|_| here("memory")) {
        list.extend(memory_writes(memory)?);
    }
    if let Some(cpu) = resources.cpu.as_ref() {
        if here("cpu") {
            list.extend(cpu_writes(cpu)?);
        }
        for (file, value) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
            if let Some(value) = value.as_deref().filter(|v| !v.is_empty() && here("cpuset")) {
                list.push(Write::new("cpuset", file, value, file));
            }
        }
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|p| p.limit)
        && here("pids")
    {
        list.push(Write::new(
            "pids",
            "pids.max",
            words::pids(limit),
            "pids.limit",
        ));
    }
    if let Some(block) = resources.block_io.as_ref().filter(|_| here("io")) {
        list.extend(io_writes(block)?);
    }
    for limit in resources.hugepage_limits.iter().filter(|_| here("hugetlb")) {
        let size = words::page_size(&limit.page_size)?;
        for (file, optional) in [
            (format!("hugetlb.{size}.max"), false),
            (format!("hugetlb.{size}.rsvd.max"), true),
        ] {
            list.push(Write {
                optional,
                ..Write::new("hugetlb", file, limit.limit, "hugepageLimits")
            });
        }
    }
    for (device, limits) in resources.rdma.iter().filter(|_| here("rdma")) {
        let line = words::rdma(device, limits)?;
        list.push(Write::new("rdma", "rdma.max", line, "rdma"));
    }
    if let Some(network) = &resources.network {
        let class = network.class_id.is_some() && here("net_cls");
        let priorities = !network.priorities.is_empty() && here("net_prio");
        refuse([
            (class, "network.classID"),
            (priorities, "network.priorities"),
        ])?;
    }
    Ok(list)
}

/// Refuses the first setting that is asked for.
fn refuse<const N: usize>(wordless: [(bool, &'static str); N]) -> Result<()> {
    match wordless.into_iter().find(|(asked, _)| *asked) {
        Some((_, setting)) => Err(Error::NoWord { setting }),
        None => Ok(()),
    }
}

fn memory_writes(memory: &Memory) -> Result<Vec<Write>> {
    refuse([
        (
            memory.disable_oom_killer == Some(true),
            "memory.disableOOMKiller",
        ),
        (memory.swappiness.is_some(), "memory.swappiness"),
        (memory.kernel.is_some_and(|n| n > 0), "memory.kernel"),
        (memory.kernel_tcp.is_some_and(|n| n > 0), "memory.kernelTCP"),
        (memory.use_hierarchy == Some(false), "memory.useHierarchy"),
    ])?;
    let mut list = Vec::new();
    let limit = set(memory.limit);
    let swap = match (set(memory.swap), limit) {
        // Unlimited memory means unlimited swap, too, as on v1.
        (None, Some(..0)) | (Some(..0), _) => Some("max".to_owned()),
        (None, _) => None,
        (Some(swap), Some(..0)) => Some(swap.to_string()),
        (Some(swap), Some(limit)) if limit <= swap => Some((swap - limit).to_string()),
        (Some(swap), _) => {
            return Err(Error::BadValue {
                setting: "memory.swap",
                value: swap.to_string(),
                why: "it counts memory and swap together, so it needs a memory limit that is not above it",
            });
        }
    };
    if let Some(limit) = limit {
        let value = number_or_max(limit);
        list.push(Write::new("memory", "memory.max", value, "memory.limit"));
    }
    if let Some(value) = swap {
        // Where swap is not counted, none is used: any of it, or none, is kept already.
        let optional = value == "max" || value == "0";
        list.push(Write {
            optional,
            ..Write::new("memory", "memory.swap.max", value, "memory.swap")
        });
    }
    if let Some(reservation) = set(memory.reservation) {
        let value = number_or_max(reservation);
        list.push(Write::new(
            "memory",
            "memory.low",
            value,
            "memory.reservation",
        ));
    }
    Ok(list)
}

fn cpu_writes(cpu: &Cpu) -> Result<Vec<Write>> {
    refuse([
        (set(cpu.realtime_period).is_some(), "cpu.realtimePeriod"),
        (set(cpu.realtime_runtime).is_some(), "cpu.realtimeRuntime"),
    ])?;
    let mut list = Vec::new();
    let mut push =
        |file, value: String, setting| list.push(Write::new("cpu", file, value, setting));
    if let Some(idle) = cpu.idle {
        push("cpu.idle", idle.to_string(), "cpu.idle");
    }
    if cpu.idle != Some(1)
        && let Some(shares) = set(cpu.shares)
    {
        push("cpu.weight", cpu_weight(shares).to_string(), "cpu.shares");
    }
    let (quota, period) = (set(cpu.quota), set(cpu.period));
    if quota.is_some() || period.is_some() {
        let quota = number_or_max(quota.unwrap_or(-1));
        let value = match period {
            Some(period) => format!("{quota} {period}"),
            None => quota,
        };
        push("cpu.max", value, "cpu.quota");
    }
    if let Some(burst) = cpu.burst {
        push("cpu.max.burst", burst.to_string(), "cpu.burst");
    }
    Ok(list)
}

fn io_writes(block: &BlockIo) -> Result<Vec<Write>> {
    let leaf = set(block.leaf_weight).is_some();
    let leaf_device = block
        .weight_device
        .iter()
        .any(|d| set(d.leaf_weight).is_some());
    refuse([(leaf || leaf_device, "blockIO.leafWeight")])?;
    let mut list = Vec::new();
    let mut lines = |devices: &[ThrottleDevice], key: &str, setting| {
        for device in devices {
            let ThrottleDevice { major, minor, rate } = device;
            // v1 takes a limit away by 0.
            let rate = if *rate == 0 {
                "max".to_owned()
            } else {
                rate.to_string()
            };
            let line = format!("{major}:{minor} {key}={rate}");
            list.push(Write::new("io", "io.max", line, setting));
        }
    };
    lines(
        &block.throttle_read_bps_device,
        "rbps",
        "blockIO.throttleReadBpsDevice",
    );
    lines(
        &block.throttle_write_bps_device,
        "wbps",
        "blockIO.throttleWriteBpsDevice",
    );
    lines(
        &block.throttle_read_iops_device,
        "riops",
        "blockIO.throttleReadIOPSDevice",
    );
    lines(
        &block.throttle_write_iops_device,
        "wiops",
        "blockIO.throttleWriteIOPSDevice",
    );
    Ok(list)
}

/// Each weight as a line for `io.bfq.weight`, which has v1's scale, and as one for `io.weight`.
pub(crate) fn weights(block: &BlockIo) -> Vec<[(&'static str, String); 2]> {
    let mut lines = Vec::new();
    let mut both = |key: &str, weight| {
        lines.push([
            ("io.bfq.weight", format!("{key}{weight}")),
            ("io.weight", format!("{key}{}", io_weight(weight))),
        ]);
    };
    if let Some(weight) = set(block.weight) {
        both("", weight);
    }
    for device in &block.weight_device {
        if let Some(weight) = set(device.weight) {
            both(&format!("{}:{} ", device.major, device.minor), weight);
        }
    }
    lines
}

/// cpu.weight (1 to 10000) for v1 shares (2 to 262144), such that the two defaults, the two least
/// and the two greatest values meet: 2 → 1, 1024 → 100, 262144 → 10000.
///
/// Source: runc 1.3.2 and crun 1.23, which left the old linear formula (1024 → 39) for this one.
pub(crate) fn cpu_weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    10f64.powf(exponent).ceil() as u64
}

/// io.weight (1 to 10000) for a v1 blkio weight (10 to 1000). Source: runc, crun.
pub(crate) fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests;
