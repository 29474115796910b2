//! Block devices.

use super::Pressure;
use crate::Cgroup;
use crate::dir::Dir;

/// Counters by device and operation.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the fields are v1's files
pub struct Io {
    pub service_bytes: Vec<IoEntry>,
    pub serviced: Vec<IoEntry>,
    pub queued: Vec<IoEntry>,
    pub service_time: Vec<IoEntry>,
    pub wait_time: Vec<IoEntry>,
    pub merged: Vec<IoEntry>,
    pub time: Vec<IoEntry>,
    pub sectors: Vec<IoEntry>,
    /// Waiting for a device.
    pub pressure: Option<Pressure>,
}

/// One counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IoEntry {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// `Read`, `Write`, … or empty.
    pub op: String,
    /// The count.
    pub value: u64,
}

/// What the first two files are called by each scheduler, the most telling first.
const PREFIXES: [&str; 3] = ["blkio.bfq", "blkio", "blkio.throttle"];

pub(super) fn all(cgroup: &Cgroup) -> Io {
    let pressure = cgroup.pressure("io.pressure");
    if let Some(text) = cgroup
        .unified()
        .and_then(|dir| dir.try_read("io.stat").ok())
    {
        return Io {
            pressure,
            ..v2(&text)
        };
    }
    let dir = cgroup.v1_of("blkio", "blkio.reset_stats");
    Io {
        pressure,
        ..dir.map(v1).unwrap_or_default()
    }
}

fn v1(dir: &Dir) -> Io {
    let read = |prefix: &str, name: &str| {
        dir.try_read(&format!("{prefix}.{name}_recursive"))
            .map(|text| entries(&text))
            .unwrap_or_default()
    };
    // A scheduler that is not in use counts nothing.
    let prefix = PREFIXES
        .into_iter()
        .find(|p| !read(p, "io_serviced").is_empty());
    let prefix = prefix.unwrap_or(PREFIXES[2]);
    Io {
        service_bytes: read(prefix, "io_service_bytes"),
        serviced: read(prefix, "io_serviced"),
        queued: read(prefix, "io_queued"),
        service_time: read(prefix, "io_service_time"),
        wait_time: read(prefix, "io_wait_time"),
        merged: read(prefix, "io_merged"),
        time: read(prefix, "time"),
        sectors: read(prefix, "sectors"),
        pressure: None,
    }
}

/// Lines `8:0 Read 4096` or `8:0 4096`; the sum over all devices is left out.
pub(super) fn entries(text: &str) -> Vec<IoEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let (op, value) = match (words.next()?, words.next()) {
            (op, Some(value)) => (op, value),
            (value, None) => ("", value),
        };
        Some(IoEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            op: op.to_owned(),
            value: value.parse().ok()?,
        })
    };
    text.lines().filter_map(entry).collect()
}

/// Lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`.
pub(super) fn v2(text: &str) -> Io {
    let mut io = Io::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let numbers = words.next().and_then(|device| {
            let (major, minor) = device.split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        let Some((major, minor)) = numbers else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut io.service_bytes, "Read"),
                "wbytes" => (&mut io.service_bytes, "Write"),
                "rios" => (&mut io.serviced, "Read"),
                "wios" => (&mut io.serviced, "Write"),
                _ => continue,
            };
            list.push(IoEntry {
                major,
                minor,
                op: op.to_owned(),
                value: value.parse().unwrap_or(0),
            });
        }
    }
    io
}
