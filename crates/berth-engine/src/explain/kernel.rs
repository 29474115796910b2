//! Reads one process's `/proc` directory and puts it into words.
//!
//! Source: proc_pid_status(5), proc_pid_limits(5), proc_pid_uid_map(5),
//! namespaces(7).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Causes, Group, INHERITED, Row};
use crate::Error;
use crate::spec::ALL_CAPABILITIES;

/// A process, as `/proc/PID` shows it.
pub(super) struct Process {
    dir: String,
    status: BTreeMap<String, String>,
}

impl Process {
    /// Reads the parts that several groups share.
    pub(super) fn read(pid: i32) -> Result<Self, Error> {
        let dir = format!("/proc/{pid}");
        let status = parse_status(&read(&format!("{dir}/status"))?);
        Ok(Process { dir, status })
    }

    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    fn status(&self, key: &str) -> &str {
        self.status.get(key).map_or("", String::as_str)
    }

    pub(super) fn row(&self, name: &str, value: String, file: &str, cause: String) -> Row {
        Row {
            name: name.to_owned(),
            value,
            source: self.file(file),
            cause,
        }
    }

    /// Which namespaces the container has for itself.
    pub(super) fn namespaces(&self, causes: &Causes<'_>) -> Result<Group, Error> {
        let network = format!("default: --network {}", causes.config.network);
        let user = if causes.rootless {
            "default: berth runs without root"
        } else {
            "default: no --userns"
        };
        let mut rows = Vec::new();
        for kind in ["pid", "mnt", "ipc", "uts", "net", "cgroup", "user", "time"] {
            let link = format!("ns/{kind}");
            // A kernel without this kind has no such link.
            let Ok(host) = std::fs::read_link(format!("/proc/self/ns/{kind}")) else {
                continue;
            };
            let path = self.file(&link);
            let own = std::fs::read_link(&path).map_err(|source| io("read", path, source))?;
            let joined = (causes
                .config
                .causes
                .get(if kind == "net" { "network" } else { kind }))
            .is_some_and(|cause| cause.contains("container:"));
            let whose = match (own == host, joined) {
                (true, _) => "shared with the host",
                (false, true) => "shared with another container",
                (false, false) => "its own",
            };
            let cause = match kind {
                "net" => causes.of("network", &network),
                "user" => causes.of("userns", user),
                kind => causes.of(kind, "default"),
            };
            let value = format!("{whose} ({})", inode(&own.to_string_lossy()));
            rows.push(self.row(kind, value, &link, cause));
        }
        Ok(Group {
            title: "namespaces".to_owned(),
            source: self.file("ns"),
            rows,
        })
    }

    /// Capabilities, seccomp and what goes with them.
    pub(super) fn privileges(&self, causes: &Causes<'_>) -> Group {
        let bounding = self.status("CapBnd");
        let mut rows = Vec::new();
        for (name, key) in [
            ("bounding", "CapBnd"),
            ("permitted", "CapPrm"),
            ("effective", "CapEff"),
            ("inheritable", "CapInh"),
            ("ambient", "CapAmb"),
        ] {
            let bits = self.status(key);
            let value = if key != "CapBnd" && bits == bounding {
                "the same as bounding".to_owned()
            } else {
                capabilities(bits)
            };
            let cause = match key {
                "CapInh" | "CapAmb" => "default: empty, so that no file gives any back".to_owned(),
                "CapPrm" | "CapEff" if bits != bounding => causes.of("user", "default"),
                _ => causes.capabilities(),
            };
            rows.push(self.row(name, value, "status", cause));
        }
        let filters = self.status("Seccomp_filters");
        let mode = match self.status("Seccomp") {
            "0" => "off: every system call is allowed".to_owned(),
            "1" => "strict".to_owned(),
            "2" => format!(
                "filter ({filters} program{})",
                if filters == "1" { "" } else { "s" }
            ),
            other => other.to_owned(),
        };
        let profile = causes.of_privilege("seccomp", "default: Docker's profile");
        rows.push(self.row("seccomp", mode, "status", profile));
        let barred = match self.status("NoNewPrivs") {
            "1" => "yes: setuid programs gain nothing",
            _ => "no: setuid programs work",
        };
        let cause = causes.of("no_new_privileges", "default");
        rows.push(self.row("no-new-privs", barred.to_owned(), "status", cause));
        Group {
            title: "privileges".to_owned(),
            source: self.file("status"),
            rows,
        }
    }

    /// Who the process is, and what its numbers mean outside.
    pub(super) fn ids(&self, causes: &Causes<'_>) -> Result<Group, Error> {
        let first = |key: &str| {
            self.status(key)
                .split_whitespace()
                .next()
                .unwrap_or("?")
                .to_owned()
        };
        let groups = self
            .status("Groups")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(", ");
        let who = format!(
            "uid {}, gid {}, groups {} (as the host counts)",
            first("Uid"),
            first("Gid"),
            if groups.is_empty() { "none" } else { &groups }
        );
        let mut rows = vec![self.row("process", who, "status", causes.user())];
        let why = if causes.rootless {
            "default: berth runs without root"
        } else {
            "default: no user namespace"
        };
        for (name, file) in [("uid map", "uid_map"), ("gid map", "gid_map")] {
            let value = id_map(&read(&self.file(file))?);
            rows.push(self.row(name, value, file, why.to_owned()));
        }
        let adjust = read(&self.file("oom_score_adj"))?.trim().to_owned();
        rows.push(self.row(
            "oom-score-adj",
            adjust,
            "oom_score_adj",
            causes.of("oom_score_adj", INHERITED),
        ));
        Ok(Group {
            title: "identity".to_owned(),
            source: self.dir.clone(),
            rows,
        })
    }

    /// The limits of setrlimit(2).
    pub(super) fn rlimits(&self, causes: &Causes<'_>) -> Result<Group, Error> {
        let text = read(&self.file("limits"))?;
        let rows = parse_limits(&text).into_iter().map(|(name, value)| {
            let default = if matches!(name, "core" | "nofile") {
                "default"
            } else {
                INHERITED
            };
            let cause = causes.of(&format!("ulimits.{name}"), default);
            self.row(name, value, "limits", cause)
        });
        Ok(Group {
            title: "process limits (soft, hard)".to_owned(),
            source: self.file("limits"),
            rows: rows.collect(),
        })
    }
}

/// `net:[4026531840]` → `4026531840`.
fn inode(link: &str) -> &str {
    link.split_once('[')
        .map_or(link, |(_, rest)| rest.trim_end_matches(']'))
}

/// `Key:\tvalue` lines.
pub(super) fn parse_status(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

/// A set of capabilities in words.
pub(super) fn capabilities(hex: &str) -> String {
    let Ok(bits) = u64::from_str_radix(hex, 16) else {
        return hex.to_owned();
    };
    let name = |number: u32| match ALL_CAPABILITIES.get(number as usize) {
        Some(name) => name.trim_start_matches("CAP_").to_ascii_lowercase(),
        None => number.to_string(),
    };
    let numbers: Vec<u32> = (0..64).filter(|n| bits >> n & 1 == 1).collect();
    if numbers.is_empty() {
        return "none".to_owned();
    }
    let missing: Vec<String> = (0..ALL_CAPABILITIES.len() as u32)
        .filter(|n| bits >> n & 1 == 0)
        .map(name)
        .collect();
    match missing.len() {
        0 => format!("all {}", numbers.len()),
        1..=4 => format!("all but {}", missing.join(" ")),
        _ => numbers.into_iter().map(name).collect::<Vec<_>>().join(" "),
    }
}

/// `/proc/PID/uid_map`: lines `INSIDE OUTSIDE COUNT`.
pub(super) fn id_map(text: &str) -> String {
    let ranges = text.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().and_then(Result::ok);
        let (inside, outside, count) = (next()?, next()?, next()?);
        Some(match (inside, outside, count) {
            (0, 0, 4_294_967_295) => "the host's own numbers".to_owned(),
            (_, _, 1) => format!("{inside} is {outside} outside"),
            _ => format!(
                "{inside}-{} are {outside}-{} outside",
                inside + count - 1,
                outside + count - 1
            ),
        })
    });
    ranges.collect::<Vec<_>>().join(", ")
}

/// Lines of `/proc/PID/limits` by the name of their `RLIMIT_`, with soft and hard limit.
pub(super) fn parse_limits(text: &str) -> Vec<(&'static str, String)> {
    const NAMES: [(&str, &str); 16] = [
        ("Max cpu time", "cpu"),
        ("Max file size", "fsize"),
        ("Max data size", "data"),
        ("Max stack size", "stack"),
        ("Max core file size", "core"),
        ("Max resident set", "rss"),
        ("Max processes", "nproc"),
        ("Max open files", "nofile"),
        ("Max locked memory", "memlock"),
        ("Max address space", "as"),
        ("Max file locks", "locks"),
        ("Max pending signals", "sigpending"),
        ("Max msgqueue size", "msgqueue"),
        ("Max nice priority", "nice"),
        ("Max realtime priority", "rtprio"),
        ("Max realtime timeout", "rttime"),
    ];
    let of = |line: &str| {
        let (label, name) = NAMES.iter().find(|(label, _)| line.starts_with(label))?;
        let mut values = line[label.len()..].split_whitespace();
        Some((*name, format!("{}, {}", values.next()?, values.next()?)))
    };
    text.lines().filter_map(of).collect()
}

pub(super) fn read(path: &str) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(|source| io("read", path, source))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Error {
    Error::Io {
        action,
        path: path.into(),
        source,
    }
}
