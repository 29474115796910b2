//! What images, containers and volumes take on the disk: counted in blocks, what is shared counted once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use berth_model::ContainerId;
use berth_model::config::MountKind;
use berth_oci::Digest;
use berth_store::{GcRoots, Reach};

use crate::image::{Error, Found, all};
use crate::{Container, Engine};

/// What is on the disk.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Images, the newest first.
    pub images: Vec<ImageUsage>,
    /// Bytes of all that images keep.
    pub images_bytes: u64,
    /// Of these, what only images keep that no container uses.
    pub images_reclaimable: u64,
    /// Containers, the newest first.
    pub containers: Vec<ContainerUsage>,
    /// Volumes, by name.
    pub volumes: Vec<VolumeUsage>,
    /// Blobs and snapshots that neither an image nor a container needs.
    pub garbage: usize,
    /// Their bytes, and those of abandoned downloads.
    pub garbage_bytes: u64,
}

/// An image's share.
#[derive(Debug, Clone)]
pub struct ImageUsage {
    /// The image with its names.
    pub found: Found,
    /// Bytes of all that it keeps.
    pub bytes: u64,
    /// Of these, what no other image keeps.
    pub unique_bytes: u64,
    /// Containers made from it.
    pub containers: usize,
    /// When it was pulled, loaded, named or run last.
    pub used: Option<SystemTime>,
}

/// A container's share.
#[derive(Debug, Clone)]
pub struct ContainerUsage {
    /// The container.
    pub container: Container,
    /// Bytes of its directory: writable layer, logs, record.
    pub bytes: u64,
}

/// A volume's share.
#[derive(Debug, Clone)]
pub struct VolumeUsage {
    /// Its name.
    pub name: String,
    /// Containers that use it.
    pub links: usize,
    /// Bytes.
    pub bytes: u64,
}

/// Blobs and snapshots with their bytes.
#[derive(Default)]
pub(crate) struct Sizes {
    blobs: BTreeMap<Digest, u64>,
    chains: BTreeMap<Digest, Layer>,
}

/// A snapshot's bytes.
struct Layer {
    own: u64,
    /// Files that other snapshots may have, too.
    shared: Vec<(String, u64)>,
}

impl Sizes {
    /// All that is here.
    pub(crate) fn all(&self) -> Reach {
        Reach {
            blobs: self.blobs.keys().cloned().collect(),
            chains: self.chains.keys().cloned().collect(),
        }
    }

    /// Bytes of what is in `reach` and not in `except`.
    pub(crate) fn of(&self, reach: &Reach, except: &Reach) -> u64 {
        let blobs = reach.blobs.difference(&except.blobs);
        let blobs: u64 = blobs.filter_map(|one| self.blobs.get(one)).sum();
        let layers = reach.chains.difference(&except.chains);
        let own = layers.filter_map(|one| self.chains.get(one));
        let own: u64 = own.map(|layer| layer.own).sum();
        let (mut shared, others) = (self.shared(&reach.chains), self.shared(&except.chains));
        shared.retain(|name, _| !others.contains_key(name));
        blobs + own + shared.values().sum::<u64>()
    }

    fn shared(&self, chains: &BTreeSet<Digest>) -> BTreeMap<&str, u64> {
        let layers = chains.iter().filter_map(|chain| self.chains.get(chain));
        let files = layers.flat_map(|layer| &layer.shared);
        files.map(|(name, bytes)| (name.as_str(), *bytes)).collect()
    }
}

/// Adds one to the other.
pub(crate) fn join(into: &mut Reach, other: &Reach) {
    into.blobs.extend(other.blobs.iter().cloned());
    into.chains.extend(other.chains.iter().cloned());
}

impl Engine {
    /// What everything takes on the disk. Reads every directory below snapshots, containers and volumes.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`].
    pub fn usage(&self) -> Result<Usage, Error> {
        let sizes = self.sizes()?;
        let containers = self.list().map_err(of_containers)?;
        let found = all(&self.store)?;
        let reach = found.iter().map(|found| self.reach_of(found));
        let reach = reach.collect::<Result<Vec<_>, _>>()?;
        let (mut everything, mut used) = (Reach::default(), Reach::default());
        let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
        for one in &containers {
            if let Ok(image) = Digest::parse(&one.config.image.config) {
                *counts.entry(image).or_default() += 1;
            }
            join(&mut used, &self.reach_of_container(&one.config.id)?);
        }
        for (found, reach) in found.iter().zip(&reach) {
            join(&mut everything, reach);
            if counts.contains_key(found.image.id()) {
                join(&mut used, reach);
            }
        }
        let garbage = self.plan_garbage(&|_| false, &|_| false);
        let garbage = garbage.map_err(of_containers)?;
        let mut images = Vec::new();
        for (at, found) in found.into_iter().enumerate() {
            let mut others = Reach::default();
            let rest = reach.iter().enumerate().filter(|(other, _)| *other != at);
            rest.for_each(|(_, reach)| join(&mut others, reach));
            images.push(ImageUsage {
                bytes: sizes.of(&reach[at], &Reach::default()),
                unique_bytes: sizes.of(&reach[at], &others),
                containers: counts.get(found.image.id()).copied().unwrap_or(0),
                used: self.last_use(&found),
                found,
            });
        }
        images.sort_by(|a, b| {
            let created = |usage: &ImageUsage| usage.found.image.config.created.clone();
            created(b).cmp(&created(a))
        });
        Ok(Usage {
            images,
            images_bytes: sizes.of(&everything, &Reach::default()),
            images_reclaimable: sizes.of(&everything, &used),
            volumes: self.volume_usage(&containers)?,
            containers: containers
                .into_iter()
                .map(|container| ContainerUsage {
                    bytes: self.container_bytes(&container.config.id),
                    container,
                })
                .collect(),
            garbage: garbage.blobs.len() + garbage.snapshots.len(),
            garbage_bytes: garbage.bytes,
        })
    }

    /// Bytes that a container has written: its writable layer without the root directory itself.
    pub fn writable_bytes(&self, id: &ContainerId) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        let upper = self.layout.container(id).join("upper");
        let root = upper
            .symlink_metadata()
            .map_or(0, |data| data.blocks() * 512);
        disk_bytes(&upper).saturating_sub(root)
    }

    /// Bytes of a container's image, unpacked, as `images` shows them.
    pub fn image_bytes(&self, container: &Container) -> u64 {
        let chain = container.config.image.chain.iter();
        let chain = chain.filter_map(|id| Digest::parse(id).ok());
        chain
            .filter_map(|chain| self.snapshots.usage(&chain).ok())
            .map(|(bytes, _)| bytes)
            .sum()
    }

    pub(crate) fn container_bytes(&self, id: &ContainerId) -> u64 {
        disk_bytes(&self.layout.container(id))
    }

    pub(crate) fn volume_bytes(&self, name: &str) -> u64 {
        disk_bytes(&self.layout.volumes().join(name))
    }

    /// Volumes and how many of these containers use each.
    fn volume_usage(&self, containers: &[Container]) -> Result<Vec<VolumeUsage>, Error> {
        let names = self.volume_names().map_err(of_containers)?;
        let links = |name: &String| {
            let uses = |one: &&Container| {
                let mut mounts = one.config.mounts.iter();
                mounts.any(|mount| mount.kind == MountKind::Volume && mount.source == *name)
            };
            containers.iter().filter(uses).count()
        };
        Ok(names
            .into_iter()
            .map(|name| VolumeUsage {
                links: links(&name),
                bytes: self.volume_bytes(&name),
                name,
            })
            .collect())
    }

    /// When an image was pulled, loaded, named or run last.
    pub(crate) fn last_use(&self, found: &Found) -> Option<SystemTime> {
        let entries = found.entries.iter().map(|entry| &entry.descriptor.digest);
        let all = entries.chain([&found.image.descriptor.digest]);
        all.filter_map(|digest| self.store.last_used(digest)).max()
    }

    pub(crate) fn reach_of(&self, found: &Found) -> Result<Reach, Error> {
        let mut reach = Reach::default();
        for entry in &found.entries {
            let one = self.store.reach(&entry.descriptor.digest);
            let one = one.map_err(crate::image::store_error("read the image"))?;
            join(&mut reach, &one);
        }
        Ok(reach)
    }

    pub(crate) fn reach_of_container(&self, id: &ContainerId) -> Result<Reach, Error> {
        let roots = self.roots_of(id).map_err(of_containers)?;
        self.reach_of_roots(&roots)
            .map_err(crate::image::store_error("read the container's image"))
    }

    pub(crate) fn reach_of_roots(&self, roots: &GcRoots) -> Result<Reach, berth_store::Error> {
        let mut reach = Reach::default();
        for digest in &roots.blobs {
            join(&mut reach, &self.store.reach(digest)?);
        }
        reach.chains.extend(roots.chains.iter().cloned());
        Ok(reach)
    }

    pub(crate) fn sizes(&self) -> Result<Sizes, Error> {
        let blobs = self.store.blobs();
        let blobs = blobs.map_err(crate::image::store_error("measure the content"))?;
        let snapshots = self.snapshots.list();
        let snapshots = snapshots.map_err(|error| of_containers(crate::Error::Snapshot(error)))?;
        let chains = snapshots.into_iter().map(|snapshot| {
            let layer = Layer {
                // Gone meanwhile: nothing.
                own: self.snapshots.disk_bytes(&snapshot.chain).unwrap_or(0),
                shared: self.snapshots.shared(&snapshot.chain),
            };
            (snapshot.chain, layer)
        });
        Ok(Sizes {
            blobs: blobs.into_iter().collect(),
            chains: chains.collect(),
        })
    }
}

pub(crate) fn of_containers(source: crate::Error) -> Error {
    Error::Containers {
        source: Box::new(source),
    }
}

/// What vanishes meanwhile is nothing.
fn disk_bytes(path: &Path) -> u64 {
    berth_fs::disk_usage(path).unwrap_or(0)
}
