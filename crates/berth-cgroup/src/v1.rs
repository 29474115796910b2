//! Limits in the v1 hierarchies: which file takes which value, and in which order.
//!
//! Source: Documentation/admin-guide/cgroup-v1/*.rst; runtime-spec config-linux.md.

use berth_oci::spec::{Cpu, Memory, Resources};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::layout::Hierarchy;
use crate::{Cgroup, Options, devices};

/// Readies a fresh directory: a cpuset without CPUs and memory nodes takes no process.
pub(crate) fn prepare(dir: &Dir, hierarchy: &Hierarchy) -> Result<()> {
    if hierarchy.controllers.iter().any(|c| c == "cpuset") {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if dir.read(file)?.trim().is_empty() {
                // The parent's file, through our own descriptor: `..` is the parent cgroup.
                let inherited = dir.read(&format!("../{file}"))?;
                dir.write(file, inherited.trim())?;
            }
        }
    }
    Ok(())
}

/// Writes the limits that live in v1 hierarchies, here where they exist.
pub(crate) fn apply(cgroup: &Cgroup, resources: &Resources, options: &Options) -> Result<()> {
    if cgroup.v1().next().is_none() {
        return Ok(());
    }
    if let Some(memory) = &resources.memory {
        apply_memory(cgroup, memory, options)?;
    }
    if let Some(cpu) = &resources.cpu {
        apply_cpu(cgroup, cpu, options)?;
        apply_cpuset(cgroup, cpu, options)?;
    }
    if let Some(pids) = &resources.pids
        && let Some(dir) = v1_with(cgroup, "pids.max", "pids", "pids.limit", options)?
    {
        dir.write("pids.max", &number_or_max(pids.limit))?;
    }
    let weight = resources.block_io.as_ref().and_then(|b| b.weight);
    if let Some(weight) = weight.filter(|w| *w != 0) {
        apply_weight(cgroup, weight, options)?;
    }
    if !resources.devices.is_empty()
        && let Some(dir) = cgroup.v1().find(|d| d.has("devices.deny"))
    {
        if options.rootless {
            return Ok(());
        }
        for (file, value) in devices::v1_writes(&resources.devices)? {
            dir.write(file, &value)?;
        }
    }
    Ok(())
}

/// `max` for "no limit".
pub(crate) fn number_or_max(value: i64) -> String {
    if value <= 0 {
        "max".into()
    } else {
        value.to_string()
    }
}

/// The v1 directory that has `file`. `None`: the setting belongs to the unified hierarchy here.
fn v1_with<'a>(
    cgroup: &'a Cgroup,
    file: &str,
    controller: &'static str,
    setting: &'static str,
    options: &Options,
) -> Result<Option<&'a Dir>> {
    match cgroup.v1().find(|d| d.has(file)) {
        Some(dir) => Ok(Some(dir)),
        None if cgroup
            .unified()
            .is_some_and(|d| crate::v2::has_controller(d, controller)) =>
        {
            Ok(None)
        }
        None => Err(Error::NoController {
            controller,
            setting,
            rootless: options.rootless,
        }),
    }
}

fn apply_memory(cgroup: &Cgroup, memory: &Memory, options: &Options) -> Result<()> {
    // 0 is "not set", as in the unified hierarchy.
    let set = |value: Option<i64>| value.filter(|v| *v != 0);
    let (limit, swap) = (set(memory.limit), set(memory.swap));
    let reservation = set(memory.reservation);
    let asked = limit.is_some()
        || swap.is_some()
        || reservation.is_some()
        || memory.swappiness.is_some()
        || memory.disable_oom_killer.is_some();
    if !asked {
        return Ok(());
    }
    let Some(dir) = v1_with(cgroup, "memory.limit_in_bytes", "memory", "memory", options)? else {
        return Ok(());
    };
    memory_and_swap(dir, limit, swap)?;
    if let Some(reservation) = reservation {
        dir.write("memory.soft_limit_in_bytes", &reservation.to_string())?;
    }
    if let Some(swappiness) = memory.swappiness {
        dir.write("memory.swappiness", &swappiness.to_string())?;
    }
    if memory.disable_oom_killer == Some(true) {
        dir.write("memory.oom_control", "1")?;
    }
    Ok(())
}

/// The kernel insists on limit ≤ limit-with-swap at every moment: growing, the latter goes
/// first; shrinking, last.
fn memory_and_swap(dir: &Dir, limit: Option<i64>, swap: Option<i64>) -> Result<()> {
    let limit_file = "memory.limit_in_bytes";
    let swap_file = "memory.memsw.limit_in_bytes";
    let Some(swap) = swap else {
        return limit.map_or(Ok(()), |limit| dir.write(limit_file, &limit.to_string()));
    };
    if !dir.has(swap_file) {
        return Err(Error::NoFile {
            file: swap_file.into(),
            setting: "memory.swap",
        });
    }
    let Some(limit) = limit else {
        return dir.write(swap_file, &swap.to_string());
    };
    if swap >= 0 && limit > swap {
        return Err(Error::BadValue {
            setting: "memory.swap",
            value: swap.to_string(),
            why: "it counts memory and swap together, so it cannot be below the memory limit",
        });
    }
    let now: u64 = dir.read(swap_file)?.trim().parse().unwrap_or(u64::MAX);
    let grows = limit < 0 || limit as u64 > now;
    let mut writes = [(limit_file, limit), (swap_file, swap)];
    if grows {
        writes.reverse();
    }
    writes
        .iter()
        .try_for_each(|(file, value)| dir.write(file, &value.to_string()))
}

fn apply_cpu(cgroup: &Cgroup, cpu: &Cpu, options: &Options) -> Result<()> {
    let asked = cpu.shares.is_some()
        || cpu.quota.is_some()
        || cpu.period.is_some()
        || cpu.burst.is_some()
        || cpu.idle.is_some();
    if !asked {
        return Ok(());
    }
    let Some(dir) = v1_with(cgroup, "cpu.shares", "cpu", "cpu", options)? else {
        return Ok(());
    };
    // An idle group has no shares: the kernel refuses to set them.
    if cpu.idle != Some(1)
        && let Some(shares) = cpu.shares.filter(|s| *s != 0)
    {
        dir.write("cpu.shares", &shares.to_string())?;
    }
    period_and_quota(dir, cpu)?;
    if let Some(burst) = cpu.burst {
        write_known(dir, "cpu.cfs_burst_us", &burst.to_string(), "cpu.burst")?;
    }
    if let Some(idle) = cpu.idle {
        write_known(dir, "cpu.idle", &idle.to_string(), "cpu.idle")?;
    }
    Ok(())
}

/// The ratio of the two is checked against the parent's at each write, so the wrong order of a
/// pair that is fine may be refused: then the other order is tried.
fn period_and_quota(dir: &Dir, cpu: &Cpu) -> Result<()> {
    let period = cpu.period.filter(|p| *p != 0).map(|p| p.to_string());
    let quota = cpu.quota.filter(|q| *q != 0).map(|q| q.to_string());
    let mut quota_done = false;
    if let Some(period) = &period {
        match (dir.try_write("cpu.cfs_period_us", period), &quota) {
            (Ok(()), _) => {}
            (Err(Errno::INVAL), Some(quota)) => {
                dir.write("cpu.cfs_quota_us", quota)?;
                quota_done = true;
                dir.write("cpu.cfs_period_us", period)?;
            }
            (Err(_), _) => dir.write("cpu.cfs_period_us", period)?,
        }
    }
    match quota {
        Some(quota) if !quota_done => dir.write("cpu.cfs_quota_us", &quota),
        _ => Ok(()),
    }
}

fn apply_cpuset(cgroup: &Cgroup, cpu: &Cpu, options: &Options) -> Result<()> {
    if cpu.cpus.is_none() && cpu.mems.is_none() {
        return Ok(());
    }
    let Some(dir) = v1_with(cgroup, "cpuset.cpus", "cpuset", "cpuset", options)? else {
        return Ok(());
    };
    for (file, value) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
        if let Some(value) = value {
            dir.write(file, value)?;
        }
    }
    Ok(())
}

fn apply_weight(cgroup: &Cgroup, weight: u16, options: &Options) -> Result<()> {
    let Some(dir) = v1_with(
        cgroup,
        "blkio.throttle.io_serviced",
        "io",
        "blockIO.weight",
        options,
    )?
    else {
        return Ok(());
    };
    // Which file there is depends on the block scheduler (CFQ once, BFQ now).
    let file = if dir.has("blkio.weight") {
        "blkio.weight"
    } else {
        "blkio.bfq.weight"
    };
    write_known(dir, file, &weight.to_string(), "blockIO.weight")
}

/// Writes to a file that not every kernel has.
fn write_known(dir: &Dir, file: &str, value: &str, setting: &'static str) -> Result<()> {
    if dir.has(file) {
        dir.write(file, value)
    } else {
        Err(Error::NoFile {
            file: file.into(),
            setting,
        })
    }
}
