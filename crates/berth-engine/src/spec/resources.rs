//! Limits: cgroup, rlimits, sysctls.

use std::collections::BTreeMap;

use berth_model::ContainerConfig;
use berth_model::config::{NetworkMode, ULIMITS};
use berth_oci::spec::{Cpu, DeviceRule, Memory, Pids, Resources, Rlimit};

use super::{Error, SpecInputs};

/// Microseconds: the kernel's default, and Docker's.
const CPU_PERIOD_US: u64 = 100_000;
const NANOS_PER_CPU: u64 = 1_000_000_000;

pub(super) fn ulimit_names() -> String {
    ULIMITS.join(", ")
}

/// Cgroup limits and device rules.
pub(super) fn limits(config: &ContainerConfig, inputs: &SpecInputs) -> Resources {
    let asked = &config.resources;
    let memory = asked.memory_bytes.map(|bytes| {
        let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
        Memory {
            limit: Some(limit),
            // Docker's rule: as much swap as memory.
            swap: inputs.swap_accounting.then(|| limit.saturating_mul(2)),
            ..Memory::default()
        }
    });
    let cpu = asked.nano_cpus.map(|nanos| {
        let quota = u128::from(nanos) * u128::from(CPU_PERIOD_US) / u128::from(NANOS_PER_CPU);
        Cpu {
            quota: Some(i64::try_from(quota).unwrap_or(i64::MAX)),
            period: Some(CPU_PERIOD_US),
            ..Cpu::default()
        }
    });
    // A default that an ordinary user's cgroup cannot hold is left out; what is asked for must hold.
    let by_default = config
        .causes
        .get("pids")
        .is_none_or(|cause| cause == "default");
    let pids = asked
        .pids
        .filter(|_| !(inputs.rootless && by_default))
        // For Docker's callers 0 is no limit; for the specification it is one.
        .map(|limit| Pids {
            limit: Some(if limit == 0 { -1 } else { limit }),
        });
    Resources {
        devices: device_rules(config, inputs),
        memory,
        cpu,
        pids,
        ..Resources::default()
    }
}

fn device_rules(config: &ContainerConfig, inputs: &SpecInputs) -> Vec<DeviceRule> {
    if inputs.rootless {
        // The user namespace makes no device nodes, and what is bound in is the user's own.
        return Vec::new();
    }
    let rule = |allow, kind: Option<&str>, major, minor, access: &str| DeviceRule {
        allow,
        kind: kind.map(str::to_owned),
        major,
        minor,
        access: Some(access.to_owned()),
    };
    if config.security.privileged {
        return vec![rule(true, None, None, None, "rwm")];
    }
    let mut rules = vec![
        rule(false, None, None, None, "rwm"),
        // Nodes may be made; using them is another matter.
        rule(true, Some("c"), None, None, "m"),
        rule(true, Some("b"), None, None, "m"),
    ];
    // null zero full random urandom tty console ptmx, and all pts.
    let known = [
        (1, Some(3)),
        (1, Some(5)),
        (1, Some(7)),
        (1, Some(8)),
        (1, Some(9)),
        (5, Some(0)),
        (5, Some(1)),
        (5, Some(2)),
        (136, None),
    ];
    rules.extend(known.map(|(major, minor)| rule(true, Some("c"), Some(major), minor, "rwm")));
    rules
}

/// `RLIMIT_*`: those asked for, and our defaults for core and nofile.
pub(super) fn rlimits(config: &ContainerConfig, inputs: &SpecInputs) -> Result<Vec<Rlimit>, Error> {
    let mut limits: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    limits.insert("core", (0, 0));
    limits.insert("nofile", (1024, inputs.nofile_hard.min(524_288)));
    for (name, values) in &config.resources.ulimits {
        let known = ULIMITS.iter().find(|known| *known == name);
        let name = known.ok_or_else(|| Error::Ulimit { name: name.clone() })?;
        limits.insert(name, *values);
    }
    Ok(limits
        .into_iter()
        .map(|(name, (soft, hard))| Rlimit {
            kind: format!("RLIMIT_{}", name.to_ascii_uppercase()),
            soft,
            hard,
        })
        .collect())
}

/// Docker's two, which let ordinary users inside ping and bind low ports of their own network.
pub(super) fn sysctls(config: &ContainerConfig, inputs: &SpecInputs) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    if matches!(config.network, NetworkMode::None | NetworkMode::Bridge) {
        keys.insert(
            "net.ipv4.ip_unprivileged_port_start".to_owned(),
            "0".to_owned(),
        );
        if !inputs.rootless {
            // The range must lie within the ids that the user namespace has.
            keys.insert(
                "net.ipv4.ping_group_range".to_owned(),
                "0 2147483647".to_owned(),
            );
        }
    }
    keys
}
