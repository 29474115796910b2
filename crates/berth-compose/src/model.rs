//! The desired set: a project of services, networks, volumes, secrets and configs, typed.
//!
//! Everything is resolved: names are the engine's, paths absolute, sizes in bytes, durations in time. What is absent
//! is `None` or empty and left to the image or the engine. Keys of the user's own (`x-…`) are only in the tree.

mod de;
#[allow(missing_docs)] // the specification's own keys
mod deploy;
#[allow(missing_docs)] // the specification's own keys
mod resources;
#[allow(missing_docs)] // the specification's own keys
pub(crate) mod service;

pub use deploy::{
    Deploy, DeviceRequest, GenericResource, Limits, Placement, Reservations, Resources,
    RestartPolicy, Update, UpdateOrder,
};
pub use resources::{AddressPool, Config, Ipam, Model, Network, Secret, Volume};
pub use service::{
    Attachment, Blkio, Build, Command, Condition, CredentialSpec, Dependency, Device,
    FileReference, HealthCheck, Hook, Logging, ModelBinding, Mount, MountBind, MountImage,
    MountKind, MountTmpfs, MountVolume, Port, Provider, Rate, Service, Ulimit, Watch, WatchAction,
    Weight,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::hash;
use crate::node::Node;

/// A project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its services, by name: those that are wanted.
    pub services: BTreeMap<String, Service>,
    /// Its networks, by their names in the file.
    pub networks: BTreeMap<String, Network>,
    /// Its volumes, by their names in the file.
    pub volumes: BTreeMap<String, Volume>,
    /// Its secrets, by their names in the file.
    pub secrets: BTreeMap<String, Secret>,
    /// Its configs, by their names in the file.
    pub configs: BTreeMap<String, Config>,
    /// Its language models, by their names in the file.
    pub models: BTreeMap<String, Model>,
}

impl Project {
    /// The services, each behind all that it depends on; those that wait for the same in the order of their names.
    pub fn in_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::with_capacity(self.services.len());
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, service) in &self.services {
            let needs = service
                .depends_on
                .keys()
                .filter(|other| self.services.contains_key(*other));
            let mut count = 0;
            for other in needs {
                waiting.entry(other).or_default().push(name);
                count += 1;
            }
            left.insert(name, count);
        }
        let mut ready: std::collections::BTreeSet<&str> = left
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(name, _)| *name)
            .collect();
        while let Some(name) = ready.pop_first() {
            order.push(name);
            for next in waiting.remove(name).unwrap_or_default() {
                if let Some(count) = left.get_mut(next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(next);
                    }
                }
            }
        }
        order
    }
}

/// Reads the typed project of a checked tree.
pub(crate) fn read(tree: &Node) -> Result<Project, Error> {
    let mut project =
        Project::deserialize(tree).map_err(|error| Error::Model(error.to_string()))?;
    for (name, service) in &mut project.services {
        service.hash = hash::service(tree, name).unwrap_or_default();
    }
    for (name, network) in &mut project.networks {
        network.hash = hash::resource(tree, "networks", name).unwrap_or_default();
    }
    for (name, volume) in &mut project.volumes {
        volume.hash = hash::resource(tree, "volumes", name).unwrap_or_default();
    }
    Ok(project)
}

#[cfg(test)]
mod tests;
