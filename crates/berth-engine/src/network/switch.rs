//! Connecting containers to networks, and taking them out, also while they run.
//!
//! What is asked for (the configuration) is what counts: a container that runs is connected first and recorded then, and
//! disconnected the other way round. So what a crash leaves is always a place too many, which is given back by whoever
//! looks next ([`Engine::drop_places`]).

use std::os::fd::{AsFd as _, OwnedFd};

use berth_fs::failpoint;
use berth_model::config::{EndpointConfig, NetworkMode};
use berth_model::{ContainerConfig, ContainerId};
use berth_net::network as net;
use berth_net::{Kernel, Namespace};
use rustix::fs::{Mode, OFlags};

use super::connection::Connection;
use super::find::Found;
use super::{network, wish};
use crate::{Engine, Error};

impl Engine {
    /// Connects a container to a network.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::NoNetwork`], [`Error::NetworkDenied`] when it is in it already,
    /// [`Error::Invalid`] for what cannot be had there.
    pub fn connect_network(&self, container: &str, asked: EndpointConfig) -> Result<(), Error> {
        let id = self.find(container)?;
        let _lock = self.lock(&id)?;
        let before = self.config(&id)?;
        let asked = self.resolve_endpoint(asked)?;
        can_change(&before.network)?;
        let mut places = before.networking.endpoints(&before.network);
        let at = places
            .iter()
            .position(|place| place.network == asked.network);
        let running = self.settled_connection(&before)?;
        if at.is_some() && running.is_some() {
            return Err(Error::NetworkDenied {
                message: format!(
                    "endpoint with name {} already exists in network {}",
                    self.current_name(&before)?,
                    asked.name
                ),
            });
        }
        match at {
            // Said anew of one that does not run.
            Some(at) => places[at] = asked.clone(),
            None => places.push(asked.clone()),
        }
        let mut after = before;
        after.networking.endpoints = Some(places);
        let Some(running) = running else {
            return self.write_updated(&after);
        };
        let last = Connection::default();
        let place = self.reserve(&id, &asked, &running, &last)?;
        let mut connection = running.clone();
        connection.places.push(place);
        let connected = self
            .write_connection(&id, &connection)
            .and_then(|()| self.switch(&after, &running, &connection))
            .and_then(|()| self.write_updated(&after));
        if let Err(error) = connected {
            // The first error is the one to report; what stays, `fsck` knows.
            let _ = self
                .config(&id)
                .and_then(|config| self.drop_places(&config));
            return Err(error);
        }
        self.record_endpoint(&id, &asked, "connect");
        Ok(())
    }

    /// Takes a container out of a network. `force`: also out of one that is not there any more.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::NoNetwork`], [`Error::NotConnected`].
    pub fn disconnect_network(
        &self,
        container: &str,
        network: &str,
        force: bool,
    ) -> Result<(), Error> {
        let id = self.find(container)?;
        let found = match self.find_network(network) {
            Err(Error::NoNetwork { .. }) if force => None,
            found => Some(found?),
        };
        let _lock = self.lock(&id)?;
        let before = self.config(&id)?;
        let key = match &found {
            Some(Found::Own(record)) => record.id.as_str(),
            Some(Found::Predefined(name)) => name,
            None => network,
        };
        if key == "host" || before.network == NetworkMode::Host {
            return Err(wish::host());
        }
        let mut places = before.networking.endpoints(&before.network);
        let at = places
            .iter()
            .position(|place| place.network == key || (found.is_none() && place.name == key));
        let Some(at) = at else {
            return Err(Error::NotConnected {
                container: id.to_string(),
                network: network.to_owned(),
            });
        };
        let gone = places.remove(at);
        let running = self.settled_connection(&before)?;
        let mut after = before;
        after.networking.endpoints = Some(places);
        self.write_updated(&after)?;
        failpoint!("engine.network.left");
        if running.is_some() {
            self.drop_places(&after)?;
            self.record_endpoint(&id, &gone, "disconnect");
        }
        Ok(())
    }

    /// The connection of a container that runs, without places that a crash has left.
    fn settled_connection(&self, config: &ContainerConfig) -> Result<Option<Connection>, Error> {
        if !self.status(&config.id)?.is_alive() {
            return Ok(None);
        }
        self.drop_places(config)?;
        Ok(Some(self.connection(&config.id)?.unwrap_or_default()))
    }

    /// Gives back the places that a container has and is not asked to have. Its lock is ours. Whether there were any.
    pub(crate) fn drop_places(&self, config: &ContainerConfig) -> Result<bool, Error> {
        let id = &config.id;
        let Some(mut before) = self.connection(id)? else {
            return Ok(false);
        };
        let asked = config.networking.endpoints(&config.network);
        let mut leaving = before.clone();
        for place in &mut leaving.places {
            place.leaving = !asked.iter().any(|asked| place.is_of(asked));
        }
        let mut after = leaving.clone();
        after.places.retain(|place| !place.leaving);
        if after.places.len() == before.places.len() {
            return Ok(false);
        }
        // Whoever repairs networks meanwhile would publish there again what is withdrawn.
        self.write_connection(id, &leaving)?;
        // Somebody may have come as far and died: what is published is seen from the beginning.
        for place in &mut before.places {
            place.leaving = false;
        }
        self.switch(config, &before, &after)?;
        for place in &before.places {
            if after.place(&place.key).is_none() {
                self.free_addresses(id, place)?;
            }
        }
        self.write_connection(id, &after)?;
        Ok(true)
    }

    /// Has a container that runs be in the places of `after` instead of those of `before`. Doing it twice is fine.
    fn switch(
        &self,
        config: &ContainerConfig,
        before: &Connection,
        after: &Connection,
    ) -> Result<(), Error> {
        let fail = network("connect the container");
        let kernel = Kernel::open().map_err(&fail)?;
        let namespace = self.namespace_of(&config.id)?;
        for place in &after.places {
            if before.place(&place.key).is_none() {
                self.ensure_place(&kernel, place)?;
                self.plug(&kernel, &namespace, place)?;
            }
        }
        failpoint!("engine.network.joined");
        self.move_ports(&kernel, before, after)?;
        for place in &before.places {
            if after.place(&place.key).is_none() {
                self.forget_name(&config.id, place)?;
                berth_net::unplug_inside(&namespace, &place.inside).map_err(&fail)?;
                berth_net::unplug(&kernel, &place.device).map_err(&fail)?;
            }
        }
        berth_net::default_routes(&namespace, &after.ways()).map_err(&fail)?;
        self.rewrite_name_files(config, before, after)?;
        self.serve_names(config, after, namespace.as_fd())
    }

    /// Ports lead to the place by which the container answers.
    fn move_ports(
        &self,
        kernel: &Kernel,
        before: &Connection,
        after: &Connection,
    ) -> Result<(), Error> {
        let fail = network("publish the container's ports");
        let (old, new) = (before.published(), after.published());
        for (place, published) in &old {
            if !new.contains(&(*place, published.clone())) {
                let _lock = self.lock_network(&place.key)?;
                net::withdraw(kernel, &place.network.network(), published).map_err(&fail)?;
            }
        }
        for (place, published) in &new {
            if !old.contains(&(*place, published.clone())) {
                let _lock = self.lock_network(&place.key)?;
                net::publish(kernel, &place.network.network(), published).map_err(&fail)?;
            }
        }
        Ok(())
    }

    /// The network namespace of a container that runs.
    pub(super) fn namespace_of(&self, id: &ContainerId) -> Result<Namespace, Error> {
        let pid = self.running(id, "connect")?;
        let path = format!("/proc/{}/ns/net", pid.pid);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file: OwnedFd =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|source| Error::Io {
                action: "open the namespace",
                path: path.into(),
                source: source.into(),
            })?;
        // After the look: so it was that very process's.
        if !crate::observe::is_alive(&pid) {
            return Err(Error::WrongState {
                action: "connect",
                id: id.short().to_owned(),
                state: "exited",
                hint: "try again: it is connected at its next start",
            });
        }
        Namespace::of(file).map_err(network("connect the container"))
    }
}

fn can_change(mode: &NetworkMode) -> Result<(), Error> {
    match mode {
        NetworkMode::Bridge | NetworkMode::Named(_) => Ok(()),
        NetworkMode::None => Err(wish::none()),
        NetworkMode::Host | NetworkMode::Container(_) | NetworkMode::Pasta => Err(Error::NetworkDenied {
            message: "container sharing network namespace with another container or host cannot be connected to any \
                      other network"
                .to_owned(),
        }),
    }
}
