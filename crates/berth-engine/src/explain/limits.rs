//! The cgroup's limits, as the kernel keeps them, in words.

use std::path::PathBuf;

use berth_cgroup::{Cgroup, Limit};

use super::{Causes, Group, Row};
use crate::Error;

/// The limits' group.
pub(super) fn group(cgroups: &[PathBuf], causes: &Causes<'_>) -> Result<Group, Error> {
    let failed = |source| Error::Cgroup {
        action: "read",
        source,
    };
    let cgroup = Cgroup::open(cgroups).map_err(failed)?;
    let limits = cgroup.limits().map_err(failed)?;
    let stats = cgroup.stats().map_err(failed)?;
    let mut rows = rows(&limits, causes);
    let used = |name: &str| match name {
        "memory" => stats
            .memory_bytes
            .map(|n| format!(" ({} in use)", bytes(n))),
        "pids" => stats.pids.map(|n| format!(" ({n} in use)")),
        _ => None,
    };
    for row in &mut rows {
        row.value.push_str(&used(&row.name).unwrap_or_default());
    }
    if rows.is_empty() {
        rows.push(Row {
            name: "none".to_owned(),
            value: "no cgroup of its own with limits".to_owned(),
            source: String::new(),
            cause: if causes.rootless {
                "default: no cgroup is delegated to this user".to_owned()
            } else {
                "default".to_owned()
            },
        });
    }
    Ok(Group {
        title: "limits (cgroup)".to_owned(),
        source: cgroups
            .first()
            .map(|p| p.display().to_string())
            .unwrap_or_default(),
        rows,
    })
}

/// The rows that mean something to a reader: all limits that are one, and the usual ones that are not.
pub(super) fn rows(limits: &[Limit], causes: &Causes<'_>) -> Vec<Row> {
    let find = |name: &str| limits.iter().find(|limit| limit.name == name);
    let row = |name: &str, limit: &Limit, value: String, cause: String| Row {
        name: name.to_owned(),
        value,
        source: limit.file.display().to_string(),
        cause,
    };
    let mut rows = Vec::new();
    for (name, setting) in [
        ("memory", "memory"),
        ("memory+swap", "memory"),
        ("swap", "memory"),
        ("memory-reservation", "memory_reservation"),
    ] {
        let Some(limit) = find(name) else { continue };
        let always = name == "memory";
        if limit.value.is_some() || always {
            let value = limit.value.map_or("no limit".to_owned(), bytes);
            let mut cause = causes.of(setting, "default");
            if name.ends_with("swap") {
                let default = format!("default: as much swap as memory, {cause}");
                cause = causes.of("memory_swap", &default);
            }
            let asked = limit.value.is_some_and(|n| n > 0);
            if asked || always {
                rows.push(row(name, limit, value, cause));
            }
        }
    }
    if let Some(limit) = find("pids") {
        let value = limit.value.map_or("no limit".to_owned(), |n| n.to_string());
        rows.push(row("pids", limit, value, causes.of("pids", "default")));
    }
    if let Some(limit) = find("cpu-quota") {
        let period = find("cpu-period").map(|period| period.raw.as_str());
        rows.push(row(
            "cpus",
            limit,
            cpus(&limit.raw, period),
            causes.of("cpus", &causes.of("cpu_quota", "default")),
        ));
    }
    for (name, setting) in [
        ("cpu-weight", "cpu_shares"),
        ("cpuset-cpus", "cpuset_cpus"),
        ("cpuset-mems", "cpuset_mems"),
        ("swappiness", "memory_swappiness"),
        ("io-weight", "io_weight"),
    ] {
        if let Some(limit) = find(name).filter(|limit| !limit.raw.is_empty()) {
            rows.push(row(
                name,
                limit,
                limit.raw.replace('\n', ", "),
                causes.of(setting, "default"),
            ));
        }
    }
    if let Some(limit) = find("devices") {
        let value = match limit.raw.as_str() {
            "a *:* rwm" => "all".to_owned(),
            list => format!("none but {}", list.replace('\n', ", ")),
        };
        rows.push(row("devices", limit, value, devices(causes)));
    }
    rows
}

fn devices(causes: &Causes<'_>) -> String {
    let asked = ["devices", "device_rules"];
    let asked = asked
        .iter()
        .filter_map(|name| causes.config.causes.get(*name));
    let base = if causes.config.security.privileged {
        "--privileged"
    } else {
        "default"
    };
    let all: Vec<&str> = std::iter::once(base)
        .chain(asked.map(String::as_str))
        .collect();
    all.join(", ")
}

/// `50000 100000` (v2) or quota and period (v1), in CPUs.
fn cpus(quota: &str, period: Option<&str>) -> String {
    let mut words = quota.split_whitespace();
    let quota = words
        .next()
        .and_then(|n| n.parse::<f64>().ok())
        .filter(|n| *n > 0.0);
    let period = period.or(words.next()).and_then(|n| n.parse::<f64>().ok());
    match (quota, period) {
        (Some(quota), Some(period)) => {
            format!("{} ({quota} µs of each {period} µs)", quota / period)
        }
        _ => "no limit".to_owned(),
    }
}

/// `64 MiB`.
fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 {
        format!("{value} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}
