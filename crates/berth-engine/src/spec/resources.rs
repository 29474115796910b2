//! Limits: cgroup, rlimits, sysctls.

use std::collections::BTreeMap;

use berth_model::ContainerConfig;
use berth_model::config::{NetworkMode, PidMode, ResourceConfig, ULIMITS};
use berth_oci::spec::{BlockIo, Cpu, Memory, Pids, Resources, Rlimit};

use super::{Error, SpecInputs};

/// Microseconds: the kernel's default, and Docker's.
const CPU_PERIOD_US: u64 = 100_000;
const NANOS_PER_CPU: u64 = 1_000_000_000;
/// The kernel's least.
const MIN_SHARES: u64 = 2;

pub(super) fn ulimit_names() -> String {
    ULIMITS.join(", ")
}

/// Cgroup limits and device rules.
pub(crate) fn limits(config: &ContainerConfig, inputs: &SpecInputs) -> Result<Resources, Error> {
    let asked = &config.resources;
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
    let block = BlockIo {
        weight: asked.blkio.weight,
        ..inputs.block.clone()
    };
    Ok(Resources {
        devices: super::devices::rules(config, inputs)?,
        memory: some(memory(asked, inputs)),
        cpu: some(cpu(asked)),
        pids,
        block_io: some(block),
        ..Resources::default()
    })
}

/// `None` for what asks nothing.
fn some<T: Default + PartialEq>(part: T) -> Option<T> {
    (part != T::default()).then_some(part)
}

fn memory(asked: &ResourceConfig, inputs: &SpecInputs) -> Memory {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let limit = asked.memory_bytes.map(signed);
    // Docker's rule: as much swap as memory.
    let twice = limit
        .filter(|_| inputs.swap_accounting)
        .map(|limit| limit.saturating_mul(2));
    Memory {
        limit,
        reservation: asked.memory_reservation_bytes.map(signed),
        swap: asked.memory_swap_bytes.or(twice),
        swappiness: asked.memory_swappiness,
        disable_oom_killer: asked.oom_kill_disable.then_some(true),
        ..Memory::default()
    }
}

fn cpu(asked: &ResourceConfig) -> Cpu {
    let quota = asked.nano_cpus.map(|nanos| {
        let quota = u128::from(nanos) * u128::from(CPU_PERIOD_US) / u128::from(NANOS_PER_CPU);
        i64::try_from(quota).unwrap_or(i64::MAX)
    });
    let list = |list: &String| Some(list.clone()).filter(|list| !list.is_empty());
    Cpu {
        shares: asked.cpu.shares.map(|shares| shares.max(MIN_SHARES)),
        quota: quota.or(asked.cpu.quota_us),
        period: quota.map(|_| CPU_PERIOD_US).or(asked.cpu.period_us),
        realtime_runtime: asked.cpu.realtime_runtime_us,
        realtime_period: asked.cpu.realtime_period_us,
        cpus: list(&asked.cpu.cpus),
        mems: list(&asked.cpu.mems),
        ..Cpu::default()
    }
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

/// Docker's two, which let ordinary users inside ping and bind low ports of their own network; then those asked
/// for.
pub(super) fn sysctls(config: &ContainerConfig, inputs: &SpecInputs) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    // They are written through a procfs, which only the owner of a process namespace may mount.
    let writable = !inputs.rootless || config.namespaces.pid == PidMode::Private;
    let own = matches!(config.network, NetworkMode::None | NetworkMode::Pasta);
    if writable && (own || config.network.has_networks()) {
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
    keys.extend(config.security.sysctls.clone());
    keys
}
