//! Capabilities: exactly those of the spec in all five sets, nothing inherited (security: R5, R6).
//!
//! Source: capabilities(7), config.md "Linux Process".

use berth_oci::spec::Capabilities;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::error::{Error, Result, step};

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
    /// Understands the names.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] for a name that is no capability.
    pub fn parse(names: &Capabilities) -> Result<Self> {
        Ok(Sets {
            bounding: bits(&names.bounding)?,
            effective: bits(&names.effective)?,
            permitted: bits(&names.permitted)?,
            inheritable: bits(&names.inheritable)?,
            ambient: bits(&names.ambient)?,
        })
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
        let own =
            rustix::thread::capabilities(None).map_err(|e| step("read the capabilities", e))?;
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

fn bits(names: &[String]) -> Result<u64> {
    names
        .iter()
        .try_fold(0, |set, name| Ok(set | 1 << number(name)?))
}

fn number(name: &str) -> Result<usize> {
    let short = name.strip_prefix("CAP_").unwrap_or(name);
    NAMES
        .iter()
        .position(|known| *known == short)
        .ok_or_else(|| Error::InvalidSpec {
            reason: format!("`{name}` is no capability"),
        })
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
        assert_eq!(number("CAP_CHOWN").unwrap(), 0);
        assert_eq!(number("CAP_SYS_ADMIN").unwrap(), 21);
        assert_eq!(number("NET_RAW").unwrap(), 13);
        assert_eq!(number("CAP_CHECKPOINT_RESTORE").unwrap(), 40);
        for bad in ["", "CAP_", "cap_chown", "CAP_ALL", "CAP_CAP_CHOWN"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
