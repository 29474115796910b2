//! Network devices of the host that become the container's.
//!
//! Moved before anything of the container runs, with their addresses, by another name where one is given.
//! Whoever owns the namespace has them from then on: nothing is moved back; when the namespace ends, the
//! kernel gives a physical device back to the host and removes a virtual one.
//!
//! Source: config-linux.md "Network devices"; rtnetlink(7).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;

use berth_oci::spec::NetDevice;
use berth_sys::net::move_device;

use crate::error::{Error, Result, invalid};
use crate::namespaces::Plan;

/// Bytes of a name. Source: IFNAMSIZ, linux/if.h; one is the final NUL.
const MAX_NAME: usize = 15;

/// Checks all names.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub(crate) fn check(devices: &BTreeMap<String, NetDevice>) -> Result<()> {
    for (name, device) in devices {
        if !is_name(name) || !(device.name.is_empty() || is_name(&device.name)) {
            let new = &device.name;
            return invalid(format!("`{name}` or `{new}` names no network device"));
        }
    }
    let mut new: Vec<_> = devices
        .iter()
        .map(|(name, device)| new_name(name, device))
        .filter(|name| !name.contains('%'))
        .collect();
    new.sort_unstable();
    match new.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => invalid(format!("two network devices would be `{}`", pair[0])),
        None => Ok(()),
    }
}

/// Source: dev_valid_name(), net/core/dev.c.
fn is_name(name: &str) -> bool {
    let bad = |b: u8| b == b'/' || b == b':' || b == 0 || b.is_ascii_whitespace();
    (1..=MAX_NAME).contains(&name.len()) && name != "." && name != ".." && !name.bytes().any(bad)
}

fn new_name<'a>(name: &'a str, device: &'a NetDevice) -> &'a str {
    if device.name.is_empty() {
        name
    } else {
        &device.name
    }
}

/// Moves all of them into the container's network namespace, in which `pid` is or will be.
///
/// # Errors
/// [`Error::NetDevice`].
pub(crate) fn move_all(devices: &BTreeMap<String, NetDevice>, plan: &Plan, pid: i32) -> Result<()> {
    for (name, device) in devices {
        let fail = |source| Error::NetDevice {
            name: name.clone(),
            source,
        };
        let of_init;
        let target = match plan.joined_network() {
            Some(joined) => joined,
            None => {
                of_init = File::open(format!("/proc/{pid}/ns/net")).map_err(fail)?;
                of_init.as_fd()
            }
        };
        move_device(name, new_name(name, device), target).map_err(fail)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_kernel_takes() {
        let check = |pairs: &[(&str, &str)]| {
            let device = |name: &str| NetDevice { name: name.into() };
            super::check(
                &pairs
                    .iter()
                    .map(|(a, b)| ((*a).into(), device(b)))
                    .collect(),
            )
        };
        check(&[("eth0", ""), ("eth1", "ctr%d"), ("eth2", "ctr%d")]).unwrap();
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "1234567890123456"] {
            assert!(check(&[(bad, "")]).is_err(), "{bad}");
            assert!(check(&[("x", bad)]).is_err() || bad.is_empty(), "{bad}");
        }
        assert!(check(&[("a", "x"), ("b", "x")]).is_err());
        assert!(check(&[("a", "b"), ("b", "")]).is_err());
    }
}
