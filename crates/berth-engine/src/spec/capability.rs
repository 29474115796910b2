//! Which capabilities a container gets.

use berth_model::config::SecurityConfig;

use super::Error;

/// All of them, by number. Source: linux/capability.h, Linux 6.18.
pub const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Docker's fourteen.
const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The capabilities of a container, in the kernel's order. As Docker: `ALL` in one list makes the other list
/// the exceptions; a name in both is dropped from the defaults and then added.
///
/// # Errors
/// [`Error::Capability`] for a name that is none, or that the host cannot give.
pub fn asked(security: &SecurityConfig, host: &[String]) -> Result<Vec<String>, Error> {
    if security.privileged {
        return Ok(host.to_vec());
    }
    let add = names(&security.cap_add, host)?;
    let drop = names(&security.cap_drop, host)?;
    let all = |list: &[String]| list.iter().any(|name| name == "ALL");
    let wanted = |name: &String| {
        if add.contains(name) {
            true
        } else if all(&add) {
            !drop.contains(name)
        } else if all(&drop) {
            false
        } else {
            DEFAULT.contains(&name.as_str()) && !drop.contains(name)
        }
    };
    Ok(host.iter().filter(|name| wanted(name)).cloned().collect())
}

fn names(asked: &[String], host: &[String]) -> Result<Vec<String>, Error> {
    let full = |asked: &String| {
        let upper = asked.to_ascii_uppercase();
        if upper == "ALL" {
            return Ok(upper);
        }
        let name = if upper.starts_with("CAP_") {
            upper
        } else {
            format!("CAP_{upper}")
        };
        if host.contains(&name) {
            Ok(name)
        } else {
            Err(Error::Capability {
                name: asked.clone(),
            })
        }
    };
    asked.iter().map(full).collect()
}
