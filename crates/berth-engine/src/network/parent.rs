//! The device of the host that a macvlan or ipvlan network is over: one that is there, or one that berth makes and removes
//! with the last network over it.
//!
//! `eth0.10` is virtual LAN 10 of `eth0`; `dm-<12 digits of the network>` leads nowhere: containers reach each other only.

use berth_net::{Kernel, Parent};

use super::network;
use super::record::{Record, Shape};
use crate::create::invalid;
use crate::{Engine, Error};

/// Numbers of virtual LANs. Source: IEEE 802.1Q, 9.6.
const LANS: std::ops::RangeInclusive<u16> = 1..=4094;

/// Of a network without one.
pub(super) fn nowhere(id: &str) -> String {
    format!("dm-{}", &id[..12])
}

/// What to make for a name; the errors are in Docker's words.
fn parent(name: &str) -> Result<Parent<'_>, Error> {
    if name.starts_with("dm-") {
        return Ok(Parent::Nowhere);
    }
    let Some((over, number)) = name.rsplit_once('.') else {
        return Err(Error::Invalid {
            message: format!(
                "invalid subinterface vlan name {name}, example formatting is eth0.10"
            ),
            hint: Some("`ip link` shows the devices that there are".to_owned()),
        });
    };
    match number.parse::<u16>() {
        Ok(number) if LANS.contains(&number) => Ok(Parent::Lan(over, number)),
        _ => Err(invalid(format!(
            "vlan id must be between 1-4094, received: {number}"
        ))),
    }
}

impl Engine {
    /// Whether a network's device is to be made by us: it is not there, or it is another network's that made it.
    pub(super) fn is_parent_ours(&self, device: &str, others: &[Record]) -> Result<bool, Error> {
        let made = |other: &Record| other.shape.device == device && other.shape.made;
        if others.iter().any(made) {
            return Ok(true);
        }
        let fail = network("look for the network's device");
        let kernel = Kernel::open().map_err(&fail)?;
        let there = berth_net::has_device(&kernel, device).map_err(&fail)?;
        if !there {
            parent(device)?;
        }
        Ok(!there)
    }

    /// Makes it, if it is ours to make and is missed.
    pub(super) fn ensure_parent(&self, kernel: &Kernel, shape: &Shape) -> Result<(), Error> {
        if !shape.made {
            return Ok(());
        }
        berth_net::make_parent(kernel, &shape.device, parent(&shape.device)?)
            .map_err(network("make the network's device"))
    }

    /// Removes it with the last network over it. The lock of the networks is ours.
    pub(super) fn drop_parent(&self, record: &Record) -> Result<(), Error> {
        let same = |other: &Record| {
            other.id != record.id && other.shape.made && other.shape.device == record.shape.device
        };
        if !record.shape.made || self.network_records()?.iter().any(same) {
            return Ok(());
        }
        let fail = network("remove the network's device");
        let kernel = Kernel::open().map_err(&fail)?;
        berth_net::unplug(&kernel, &record.shape.device)
            .map(drop)
            .map_err(&fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_for_a_name() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(parent(&nowhere(&id)).unwrap(), Parent::Nowhere);
        assert_eq!(parent("eth0.10").unwrap(), Parent::Lan("eth0", 10));
        assert_eq!(
            parent("bond0.7.4094").unwrap(),
            Parent::Lan("bond0.7", 4094)
        );
        for bad in ["eth9", "eth0.", "eth0.x", "eth0.0", "eth0.4095"] {
            assert!(parent(bad).is_err(), "{bad}");
        }
    }
}
