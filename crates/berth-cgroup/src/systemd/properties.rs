//! The limits as properties of a unit. What has no property is left out: it is written to the
//! cgroup afterwards, like all others. A value that makes no sense is left out too, for the kernel
//! to refuse with the name of its file.
//!
//! Source: systemd.resource-control(5).

use berth_oci::spec::{Cpu, DeviceRule, Memory, Resources};

use super::wire::{Property, Value};
use crate::error::Result;
use crate::{devices, v2};

/// Versions from which on properties are known.
const QUOTA_PERIOD: u32 = 242;
const CPUSET: u32 = 244;
const CPU_IDLE: u32 = 252;
const SCOPE_OOM_POLICY: u32 = 253;
/// The kernel's, in µs.
const DEFAULT_PERIOD: u64 = 100_000;
/// CPUs that the largest kernel has.
const MAX_CPU: usize = 8192;
/// "No limit".
const INFINITY: u64 = u64::MAX;

/// The properties for limits, by their v2 files; on v1, the older ones for CPU shares and weights.
///
/// `version` asks for systemd's version; only what is not as old as all others needs it.
pub(super) fn limits(
    resources: &Resources,
    unified: bool,
    mut version: impl FnMut() -> Result<u32>,
) -> Result<Vec<Property>> {
    let writes = match unified {
        true => v2::writes(resources, |_| true)?,
        false => v2::writes(&with_v2_words(resources), |_| true)?,
    };
    let weights = resources.block_io.as_ref().map(v2::weights);
    let weights = weights.unwrap_or_default();
    let mut files: Vec<(&str, &str)> = writes
        .iter()
        .map(|write| (write.file.as_str(), write.value.as_str()))
        .chain(
            weights
                .iter()
                .flatten()
                .map(|(file, line)| (*file, line.as_str())),
        )
        .collect();
    if unified {
        let own = resources.unified.iter();
        files.extend(own.map(|(file, value)| (file.as_str(), value.trim())));
    }
    let idle = unified && files.contains(&("cpu.idle", "1")) && version()? >= CPU_IDLE;
    let mut all = Vec::new();
    for (file, value) in files {
        match file {
            "cpu.max" => quota(value, &mut all, &mut version)?,
            "cpuset.cpus" | "cpuset.mems" => {
                let name = match file {
                    "cpuset.cpus" => "AllowedCPUs",
                    _ => "AllowedMemoryNodes",
                };
                if let Some(bits) = bits(value)
                    && version()? >= CPUSET
                {
                    all.push((name, Value::Bytes(bits)));
                }
            }
            "cpu.idle" if idle => all.push(("CPUWeight", Value::U64(0))),
            // Of an idle group it is not asked for.
            "cpu.weight" if idle => {}
            "cpu.weight" | "io.weight" if !unified => {}
            _ => all.extend(number(file, value)),
        }
    }
    if !unified {
        let shares = resources.cpu.as_ref().and_then(|cpu| cpu.shares);
        all.extend(v1_weight("CPUShares", shares));
        let weight = resources.block_io.as_ref().and_then(|io| io.weight);
        all.extend(v1_weight("BlockIOWeight", weight.map(u64::from)));
    }
    Ok(all)
}

/// Those limits of a v1 container that have words in v2, and so properties.
fn with_v2_words(resources: &Resources) -> Resources {
    let memory = |memory: &Memory| Memory {
        limit: memory.limit,
        ..Memory::default()
    };
    let cpu = |cpu: &Cpu| Cpu {
        realtime_period: None,
        realtime_runtime: None,
        ..cpu.clone()
    };
    Resources {
        memory: resources.memory.as_ref().map(memory),
        cpu: resources.cpu.as_ref().map(cpu),
        pids: resources.pids.clone(),
        ..Resources::default()
    }
}

/// Limits that are one number in one file.
fn number(file: &str, value: &str) -> Option<Property> {
    let name = match file {
        "memory.max" => "MemoryMax",
        "memory.high" => "MemoryHigh",
        "memory.low" => "MemoryLow",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        "cpu.weight" => "CPUWeight",
        "io.weight" => "IOWeight",
        _ => return None,
    };
    let value = value.strip_prefix("default ").unwrap_or(value);
    let number = match value {
        "max" => INFINITY,
        number => number.parse().ok()?,
    };
    Some((name, Value::U64(number)))
}

fn v1_weight(name: &'static str, weight: Option<u64>) -> Option<Property> {
    let weight = weight.filter(|weight| *weight != 0)?;
    Some((name, Value::U64(weight)))
}

/// `QUOTA [PERIOD]`, or `max` for the quota.
fn quota(
    value: &str,
    all: &mut Vec<Property>,
    version: &mut impl FnMut() -> Result<u32>,
) -> Result<()> {
    let mut words = value.split_whitespace();
    let quota = words.next().unwrap_or_default();
    let period = match words.next().map(str::parse) {
        None => None,
        Some(Ok(period)) if period > 0 => Some(period),
        Some(_) => return Ok(()),
    };
    let per_second = match quota {
        "max" => INFINITY,
        number => {
            let Ok(number) = number.parse() else {
                return Ok(());
            };
            per_second(number, period.unwrap_or(DEFAULT_PERIOD))
        }
    };
    if let Some(period) = period
        && version()? >= QUOTA_PERIOD
    {
        all.push(("CPUQuotaPeriodUSec", Value::U64(period)));
    }
    all.push(("CPUQuotaPerSecUSec", Value::U64(per_second)));
    Ok(())
}

/// µs of CPU time a second. systemd counts in hundredths of a CPU, so it is rounded up to those:
/// the cgroup's children must be able to have what was asked for.
fn per_second(quota: u64, period: u64) -> u64 {
    const HUNDREDTH: u128 = 10_000;
    let exact = u128::from(quota) * 1_000_000 / u128::from(period);
    let rounded = exact.div_ceil(HUNDREDTH) * HUNDREDTH;
    u64::try_from(rounded).unwrap_or(INFINITY)
}

/// `0-3,7` as bits, least first: bit n of byte n / 8.
pub(super) fn bits(list: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for part in list.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= MAX_CPU {
            return None;
        }
        if bits.len() <= last / 8 {
            bits.resize(last / 8 + 1, 0u8);
        }
        (first..=last).for_each(|n| bits[n / 8] |= 1 << (n % 8));
    }
    (!bits.is_empty()).then_some(bits)
}

/// Whether one process killed for memory is the end of all, as `memory.oom.group` says it.
pub(super) fn oom_policy(
    resources: &Resources,
    version: impl FnOnce() -> Result<u32>,
) -> Result<Option<Property>> {
    let policy = match resources.unified.get("memory.oom.group").map(|v| v.trim()) {
        Some("0") => "continue",
        Some("1") => "kill",
        _ => return Ok(None),
    };
    let known = version()? >= SCOPE_OOM_POLICY;
    Ok(known.then(|| ("OOMPolicy", Value::Text(policy.to_owned()))))
}

/// The v1 device rules: without them systemd would allow all devices again whenever it writes the
/// unit's settings anew. (On v2 it has a program of its own for that, or here none.)
///
/// # Errors
/// A rule that makes no sense.
pub(super) fn devices(rules: &[DeviceRule]) -> Result<Vec<Property>> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let writes = devices::v1_writes(rules)?;
    match writes.split_first() {
        Some((("devices.deny", _), allowed)) => {
            let drivers = std::fs::read_to_string("/proc/devices").unwrap_or_default();
            let allowed = allowed.iter().filter_map(|(_, line)| node(line, &drivers));
            Ok(vec![
                ("DevicePolicy", Value::Text("strict".to_owned())),
                ("DeviceAllow", Value::Pairs(allowed.collect())),
            ])
        }
        // All are allowed, which is systemd's default. Exceptions to that it does not have.
        _ => Ok(Vec::new()),
    }
}

/// `c 1:3 rwm` as systemd names it: a node, or a driver's all.
pub(super) fn node(line: &str, drivers: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
    let kind = if kind == "b" { "block" } else { "char" };
    let name = match numbers.split_once(':')? {
        ("*", "*") => format!("{kind}-*"),
        // Some minor of any major: systemd has no word for it.
        ("*", _) => return None,
        (major, "*") => format!("{kind}-{}", driver(kind, major, drivers)?),
        (major, minor) => format!("/dev/{kind}/{major}:{minor}"),
    };
    Some((name, access.to_owned()))
}

/// The name of a major number. Source: proc(5), /proc/devices.
fn driver<'a>(kind: &str, major: &str, drivers: &'a str) -> Option<&'a str> {
    let heading = match kind {
        "block" => "Block devices:",
        _ => "Character devices:",
    };
    let mut lines = drivers.lines().skip_while(|line| *line != heading).skip(1);
    lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (number, name) = line.trim_start().split_once(' ')?;
            (number == major).then_some(name)
        })
}
