//! Prune: what is not needed is removed, as planned: a dry run prints what the run removes.
//!
//! Nothing goes that came, or was used again, after the plan was made. Each image goes in one step, under the lock of
//! the index, if no container uses it and its last use is still the one of the plan.

use std::collections::BTreeMap;
use std::time::SystemTime;

use berth_model::config::MountKind;
use berth_model::event::Subject;
use berth_model::{ContainerId, Status};
use berth_oci::Digest;
use berth_store::{Entry, GcReport, Reach};

use crate::image::{Error, Found, Removed, all, store_error};
use crate::network::{NetworkRecord, PruneNetworks};
use crate::usage::{join, of_containers};
use crate::volumes::{Volume, VolumeFilter};
use crate::{Container, Engine};

/// Which images may go; those that a container uses may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// None.
    None,
    /// Those without a name.
    Dangling,
    /// All.
    Unused,
    /// The least recently used first, until blobs and snapshots take no more than so many bytes.
    Above(u64),
}

/// What may go.
pub struct PruneRequest<'a> {
    /// Containers that do not run, with their anonymous volumes.
    pub containers: bool,
    /// Networks that no container is in.
    pub networks: bool,
    /// Anonymous volumes that no container uses.
    pub volumes: bool,
    /// Images.
    pub images: Images,
    /// Only what was made before: RFC 3339.
    pub created_before: Option<String>,
    /// Only what has such labels.
    pub labels: &'a dyn Fn(&BTreeMap<String, String>) -> bool,
}

/// What goes, or went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Containers.
    pub containers: Vec<ContainerId>,
    /// Networks, by name.
    pub networks: Vec<String>,
    /// Anonymous volumes.
    pub volumes: Vec<String>,
    /// Names and images.
    pub images: Vec<Removed>,
    /// Content that nothing needs, then.
    pub blobs: Vec<Digest>,
    /// Unpacked layers that nothing needs, then; by chain id.
    pub snapshots: Vec<Digest>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// A plan of [`Engine::plan_prune`].
pub struct Plan {
    /// Which sorts it is about.
    sorts: Vec<Subject>,
    containers: Vec<ContainerId>,
    networks: Vec<NetworkRecord>,
    volumes: Vec<Volume>,
    images: Vec<(Found, Option<SystemTime>)>,
    /// What is expected to go.
    pub expected: Pruned,
}

impl Engine {
    /// What [`Engine::prune`] would remove now.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`].
    pub fn plan_prune(&self, request: &PruneRequest<'_>) -> Result<Plan, Error> {
        let began = SystemTime::now();
        let all_containers = self.list().map_err(of_containers)?;
        let goes = |one: &Container| request.containers && has_ended(one) && may_go(request, one);
        let (gone, kept): (Vec<_>, Vec<_>) = all_containers.into_iter().partition(goes);
        let containers: Vec<ContainerId> = gone.iter().map(|one| one.config.id.clone()).collect();
        let networks = self.networks_to_go(request)?;
        let volumes = self.volumes_to_go(request, &gone, &kept)?;
        let images = self.unused_images(request, &kept, began)?;
        let entry_goes = |entry: &Entry| {
            let mut planned = images.iter().flat_map(|(found, _)| &found.entries);
            planned.any(|one| one == entry)
        };
        let garbage = self.plan_garbage(&entry_goes, &|id| containers.contains(id));
        let garbage = garbage.map_err(of_containers)?;
        let mut bytes = garbage.bytes;
        bytes += containers
            .iter()
            .map(|id| self.container_bytes(id))
            .sum::<u64>();
        bytes += volumes
            .iter()
            .map(|volume| self.volume_bytes(&volume.name))
            .sum::<u64>();
        let expected = Pruned {
            containers: containers.clone(),
            networks: networks.iter().map(|one| one.name.clone()).collect(),
            volumes: volumes.iter().map(|volume| volume.name.clone()).collect(),
            images: images.iter().flat_map(|(found, _)| steps(found)).collect(),
            blobs: garbage.blobs,
            snapshots: garbage.snapshots,
            bytes,
        };
        let sorts = [
            (request.containers, Subject::Container),
            (request.networks, Subject::Network),
            (request.volumes, Subject::Volume),
            (request.images != Images::None, Subject::Image),
        ];
        Ok(Plan {
            sorts: sorts
                .into_iter()
                .filter(|sort| sort.0)
                .map(|sort| sort.1)
                .collect(),
            containers,
            networks,
            volumes,
            images,
            expected,
        })
    }

    /// Removes what the plan says, but for what is used meanwhile.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`]; what was removed before stays so.
    pub fn prune(&self, plan: Plan) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let sorts = plan.sorts;
        let told = |subject, bytes| {
            if sorts.contains(&subject) {
                self.record_prune(subject, bytes);
            }
        };
        for id in plan.containers {
            let bytes = self.container_bytes(&id);
            match self.remove(&id, false, false) {
                Ok(()) => {
                    pruned.bytes += bytes;
                    pruned.containers.push(id);
                }
                // Somebody was faster, or has started it.
                Err(crate::Error::NoContainer { .. } | crate::Error::WrongState { .. }) => {}
                Err(error) => return Err(of_containers(error)),
            }
        }
        let of_containers_alone = pruned.bytes;
        told(Subject::Container, of_containers_alone);
        for network in plan.networks {
            if self
                .remove_unused_network(&network)
                .map_err(of_containers)?
            {
                pruned.networks.push(network.name);
            }
        }
        told(Subject::Network, 0);
        for volume in plan.volumes {
            let bytes = self.volume_bytes(&volume.name);
            if self.remove_unused(&volume).map_err(of_containers)? {
                pruned.bytes += bytes;
                pruned.volumes.push(volume.name);
            }
        }
        told(Subject::Volume, pruned.bytes - of_containers_alone);
        for (found, used) in plan.images {
            if self.forget_unused(&found, used)? {
                let steps = steps(&found);
                self.record_removed(Some(found.image.id()), &steps);
                pruned.images.extend(steps);
            }
        }
        let report: GcReport = self.collect_garbage(false).map_err(of_containers)?;
        pruned.bytes += report.bytes;
        (pruned.blobs, pruned.snapshots) = (report.blobs, report.snapshots);
        told(Subject::Image, report.bytes);
        Ok(pruned)
    }

    fn unused_images(
        &self,
        request: &PruneRequest<'_>,
        kept: &[Container],
        began: SystemTime,
    ) -> Result<Vec<(Found, Option<SystemTime>)>, Error> {
        let found = all(&self.store)?;
        let used = |found: &Found| {
            let id = found.image.id().to_string();
            kept.iter().any(|one| one.config.image.config == id)
        };
        let mut candidates = Vec::new();
        for one in &found {
            let config = &one.image.config;
            let last = self.last_use(one);
            let wanted = match request.images {
                Images::None => false,
                Images::Dangling => one.names().is_empty(),
                Images::Unused | Images::Above(_) => true,
            };
            let old = is_older(request, config.created.as_deref().unwrap_or_default());
            let labelled = (request.labels)(&config.config.labels);
            // What was used after the beginning is not ours to judge.
            if wanted && old && labelled && !used(one) && last.is_none_or(|last| last < began) {
                candidates.push((one.clone(), last));
            }
        }
        candidates.sort_by_key(|(_, last)| *last);
        if let Images::Above(limit) = request.images {
            let count = self.first_above(limit, &found, &candidates, kept)?;
            candidates.truncate(count);
        }
        Ok(candidates)
    }

    /// How many of the candidates, from the first, have to go for the rest to fit.
    fn first_above(
        &self,
        limit: u64,
        all: &[Found],
        candidates: &[(Found, Option<SystemTime>)],
        kept: &[Container],
    ) -> Result<usize, Error> {
        let sizes = self.sizes()?;
        let garbage = self
            .plan_garbage(&|_| true, &|_| true)
            .map_err(of_containers)?;
        // What is being pulled, or its traces, counts too.
        let garbage = Reach {
            blobs: garbage.blobs.into_iter().collect(),
            chains: garbage.snapshots.into_iter().collect(),
        };
        let mut pinned = sizes.of(&sizes.all(), &garbage);
        let mut base = Reach::default();
        for one in kept {
            join(&mut base, &self.reach_of_container(&one.config.id)?);
        }
        let is_candidate = |found: &Found| {
            let id = found.image.id();
            candidates.iter().any(|(one, _)| one.image.id() == id)
        };
        for found in all.iter().filter(|found| !is_candidate(found)) {
            join(&mut base, &self.reach_of(found)?);
        }
        pinned += sizes.of(&base, &Reach::default());
        // The latest used stay as long as they fit.
        let mut stay = base;
        for (count, (found, _)) in candidates.iter().enumerate().rev() {
            let reach = self.reach_of(found)?;
            pinned += sizes.of(&reach, &stay);
            if pinned > limit {
                return Ok(count + 1);
            }
            join(&mut stay, &reach);
        }
        Ok(0)
    }

    fn forget_unused(&self, found: &Found, used: Option<SystemTime>) -> Result<bool, Error> {
        let entries: Vec<_> = found.entries.iter().map(|e| e.descriptor.clone()).collect();
        let still = || {
            let same = self.last_use(found) == used;
            let in_use = |id: &Digest| {
                let used = self.images_in_use();
                used.is_ok_and(|used| used.iter().all(|(_, image)| image != id))
            };
            same && in_use(found.image.id())
        };
        let gone = self.store.forget_if(&entries, still);
        gone.map_err(store_error("remove the image"))
    }

    fn networks_to_go(&self, request: &PruneRequest<'_>) -> Result<Vec<NetworkRecord>, Error> {
        if !request.networks {
            return Ok(Vec::new());
        }
        let unused = self.unused_networks(&PruneNetworks {
            created_before: None,
            labels: request.labels,
        });
        let mut unused = unused.map_err(of_containers)?;
        unused.retain(|network| is_older(request, &network.created));
        Ok(unused)
    }

    /// Anonymous volumes: those of the containers that go, and if wanted all that nobody uses.
    fn volumes_to_go(
        &self,
        request: &PruneRequest<'_>,
        gone: &[Container],
        kept: &[Container],
    ) -> Result<Vec<Volume>, Error> {
        let mut volumes = self
            .volumes(&VolumeFilter::default())
            .map_err(of_containers)?;
        let uses = |one: &Container, volume: &Volume| {
            let mut mounts = one.config.mounts.iter();
            mounts.any(|mount| mount.kind == MountKind::Volume && mount.source == volume.name)
        };
        // A volume has no time of its own that Docker would look at.
        let unused = request.volumes && request.created_before.is_none();
        volumes.retain(|volume| {
            let wanted = (unused && (request.labels)(&volume.labels))
                || gone.iter().any(|one| uses(one, volume));
            volume.is_anonymous() && wanted && !kept.iter().any(|one| uses(one, volume))
        });
        Ok(volumes)
    }
}

fn steps(found: &Found) -> Vec<Removed> {
    let names = found.names().into_iter();
    let untagged = names.map(|name| Removed::Untagged(name.familiar()));
    let deleted = Removed::Deleted(found.image.id().clone());
    untagged.chain([deleted]).collect()
}

fn has_ended(one: &Container) -> bool {
    !one.status.is_up() && one.status != Status::Starting
}

fn may_go(request: &PruneRequest<'_>, one: &Container) -> bool {
    is_older(request, &one.config.created) && (request.labels)(&one.config.labels)
}

/// Whether something that was made at `created` (RFC 3339; empty: unknown, long ago) was made before the limit.
fn is_older(request: &PruneRequest<'_>, created: &str) -> bool {
    let Some(limit) = &request.created_before else {
        return true;
    };
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    match (time(created), time(limit)) {
        (Some(created), Some(limit)) => created < limit,
        _ => true,
    }
}
