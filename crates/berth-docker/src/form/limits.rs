//! Limits, checked: `Resources` → [`ResourceConfig`].

use berth_model::config::{
    BlkioConfig, CpuConfig, DeviceConfig, DeviceValue, ResourceConfig, ULIMITS,
};

use super::host::{Device, DeviceRate, DeviceWeight, Resources, Ulimit};
use super::mount::{Parsed, clean};

/// The least memory that a container can start with, in bytes.
const MEMORY_MIN: i64 = 6 << 20;

/// In our words. `cpus`: how many this host has.
pub(crate) fn meaning(asked: &Resources, cpus: usize) -> Parsed<ResourceConfig> {
    memory(asked)?;
    cpu(asked, cpus)?;
    if asked.cpu_count != 0 || asked.cpu_percent != 0 {
        return Err("CpuCount and CpuPercent are for Windows only".to_owned());
    }
    if let Some(request) = asked.device_requests.iter().flatten().next() {
        let wanted = request.capabilities.iter().flatten();
        let wanted: Vec<String> = wanted.map(|all| format!("[{}]", all.join(" "))).collect();
        return Err(format!(
            "could not select device driver \"{}\" with capabilities: [{}]",
            request.driver,
            wanted.join(" ")
        ));
    }
    let mut ulimits = std::collections::BTreeMap::new();
    for ulimit in &asked.ulimits {
        let (name, limits) = ulimit.meaning()?;
        ulimits.insert(name, limits);
    }
    for rule in asked.device_cgroup_rules.iter().flatten() {
        device_rule(rule)?;
    }
    let parent = &asked.cgroup_parent;
    Ok(ResourceConfig {
        memory_bytes: positive(asked.memory),
        nano_cpus: positive(asked.nano_cpus),
        // Docker's command sends 0 when nothing is asked for.
        pids: asked
            .pids_limit
            .filter(|limit| *limit != 0)
            .map(|limit| limit.max(-1)),
        ulimits,
        shm_bytes: None,
        cgroup_parent: (!parent.is_empty()).then(|| parent.clone()),
        memory_reservation_bytes: positive(asked.memory_reservation),
        memory_swap_bytes: match asked.memory_swap {
            0 => None,
            bytes => Some(bytes.max(-1)),
        },
        memory_swappiness: asked
            .memory_swappiness
            .and_then(|value| u64::try_from(value).ok()),
        oom_kill_disable: asked.oom_kill_disable.unwrap_or(false),
        oom_score_adj: None,
        cpu: CpuConfig {
            shares: positive(asked.cpu_shares),
            quota_us: (asked.cpu_quota != 0).then_some(asked.cpu_quota),
            period_us: positive(asked.cpu_period),
            realtime_runtime_us: (asked.cpu_realtime_runtime != 0)
                .then_some(asked.cpu_realtime_runtime),
            realtime_period_us: positive(asked.cpu_realtime_period),
            cpus: asked.cpuset_cpus.clone(),
            mems: asked.cpuset_mems.clone(),
        },
        blkio: blkio(asked)?,
        devices: asked
            .devices
            .iter()
            .map(Device::meaning)
            .collect::<Parsed<_>>()?,
        device_rules: asked.device_cgroup_rules.clone().unwrap_or_default(),
    })
}

fn positive(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// What only a new container needs together: of one that is changed, the rest is there.
pub(crate) fn together(asked: &Resources) -> Parsed<()> {
    match asked.memory == 0 && asked.memory_swap > 0 {
        true => Err(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

fn memory(asked: &Resources) -> Parsed<()> {
    let (memory, swap, reservation) = (asked.memory, asked.memory_swap, asked.memory_reservation);
    if memory != 0 && memory < MEMORY_MIN {
        return Err("Minimum memory limit allowed is 6MB".to_owned());
    }
    if memory > 0 && swap > 0 && swap < memory {
        return Err(
            "Minimum memoryswap limit should be larger than memory limit, see usage".to_owned(),
        );
    }
    if let Some(value) = asked.memory_swappiness
        && !(-1..=100).contains(&value)
    {
        return Err(format!(
            "Invalid value: {value}, valid memory swappiness range is 0-100"
        ));
    }
    if reservation != 0 && reservation < MEMORY_MIN {
        return Err("Minimum memory reservation allowed is 6MB".to_owned());
    }
    if memory > 0 && reservation > memory {
        return Err(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
                .to_owned(),
        );
    }
    Ok(())
}

fn cpu(asked: &Resources, cpus: usize) -> Parsed<()> {
    let (period, quota, nano) = (asked.cpu_period, asked.cpu_quota, asked.nano_cpus);
    if nano > 0 && period > 0 {
        return Err("Conflicting options: Nano CPUs and CPU Period cannot both be set".to_owned());
    }
    if nano > 0 && quota > 0 {
        return Err("Conflicting options: Nano CPUs and CPU Quota cannot both be set".to_owned());
    }
    let most = i64::try_from(cpus)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000_000);
    if nano < 0 || nano > most || (1..10_000_000).contains(&nano) {
        return Err(format!(
            "Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        ));
    }
    if asked.cpu_shares < 0 {
        return Err(format!(
            "invalid CPU shares ({}): value must be a positive integer",
            asked.cpu_shares
        ));
    }
    if period != 0 && !(1000..=1_000_000).contains(&period) {
        return Err(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
                .to_owned(),
        );
    }
    if quota > 0 && quota < 1000 {
        return Err("CPU cfs quota can not be less than 1ms (i.e. 1000)".to_owned());
    }
    for (set, what) in [(&asked.cpuset_cpus, "cpus"), (&asked.cpuset_mems, "mems")] {
        if !is_set(set) {
            return Err(format!("Invalid value {set} for cpuset {what}"));
        }
    }
    let beyond = |part: &str| part.parse::<usize>().is_ok_and(|number| number >= cpus);
    if asked.cpuset_cpus.split([',', '-']).any(beyond) {
        return Err(format!(
            "Requested CPUs are not available - requested {}, available: 0-{}",
            asked.cpuset_cpus,
            cpus - 1
        ));
    }
    Ok(())
}

/// Whether it is a list of numbers and ranges, `0-3,5`, or empty.
fn is_set(text: &str) -> bool {
    let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => part.parse::<u32>().ok(),
        false => None,
    };
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) => first <= last,
            _ => false,
        },
        None => number(part).is_some(),
    };
    text.is_empty() || text.split(',').all(part)
}

fn blkio(asked: &Resources) -> Parsed<BlkioConfig> {
    let weight = asked.blkio_weight;
    if weight != 0 && !(10..=1000).contains(&weight) {
        return Err("Range of blkio weight is from 10 to 1000".to_owned());
    }
    let rates = |list: &[DeviceRate]| -> Parsed<Vec<DeviceValue>> {
        let rate = |rate: &DeviceRate| {
            Ok(DeviceValue {
                path: device_path(&rate.path)?,
                value: rate.rate,
            })
        };
        list.iter().map(rate).collect()
    };
    let weights = asked.blkio_weight_device.iter().map(DeviceWeight::meaning);
    Ok(BlkioConfig {
        weight: (weight != 0).then_some(weight),
        weight_device: weights.collect::<Parsed<_>>()?,
        read_bps: rates(&asked.blkio_device_read_bps)?,
        write_bps: rates(&asked.blkio_device_write_bps)?,
        read_iops: rates(&asked.blkio_device_read_iops)?,
        write_iops: rates(&asked.blkio_device_write_iops)?,
    })
}

fn device_path(path: &str) -> Parsed<String> {
    match path.starts_with("/dev/") && !path.split('/').any(|part| part == "..") {
        true => Ok(path.to_owned()),
        false => Err(format!("bad format for device path: {path}")),
    }
}

impl DeviceWeight {
    fn meaning(&self) -> Parsed<DeviceValue> {
        if self.weight != 0 && !(10..=1000).contains(&self.weight) {
            return Err(format!("invalid weight for device: {}", self.weight));
        }
        Ok(DeviceValue {
            path: device_path(&self.path)?,
            value: self.weight.into(),
        })
    }
}

impl Device {
    fn meaning(&self) -> Parsed<DeviceConfig> {
        let permissions = match self.cgroup_permissions.as_str() {
            "" => "rwm",
            text => text,
        };
        if !permissions.bytes().all(|byte| b"rwm".contains(&byte)) {
            return Err(format!("invalid device mode: {permissions}"));
        }
        let path = |path: &str| {
            clean(path).map_err(|_| format!("invalid device path: \"{path}\" is not absolute"))
        };
        let host = path(&self.path_on_host)?;
        Ok(DeviceConfig {
            container: match self.path_in_container.as_str() {
                "" => host.clone(),
                inside => path(inside)?,
            },
            host,
            permissions: permissions.to_owned(),
        })
    }
}

impl Ulimit {
    fn meaning(&self) -> Parsed<(String, (u64, u64))> {
        let name = self.name.to_ascii_lowercase();
        if !ULIMITS.contains(&name.as_str()) {
            return Err(format!("invalid ulimit type: {}", self.name));
        }
        // Below zero: no limit.
        let limit = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
        let (soft, hard) = (limit(self.soft), limit(self.hard));
        if soft > hard {
            return Err(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                self.soft, self.hard
            ));
        }
        Ok((name, (soft, hard)))
    }
}

/// `c 1:3 rwm`, `b *:* r`.
fn device_rule(text: &str) -> Parsed<()> {
    let number = |part: &str| {
        part == "*" || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let parts: Vec<&str> = text.split(' ').collect();
    let fits = match parts[..] {
        [kind, numbers, access] => {
            let (major, minor) = numbers.split_once(':').unwrap_or(("", ""));
            matches!(kind, "a" | "b" | "c")
                && number(major)
                && number(minor)
                && (1..=3).contains(&access.len())
                && access.bytes().all(|byte| b"rwm".contains(&byte))
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(format!("invalid device cgroup rule format: '{text}'")),
    }
}
