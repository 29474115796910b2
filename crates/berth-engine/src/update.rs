//! `update`: other limits, and another restart policy, for a container that is there.
//!
//! What was asked for at first stays in `config.json`, which is immutable; `update.json` beside it holds what counts in
//! its place, and [`crate::Engine::config`] lays the one over the other: nobody else has to know. A running container gets the
//! limits at once. If the kernel refuses one, all are as they were, there and on disk.

use berth_cgroup::{Cgroup, Options};
use berth_model::config::{EndpointConfig, ResourceConfig, RestartKind, RestartPolicy};
use berth_model::{ContainerConfig, ContainerId};
use berth_oci::spec::{Cpu, Memory, Resources};
use serde::{Deserialize, Serialize};

use crate::create::durability;
use crate::spec::SpecInputs;
use crate::{Engine, Error, json};

/// `update.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Updated {
    schema: u32,
    resources: ResourceConfig,
    restart: RestartPolicy,
    /// `None`: as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links: Option<Vec<String>>,
    /// Its places in networks; `None`: as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoints: Option<Vec<EndpointConfig>>,
}

/// What is to be different; `None`: as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateRequest {
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes.
    pub memory_reservation_bytes: Option<u64>,
    /// Bytes of memory and swap together; -1: no limit of swap.
    pub memory_swap_bytes: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Weight.
    pub cpu_shares: Option<u64>,
    /// Microseconds in each period.
    pub cpu_quota_us: Option<i64>,
    /// Microseconds.
    pub cpu_period_us: Option<u64>,
    /// Microseconds in each real-time period.
    pub cpu_realtime_runtime_us: Option<i64>,
    /// Microseconds.
    pub cpu_realtime_period_us: Option<u64>,
    /// CPUs.
    pub cpus: Option<String>,
    /// Memory nodes.
    pub mems: Option<String>,
    /// Number of tasks; -1 or 0: no limit.
    pub pids: Option<i64>,
    /// 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// What happens when it ends.
    pub restart: Option<RestartPolicy>,
}

impl Engine {
    /// Changes limits and the restart policy. What was changed is kept over restarts.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what makes no sense, [`Error::Cgroup`] for what the kernel refuses; all is then as it was.
    pub fn update(&self, id: &ContainerId, request: &UpdateRequest) -> Result<(), Error> {
        let _lock = self.lock(id)?;
        let before = self.config(id)?;
        let after = changed(&before, request)?;
        if before == after {
            return Ok(());
        }
        crate::create::check_resources(&after.resources)?;
        let running = self.status(id)?.is_alive();
        if running && before.resources != after.resources {
            self.apply(id, &before, &after)?;
        }
        let written = self.write_updated(&after);
        if written.is_err() && running {
            // The first error is the one to report.
            let _ = self.apply(id, &after, &before);
        }
        written?;
        self.record(self.container_event(&after, "update"));
        Ok(())
    }

    /// Keeps what may change and what counts now. The lock is ours.
    pub(crate) fn write_updated(&self, config: &ContainerConfig) -> Result<(), Error> {
        let record = Updated {
            schema: 1,
            resources: config.resources.clone(),
            restart: config.restart,
            links: Some(config.networking.links.clone()),
            endpoints: config.networking.endpoints.clone(),
        };
        let path = self.layout.updated(&config.id);
        json::write(&path, &record, durability(config))
    }

    fn apply(
        &self,
        id: &ContainerId,
        before: &ContainerConfig,
        after: &ContainerConfig,
    ) -> Result<(), Error> {
        let failed = |source| Error::Cgroup {
            action: "change the limits of",
            source,
        };
        let Some(mut pid) = self.pid(id)? else {
            return Ok(());
        };
        let change = difference(&self.limits(before)?, self.limits(after)?);
        let options = Options {
            rootless: self.options.rootless,
        };
        let mut cgroup = Cgroup::open(&pid.cgroups).map_err(failed)?;
        let coming = cgroup.extension(&change, &options).map_err(failed)?;
        if !coming.is_empty() {
            // Before they are made: whoever cleans up after the container must know of all its cgroups.
            pid.cgroups.extend(coming);
            json::write(&self.layout.pid(id), &pid, berth_fs::Durability::Volatile)?;
        }
        cgroup
            .extend(&change, &options)
            .and_then(|()| cgroup.update(&change, &options))
            .map_err(failed)
    }

    fn limits(&self, config: &ContainerConfig) -> Result<Resources, Error> {
        // Devices are left out of what changes, and nothing else is looked at for limits.
        let inputs = SpecInputs {
            rootless: self.options.rootless,
            swap_accounting: crate::host::counts_swap(config),
            block: crate::devices::block_io(&config.resources.blkio)?,
            ..SpecInputs::default()
        };
        crate::spec::limits(config, &inputs).map_err(|source| Error::Spec {
            id: config.id.short().to_owned(),
            source,
        })
    }
}

/// Lays what was updated over what was asked for at first.
pub(crate) fn lay_over(config: &mut ContainerConfig, updated: Updated) {
    if config.resources.pids != updated.resources.pids {
        // It is no default any more.
        config.causes.insert("pids".to_owned(), "update".to_owned());
    }
    config.resources = updated.resources;
    config.restart = updated.restart;
    if let Some(links) = updated.links {
        config.networking.links = links;
    }
    if updated.endpoints.is_some() {
        config.networking.endpoints = updated.endpoints;
    }
}

/// The parts that differ, whole: memory and swap, quota and period count together. Devices are not touched: others may
/// have added theirs.
fn difference(before: &Resources, after: Resources) -> Resources {
    let no_limit = |was: &Resources, is: &Option<Memory>| {
        let gone = was
            .memory
            .as_ref()
            .is_some_and(|memory| memory.limit.is_some())
            && is.is_none();
        gone.then(|| Memory {
            limit: Some(-1),
            swap: Some(-1),
            ..Memory::default()
        })
    };
    let memory = after
        .memory
        .clone()
        .or_else(|| no_limit(before, &after.memory));
    let cpu = after.cpu.clone().or_else(|| {
        before.cpu.is_some().then(|| Cpu {
            quota: Some(-1),
            ..Cpu::default()
        })
    });
    Resources {
        memory: memory.filter(|_| before.memory != after.memory),
        cpu: cpu.filter(|_| before.cpu != after.cpu),
        pids: after.pids.clone().filter(|_| before.pids != after.pids),
        block_io: after
            .block_io
            .clone()
            .filter(|_| before.block_io != after.block_io),
        ..Resources::default()
    }
}

fn changed(before: &ContainerConfig, request: &UpdateRequest) -> Result<ContainerConfig, Error> {
    let mut after = before.clone();
    let limits = &mut after.resources;
    conflicts(limits, request)?;
    fn set<T: Clone>(field: &mut Option<T>, value: &Option<T>) {
        if value.is_some() {
            field.clone_from(value);
        }
    }
    set(&mut limits.memory_bytes, &request.memory_bytes);
    set(
        &mut limits.memory_reservation_bytes,
        &request.memory_reservation_bytes,
    );
    set(&mut limits.memory_swap_bytes, &request.memory_swap_bytes);
    set(&mut limits.nano_cpus, &request.nano_cpus);
    set(&mut limits.pids, &request.pids);
    set(&mut limits.cpu.shares, &request.cpu_shares);
    set(&mut limits.cpu.quota_us, &request.cpu_quota_us);
    set(&mut limits.cpu.period_us, &request.cpu_period_us);
    set(
        &mut limits.cpu.realtime_runtime_us,
        &request.cpu_realtime_runtime_us,
    );
    set(
        &mut limits.cpu.realtime_period_us,
        &request.cpu_realtime_period_us,
    );
    set(&mut limits.blkio.weight, &request.blkio_weight);
    if let Some(cpus) = &request.cpus {
        limits.cpu.cpus.clone_from(cpus);
    }
    if let Some(mems) = &request.mems {
        limits.cpu.mems.clone_from(mems);
    }
    if let Some(restart) = request.restart {
        if before.auto_remove && restart.kind != RestartKind::No {
            return invalid(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            );
        }
        after.restart = restart;
    }
    let pids = after.resources.pids;
    if pids != before.resources.pids {
        after.causes.insert("pids".to_owned(), "update".to_owned());
    }
    Ok(after)
}

/// What Docker refuses, in its words.
fn conflicts(there: &ResourceConfig, asked: &UpdateRequest) -> Result<(), Error> {
    let nano = |value: Option<u64>| value.is_some_and(|nanos| nanos > 0);
    if nano(asked.nano_cpus) {
        if there.cpu.period_us.is_some_and(|us| us > 0) {
            return invalid(
                "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
            );
        }
        if there.cpu.quota_us.is_some_and(|us| us > 0) {
            return invalid(
                "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
            );
        }
    }
    if nano(there.nano_cpus) {
        if asked.cpu_period_us.is_some_and(|us| us > 0) {
            return invalid(
                "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
            );
        }
        if asked.cpu_quota_us.is_some_and(|us| us > 0) {
            return invalid(
                "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
            );
        }
    }
    let set = there.memory_swap_bytes.filter(|swap| *swap > 0);
    if let (Some(memory), Some(swap), None) = (asked.memory_bytes, set, asked.memory_swap_bytes)
        && i64::try_from(memory).is_ok_and(|memory| memory > swap)
    {
        return invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        );
    }
    Ok(())
}

fn invalid<T>(message: &str) -> Result<T, Error> {
    Err(Error::Invalid {
        message: message.to_owned(),
        hint: None,
    })
}
