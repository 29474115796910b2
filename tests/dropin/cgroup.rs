//! What a container's cgroup holds on the host, whichever version that has.

use std::fs;
use std::path::Path;

const ROOT: &str = "/sys/fs/cgroup";

/// Whether the host has the unified hierarchy only.
pub fn is_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// A file of a container's cgroup.
#[track_caller]
pub fn read(controller: &str, cgroup: &str, v1: &str, v2: &str) -> String {
    let cgroup = cgroup.trim_start_matches('/');
    let path = if is_v2() {
        Path::new(ROOT).join(cgroup).join(v2)
    } else {
        Path::new(ROOT).join(controller).join(cgroup).join(v1)
    };
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim().to_owned()
}

/// The limit of memory, in bytes.
#[track_caller]
pub fn memory(cgroup: &str) -> String {
    read("memory", cgroup, "memory.limit_in_bytes", "memory.max")
}

/// The limits that every caller here asks for: 64 MiB, half a CPU, 50 processes.
#[track_caller]
pub fn has_limits(cgroup: &str) {
    assert_eq!(memory(cgroup), "67108864");
    let cpu = read("cpu", cgroup, "cpu.cfs_quota_us", "cpu.max");
    assert!(cpu == "50000" || cpu == "50000 100000", "{cpu}");
    assert_eq!(read("pids", cgroup, "pids.max", "pids.max"), "50");
}

/// Whether all processes are stopped.
#[track_caller]
pub fn is_frozen(cgroup: &str) -> bool {
    let unified = Path::new(ROOT).join("unified");
    let root = if unified.exists() {
        unified
    } else {
        ROOT.into()
    };
    let events = root
        .join(cgroup.trim_start_matches('/'))
        .join("cgroup.events");
    let text = fs::read_to_string(&events);
    text.unwrap_or_else(|e| panic!("{}: {e}", events.display()))
        .contains("frozen 1")
}
