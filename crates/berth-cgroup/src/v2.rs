//! Limits in the unified hierarchy, with the conversions from the specification's v1 words.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst; runtime-spec config-linux.md, "Unified".

use std::os::fd::AsFd;

use berth_oci::spec::{Cpu, Memory, Resources};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::v1::number_or_max;
use crate::{Cgroup, Options, device_program};

/// Controllers that a container on a pure v2 host is always given, for its statistics.
const ALWAYS: [&str; 4] = ["memory", "cpu", "pids", "io"];

/// The controllers to switch on for the container.
pub(crate) fn needed_controllers(resources: &Resources) -> Vec<&'static str> {
    let mut needed = ALWAYS.to_vec();
    if resources
        .cpu
        .as_ref()
        .is_some_and(|c| c.cpus.is_some() || c.mems.is_some())
    {
        needed.push("cpuset");
    }
    for key in resources.unified.keys() {
        match key.split('.').next() {
            Some("hugetlb") => needed.push("hugetlb"),
            Some("rdma") => needed.push("rdma"),
            Some("misc") => needed.push("misc"),
            Some("cpuset") => needed.push("cpuset"),
            _ => {}
        }
    }
    needed.dedup();
    needed
}

/// Lets the children of `dir` use those of `controllers` that `dir` itself has.
///
/// What cannot be switched on (processes in `dir`, no permission) is left: only the limit that
/// needs it will fail, with its own name.
pub(crate) fn pass_down(dir: &Dir, controllers: &[&str]) -> Result<()> {
    if !dir.unified {
        return Ok(());
    }
    let available = dir.read("cgroup.controllers")?;
    if available.trim().is_empty() {
        return Ok(());
    }
    let passed = dir.read("cgroup.subtree_control")?;
    let on = |list: &str, c: &str| list.split_whitespace().any(|x| x == c);
    for controller in controllers {
        if on(&available, controller) && !on(&passed, controller) {
            match dir.try_write("cgroup.subtree_control", &format!("+{controller}")) {
                Ok(()) | Err(Errno::BUSY | Errno::ACCESS | Errno::PERM | Errno::NOENT) => {}
                Err(source) => {
                    return Err(Error::WriteFile {
                        path: dir.path.join("cgroup.subtree_control"),
                        value: format!("+{controller}"),
                        source,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Whether a unified directory has a controller.
pub(crate) fn has_controller(dir: &Dir, controller: &str) -> bool {
    dir.try_read("cgroup.controllers")
        .is_ok_and(|list| list.split_whitespace().any(|c| c == controller))
}

/// A value for a file: (file, value, controller, setting).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) file: String,
    pub(crate) value: String,
    pub(crate) controller: &'static str,
    pub(crate) setting: &'static str,
}

/// Writes the limits that live in the unified hierarchy here.
pub(crate) fn apply(cgroup: &Cgroup, resources: &Resources, options: &Options) -> Result<()> {
    let Some(dir) = cgroup.unified() else {
        return if cgroup.is_empty() {
            refuse_any(resources, options)
        } else {
            Ok(())
        };
    };
    for Write {
        file,
        value,
        controller,
        setting,
    } in writes(resources)?
    {
        if dir.has(&file) {
            dir.write(&file, &value)?;
        } else if has_controller(dir, controller) {
            // io.weight has a second name under the BFQ scheduler.
            if setting == "blockIO.weight" && dir.has("io.bfq.weight") {
                let weight = resources
                    .block_io
                    .as_ref()
                    .and_then(|b| b.weight)
                    .unwrap_or_default();
                dir.write("io.bfq.weight", &weight.to_string())?;
            } else {
                return Err(Error::NoFile { file, setting });
            }
        } else if cgroup.v1().next().is_none() {
            return Err(Error::NoController {
                controller,
                setting,
                rootless: options.rootless,
            });
        }
        // Otherwise the controller is a v1 one, and v1::apply has set the limit or refused.
    }
    for (file, value) in &resources.unified {
        if file.contains('/') || file.starts_with("cgroup.") {
            return Err(Error::BadValue {
                setting: "unified",
                value: file.clone(),
                why: "it must be the name of a controller's file",
            });
        }
        if !dir.has(file) {
            return Err(Error::NoFile {
                file: file.clone(),
                setting: "unified",
            });
        }
        value.lines().try_for_each(|line| dir.write(file, line))?;
    }
    let v1_devices = cgroup.v1().any(|d| d.has("devices.deny"));
    if !resources.devices.is_empty() && !v1_devices && !options.rootless {
        device_program::attach(dir.as_fd(), &dir.path, &resources.devices)?;
    }
    Ok(())
}

/// Without any cgroup no limit can be kept: better no container than one that runs unlimited.
fn refuse_any(resources: &Resources, options: &Options) -> Result<()> {
    let first = writes(resources)?.into_iter().next();
    let (controller, setting) = match first {
        Some(write) => (write.controller, write.setting),
        None if resources.unified.is_empty() => return Ok(()),
        None => ("unified", "unified"),
    };
    Err(Error::NoController {
        controller,
        setting,
        rootless: options.rootless,
    })
}

/// All writes but `unified`, in order.
pub(crate) fn writes(resources: &Resources) -> Result<Vec<Write>> {
    let mut list = Vec::new();
    if let Some(memory) = &resources.memory {
        memory_writes(memory, &mut list)?;
    }
    if let Some(cpu) = &resources.cpu {
        cpu_writes(cpu, &mut list);
    }
    if let Some(pids) = &resources.pids {
        push(
            &mut list,
            "pids.max",
            number_or_max(pids.limit),
            "pids",
            "pids.limit",
        );
    }
    if let Some(weight) = resources
        .block_io
        .as_ref()
        .and_then(|b| b.weight)
        .filter(|w| *w != 0)
    {
        push(
            &mut list,
            "io.weight",
            io_weight(weight).to_string(),
            "io",
            "blockIO.weight",
        );
    }
    Ok(list)
}

fn push(
    list: &mut Vec<Write>,
    file: &str,
    value: String,
    controller: &'static str,
    setting: &'static str,
) {
    list.push(Write {
        file: file.into(),
        value,
        controller,
        setting,
    });
}

fn memory_writes(memory: &Memory, list: &mut Vec<Write>) -> Result<()> {
    if let Some(limit) = memory.limit.filter(|l| *l != 0) {
        push(
            list,
            "memory.max",
            number_or_max(limit),
            "memory",
            "memory.limit",
        );
    }
    if let Some(swap) = memory.swap.filter(|s| *s != 0) {
        let value = match (swap, memory.limit) {
            (..0, _) => "max".to_owned(),
            (_, Some(limit)) if (0..=swap).contains(&limit) => (swap - limit).to_string(),
            _ => {
                return Err(Error::BadValue {
                    setting: "memory.swap",
                    value: swap.to_string(),
                    why: "it counts memory and swap together, so it needs a memory limit that is not above it",
                });
            }
        };
        push(list, "memory.swap.max", value, "memory", "memory.swap");
    }
    if let Some(reservation) = memory.reservation.filter(|r| *r != 0) {
        push(
            list,
            "memory.low",
            number_or_max(reservation),
            "memory",
            "memory.reservation",
        );
    }
    // Swappiness and the switch for the OOM killer have no v2 counterpart; as runc and crun do,
    // they are left out rather than refused.
    Ok(())
}

fn cpu_writes(cpu: &Cpu, list: &mut Vec<Write>) {
    if let Some(idle) = cpu.idle {
        push(list, "cpu.idle", idle.to_string(), "cpu", "cpu.idle");
    }
    if cpu.idle != Some(1)
        && let Some(shares) = cpu.shares.filter(|s| *s != 0)
    {
        push(
            list,
            "cpu.weight",
            cpu_weight(shares).to_string(),
            "cpu",
            "cpu.shares",
        );
    }
    if cpu.quota.is_some() || cpu.period.is_some() {
        let quota = number_or_max(cpu.quota.unwrap_or(-1));
        let value = match cpu.period.filter(|p| *p != 0) {
            Some(period) => format!("{quota} {period}"),
            None => quota,
        };
        push(list, "cpu.max", value, "cpu", "cpu.quota");
    }
    if let Some(burst) = cpu.burst {
        push(list, "cpu.max.burst", burst.to_string(), "cpu", "cpu.burst");
    }
    for (file, value, setting) in [
        ("cpuset.cpus", &cpu.cpus, "cpuset.cpus"),
        ("cpuset.mems", &cpu.mems, "cpuset.mems"),
    ] {
        if let Some(value) = value {
            push(list, file, value.clone(), "cpuset", setting);
        }
    }
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
