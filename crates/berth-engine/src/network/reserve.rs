//! What a place in a network takes: an address of each family, a device's name, a hardware address.

use std::net::IpAddr;

use berth_fs::{Lock, LockMode};
use berth_model::ContainerId;
use berth_model::config::EndpointConfig;
use berth_net::{Limits, Pool, mac_of};

use super::connection::{Connection, Joined};
use super::record::{Range, Shape};
use super::{BRIDGE_NETWORK, network, ports, stable_id};
use crate::create::invalid;
use crate::{Engine, Error};

/// A network that a container is to be in, held until its address is reserved.
struct Wanted {
    id: String,
    name: String,
    shape: Shape,
    _lock: Option<Lock>,
}

impl Engine {
    /// Reserves what a place in a network needs, beside those that the container has.
    pub(super) fn reserve(
        &self,
        id: &ContainerId,
        wish: &EndpointConfig,
        beside: &Connection,
        last: &Connection,
    ) -> Result<Joined, Error> {
        let key = &wish.network;
        let wanted = self.wanted(wish)?;
        self.ensure_state(key)?;
        let number = (0..).find(|number| {
            let name = format!("eth{number}");
            beside.places.iter().all(|place| place.inside != name)
        });
        let mut place = Joined {
            key: key.clone(),
            endpoint_id: stable_id("endpoint", &format!("{id} {}", wanted.id)),
            network_id: wanted.id,
            network_name: wanted.name,
            device: device_name()?,
            inside: format!("eth{}", number.unwrap_or(0)),
            addresses: Vec::new(),
            link_local: wish.link_local.clone(),
            mac: String::new(),
            network: wanted.shape,
            gateway_priority: wish.gateway_priority,
            leaving: false,
        };
        let before = last.place(key);
        for ipv4 in [true, false] {
            let before = before.and_then(|place| place.address(ipv4));
            match self.reserve_address(id, &place, wish, ipv4, before) {
                Ok(address) => place.addresses.extend(address),
                Err(error) => {
                    // The first error is the one to report.
                    let _ = self.free_addresses(id, &place);
                    return Err(error);
                }
            }
        }
        let first = place.addresses.first();
        let mac = match (&wish.mac, first) {
            (Some(text), _) => ports::mac(text)?,
            (None, Some(first)) => mac_of(*first),
            (None, None) => return Err(invalid("the network has no addresses".to_owned())),
        };
        place.mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        Ok(place)
    }

    fn wanted(&self, wish: &EndpointConfig) -> Result<Wanted, Error> {
        if wish.network == BRIDGE_NETWORK {
            let bridge = self.bridge()?;
            return Ok(Wanted {
                shape: bridge.shape(),
                id: bridge.id,
                name: BRIDGE_NETWORK.to_owned(),
                _lock: None,
            });
        }
        let none = || Error::NoNetwork {
            name: wish.name.clone(),
        };
        let lock = self.hold_network(&wish.network, LockMode::Shared)?;
        let lock = lock.ok_or_else(none)?;
        let record = self.network_record(&wish.network)?.ok_or_else(none)?;
        if record.config_only {
            return Err(Error::NetworkDenied {
                message: "cannot create endpoint on configuration-only network".to_owned(),
            });
        }
        Ok(Wanted {
            id: record.id,
            name: record.name,
            shape: record.shape,
            _lock: Some(lock),
        })
    }

    /// An address of this family; `None`: the network has none.
    fn reserve_address(
        &self,
        id: &ContainerId,
        place: &Joined,
        wish: &EndpointConfig,
        ipv4: bool,
        before: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, Error> {
        let mut fixed = wish.addresses.iter();
        let fixed = fixed.find(|address| address.is_ipv4() == ipv4).copied();
        let holds = |range: &&Range| match fixed {
            Some(address) => range.subnet.contains(address),
            None => range.subnet.is_ipv4() == ipv4,
        };
        let mut result = Ok(None);
        for range in place.network.ranges.iter().filter(holds) {
            let pool = self.network_pool(&place.key, range);
            let reserve = || match fixed {
                Some(address) => pool.take(id.as_str(), address).map(|()| address),
                None => pool.reserve(id.as_str(), before),
            };
            let reserved = match reserve() {
                // Of those that nobody settled yet, some are dead.
                Err(berth_net::Error::Full { .. } | berth_net::Error::Taken { .. })
                    if self.free_dead_addresses(&place.key, range.subnet)? > 0 =>
                {
                    reserve()
                }
                reserved => reserved,
            };
            match reserved {
                Ok(address) => return Ok(Some(address)),
                Err(berth_net::Error::Taken { address }) => {
                    return Err(Error::NetworkDenied {
                        message: format!("Address already in use: {address}"),
                    });
                }
                // The next range may have room.
                Err(error) => result = Err(network("connect the container")(error)),
            }
        }
        result
    }

    /// Gives a place's addresses back.
    pub(super) fn free_addresses(&self, id: &ContainerId, place: &Joined) -> Result<(), Error> {
        let state = self.layout.network_state(&place.key);
        for address in &place.addresses {
            if let Some(range) = place.range(address.is_ipv4()) {
                Pool::new(&state, range.subnet, Limits::default())
                    .free(*address, id.as_str())
                    .map_err(network("free the address"))?;
            }
        }
        Ok(())
    }
}

/// A new one each time: that of the last start may not be gone yet.
fn device_name() -> Result<String, Error> {
    let id = crate::create::random_id()?;
    Ok(format!("bv{}", id.short()))
}
