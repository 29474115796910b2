//! `HostConfig`: what a container gets of the host, as it is asked for and as `inspect` gives it back.

use std::collections::BTreeMap;

use berth_engine::spec::{MASKED, READ_ONLY};
use berth_model::ContainerConfig;
use berth_model::config::{DeviceConfig, DeviceValue, MountSyntax, SeccompChoice};
use serde::{Deserialize, Serialize};

use super::mount::{self, Mount};
use super::ports::{self, PortMap};
use super::{is_empty, null_if_empty};

/// Default size of `/dev/shm`, in bytes.
const SHM_BYTES: u64 = 64 << 20;
/// The runtime's name when none is asked for.
pub(crate) const RUNTIME: &str = "berth-runtime";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    pub(crate) binds: Option<Vec<String>>,
    #[serde(rename = "ContainerIDFile")]
    pub(crate) container_id_file: String,
    pub(crate) log_config: LogConfig,
    pub(crate) network_mode: String,
    pub(crate) port_bindings: PortMap,
    pub(crate) restart_policy: RestartPolicy,
    pub(crate) auto_remove: bool,
    pub(crate) volume_driver: String,
    pub(crate) volumes_from: Option<Vec<String>>,
    pub(crate) console_size: (u16, u16),
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) cap_add: Option<Vec<String>>,
    pub(crate) cap_drop: Option<Vec<String>>,
    pub(crate) cgroupns_mode: String,
    pub(crate) dns: Vec<String>,
    pub(crate) dns_options: Vec<String>,
    pub(crate) dns_search: Vec<String>,
    pub(crate) extra_hosts: Option<Vec<String>>,
    pub(crate) group_add: Option<Vec<String>>,
    pub(crate) ipc_mode: String,
    pub(crate) cgroup: String,
    pub(crate) links: Option<Vec<String>>,
    pub(crate) oom_score_adj: i64,
    pub(crate) pid_mode: String,
    pub(crate) privileged: bool,
    pub(crate) publish_all_ports: bool,
    pub(crate) readonly_rootfs: bool,
    pub(crate) security_opt: Option<Vec<String>>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) storage_opt: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) tmpfs: BTreeMap<String, String>,
    #[serde(rename = "UTSMode")]
    pub(crate) uts_mode: String,
    pub(crate) userns_mode: String,
    pub(crate) shm_size: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) sysctls: BTreeMap<String, String>,
    pub(crate) runtime: String,
    pub(crate) isolation: String,
    #[serde(flatten)]
    pub(crate) resources: Resources,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) mounts: Vec<Mount>,
    pub(crate) masked_paths: Option<Vec<String>>,
    pub(crate) readonly_paths: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<bool>,
}

/// Limits: those that `update` can change, and others.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Resources {
    pub(crate) cpu_shares: i64,
    pub(crate) memory: i64,
    pub(crate) nano_cpus: i64,
    pub(crate) cgroup_parent: String,
    pub(crate) blkio_weight: u16,
    pub(crate) blkio_weight_device: Vec<DeviceWeight>,
    pub(crate) blkio_device_read_bps: Vec<DeviceRate>,
    pub(crate) blkio_device_write_bps: Vec<DeviceRate>,
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub(crate) blkio_device_read_iops: Vec<DeviceRate>,
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub(crate) blkio_device_write_iops: Vec<DeviceRate>,
    pub(crate) cpu_period: i64,
    pub(crate) cpu_quota: i64,
    pub(crate) cpu_realtime_period: i64,
    pub(crate) cpu_realtime_runtime: i64,
    pub(crate) cpuset_cpus: String,
    pub(crate) cpuset_mems: String,
    pub(crate) devices: Vec<Device>,
    pub(crate) device_cgroup_rules: Option<Vec<String>>,
    pub(crate) device_requests: Option<Vec<DeviceRequest>>,
    pub(crate) memory_reservation: i64,
    pub(crate) memory_swap: i64,
    pub(crate) memory_swappiness: Option<i64>,
    pub(crate) oom_kill_disable: Option<bool>,
    pub(crate) pids_limit: Option<i64>,
    pub(crate) ulimits: Vec<Ulimit>,
    pub(crate) cpu_count: i64,
    pub(crate) cpu_percent: i64,
    #[serde(rename = "IOMaximumIOps")]
    pub(crate) io_maximum_iops: u64,
    #[serde(rename = "IOMaximumBandwidth")]
    pub(crate) io_maximum_bandwidth: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LogConfig {
    pub(crate) r#type: String,
    pub(crate) config: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    pub(crate) name: String,
    pub(crate) maximum_retry_count: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeviceWeight {
    pub(crate) path: String,
    pub(crate) weight: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeviceRate {
    pub(crate) path: String,
    pub(crate) rate: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Device {
    pub(crate) path_on_host: String,
    pub(crate) path_in_container: String,
    pub(crate) cgroup_permissions: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeviceRequest {
    pub(crate) driver: String,
    pub(crate) capabilities: Option<Vec<Vec<String>>>,
}

/// -1: no limit.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) hard: i64,
    pub(crate) soft: i64,
}

impl HostConfig {
    /// As asked for.
    pub(crate) fn of(config: &ContainerConfig) -> HostConfig {
        let (networking, security) = (&config.networking, &config.security);
        let written = |syntax| {
            config
                .mounts
                .iter()
                .filter(move |mount| mount.syntax == syntax)
        };
        let texts = |list: &[std::net::IpAddr]| list.iter().map(ToString::to_string).collect();
        HostConfig {
            binds: null_if_empty(
                written(MountSyntax::Volume)
                    .filter(|mount| !mount.anonymous)
                    .map(mount::bind_text)
                    .collect(),
            ),
            container_id_file: String::new(),
            log_config: LogConfig {
                r#type: config.log.driver.clone(),
                config: config.log.options.clone(),
            },
            network_mode: config.network.to_string(),
            port_bindings: ports::bindings(&networking.ports),
            restart_policy: RestartPolicy {
                name: config.restart.kind.word().to_owned(),
                maximum_retry_count: config.restart.max_retries.into(),
            },
            auto_remove: config.auto_remove,
            volume_driver: config.volume_driver.clone(),
            volumes_from: null_if_empty(config.volumes_from.iter().map(mount::from_text).collect()),
            console_size: (0, 0),
            annotations: config.annotations.clone(),
            cap_add: null_if_empty(security.cap_add.clone()),
            cap_drop: null_if_empty(security.cap_drop.clone()),
            cgroupns_mode: config.namespaces.cgroup.to_string(),
            dns: texts(&networking.dns),
            dns_options: networking.dns_options.clone(),
            dns_search: networking.dns_search.clone(),
            extra_hosts: null_if_empty(networking.extra_hosts.clone()),
            group_add: null_if_empty(security.group_add.clone()),
            ipc_mode: config.namespaces.ipc.to_string(),
            cgroup: String::new(),
            links: None,
            oom_score_adj: config.resources.oom_score_adj.unwrap_or(0).into(),
            pid_mode: config.namespaces.pid.to_string(),
            privileged: security.privileged,
            publish_all_ports: networking.publish_all,
            readonly_rootfs: config.read_only,
            security_opt: null_if_empty(security_options(config)),
            storage_opt: BTreeMap::new(),
            tmpfs: written(MountSyntax::Tmpfs)
                .map(|mount| (mount.destination.clone(), mount::tmpfs_text(mount)))
                .collect(),
            uts_mode: config.namespaces.uts.to_string(),
            userns_mode: config.namespaces.user.to_string(),
            shm_size: signed(config.resources.shm_bytes.unwrap_or(SHM_BYTES)),
            sysctls: security.sysctls.clone(),
            runtime: match config.runtime.as_str() {
                "" => RUNTIME.to_owned(),
                other => other.to_owned(),
            },
            isolation: config.namespaces.isolation.clone(),
            resources: Resources::of(config),
            mounts: written(MountSyntax::Mount).map(Mount::of).collect(),
            masked_paths: security
                .masked_paths
                .clone()
                .or_else(|| default_paths(security.privileged, &MASKED)),
            readonly_paths: security
                .readonly_paths
                .clone()
                .or_else(|| default_paths(security.privileged, &READ_ONLY)),
            init: config.init.then_some(true),
        }
    }
}

impl Resources {
    fn of(config: &ContainerConfig) -> Resources {
        let limits = &config.resources;
        let (cpu, blkio) = (&limits.cpu, &limits.blkio);
        let default_pids = config
            .causes
            .get("pids")
            .is_some_and(|cause| cause == "default");
        Resources {
            cpu_shares: number(cpu.shares),
            memory: number(limits.memory_bytes),
            nano_cpus: number(limits.nano_cpus),
            cgroup_parent: limits.cgroup_parent.clone().unwrap_or_default(),
            blkio_weight: blkio.weight.unwrap_or(0),
            blkio_weight_device: blkio.weight_device.iter().map(DeviceWeight::of).collect(),
            blkio_device_read_bps: blkio.read_bps.iter().map(DeviceRate::of).collect(),
            blkio_device_write_bps: blkio.write_bps.iter().map(DeviceRate::of).collect(),
            blkio_device_read_iops: blkio.read_iops.iter().map(DeviceRate::of).collect(),
            blkio_device_write_iops: blkio.write_iops.iter().map(DeviceRate::of).collect(),
            cpu_period: number(cpu.period_us),
            cpu_quota: cpu.quota_us.unwrap_or(0),
            cpu_realtime_period: number(cpu.realtime_period_us),
            cpu_realtime_runtime: cpu.realtime_runtime_us.unwrap_or(0),
            cpuset_cpus: cpu.cpus.clone(),
            cpuset_mems: cpu.mems.clone(),
            devices: limits.devices.iter().map(Device::of).collect(),
            device_cgroup_rules: null_if_empty(limits.device_rules.clone()),
            device_requests: None,
            memory_reservation: number(limits.memory_reservation_bytes),
            memory_swap: limits.memory_swap_bytes.unwrap_or_else(|| {
                number(limits.memory_bytes.map(|bytes| bytes.saturating_mul(2)))
            }),
            memory_swappiness: limits.memory_swappiness.map(signed),
            oom_kill_disable: Some(limits.oom_kill_disable),
            pids_limit: limits.pids.filter(|_| !default_pids),
            ulimits: limits
                .ulimits
                .iter()
                .map(|(name, limits)| Ulimit::of(name, *limits))
                .collect(),
            cpu_count: 0,
            cpu_percent: 0,
            io_maximum_iops: 0,
            io_maximum_bandwidth: 0,
        }
    }
}

impl DeviceWeight {
    fn of(device: &DeviceValue) -> DeviceWeight {
        DeviceWeight {
            path: device.path.clone(),
            weight: u16::try_from(device.value).unwrap_or(u16::MAX),
        }
    }
}

impl DeviceRate {
    fn of(device: &DeviceValue) -> DeviceRate {
        DeviceRate {
            path: device.path.clone(),
            rate: device.value,
        }
    }
}

impl Device {
    fn of(device: &DeviceConfig) -> Device {
        Device {
            path_on_host: device.host.clone(),
            path_in_container: device.container.clone(),
            cgroup_permissions: device.permissions.clone(),
        }
    }
}

impl Ulimit {
    fn of(name: &str, (soft, hard): (u64, u64)) -> Ulimit {
        let limit = |value| match value {
            u64::MAX => -1,
            value => signed(value),
        };
        Ulimit {
            name: name.to_owned(),
            hard: limit(hard),
            soft: limit(soft),
        }
    }
}

fn default_paths(privileged: bool, paths: &[&str]) -> Option<Vec<String>> {
    (!privileged).then(|| paths.iter().map(|path| (*path).to_owned()).collect())
}

fn security_options(config: &ContainerConfig) -> Vec<String> {
    let security = &config.security;
    let mut options = Vec::new();
    if security.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &security.seccomp {
        SeccompChoice::Default => {}
        SeccompChoice::Unconfined => options.push("seccomp=unconfined".to_owned()),
        SeccompChoice::Custom(profile) => options.push(format!("seccomp={profile}")),
    }
    options.extend(
        security
            .apparmor
            .iter()
            .map(|text| format!("apparmor={text}")),
    );
    options.extend(security.labels.iter().map(|text| format!("label={text}")));
    options
}

fn number(value: Option<u64>) -> i64 {
    value.map_or(0, signed)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
