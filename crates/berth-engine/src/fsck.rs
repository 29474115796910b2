//! `fsck`: what does not belong to a living record, and what a record lacks. With `repair` it is put right:
//! stopping is crashing, and this is recovering.

use berth_fs::{Durability, Lock, LockMode};
use berth_model::status::Exit;
use berth_model::{ContainerId, Status};
use berth_store::{GcReport, GcRoots};

use crate::create::durability;
use crate::error::files;
use crate::layout::STAGED_PREFIX;
use crate::names::read_names;
use crate::{Engine, Error};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What, in a sentence.
    pub what: String,
    /// It was put right.
    pub repaired: bool,
}

/// What [`Engine::fsck`] gathers.
struct Findings {
    problems: Vec<Problem>,
    repair: bool,
}

impl Findings {
    /// Notes a problem, and mends it if that is wanted.
    fn found(
        &mut self,
        what: String,
        mend: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.repair {
            mend()?;
        }
        self.problems.push(Problem {
            what,
            repaired: self.repair,
        });
        Ok(())
    }
}

/// Who failed while garbage was collected.
enum Collect {
    Store(berth_store::Error),
    Snapshot(berth_snapshot::Error),
}

impl From<berth_store::Error> for Collect {
    fn from(error: berth_store::Error) -> Collect {
        Collect::Store(error)
    }
}

/// How a loss is recorded, as `docker` does for a kill.
const LOST_CODE: i32 = 137;

impl Engine {
    /// Checks everything; with `repair` mends what can be mended.
    ///
    /// # Errors
    /// When a check or a repair itself fails.
    pub fn fsck(&self, repair: bool) -> Result<Vec<Problem>, Error> {
        let mut findings = Findings {
            problems: Vec::new(),
            repair,
        };
        self.wait_for_removals()?;
        self.check_staged(&mut findings)?;
        self.check_containers(&mut findings)?;
        self.check_names(&mut findings)?;
        self.check_tasks(&mut findings)?;
        self.check_volumes(&mut findings)?;
        self.check_images(&mut findings)?;
        // Last: repairs fill it.
        self.wait_for_removals()?;
        let trash = read_names(self.layout.trash())?;
        if !trash.is_empty() {
            findings.found(format!("{} things in the trash", trash.len()), || {
                self.empty_trash()
            })?;
        }
        Ok(findings.problems)
    }

    /// Returns once nobody is in the middle of a removal that began before.
    fn wait_for_removals(&self) -> Result<(), Error> {
        Lock::dir(&self.layout.tasks(), LockMode::Exclusive)
            .map(drop)
            .map_err(files("wait for removals"))
    }

    fn check_staged(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in read_names(self.layout.containers())? {
            let path = self.layout.containers().join(&name);
            if name.starts_with(STAGED_PREFIX) {
                if let Ok(Some(_lock)) = Lock::try_dir(&path, LockMode::Exclusive) {
                    findings.found(
                        format!("a container that was never finished ({name})"),
                        || self.throw(&path),
                    )?;
                }
            } else if ContainerId::parse(&name).is_err() {
                findings.found(format!("`{name}` among the containers is none"), || {
                    self.throw(&path)
                })?;
            }
        }
        Ok(())
    }

    fn check_containers(&self, findings: &mut Findings) -> Result<(), Error> {
        for id in self.ids()? {
            let short = id.short();
            let config = match self.config(&id) {
                Ok(config) => config,
                Err(Error::NoContainer { .. } | Error::Damaged { .. }) => {
                    findings.found(
                        format!("the container {short} has no readable record"),
                        || self.forget(&id, None, false),
                    )?;
                    continue;
                }
                Err(other) => return Err(other),
            };
            match self.status(&id)? {
                Status::Orphaned => findings.found(
                    format!("the container {short} runs without a monitor"),
                    || self.recover(&id).and_then(|()| self.reap(&id)),
                )?,
                Status::Lost => findings.found(
                    format!("the container {short} should run and does not"),
                    || self.record_loss(&id).and_then(|()| self.reap(&id)),
                )?,
                Status::Exited(_) if config.auto_remove => findings.found(
                    format!("the container {short} has ended and was to be removed"),
                    || self.reap(&id),
                )?,
                Status::Exited(_) | Status::Created if self.holds_cgroups(&id) => findings.found(
                    format!("the container {short} has ended and still has cgroups"),
                    || self.reap(&id),
                )?,
                _ => {}
            }
            if self.layout.container(&id).exists() && self.names_missing(&id)? {
                findings.found(format!("the container {short} has no name"), || {
                    let taken = self.reserve_name(&config.name, &id);
                    taken.or_else(|_| self.reserve_name(&crate::moniker::make(&id), &id))
                })?;
            }
        }
        Ok(())
    }

    fn check_names(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in read_names(self.layout.names())? {
            let free = match self.named(&name)? {
                Some(id) => !self.holds_name(&id),
                None => true,
            };
            if free {
                findings.found(format!("the name `{name}` belongs to no container"), || {
                    self.free_name(&name)
                })?;
            }
        }
        Ok(())
    }

    fn check_tasks(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in read_names(self.layout.tasks())? {
            let path = self.layout.tasks().join(&name);
            let id = ContainerId::parse(&name).ok();
            if id
                .as_ref()
                .is_some_and(|id| self.layout.container(id).exists())
            {
                continue;
            }
            findings.found(
                format!("the task {name} belongs to no container"),
                || match &id {
                    Some(id) => {
                        if let Some(pid) = self.pid(id)? {
                            self.kill_all(id, &pid)?;
                        }
                        self.settle(id)?;
                        self.forget(id, None, false)
                    }
                    None => self.throw(&path),
                },
            )?;
        }
        Ok(())
    }

    fn check_volumes(&self, findings: &mut Findings) -> Result<(), Error> {
        let mut used = std::collections::HashSet::new();
        for id in self.ids()? {
            if let Ok(config) = self.config(&id) {
                used.extend(config.mounts.into_iter().map(|mount| mount.source));
            }
        }
        for name in read_names(self.layout.volumes())? {
            // Anonymous: the name has the form of an id.
            if ContainerId::parse(&name).is_ok() && !used.contains(&name) {
                let path = self.layout.volumes().join(&name);
                findings.found(
                    format!("the anonymous volume {} is nobody's", &name[..12]),
                    || self.throw(&path),
                )?;
            }
        }
        Ok(())
    }

    /// Content first read and compared with its name, then what nothing needs.
    fn check_images(&self, findings: &mut Findings) -> Result<(), Error> {
        let store = |source| Error::Store {
            action: "check the image store",
            source,
        };
        let report = self.store.verify().map_err(store)?;
        for digest in report.damaged {
            findings.found(format!("the content {digest} is damaged"), || {
                self.store.drop_damaged(&digest).map_err(store)
            })?;
        }
        for digest in report.missing {
            findings.problems.push(Problem {
                what: format!(
                    "an image needs the content {digest}, which is not there: pull it again"
                ),
                repaired: false,
            });
        }
        for path in report.strange {
            let path = self.layout.root().join(path);
            findings.found(format!("`{}` is no content", path.display()), || {
                self.throw(&path)
            })?;
        }
        for name in self
            .snapshots
            .sweep(!findings.repair)
            .map_err(Error::Snapshot)?
        {
            findings.found(format!("the snapshot {name} was never finished"), || Ok(()))?;
        }
        if findings.repair {
            self.snapshots.settle().map_err(Error::Snapshot)?;
        }
        let garbage = self.collect_garbage(!findings.repair)?;
        for digest in garbage.blobs {
            findings.found(format!("nothing needs the content {digest}"), || Ok(()))?;
        }
        if garbage.leases > 0 {
            let what = format!("{} leases of processes that are gone", garbage.leases);
            findings.found(what, || Ok(()))?;
        }
        Ok(())
    }

    /// Removes content and snapshots that no image and no container needs.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Snapshot`].
    pub fn collect_garbage(&self, dry_run: bool) -> Result<GcReport, Error> {
        let mut roots = GcRoots::default();
        for id in self.ids()? {
            // An unreadable record keeps nothing; its layer is broken without it anyway.
            if let Ok(config) = self.config(&id) {
                roots
                    .blobs
                    .extend(berth_oci::Digest::parse(&config.image.manifest).ok());
                roots
                    .blobs
                    .extend(berth_oci::Digest::parse(&config.image.config).ok());
                roots.chains.extend(crate::start::chain(&config)?);
            }
        }
        let gone = |needed: &std::collections::BTreeSet<berth_oci::Digest>| {
            for snapshot in self.snapshots.list().map_err(Collect::Snapshot)? {
                if !needed.contains(&snapshot.chain) {
                    self.snapshots
                        .remove(&snapshot.chain)
                        .map_err(Collect::Snapshot)?;
                }
            }
            Ok(())
        };
        let report = self
            .store
            .gc(&roots, dry_run, gone)
            .map_err(|error| match error {
                Collect::Store(source) => Error::Store {
                    action: "collect garbage",
                    source,
                },
                Collect::Snapshot(source) => Error::Snapshot(source),
            })?;
        // Rootless, snapshots were only moved there.
        if !dry_run {
            self.empty_trash()?;
        }
        Ok(report)
    }

    fn throw(&self, path: &std::path::Path) -> Result<(), Error> {
        self.trash
            .throw(path, Durability::Durable)
            .map(|_| ())
            .map_err(files("throw away what is nobody's"))
    }

    fn names_missing(&self, id: &ContainerId) -> Result<bool, Error> {
        Ok(!self.all_names()?.iter().any(|(_, holder)| holder == id))
    }

    fn holds_cgroups(&self, id: &ContainerId) -> bool {
        self.pid(id)
            .ok()
            .flatten()
            .is_some_and(|pid| pid.cgroups.iter().any(|path| path.exists()))
    }

    /// A container that runs with nobody to see its end is ended, and the loss recorded.
    pub(crate) fn recover(&self, id: &ContainerId) -> Result<(), Error> {
        if let Some(pid) = self.pid(id)? {
            self.kill_all(id, &pid)?;
        }
        self.record_loss(id)
    }

    fn record_loss(&self, id: &ContainerId) -> Result<(), Error> {
        let config = self.config(id)?;
        let exit = Exit {
            code: LOST_CODE,
            oom_killed: false,
            finished_at: crate::clock::now(),
            error: Some("its end was not seen: the host or its monitor stopped".to_owned()),
            lost: true,
        };
        let text = serde_json::to_vec(&exit).map_err(|source| Error::Damaged {
            path: self.layout.exit(id),
            source,
        })?;
        berth_fs::atomic_write(&self.layout.exit(id), &text, durability(&config))
            .map_err(files("record the end"))
    }
}
