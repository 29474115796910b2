//! What a crash left of networks: addresses and published ports of containers that do not run, devices of nobody.

use std::collections::BTreeSet;
use std::path::Path;

use berth_fs::{Lock, LockMode};
use berth_model::{ContainerId, Status};
use berth_net::network::{self as net, Desired, Look};
use berth_net::{Kernel, Limits, Pool, Subnet};

use super::{BRIDGE_NETWORK, Bridge, network, ports};
use crate::fsck::Findings;
use crate::{Engine, Error, json};

impl Engine {
    /// Compares reservations, devices and rules with the containers that run.
    pub(crate) fn check_networks(&self, findings: &mut Findings) -> Result<(), Error> {
        if self.options.rootless {
            return Ok(());
        }
        let Some(bridge) = json::read::<Bridge>(&self.layout.bridge_record())? else {
            return Ok(());
        };
        self.check_connections(findings)?;
        self.check_addresses(findings, &self.layout.bridge_state(), bridge.subnet)?;
        self.check_bridge(findings, &bridge)
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
        state: &Path,
        subnet: Subnet,
    ) -> Result<(), Error> {
        let fail = network("check the addresses");
        let pool = Pool::new(state, subnet, Limits::default());
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
            let kept = self
                .connection(&id)?
                .is_some_and(|one| one.address == address);
            if !kept && pool.owner(address).map_err(&fail)?.as_ref() == Some(&owner) {
                findings.found(what(), free)?;
            }
        }
        Ok(())
    }

    fn check_bridge(&self, findings: &mut Findings, bridge: &Bridge) -> Result<(), Error> {
        let fail = network("check the bridge");
        let network = bridge.network();
        let kernel = Kernel::open().map_err(&fail)?;
        // First: whoever starts a container names its device before it is there.
        let plugged = match berth_net::plugged(&kernel, &network) {
            Ok(plugged) => plugged,
            // Whoever may not look has not made any.
            Err(error) if error.kind() == berth_model::ErrorKind::Denied => return Ok(()),
            Err(error) => return Err(fail(error)),
        };
        let connections = self.connections()?;
        let known: BTreeSet<&String> = connections.iter().map(|(_, one)| &one.device).collect();
        for device in plugged
            .iter()
            .filter(|name| name.starts_with("bv") && !known.contains(name))
        {
            findings.found(
                format!("the network device {device} belongs to no container"),
                || berth_net::unplug(&kernel, device).map(drop).map_err(&fail),
            )?;
        }
        let _lock = match self.layout.bridge_state().is_dir() {
            true => self.lock_network(BRIDGE_NETWORK)?,
            false => return Ok(()),
        };
        let mut published = self.published(&network)?;
        ports::without_doubles(&mut published);
        let desired = Desired {
            network: &network,
            published: &published,
        };
        let observed = net::observe(&kernel, &network, Look::Whole).map_err(&fail)?;
        if connections.is_empty() && observed.is_unmade() {
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
    pub(super) fn free_dead_addresses(&self, state: &Path, subnet: Subnet) -> Result<usize, Error> {
        let mut findings = Findings::repairing();
        self.check_connections(&mut findings)?;
        self.check_addresses(&mut findings, state, subnet)?;
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
