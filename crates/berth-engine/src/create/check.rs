//! What no host can do, told before anything is made: the bounds that Docker knows, and wishes that contradict
//! each other.

use berth_model::config::{
    BlkioConfig, CpuConfig, HealthConfig, IpcMode, NetworkMode, ResourceConfig, RestartKind,
    UtsMode,
};

use crate::Error;
use crate::request::CreateRequest;

/// Bytes: with less nothing starts.
const MEMORY_MIN: u64 = 6 << 20;
/// Names of the one runtime that there is: its own, and those that Docker's callers know.
const RUNTIMES: [&str; 4] = ["", "berth-runtime", "runc", "io.containerd.runc.v2"];

/// Fails with the first wish that makes no sense.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn request(request: &CreateRequest) -> Result<(), Error> {
    resources(&request.resources)?;
    if let Some(health) = &request.health {
        self::health(health)?;
    }
    names(request)?;
    if request.auto_remove && request.restart.kind != RestartKind::No {
        return refuse("a container that is removed when it ends cannot be restarted");
    }
    if !RUNTIMES.contains(&request.runtime.as_str()) {
        return Err(Error::Invalid {
            message: format!("there is no runtime `{}`", request.runtime),
            hint: Some("there is one, `berth-runtime`, which also answers to `runc`".to_owned()),
        });
    }
    if let Some(option) = request.storage_options.keys().next() {
        return Err(Error::Invalid {
            message: format!("the storage driver has no option `{option}`"),
            hint: Some("it has none; a volume can have a size of its own".to_owned()),
        });
    }
    if request.annotations.contains_key("") {
        return refuse("an annotation has an empty key");
    }
    for rule in &request.resources.device_rules {
        crate::spec::device_rule(rule).map_err(|error| Error::Invalid {
            message: error.to_string(),
            hint: error.hint(),
        })?;
    }
    devices(request)
}

fn refuse<T>(message: &str) -> Result<T, Error> {
    Err(Error::Invalid {
        message: message.to_owned(),
        hint: None,
    })
}

fn when(bad: bool, message: &str) -> Result<(), Error> {
    if bad { refuse(message) } else { Ok(()) }
}

pub(crate) fn resources(asked: &ResourceConfig) -> Result<(), Error> {
    let memory = asked.memory_bytes.unwrap_or(0);
    let reservation = asked.memory_reservation_bytes.unwrap_or(0);
    let swap = asked.memory_swap_bytes.unwrap_or(0);
    for (bytes, what) in [
        (memory, "the least limit of memory is 6 MiB"),
        (reservation, "the least reservation of memory is 6 MiB"),
    ] {
        when(bytes > 0 && bytes < MEMORY_MIN, what)?;
    }
    when(
        memory > 0 && reservation > memory,
        "the limit of memory is below its reservation",
    )?;
    when(
        swap < -1,
        "the limit of memory and swap is a size, or -1 for none",
    )?;
    when(
        memory == 0 && swap > 0,
        "a limit of memory and swap needs one of memory (--memory)",
    )?;
    when(
        u64::try_from(swap).is_ok_and(|swap| swap > 0 && swap < memory),
        "the limit of memory and swap counts both: it cannot be below that of memory",
    )?;
    when(
        asked.memory_swappiness.is_some_and(|n| n > 100),
        "swappiness is between 0 and 100",
    )?;
    when(
        (asked.oom_score_adj).is_some_and(|n| !(-1000..=1000).contains(&n)),
        "the OOM score adjustment is between -1000 and 1000",
    )?;
    if let Some(name) = berth_model::config::unknown_ulimit(&asked.ulimits) {
        return refuse(&format!("`{name}` is not a resource limit"));
    }
    cpu(asked.nano_cpus, &asked.cpu)?;
    blkio(&asked.blkio)
}

const CPUS_ONLINE: &str = "/sys/devices/system/cpu/online";
const NODES_ONLINE: &str = "/sys/devices/system/node/online";

fn cpu(nanos: Option<u64>, asked: &CpuConfig) -> Result<(), Error> {
    when(
        nanos.is_some() && (asked.quota_us.is_some() || asked.period_us.is_some()),
        "a number of CPUs and a quota or period say the same twice",
    )?;
    if let Some(nanos) = nanos
        && let Some(online) = list(CPUS_ONLINE)
        && nanos > online.len() as u64 * 1_000_000_000
    {
        return Err(Error::Invalid {
            message: format!("there are only {} CPUs", online.len()),
            hint: Some("the number of CPUs is from 0.01 to that".to_owned()),
        });
    }
    when(
        (asked.period_us).is_some_and(|us| !(1_000..=1_000_000).contains(&us)),
        "a CPU period is between 1000 and 1000000 microseconds",
    )?;
    when(
        (asked.quota_us).is_some_and(|us| (1..1_000).contains(&us) || us < -1),
        "the least CPU quota is 1000 microseconds",
    )?;
    for (text, online, what) in [
        (&asked.cpus, CPUS_ONLINE, "CPUs"),
        (&asked.mems, NODES_ONLINE, "memory nodes"),
    ] {
        if text.is_empty() {
            continue;
        }
        let Some(wanted) = parse_list(text) else {
            return refuse(&format!("`{text}` is not a list of {what}, such as 0-3,5"));
        };
        let there = list(online).unwrap_or_else(|| vec![0]);
        if wanted.iter().any(|number| !there.contains(number)) {
            return refuse(&format!("the {what} `{text}` are not all there"));
        }
    }
    Ok(())
}

fn list(path: &str) -> Option<Vec<u32>> {
    parse_list(std::fs::read_to_string(path).ok()?.trim())
}

/// `0-3,5`.
fn parse_list(text: &str) -> Option<Vec<u32>> {
    /// More than any kernel counts.
    const MAX: u32 = 8192;
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number < MAX);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

fn blkio(asked: &BlkioConfig) -> Result<(), Error> {
    let in_range = |weight: u64| (10..=1000).contains(&weight);
    let devices = asked.weight_device.iter().map(|device| device.value);
    let weights = devices.chain(asked.weight.map(u64::from));
    when(
        weights.into_iter().any(|weight| !in_range(weight)),
        "a weight of block devices is between 10 and 1000",
    )
}

/// Source: Docker Engine API 1.55, HealthConfig.
fn health(asked: &HealthConfig) -> Result<(), Error> {
    let times = [
        asked.interval_ns,
        asked.timeout_ns,
        asked.start_period_ns,
        asked.start_interval_ns,
    ];
    when(
        times
            .iter()
            .any(|ns| (1..super::LEAST_HEALTH_NANOS).contains(ns)),
        "the least time of a health check is 1 ms",
    )?;
    match asked.test.first().map(String::as_str) {
        None => Ok(()),
        Some("NONE") => when(asked.test.len() > 1, "a health check of NONE has no words"),
        Some("CMD" | "CMD-SHELL") => when(asked.test.len() < 2, "the health check has no command"),
        Some(other) => refuse(&format!(
            "`{other}` is not a sort of health check (NONE, CMD, CMD-SHELL)"
        )),
    }
}

/// Whoever has another's names cannot choose them.
fn names(request: &CreateRequest) -> Result<(), Error> {
    let named = request
        .hostname
        .as_ref()
        .is_some_and(|name| !name.is_empty())
        || !request.domainname.is_empty();
    when(
        named && request.namespaces.uts == UtsMode::Host,
        "a host or domain name cannot be set: the names are the host's (--uts host)",
    )?;
    let joins = matches!(request.network, Some(NetworkMode::Container(_)));
    when(
        named && joins,
        "a host or domain name cannot be set: it belongs to the other container's network",
    )?;
    when(
        request.domainname.len() > 64 || request.hostname.as_ref().is_some_and(|n| n.len() > 64),
        "a host or domain name has at most 64 bytes",
    )?;
    when(
        request.resources.shm_bytes.is_some()
            && matches!(
                request.namespaces.ipc,
                IpcMode::Host | IpcMode::None | IpcMode::Container(_)
            ),
        "the size of /dev/shm cannot be set: it is not the container's own (--ipc)",
    )
}

fn devices(request: &CreateRequest) -> Result<(), Error> {
    for device in &request.resources.devices {
        when(
            !device.host.starts_with('/') || !device.container.starts_with('/'),
            "the path of a device is absolute",
        )?;
        if !crate::spec::device_permissions(&device.permissions) {
            return refuse(&format!(
                "`{}` does not say what may be done with a device (some of rwm)",
                device.permissions
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
