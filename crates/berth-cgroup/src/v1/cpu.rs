//! The v1 controllers cpu and cpuset.

use berth_oci::spec::Cpu;

use crate::apply::Apply;
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::words::set;

/// Least and greatest shares; the kernel would silently take these for what is beyond. Source:
/// MIN_SHARES and MAX_SHARES, kernel/sched/sched.h.
const SHARES: std::ops::RangeInclusive<u64> = 2..=1 << 18;

pub(super) fn apply(apply: &mut Apply<'_>, cpu: &Cpu) -> Result<()> {
    let asked = [cpu.shares, cpu.period, cpu.burst, cpu.realtime_period]
        .iter()
        .any(Option::is_some)
        || [cpu.quota, cpu.idle, cpu.realtime_runtime]
            .iter()
            .any(Option::is_some);
    if asked && let Some(dir) = apply.v1("cpu", "cpu.shares", "cpu")? {
        time(apply, dir, cpu)?;
    }
    if (cpu.cpus.is_some() || cpu.mems.is_some())
        && let Some(dir) = apply.v1("cpuset", "cpuset.cpus", "cpuset")?
    {
        for (file, value) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
            if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
                apply.write(dir, file, value)?;
            }
        }
    }
    Ok(())
}

fn time<'a>(apply: &mut Apply<'a>, dir: &'a Dir, cpu: &Cpu) -> Result<()> {
    // An idle group has no shares, the kernel refuses to set them: so no longer idle first, idle last.
    if let Some(idle) = cpu.idle.filter(|idle| *idle != 1) {
        apply.write_known(dir, "cpu.idle", &idle.to_string(), "cpu.idle")?;
    }
    if cpu.idle != Some(1)
        && let Some(shares) = set(cpu.shares)
    {
        if !SHARES.contains(&shares) {
            return Err(Error::BadValue {
                setting: "cpu.shares",
                value: shares.to_string(),
                why: "they are between 2 and 262144",
            });
        }
        apply.write(dir, "cpu.shares", &shares.to_string())?;
    }
    // The ratio of period and quota is checked against the parent's at each write, and the burst is
    // at most the quota.
    let fair = [
        ("cpu.cfs_period_us", not_zero(cpu.period), "cpu.period"),
        ("cpu.cfs_quota_us", not_zero(cpu.quota), "cpu.quota"),
        (
            "cpu.cfs_burst_us",
            cpu.burst.map(|n| n.to_string()),
            "cpu.burst",
        ),
    ];
    apply.write_together(dir, &given(fair))?;
    let realtime = [
        (
            "cpu.rt_period_us",
            not_zero(cpu.realtime_period),
            "cpu.realtimePeriod",
        ),
        (
            "cpu.rt_runtime_us",
            not_zero(cpu.realtime_runtime),
            "cpu.realtimeRuntime",
        ),
    ];
    // Before init joins: a real-time process may not enter a group without time.
    apply.write_together(dir, &given(realtime))?;
    if cpu.idle == Some(1) {
        apply.write_known(dir, "cpu.idle", "1", "cpu.idle")?;
    }
    Ok(())
}

fn not_zero<T: ToString + Default + PartialEq>(value: Option<T>) -> Option<String> {
    set(value).map(|v| v.to_string())
}

fn given<const N: usize>(
    values: [(&'static str, Option<String>, &'static str); N],
) -> Vec<(&'static str, String, &'static str)> {
    values
        .into_iter()
        .filter_map(|(file, value, setting)| Some((file, value?, setting)))
        .collect()
}
