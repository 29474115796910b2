//! Removing networks: one by name, or all that no container is in.

use std::collections::BTreeMap;

use berth_fs::{Durability, LockMode, failpoint};
use berth_model::event::Subject;
use berth_net::Kernel;

use super::find::Found;
use super::network;
use super::record::{Driver, Record};
use crate::error::files;
use crate::{Engine, Error};

/// Which networks that no container is in go.
pub struct PruneNetworks<'a> {
    /// Only those that were made before this time: RFC 3339.
    pub created_before: Option<String>,
    /// Only those with such labels.
    pub labels: &'a dyn Fn(&BTreeMap<String, String>) -> bool,
}

impl Engine {
    /// Removes a network.
    ///
    /// # Errors
    /// [`Error::NoNetwork`], [`Error::NetworkDenied`] for a predefined one, [`Error::NetworkInUse`].
    pub fn remove_network(&self, name: &str) -> Result<(), Error> {
        let record = match self.find_network(name)? {
            Found::Own(record) => record,
            Found::Predefined(name) => {
                return Err(Error::NetworkDenied {
                    message: format!("{name} is a pre-defined network and cannot be removed"),
                });
            }
        };
        let _at_work = self.at_work()?;
        let Some(_lock) = self.hold_network(&record.id, LockMode::Exclusive)? else {
            return Err(Error::NoNetwork {
                name: name.to_owned(),
            });
        };
        if self.is_network_used(&record)? {
            return Err(Error::NetworkInUse {
                name: record.name.clone(),
                id: record.id.clone(),
            });
        }
        self.drop_network(&record)?;
        self.record_network_event(&record, "destroy");
        self.empty_trash()
    }

    /// Removes the networks that no container is in, but for those that came after this began; gives their names.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Files`]; what was removed before stays so.
    pub fn prune_networks(&self, request: &PruneNetworks<'_>) -> Result<Vec<String>, Error> {
        let mut gone = Vec::new();
        for record in self.unused_networks(request)? {
            if self.remove_unused_network(&record)? {
                gone.push(record.name);
            }
        }
        self.empty_trash()?;
        self.record_prune(Subject::Network, 0);
        Ok(gone)
    }

    /// Removes a network that was seen to be unused, if it still is.
    pub(crate) fn remove_unused_network(&self, record: &Record) -> Result<bool, Error> {
        let _at_work = self.at_work()?;
        let Some(_lock) = self.hold_network(&record.id, LockMode::Exclusive)? else {
            return Ok(false);
        };
        if self.is_network_used(record)? {
            return Ok(false);
        }
        self.drop_network(record)?;
        self.record_network_event(record, "destroy");
        Ok(true)
    }

    /// What [`Engine::prune_networks`] would remove now.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Network`].
    pub(crate) fn unused_networks(
        &self,
        request: &PruneNetworks<'_>,
    ) -> Result<Vec<Record>, Error> {
        let mut found = Vec::new();
        for record in self.made_networks()? {
            // Both have nine digits behind the second: the order of texts is that of times.
            let old = request.created_before.as_ref();
            let old = old.is_none_or(|limit| record.created < *limit);
            if old && (request.labels)(&record.labels) && !self.is_network_used(&record)? {
                found.push(record);
            }
        }
        Ok(found)
    }

    /// Whether a container that runs, or is about to, is in it.
    pub(super) fn is_network_used(&self, record: &Record) -> Result<bool, Error> {
        let fail = network("look at the network's addresses");
        for range in &record.shape.ranges {
            let pool = self.network_pool(&record.id, range);
            if pool.all().map_err(&fail)?.is_empty() {
                continue;
            }
            // Of those that nobody settled yet, some are dead.
            self.free_dead_addresses(&record.id, range.subnet)?;
            if !pool.all().map_err(&fail)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is on the host goes first: a record that stays can be removed again. Its lock is ours, if anybody knows of it.
    pub(super) fn drop_network(&self, record: &Record) -> Result<(), Error> {
        if record.shape.driver == Driver::Bridge && !record.config_only {
            let fail = network("remove the network");
            let kernel = Kernel::open().map_err(&fail)?;
            berth_net::network::remove(&kernel, &record.shape.network()).map_err(&fail)?;
        }
        let _networks = self.lock_networks()?;
        if self.is_configuration_used(record)? {
            return Err(Error::NetworkDenied {
                message: format!(
                    "error while removing network: configuration network \"{}\" is in use",
                    record.name
                ),
            });
        }
        if record.shape.driver != Driver::Bridge {
            self.drop_parent(record)?;
        }
        failpoint!("engine.network.unmade");
        self.trash
            .throw(&self.network_dir(&record.id), Durability::Durable)
            .map_err(files("remove the network"))?;
        failpoint!("engine.network.thrown");
        self.free_network_name(&record.name, &record.id)?;
        self.remove_network_state(&record.id)
    }

    /// What a reboot would clear.
    pub(super) fn remove_network_state(&self, id: &str) -> Result<(), Error> {
        let state = self.layout.network_state(id);
        let Some(parent) = state.parent().filter(|_| state.exists()) else {
            return Ok(());
        };
        let parent = berth_fs::open_dir(parent).map_err(files("remove the network's state"))?;
        berth_fs::remove_tree_at(std::os::fd::AsFd::as_fd(&parent), id)
            .map_err(files("remove the network's state"))
    }
}
