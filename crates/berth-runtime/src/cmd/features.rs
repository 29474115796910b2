//! `features`: what this runtime can do, as other programs ask for it.
//!
//! Source: OCI runtime-spec, features.md.

use serde_json::json;

use super::args::{Args, unknown};
use super::print_json;
use crate::error::Result;
use crate::{attributes, caps, filter, hooks, mount_options};

/// The newest version whose configurations are followed to the letter.
const VERSION_MAX: &str = "1.3.0";

fn names(words: &[(&'static str, u32)]) -> Vec<&'static str> {
    words.iter().map(|(name, _)| *name).collect()
}

pub(super) fn main(mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    args.end()?;
    print_json(&json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": VERSION_MAX,
        "hooks": hooks::STAGES,
        "mountOptions": mount_options::names(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": caps::names().collect::<Vec<_>>(),
            "cgroup": {
                "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true,
            },
            "seccomp": {
                "enabled": true,
                "actions": berth_seccomp::ACTIONS,
                "operators": berth_seccomp::OPERATORS,
                "archs": berth_seccomp::ARCHS,
                "knownFlags": filter::FLAGS.map(|(name, _)| name),
                "supportedFlags": filter::supported_flags(),
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "memoryPolicy": {
                "modes": names(attributes::MEMORY_MODES), "flags": names(attributes::MEMORY_FLAGS),
            },
            "netDevices": { "enabled": true },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "mountExtensions": { "idmap": { "enabled": true } },
        },
        "annotations": { "org.berth.runtime.version": env!("CARGO_PKG_VERSION") },
        // It names a configuration of CRIU's. No other makes this runtime do anything (security: R23, R24).
        "potentiallyUnsafeConfigAnnotations": ["org.criu.config"],
    }))?;
    Ok(0)
}
