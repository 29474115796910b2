//! A container's places in networks: begun while its start prepares other things, finished before its program runs, and
//! given back when it has ended.

use std::os::fd::{AsFd as _, OwnedFd};

use berth_fs::{Durability, failpoint};
use berth_model::config::NetworkMode;
use berth_model::{ContainerConfig, ContainerId};
use berth_net::network::{self as net, Desired, Look, Step};
use berth_net::{Attach, Held, Kernel, Namespace, Network, Pending};

use super::connection::{Connection, Joined};
use super::record::Driver;
use super::{network, ports};
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
            let claimed = match connection.places.iter().any(Joined::publishes) {
                true => ports::claim(config, &connection.reach())?,
                // As Docker has it.
                false => ports::Claimed::default(),
            };
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
        berth_net::default_routes(&namespace, &connection.ways()).map_err(&fail)?;
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
            Driver::Macvlan | Driver::Ipvlan => self.ensure_parent(kernel, &place.network),
        }
    }

    /// Puts a place's devices into the container's namespace.
    pub(super) fn plug(
        &self,
        kernel: &Kernel,
        namespace: &Namespace,
        place: &Joined,
    ) -> Result<(), Error> {
        let bridge = place.network.network();
        let attach = place.network.over_device()?;
        let attach = attach.unwrap_or(Attach::Bridge(&bridge));
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
        let published = self.published(network)?;
        let steps = plan(&published).map_err(&fail)?;
        let desired = Desired {
            network,
            published: &published,
        };
        net::apply(kernel, &desired, &steps).map_err(&fail)?;
        if !steps.contains(&Step::Bridge) {
            return Ok(());
        }
        // Those that run lost theirs.
        let others = self.connections()?;
        let others = others.iter().filter_map(|(_, all)| all.place(key));
        let devices: Vec<String> = others.map(|place| place.device.clone()).collect();
        berth_net::rejoin(kernel, network, &devices).map_err(&fail)?;
        Ok(())
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

    fn remove_connection(&self, id: &ContainerId) -> Result<(), Error> {
        berth_fs::remove_file(&self.layout.connection(id), Durability::Volatile)
            .map_err(files("end the connection"))
    }
}
