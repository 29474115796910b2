//! Capabilities: exactly those of the spec in all five sets, nothing inherited (security: R5, R6).
//!
//! Source: capabilities(7), config.md "Linux Process".

use std::collections::BTreeSet;

use berth_oci::spec::Capabilities;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::error::{Result, step};
use crate::warning::warn;

/// Names by number. Source: linux/capability.h.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The five sets as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    /// Understands the names, and warns of those that it does not: they are not granted.
    pub fn parse(names: &Capabilities) -> Self {
        let mut unknown = BTreeSet::new();
        let mut bits = |names| bits(names, &mut unknown);
        let sets = Sets {
            bounding: bits(&names.bounding),
            effective: bits(&names.effective),
            permitted: bits(&names.permitted),
            inheritable: bits(&names.inheritable),
            ambient: bits(&names.ambient),
        };
        if !unknown.is_empty() {
            let unknown = Vec::from_iter(unknown).join(" ");
            ignoring(&unknown);
        }
        sets
    }

    /// Warns of what [`Sets::apply`] will leave out: what this process does not have itself, unless it makes a
    /// user namespace, where it has all; and what contradicts itself.
    ///
    /// # Errors
    /// The kernel's.
    pub fn warn_of_what_lacks(&self, new_user: bool) -> Result<()> {
        let have = match new_user {
            true => u64::MAX,
            false => own()?.permitted.bits(),
        };
        let wanted = self.permitted | self.effective | self.inheritable | self.ambient;
        let lacking = wanted & !have;
        if lacking != 0 {
            ignoring(&list(lacking));
        }
        let unfounded = self.ambient & !(self.permitted & self.inheritable) & have;
        if unfounded != 0 {
            warn(format_args!(
                "ignoring ambient capabilities that are not permitted and inheritable: {}",
                list(unfounded)
            ));
        }
        Ok(())
    }

    /// Removes all but the wanted capabilities from the bounding set. Needs CAP_SETPCAP, so it comes
    /// before the user is changed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn drop_bounding(&self) -> Result<()> {
        for number in 0..64 {
            let bit = CapabilitySet::from_bits_retain(1 << number);
            match rustix::thread::capability_is_in_bounding_set(bit) {
                // The first number that the kernel does not know ends them.
                Err(_) => break,
                Ok(true) if self.bounding & 1 << number == 0 => {
                    rustix::thread::remove_capability_from_bounding_set(bit)
                        .map_err(|e| step("drop a capability from the bounding set", e))?;
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Sets the other four. What the caller does not have itself (a runtime with few capabilities)
    /// cannot be given, and is left out as other runtimes do. `keep_admin` keeps CAP_SYS_ADMIN, too,
    /// until the exec.
    ///
    /// # Errors
    /// The kernel's.
    pub fn apply(&self, keep_admin: bool) -> Result<()> {
        let own = own()?;
        let have = own.permitted.bits();
        let permitted = self.permitted & have;
        // Inheritable ones may come from the bounding set only when permitted: the kernel's rule.
        let inheritable = self.inheritable & (have | own.inheritable.bits());
        let kept = match keep_admin {
            true => CapabilitySet::SYS_ADMIN.bits() & have,
            false => 0,
        };
        let sets = CapabilitySets {
            effective: CapabilitySet::from_bits_retain(self.effective & permitted | kept),
            permitted: CapabilitySet::from_bits_retain(permitted | kept),
            inheritable: CapabilitySet::from_bits_retain(inheritable),
        };
        rustix::thread::set_capabilities(None, sets)
            .map_err(|e| step("set the capabilities", e))?;
        rustix::thread::clear_ambient_capability_set()
            .map_err(|e| step("clear the ambient capabilities", e))?;
        let ambient = self.ambient & permitted & inheritable;
        for number in (0..64).filter(|n| ambient & 1 << n != 0) {
            let bit = CapabilitySet::from_bits_retain(1 << number);
            rustix::thread::configure_capability_in_ambient_set(bit, true)
                .map_err(|e| step("raise an ambient capability", e))?;
        }
        Ok(())
    }
}

fn own() -> Result<CapabilitySets> {
    rustix::thread::capabilities(None).map_err(|e| step("read the capabilities", e))
}

fn bits<'a>(names: &'a [String], unknown: &mut BTreeSet<&'a str>) -> u64 {
    let mut set = 0;
    for name in names {
        match number(name) {
            Some(number) => set |= 1 << number,
            None => drop(unknown.insert(name)),
        }
    }
    set
}

fn number(name: &str) -> Option<usize> {
    let short = name.strip_prefix("CAP_").unwrap_or(name);
    NAMES.iter().position(|known| *known == short)
}

fn list(set: u64) -> String {
    let names = NAMES.iter().enumerate();
    let names = names.filter(|(number, _)| set & 1 << number != 0);
    let names: Vec<String> = names.map(|(_, name)| format!("CAP_{name}")).collect();
    names.join(" ")
}

/// In the words of other runtimes, which tools look for.
fn ignoring(names: &str) {
    warn(format_args!(
        "ignoring unknown or unavailable capabilities: [{names}]"
    ));
}

/// All names, as `features` lists them.
pub fn names() -> impl Iterator<Item = String> {
    NAMES.iter().map(|name| format!("CAP_{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(number("CAP_CHOWN"), Some(0));
        assert_eq!(number("CAP_SYS_ADMIN"), Some(21));
        assert_eq!(number("NET_RAW"), Some(13));
        assert_eq!(number("CAP_CHECKPOINT_RESTORE"), Some(40));
        for bad in ["", "CAP_", "cap_chown", "CAP_ALL", "CAP_CAP_CHOWN"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(list(1 << 13 | 1), "CAP_CHOWN CAP_NET_RAW");
    }
}
