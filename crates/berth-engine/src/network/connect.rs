//! A container's connection: begun while its start prepares other things, finished before its program runs, and released
//! when it has ended.

use std::os::fd::{AsFd as _, OwnedFd};

use berth_fs::{Durability, failpoint};
use berth_model::config::NetworkMode;
use berth_model::{ContainerConfig, ContainerId};
use berth_net::network::{self as net, Desired, Look};
use berth_net::{Attach, Endpoint, Held, Kernel, Namespace, Network, Pending, mac_of};

use super::files as net_files;
use super::{BRIDGE_NETWORK, Bridge, Connection, Linked, network, ports, stable_id};
use crate::error::files;
use crate::{Engine, Error, json};

/// A connection that is being made.
pub(crate) struct Starting {
    kernel: Kernel,
    bridge: Bridge,
    namespace: Pending,
}

/// Where the container will be.
pub(crate) struct Place {
    starting: Starting,
    pub(crate) connection: Connection,
    mac: [u8; 6],
    /// Host ports, claimed.
    pub(crate) held: Vec<Held>,
}

impl Engine {
    /// The network of who asks for none: Docker's, where we can make it.
    pub(crate) fn default_network(&self) -> NetworkMode {
        match self.options.rootless {
            true => NetworkMode::None,
            false => NetworkMode::Bridge,
        }
    }

    /// Begins to make the namespace of a container that is to be connected to the bridge.
    pub(crate) fn begin_connection(
        &self,
        config: &ContainerConfig,
    ) -> Result<Option<Starting>, Error> {
        if config.network != NetworkMode::Bridge {
            return Ok(None);
        }
        if self.options.rootless {
            return Err(Error::Invalid {
                message: "an ordinary user's containers have no bridge network".to_owned(),
                hint: Some(
                    "`--network none` or `--network host` work; or run berth as root".to_owned(),
                ),
            });
        }
        let fail = network("connect the container");
        let namespace = Namespace::begin().map_err(&fail)?;
        let kernel = Kernel::open().map_err(&fail)?;
        Ok(Some(Starting {
            bridge: self.bridge()?,
            kernel,
            namespace,
        }))
    }

    /// Reserves address and host ports; from then on [`Engine::release_network`] knows of them.
    pub(crate) fn reserve_place(
        &self,
        config: &ContainerConfig,
        starting: Starting,
    ) -> Result<Place, Error> {
        let id = &config.id;
        let bridge = &starting.bridge;
        self.ensure_state(BRIDGE_NETWORK)?;
        let claimed = ports::claim(config)?;
        let last = json::read::<Connection>(&self.layout.last_connection(id))
            .ok()
            .flatten();
        let address = self.reserve_address(id, bridge, last.map(|last| last.address))?;
        failpoint!("engine.network.reserved");
        let mac = match &config.networking.mac {
            Some(text) => ports::mac(text)?,
            None => mac_of(address),
        };
        let network = bridge.network();
        let connection = Connection {
            schema: 1,
            network_id: bridge.id.clone(),
            endpoint_id: stable_id("endpoint", &format!("{id} {}", bridge.id)),
            device: device_name()?,
            address,
            mac: mac.map(|byte| format!("{byte:02x}")).join(":"),
            bridge: network.bridge,
            subnet: bridge.subnet,
            table: network.table,
            ports: claimed.ports,
        };
        json::write(
            &self.layout.connection(id),
            &connection,
            Durability::Volatile,
        )?;
        Ok(Place {
            starting,
            connection,
            mac,
            held: claimed.held,
        })
    }

    fn reserve_address(
        &self,
        id: &ContainerId,
        bridge: &Bridge,
        wish: Option<std::net::IpAddr>,
    ) -> Result<std::net::IpAddr, Error> {
        let pool = self.pool(bridge.subnet);
        let reserve = || pool.reserve(id.as_str(), wish);
        match reserve() {
            // Of those that nobody settled yet, some are dead.
            Err(berth_net::Error::Full { .. })
                if self.free_dead_addresses(&self.layout.bridge_state(), bridge.subnet)? > 0 =>
            {
                reserve()
            }
            reserved => reserved,
        }
        .map_err(network("connect the container"))
    }

    /// Finishes: the bridge is as it has to be, the container's devices are in place, its ports lead to it.
    pub(crate) fn connect(
        &self,
        id: &ContainerId,
        place: Place,
    ) -> Result<(OwnedFd, Vec<OwnedFd>), Error> {
        let Place {
            starting,
            connection,
            mac,
            held,
        } = place;
        let fail = network("connect the container");
        let (kernel, network) = (&starting.kernel, connection.network());
        self.ensure_network(kernel, &network, BRIDGE_NETWORK)?;
        failpoint!("engine.network.bridge");
        let namespace = starting.namespace.wait().map_err(&fail)?;
        let endpoint = Endpoint {
            device: connection.device.clone(),
            inside: "eth0".to_owned(),
            addresses: vec![(connection.address, connection.subnet.prefix())],
            mac: Some(mac),
            mtu: None,
        };
        let gateways = [connection.subnet.gateway()];
        berth_net::plug(kernel, Attach::Bridge(&network), &namespace, &endpoint)
            .and_then(|()| berth_net::default_routes(&namespace, &gateways))
            .map_err(&fail)?;
        failpoint!("engine.network.plugged");
        if !connection.ports.is_empty() {
            let _lock = self.lock_network(BRIDGE_NETWORK)?;
            net::publish(kernel, &network, &connection.published()).map_err(&fail)?;
            failpoint!("engine.network.published");
        }
        let file = namespace
            .as_fd()
            .try_clone_to_owned()
            .map_err(|source| Error::Io {
                action: "keep the namespace of",
                path: self.layout.container(id),
                source,
            })?;
        Ok((file, held.into_iter().map(|held| held.socket).collect()))
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
        let network = connection.network();
        let published = connection.published();
        // Held to the end of the record: whoever makes the rules anew does not bring back what is withdrawn.
        let _lock = match published.is_empty() {
            true => None,
            false => {
                let lock = self.lock_network(BRIDGE_NETWORK)?;
                net::withdraw(&kernel, &network, &published).map_err(&fail)?;
                failpoint!("engine.network.withdrawn");
                Some(lock)
            }
        };
        berth_net::cut(&kernel, &connection.device).map_err(&fail)?;
        failpoint!("engine.network.cut");
        self.pool(connection.subnet)
            .free(connection.address, id.as_str())
            .map_err(&fail)?;
        failpoint!("engine.network.freed");
        let last = self.layout.last_connection(id);
        berth_fs::rename(&path, &last, Durability::Volatile).map_err(files("end the connection"))
    }

    /// `/etc/hosts` and `/etc/resolv.conf` of a container.
    pub(crate) fn name_files(
        &self,
        config: &ContainerConfig,
        place: Option<&Place>,
        linked: &[Linked],
    ) -> (String, String) {
        let read = |path: &str| std::fs::read(path).unwrap_or_default();
        let read = |path: &str| String::from_utf8_lossy(&read(path)).into_owned();
        let host = config.network == NetworkMode::Host;
        let asked = &config.networking;
        let hosts = match host && asked.extra_hosts.is_empty() {
            true => read("/etc/hosts"),
            false => {
                let gateway = match place {
                    Some(place) => Some(place.starting.bridge.subnet.gateway()),
                    None if asked.extra_hosts.is_empty() => None,
                    None => {
                        let bridge = json::read::<Bridge>(&self.layout.bridge_record());
                        let bridge = bridge.ok().flatten();
                        bridge.map(|bridge| bridge.subnet.gateway())
                    }
                };
                let address = place.map(|place| place.connection.address);
                net_files::hosts(config, address, gateway, linked)
            }
        };
        let mut resolv = read(net_files::RESOLV);
        let own =
            asked.dns.is_empty() && asked.dns_search.is_empty() && asked.dns_options.is_empty();
        if host && own {
            return (hosts, resolv);
        }
        if net_files::uses_stub(&resolv) {
            let text = read(net_files::RESOLVED);
            if !text.is_empty() {
                resolv = text;
            }
        }
        (hosts, net_files::resolv(config, &resolv))
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
