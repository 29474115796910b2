//! Garbage collection: what containers need, told to the store's collector; snapshots, collected by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use berth_model::ContainerId;
use berth_oci::Digest;
use berth_store::{Entry, GcReport, GcRoots, Surroundings};

use crate::{Engine, Error};

impl Engine {
    /// Removes content and snapshots that no image and no container needs, beside others' work.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Snapshot`].
    pub fn collect_garbage(&self, dry_run: bool) -> Result<GcReport, Error> {
        if dry_run {
            return self.plan_garbage(&|_| false, &|_| false);
        }
        let mut beside = Beside::new(self, &|_| false);
        let mut report = self.store.gc(&mut beside).map_err(|Collect(error)| error)?;
        // Snapshots were only moved there.
        self.empty_trash()?;
        report.bytes += self.snapshots.sweep_shared().map_err(Error::Snapshot)?;
        Ok(report)
    }

    /// What would be garbage without some entries of the index and some containers.
    pub(crate) fn plan_garbage(
        &self,
        entry_gone: &dyn Fn(&Entry) -> bool,
        container_gone: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<GcReport, Error> {
        let mut beside = Beside::new(self, container_gone);
        let planned = self.store.plan_gc(&mut beside, entry_gone);
        let mut report = planned.map_err(|Collect(error)| error)?;
        // Files that only these snapshots share.
        let snapshots = self.snapshots.list().map_err(Error::Snapshot)?;
        let (mut gone, mut kept) = (BTreeMap::new(), BTreeSet::new());
        for snapshot in snapshots {
            let shared = self.snapshots.shared(&snapshot.chain).into_iter();
            match report.snapshots.contains(&snapshot.chain) {
                true => gone.extend(shared),
                false => kept.extend(shared.map(|(name, _)| name)),
            }
        }
        gone.retain(|name, _| !kept.contains(name));
        report.bytes += gone.values().sum::<u64>();
        Ok(report)
    }

    /// What one container needs. An unreadable record keeps nothing; its layer is broken without it anyway.
    pub(crate) fn roots_of(&self, id: &ContainerId) -> Result<GcRoots, Error> {
        let config = match self.config(id) {
            Err(Error::NoContainer { .. } | Error::Damaged { .. }) => return Ok(GcRoots::default()),
            config => config?,
        };
        let image = [&config.image.manifest, &config.image.config].into_iter();
        Ok(GcRoots {
            blobs: image.filter_map(|text| Digest::parse(text).ok()).collect(),
            chains: crate::start::chain(&config)?,
        })
    }
}

/// What went wrong while garbage was collected.
struct Collect(Error);

impl From<berth_store::Error> for Collect {
    fn from(source: berth_store::Error) -> Collect {
        Collect(Error::Store {
            action: "collect garbage",
            source,
        })
    }
}

/// What the engine has beside the store.
struct Beside<'a> {
    engine: &'a Engine,
    gone: &'a dyn Fn(&ContainerId) -> bool,
    /// What containers need that were read before: it does not change.
    known: HashMap<ContainerId, GcRoots>,
}

impl<'a> Beside<'a> {
    fn new(engine: &'a Engine, gone: &'a dyn Fn(&ContainerId) -> bool) -> Beside<'a> {
        Beside {
            engine,
            gone,
            known: HashMap::new(),
        }
    }
}

impl Surroundings for Beside<'_> {
    type Error = Collect;

    fn roots(&mut self) -> Result<GcRoots, Collect> {
        let mut all = GcRoots::default();
        for id in self.engine.ids().map_err(Collect)? {
            if (self.gone)(&id) {
                continue;
            }
            let roots = match self.known.get(&id) {
                Some(roots) => roots.clone(),
                None => {
                    let roots = self.engine.roots_of(&id).map_err(Collect)?;
                    self.known.insert(id, roots.clone());
                    roots
                }
            };
            all.blobs.extend(roots.blobs);
            all.chains.extend(roots.chains);
        }
        Ok(all)
    }

    fn snapshots(&mut self) -> Result<Vec<Digest>, Collect> {
        let all = self.engine.snapshots.list();
        let all = all.map_err(|error| Collect(Error::Snapshot(error)))?;
        Ok(all.into_iter().map(|snapshot| snapshot.chain).collect())
    }

    fn snapshot_bytes(&mut self, chain: &Digest) -> Result<u64, Collect> {
        // It may have gone meanwhile.
        Ok(self.engine.snapshots.disk_bytes(chain).unwrap_or(0))
    }

    fn throw_snapshot(&mut self, chain: &Digest) -> Result<(), Collect> {
        let thrown = self.engine.snapshots.throw_away(chain);
        thrown.map_err(|error| Collect(Error::Snapshot(error)))
    }
}
