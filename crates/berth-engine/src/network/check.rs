//! What a crash left of networks: addresses and published ports of containers that do not run, devices of nobody.

use std::collections::BTreeSet;

use berth_fs::{Durability, Lock, LockMode};
use berth_model::{ContainerId, Status};
use berth_net::network::{self as net, Desired, Look};
use berth_net::{Kernel, Limits, Network, Pool, Subnet};

use super::connection::Joined;
use super::record::{Driver, Shape, is_id};
use super::{BRIDGE_NETWORK, Bridge, network};
use crate::error::files;
use crate::fsck::Findings;
use crate::layout::STAGED_PREFIX;
use crate::names::read_names;
use crate::{Engine, Error, json};

impl Engine {
    /// Compares reservations, devices and rules with the containers that run.
    pub(crate) fn check_networks(&self, findings: &mut Findings) -> Result<(), Error> {
        if self.options.rootless {
            return self.check_pastas(findings);
        }
        self.check_connections(findings)?;
        self.check_places(findings)?;
        if let Some(bridge) = json::read::<Bridge>(&self.layout.bridge_record())? {
            self.check_network(findings, BRIDGE_NETWORK, &bridge.shape())?;
        }
        for record in self.made_networks()? {
            let Some(_lock) = self.hold_network(&record.id, LockMode::Shared)? else {
                continue;
            };
            self.check_network(findings, &record.id, &record.shape)?;
        }
        self.check_left(findings)
    }

    fn check_network(
        &self,
        findings: &mut Findings,
        key: &str,
        shape: &Shape,
    ) -> Result<(), Error> {
        for range in &shape.ranges {
            self.check_addresses(findings, key, range.subnet)?;
        }
        match shape.driver {
            Driver::Bridge => self.check_bridge(findings, key, &shape.network()),
            Driver::Macvlan | Driver::Ipvlan => Ok(()),
        }
    }

    /// Places of containers that run which they are not asked to have: somebody died on the way into a network, or out.
    fn check_places(&self, findings: &mut Findings) -> Result<(), Error> {
        for (id, connection) in self.connections()? {
            let Some(Some(_lock)) = self.try_lock(&id) else {
                continue;
            };
            let Ok(config) = self.config(&id) else {
                continue;
            };
            let asked = config.networking.endpoints(&config.network);
            let asked_for = |key: &String| asked.iter().any(|asked| asked.network == *key);
            if self.is_up(&id) && !connection.places.iter().all(|place| asked_for(&place.key)) {
                let what = format!("the container {} is in a network too many", id.short());
                findings.found(what, || self.drop_places(&config).map(drop))?;
            }
        }
        Ok(())
    }

    /// What is left of networks that were never finished, or are gone.
    fn check_left(&self, findings: &mut Findings) -> Result<(), Error> {
        let networks = self.layout.networks();
        if !networks.is_dir() {
            return Ok(());
        }
        let _lock = self.lock_networks()?;
        for name in read_names(networks.clone())? {
            if name.starts_with(STAGED_PREFIX) {
                let path = networks.join(&name);
                let what = format!("a network that was never finished ({name})");
                findings.found(what, || self.throw(&path))?;
            }
        }
        if self.network_names().is_dir() {
            for file in read_names(self.network_names())? {
                let link = self.network_names().join(&file);
                let id = std::fs::read_link(&link).unwrap_or_default();
                if !networks.join(&id).join("network.json").exists() {
                    let what = format!("the name `{file}` belongs to no network");
                    findings.found(what, || {
                        berth_fs::remove_file(&link, Durability::Durable)
                            .map_err(files("free the network's name"))
                    })?;
                }
            }
        }
        let states = self.layout.run_dir().join("networks");
        for name in if states.is_dir() {
            read_names(states)?
        } else {
            Vec::new()
        } {
            if is_id(&name) && !self.network_dir(&name).exists() {
                let what = format!("the state of the network {} belongs to none", &name[..12]);
                findings.found(what, || self.remove_network_state(&name))?;
            }
        }
        Ok(())
    }

    fn check_pastas(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in crate::names::read_names(self.layout.tasks())? {
            let Ok(id) = ContainerId::parse(&name) else {
                continue;
            };
            let Some(_lock) = self.lock_of_the_dead(&id)? else {
                continue;
            };
            if self.layout.pasta(&id).exists() {
                let what = format!("the container {} does not run and has a pasta", id.short());
                findings.found(what, || self.end_pasta(&id))?;
            }
        }
        Ok(())
    }

    fn check_connections(&self, findings: &mut Findings) -> Result<(), Error> {
        for (id, _) in self.connections()? {
            let Some(_lock) = self.lock_of_the_dead(&id)? else {
                continue;
            };
            if self.connection(&id)?.is_some() {
                let what = format!("the container {} does not run and is connected", id.short());
                findings.found(what, || self.release_network(&id))?;
            }
        }
        Ok(())
    }

    fn check_addresses(
        &self,
        findings: &mut Findings,
        key: &str,
        subnet: Subnet,
    ) -> Result<(), Error> {
        let fail = network("check the addresses");
        let state = self.layout.network_state(key);
        let pool = Pool::new(&state, subnet, Limits::default());
        for (address, owner) in pool.all().map_err(&fail)? {
            let free = || pool.free(address, &owner).map_err(&fail);
            let what = || format!("the address {address} belongs to no container");
            let Ok(id) = ContainerId::parse(&owner) else {
                findings.found(what(), free)?;
                continue;
            };
            // Whoever starts it may not have written yet what it has.
            let Some(_lock) = self.try_lock(&id) else {
                continue;
            };
            let kept = self.connection(&id)?.is_some_and(|all| {
                all.place(key)
                    .is_some_and(|one| one.addresses.contains(&address))
            });
            if !kept && pool.owner(address).map_err(&fail)?.as_ref() == Some(&owner) {
                findings.found(what(), free)?;
            }
        }
        Ok(())
    }

    fn check_bridge(
        &self,
        findings: &mut Findings,
        key: &str,
        network: &Network,
    ) -> Result<(), Error> {
        let fail = super::network("check the bridge");
        let kernel = Kernel::open().map_err(&fail)?;
        // First: whoever starts a container names its device before it is there.
        let plugged = match berth_net::plugged(&kernel, network) {
            Ok(plugged) => plugged,
            // Whoever may not look has not made any.
            Err(error) if error.kind() == berth_model::ErrorKind::Denied => return Ok(()),
            Err(error) => return Err(fail(error)),
        };
        let connections = self.connections()?;
        let own = connections
            .iter()
            .filter_map(|(id, all)| Some((id, all.place(key)?)));
        let own: Vec<(&ContainerId, &Joined)> = own.collect();
        let known: BTreeSet<&String> = own.iter().map(|(_, place)| &place.device).collect();
        for device in plugged
            .iter()
            .filter(|name| name.starts_with("bv") && !known.contains(name))
        {
            findings.found(
                format!("the network device {device} belongs to no container"),
                || berth_net::unplug(&kernel, device).map(drop).map_err(&fail),
            )?;
        }
        for (id, place) in &own {
            let is_out = || self.try_lock(id).is_some() && self.is_up(id);
            if !plugged.contains(&place.device) && is_out() {
                let what = format!("the container {} is cut off from its network", id.short());
                findings.found(what, || self.repair_networks().map(drop))?;
            }
        }
        let _lock = match self.layout.network_state(key).is_dir() {
            true => self.lock_network(key)?,
            false => return Ok(()),
        };
        let published = self.published(network)?;
        let desired = Desired {
            network,
            published: &published,
        };
        let observed = net::observe(&kernel, network, Look::Whole).map_err(&fail)?;
        if own.is_empty() && observed.is_unmade() {
            // It is made with the next container.
            return Ok(());
        }
        let steps = net::plan(&desired, &observed).map_err(&fail)?;
        if !steps.is_empty() {
            findings.found("the bridge or its rules were changed".to_owned(), || {
                net::apply(&kernel, &desired, &steps).map_err(&fail)
            })?;
        }
        Ok(())
    }

    /// Frees the addresses of containers that do not run; tells how many.
    pub(super) fn free_dead_addresses(&self, key: &str, subnet: Subnet) -> Result<usize, Error> {
        let mut findings = Findings::repairing();
        self.check_connections(&mut findings)?;
        self.check_addresses(&mut findings, key, subnet)?;
        Ok(findings.count())
    }

    /// The lock of a container that does not run, or that is not there at all; `None`: somebody is at work with it.
    fn lock_of_the_dead(&self, id: &ContainerId) -> Result<Option<Option<Lock>>, Error> {
        match self.try_lock(id) {
            Some(Some(lock)) => {
                let status = self.status(id)?;
                let busy =
                    status.is_alive() || matches!(status, Status::Starting | Status::Exiting);
                Ok((!busy).then_some(Some(lock)))
            }
            other => Ok(other),
        }
    }

    /// The lock of a container, or that it is not there; `None`: somebody is at work with it.
    pub(super) fn try_lock(&self, id: &ContainerId) -> Option<Option<Lock>> {
        let dir = self.layout.container(id);
        match dir.exists() {
            true => Lock::try_dir(&dir, LockMode::Exclusive).ok()?.map(Some),
            false => Some(None),
        }
    }
}
