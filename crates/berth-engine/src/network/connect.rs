//! A container's places in networks: begun while its start prepares other things, finished before its program runs, and
//! given back when it has ended.

use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use berth_fs::{Durability, Lock, LockMode, failpoint};
use berth_model::config::{EndpointConfig, NetworkMode};
use berth_model::{ContainerConfig, ContainerId};
use berth_net::network::{self as net, Desired, Look};
use berth_net::{Attach, Held, Kernel, Limits, Namespace, Network, Pending, Pool, mac_of};

use super::connection::{Connection, Joined};
use super::record::{Driver, Range, Shape};
use super::{BRIDGE_NETWORK, network, ports, stable_id};
use crate::create::invalid;
use crate::error::files;
use crate::{Engine, Error, json};

/// A connection that is being made.
pub(crate) struct Starting {
    kernel: Kernel,
    namespace: Pending,
}

/// Where the container will be.
pub(crate) struct Place {
    starting: Starting,
    pub(crate) connection: Connection,
    /// Host ports, claimed.
    pub(crate) held: Vec<Held>,
}

/// A network that a container is to be in, held until its address is reserved.
struct Wanted {
    id: String,
    name: String,
    shape: Shape,
    _lock: Option<Lock>,
}

impl Engine {
    /// The network of who asks for none: Docker's, where we can make it.
    pub(crate) fn default_network(&self) -> NetworkMode {
        match self.options.rootless {
            true if super::pasta::usable().is_ok() => NetworkMode::Pasta,
            true => NetworkMode::None,
            false => NetworkMode::Bridge,
        }
    }

    /// Begins to make the namespace of a container that is to be in networks; one that is in none gets its own from the
    /// runtime.
    pub(crate) fn begin_connection(
        &self,
        config: &ContainerConfig,
    ) -> Result<Option<Starting>, Error> {
        if config.networking.endpoints(&config.network).is_empty() {
            return Ok(None);
        }
        if self.options.rootless {
            return Err(Error::Invalid {
                message: "an ordinary user's containers have no bridge network".to_owned(),
                hint: Some(
                    "`--network pasta`, `none` or `host` work; or run berth as root".to_owned(),
                ),
            });
        }
        let fail = network("connect the container");
        let namespace = Namespace::begin().map_err(&fail)?;
        let kernel = Kernel::open().map_err(&fail)?;
        Ok(Some(Starting { kernel, namespace }))
    }

    /// Reserves addresses and host ports; from then on [`Engine::release_network`] knows of them.
    pub(crate) fn reserve_place(
        &self,
        config: &ContainerConfig,
        starting: Starting,
    ) -> Result<Place, Error> {
        let id = &config.id;
        let mut connection = Connection::new(Vec::new(), Vec::new());
        let reserved = self.reserve_all(config, &mut connection).and_then(|()| {
            failpoint!("engine.network.reserved");
            let claimed = ports::claim(config, connection.way_out(false).is_some())?;
            connection.ports = claimed.ports;
            self.write_connection(id, &connection)?;
            Ok(claimed.held)
        });
        match reserved {
            Ok(held) => Ok(Place {
                starting,
                connection,
                held,
            }),
            // The first error is the one to report; `fsck` finds what stays.
            Err(error) => {
                for place in &connection.places {
                    let _ = self.free_addresses(id, place);
                }
                Err(error)
            }
        }
    }

    fn reserve_all(
        &self,
        config: &ContainerConfig,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        let last = json::read::<Connection>(&self.layout.last_connection(&config.id));
        let last = last.ok().flatten().unwrap_or_default();
        for wish in config.networking.endpoints(&config.network) {
            let place = self.reserve(&config.id, &wish, connection, &last)?;
            connection.places.push(place);
        }
        Ok(())
    }

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

    pub(super) fn write_connection(
        &self,
        id: &ContainerId,
        connection: &Connection,
    ) -> Result<(), Error> {
        json::write(
            &self.layout.connection(id),
            connection,
            Durability::Volatile,
        )
    }

    /// Finishes: the networks are as they have to be, the container's devices are in place, its ports lead to it, and it
    /// is known by its names.
    pub(crate) fn connect(
        &self,
        config: &ContainerConfig,
        place: Place,
    ) -> Result<(OwnedFd, Vec<OwnedFd>), Error> {
        let Place {
            starting,
            connection,
            held,
        } = place;
        let fail = network("connect the container");
        let kernel = &starting.kernel;
        for place in &connection.places {
            self.ensure_place(kernel, place)?;
        }
        failpoint!("engine.network.bridge");
        let namespace = starting.namespace.wait().map_err(&fail)?;
        for place in &connection.places {
            self.plug(kernel, &namespace, place)?;
        }
        berth_net::default_routes(&namespace, &connection.gateways()).map_err(&fail)?;
        failpoint!("engine.network.plugged");
        self.serve_names(config, &connection, namespace.as_fd())?;
        for (place, published) in connection.published() {
            let _lock = self.lock_network(&place.key)?;
            net::publish(kernel, &place.network.network(), &published).map_err(&fail)?;
            failpoint!("engine.network.published");
        }
        let file = namespace.as_fd().try_clone_to_owned();
        let file = file.map_err(|source| Error::Io {
            action: "keep the namespace of",
            path: self.layout.container(&config.id),
            source,
        })?;
        Ok((file, held.into_iter().map(|held| held.socket).collect()))
    }

    /// Makes a place's network what it has to be.
    pub(super) fn ensure_place(&self, kernel: &Kernel, place: &Joined) -> Result<(), Error> {
        match place.network.driver {
            Driver::Bridge => self.ensure_network(kernel, &place.network.network(), &place.key),
            Driver::Macvlan | Driver::Ipvlan => Ok(()),
        }
    }

    /// Puts a place's devices into the container's namespace.
    pub(super) fn plug(
        &self,
        kernel: &Kernel,
        namespace: &Namespace,
        place: &Joined,
    ) -> Result<(), Error> {
        let shape = &place.network;
        let bridge = shape.network();
        let attach = match (shape.driver, shape.over_device()) {
            (Driver::Bridge, _) => Attach::Bridge(&bridge),
            (_, Some(over)) => over,
            (other, None) => {
                let driver = other.word();
                let message = format!("requested {driver} mode '{}' is not valid", shape.mode);
                return Err(invalid(message));
            }
        };
        let endpoint = place.endpoint(ports::mac(&place.mac)?);
        berth_net::plug(kernel, attach, namespace, &endpoint)
            .map_err(network("connect the container"))
    }

    /// Makes the bridge and its rules what they have to be. Most times they are.
    pub(crate) fn ensure_network(
        &self,
        kernel: &Kernel,
        network: &Network,
        key: &str,
    ) -> Result<(), Error> {
        let fail = super::network("make the bridge");
        let plan = |published: &[_]| {
            let desired = Desired { network, published };
            let observed = net::observe(kernel, network, Look::Quick)?;
            net::plan(&desired, &observed)
        };
        if plan(&[]).map_err(&fail)?.is_empty() {
            return Ok(());
        }
        let _lock = self.lock_network(key)?;
        // The rules are made anew with all that is published, or containers that run would lose their ports.
        let mut published = self.published(network)?;
        ports::without_doubles(&mut published);
        let steps = plan(&published).map_err(&fail)?;
        let desired = Desired {
            network,
            published: &published,
        };
        net::apply(kernel, &desired, &steps).map_err(&fail)
    }

    /// Frees what a connection held. That there is none is fine, and so is doing it twice. The container's lock is
    /// the caller's, and it does not run.
    pub(crate) fn release_network(&self, id: &ContainerId) -> Result<(), Error> {
        let path = self.layout.connection(id);
        let connection = match json::read::<Connection>(&path) {
            Ok(None) => return Ok(()),
            Ok(Some(connection)) => connection,
            // What it held is found by `fsck`, under the container's name.
            Err(Error::Damaged { .. }) => return self.remove_connection(id),
            Err(other) => return Err(other),
        };
        let fail = network("release the network of the container");
        let kernel = Kernel::open().map_err(&fail)?;
        let published = connection.published();
        // Held to the end of the record: whoever makes the rules anew does not bring back what is withdrawn.
        let mut keys: Vec<&String> = published.iter().map(|(place, _)| &place.key).collect();
        keys.sort();
        keys.dedup();
        let locks = keys.into_iter().map(|key| self.lock_network(key));
        let _locks = locks.collect::<Result<Vec<_>, _>>()?;
        for (place, published) in &published {
            net::withdraw(&kernel, &place.network.network(), published).map_err(&fail)?;
            failpoint!("engine.network.withdrawn");
        }
        self.forget_names(id, &connection)?;
        for place in &connection.places {
            berth_net::cut(&kernel, &place.device).map_err(&fail)?;
            failpoint!("engine.network.cut");
            self.free_addresses(id, place)?;
            failpoint!("engine.network.freed");
        }
        let last = self.layout.last_connection(id);
        berth_fs::rename(&path, &last, Durability::Volatile).map_err(files("end the connection"))
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

    fn remove_connection(&self, id: &ContainerId) -> Result<(), Error> {
        berth_fs::remove_file(&self.layout.connection(id), Durability::Volatile)
            .map_err(files("end the connection"))
    }
}

/// A new one each time: that of the last start may not be gone yet.
fn device_name() -> Result<String, Error> {
    let id = crate::create::random_id()?;
    Ok(format!("bv{}", id.short()))
}
