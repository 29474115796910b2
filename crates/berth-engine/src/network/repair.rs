//! Networks of containers that run are put right when others have changed them: the firewall that flushed all rules, the
//! bridge that somebody deleted. Nothing comes in meanwhile: see berth-net's second wall.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_model::ContainerId;
use berth_net::network::{self as net, Desired, Look};
use berth_net::watch::Watch;
use berth_net::{Kernel, firewall, rejoin};

use super::connection::{Connection, Joined};
use super::network;
use super::record::Driver;
use crate::{Engine, Error};

/// Whoever changes something mostly changes more: so long is waited for the rest.
const SETTLE: Duration = Duration::from_millis(100);
/// The kernel tells of each change; this is for what it does not tell of.
const LOOK: Duration = Duration::from_secs(60);

impl Engine {
    /// Repairs networks as long as it can, whenever something has changed. `told` hears what could not be repaired (the
    /// next change is another chance), and which rules of the host's firewall are not applied to published ports as they
    /// are.
    ///
    /// # Errors
    /// [`Error::Network`]: the kernel does not tell of changes.
    pub fn keep_networks(&self, told: &dyn Fn(Result<&str, &Error>)) -> Result<(), Error> {
        if self.options.rootless {
            // It has none.
            return Ok(());
        }
        let fail = network("watch the networks");
        let watch = Watch::open().map_err(&fail)?;
        let mut known = Vec::new();
        loop {
            match self.repair_networks() {
                Ok(notes) => {
                    let new = notes.iter().filter(|note| !known.contains(*note));
                    new.for_each(|note| told(Ok(note)));
                    known = notes;
                }
                Err(error) => told(Err(&error)),
            }
            // Mostly nothing happens for long.
            berth_sys::code::forget_used();
            if watch.wait(LOOK).map_err(&fail)? {
                std::thread::sleep(SETTLE);
                // What has come by now is repaired together.
                watch.look().map_err(&fail)?;
            }
        }
    }

    /// Makes the networks of containers that run what they have to be; returns notes about the host's firewall.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Damaged`].
    pub fn repair_networks(&self) -> Result<Vec<String>, Error> {
        let mut connections = self.connections()?;
        connections.retain(|(id, _)| self.is_up(id));
        if connections.is_empty() {
            return Ok(Vec::new());
        }
        let kernel = Kernel::open().map_err(network("repair the networks"))?;
        let mut bridges: BTreeMap<&str, Vec<(&ContainerId, &Connection, &Joined)>> =
            BTreeMap::new();
        for (id, connection) in &connections {
            for place in &connection.places {
                if place.network.driver == Driver::Bridge && !place.leaving {
                    let of_bridge = bridges.entry(&place.key).or_default();
                    of_bridge.push((id, connection, place));
                }
            }
        }
        for (key, places) in &bridges {
            for (id, connection, place) in self.repair_network(&kernel, key, places)? {
                self.plug_again(&kernel, id, connection, place)?;
            }
        }
        let publish = |(_, connection): &(_, Connection)| !connection.ports.is_empty();
        match connections.iter().any(publish) {
            true => firewall::mirror(&kernel).map_err(network("apply the host's firewall")),
            false => Ok(Vec::new()),
        }
    }

    /// One bridge; tells whose devices are gone.
    fn repair_network<'a>(
        &self,
        kernel: &Kernel,
        key: &str,
        places: &[(&'a ContainerId, &'a Connection, &'a Joined)],
    ) -> Result<Vec<(&'a ContainerId, &'a Connection, &'a Joined)>, Error> {
        let fail = network("repair the network");
        let Some((.., first)) = places.first() else {
            return Ok(Vec::new());
        };
        let shape = first.network.network();
        let _lock = self.lock_network(key)?;
        let published = self.published(&shape)?;
        let desired = Desired {
            network: &shape,
            published: &published,
        };
        let observed = net::observe(kernel, &shape, Look::Whole).map_err(&fail)?;
        let steps = net::plan(&desired, &observed).map_err(&fail)?;
        net::apply(kernel, &desired, &steps).map_err(&fail)?;
        let devices: Vec<String> = places
            .iter()
            .map(|(.., place)| place.device.clone())
            .collect();
        let gone = rejoin(kernel, &shape, &devices).map_err(&fail)?;
        let places = places.iter().copied();
        Ok(places
            .filter(|(.., place)| gone.contains(&place.device))
            .collect())
    }

    /// A container whose device somebody removed. One at which somebody is at work is left to him.
    fn plug_again(
        &self,
        kernel: &Kernel,
        id: &ContainerId,
        connection: &Connection,
        place: &Joined,
    ) -> Result<(), Error> {
        let Some(Some(_lock)) = self.try_lock(id) else {
            return Ok(());
        };
        // It may have ended since, or have left the network.
        if self.connection(id)?.as_ref() != Some(connection) || !self.is_up(id) {
            return Ok(());
        }
        let namespace = match self.namespace_of(id) {
            // It has just ended: that is why its device is gone.
            Err(_) if self.running(id, "connect").is_err() => return Ok(()),
            namespace => namespace?,
        };
        self.plug(kernel, &namespace, place)?;
        berth_net::default_routes(&namespace, &connection.ways())
            .map_err(network("repair the network"))
    }
}
