//! `fsck`: what does not belong to a living record, and what a record lacks. With `repair` it is put right:
//! stopping is crashing, and this is recovering.

mod content;
mod deep;

use std::path::PathBuf;

use berth_fs::{Durability, Lock, LockMode};
use berth_model::status::Exit;
use berth_model::{ContainerId, Status};

use crate::create::durability;
use crate::error::files;
use crate::layout::STAGED_PREFIX;
use crate::names::read_names;
use crate::{Engine, Error, json};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What, in a sentence.
    pub what: String,
    /// It was put right.
    pub repaired: bool,
}

/// What [`Engine::fsck`] gathers.
pub(crate) struct Findings {
    problems: Vec<Problem>,
    repair: bool,
}

impl Findings {
    /// Mends all that it is told of.
    pub(crate) fn repairing() -> Findings {
        Findings {
            problems: Vec::new(),
            repair: true,
        }
    }

    /// How many problems there are.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// Notes a problem, and mends it if that is wanted.
    pub(crate) fn found(
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

/// How a loss is recorded, as `docker` does for a kill.
pub(crate) const LOST_CODE: i32 = 137;

impl Engine {
    /// Checks everything; with `repair` mends what can be mended. `deep`: snapshots too are compared with what they
    /// were made of.
    ///
    /// # Errors
    /// When a check or a repair itself fails.
    pub fn fsck(&self, repair: bool, deep: bool) -> Result<Vec<Problem>, Error> {
        let mut findings = Findings {
            problems: Vec::new(),
            repair,
        };
        self.check_staged(&mut findings)?;
        self.check_containers(&mut findings)?;
        self.check_names(&mut findings)?;
        self.check_tasks(&mut findings)?;
        self.check_networks(&mut findings)?;
        self.check_volumes(&mut findings)?;
        self.check_images(&mut findings)?;
        if deep {
            self.check_snapshots(&mut findings)?;
        }
        // Last: repairs fill it.
        let trash = self.still_there(self.layout.trash())?;
        if !trash.is_empty() {
            findings.found(format!("{} things in the trash", trash.len()), || {
                self.empty_trash()
            })?;
        }
        Ok(findings.problems)
    }

    /// What a daemon does at its start: all that was left of making, running and removing containers is finished or
    /// undone. Containers that run are not touched.
    ///
    /// # Errors
    /// When a repair fails.
    pub fn reconcile(&self) -> Result<Vec<Problem>, Error> {
        let mut findings = Findings::repairing();
        self.check_staged(&mut findings)?;
        self.check_containers(&mut findings)?;
        self.check_names(&mut findings)?;
        self.check_tasks(&mut findings)?;
        self.empty_trash()?;
        Ok(findings.problems)
    }

    /// Finishes what nobody finishes any more of a container whose monitor or reaper is gone. Whether it runs, or will
    /// again: then somebody is to look after it.
    ///
    /// # Errors
    /// When a repair fails.
    pub fn reconcile_end(&self, id: &ContainerId) -> Result<bool, Error> {
        self.collect_children();
        if self.has_untold_end(id) && !self.monitor_alive(id) || self.is_restarting(id) {
            self.check_container(id, &mut Findings::repairing())?;
        }
        Ok(self.is_unfinished(id))
    }

    /// The containers that run or will again, and those whose end nobody has seen to: whom a resident looks after.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn unfinished(&self) -> Result<Vec<ContainerId>, Error> {
        let names = read_names(self.layout.tasks())?;
        let mut ids: Vec<ContainerId> = names
            .iter()
            .filter_map(|name| ContainerId::parse(name).ok())
            .collect();
        ids.retain(|id| self.is_unfinished(id));
        Ok(ids)
    }

    fn is_unfinished(&self, id: &ContainerId) -> bool {
        self.has_untold_end(id) || self.is_restarting(id)
    }

    /// What is in a directory and stays there when those who were making or removing something are done: what
    /// they held has its record by then, or is gone. What came later is not looked at.
    fn still_there(&self, dir: PathBuf) -> Result<Vec<String>, Error> {
        let mut names = read_names(dir.clone())?;
        if !names.is_empty() {
            self.wait_for_work()?;
            names.retain(|name| dir.join(name).symlink_metadata().is_ok());
        }
        Ok(names)
    }

    fn check_staged(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in self.still_there(self.layout.containers())? {
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
            self.check_container(&id, findings)?;
        }
        Ok(())
    }

    fn check_container(&self, id: &ContainerId, findings: &mut Findings) -> Result<(), Error> {
        // A start in progress would look like a loss.
        let Some(lock) = self.lock_if_there(id)? else {
            return Ok(());
        };
        let short = id.short();
        let config = match self.config(id) {
            Ok(config) => config,
            Err(Error::NoContainer { .. } | Error::Damaged { .. }) => {
                findings.found(
                    format!("the container {short} has no readable record"),
                    || self.forget(id, None, false),
                )?;
                return Ok(());
            }
            Err(Error::Newer { .. }) => return Ok(()),
            Err(other) => return Err(other),
        };
        let status = self.status(id)?;
        let wrong = match status {
            Status::Orphaned => Some("runs without a monitor"),
            Status::Lost => Some("should run and does not"),
            Status::Exited(_) if config.auto_remove => Some("has ended and was to be removed"),
            Status::Restarting(_) if self.is_forgotten(id) => {
                Some("waits for its next start, and nobody starts it")
            }
            Status::Exited(_) | Status::Restarting(_) | Status::Created
                if self.holds_cgroups(id) =>
            {
                Some("has ended and still has cgroups")
            }
            Status::Exited(_) | Status::Restarting(_) if self.has_untold_end(id) => {
                Some("has ended and nobody has told it")
            }
            _ => None,
        };
        if self.current_name(&config)?.is_empty() {
            findings.found(format!("the container {short} has no name"), || {
                let taken = self.reserve_name(&config.name, id);
                taken.or_else(|_| self.reserve_name(&crate::moniker::make(id), id))
            })?;
        }
        if let Some(wrong) = wrong {
            findings.found(format!("the container {short} {wrong}"), || {
                match status {
                    Status::Orphaned => self.recover(id)?,
                    Status::Lost => self.record_loss(id)?,
                    _ => {}
                }
                drop(lock);
                self.reap(id)?;
                let lock = self.lock_if_there(id)?;
                let forgotten = lock.is_some_and(|_lock| self.is_forgotten(id));
                if forgotten {
                    self.start_reaper(id)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn check_names(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in self.still_there(self.layout.names())? {
            let holder = self.named(&name)?;
            if !holder.as_ref().is_some_and(|id| self.holds_name(id)) {
                findings.found(format!("the name `{name}` belongs to no container"), || {
                    self.free_name(&name, holder.as_ref())
                })?;
            }
        }
        Ok(())
    }

    fn check_tasks(&self, findings: &mut Findings) -> Result<(), Error> {
        for name in self.still_there(self.layout.tasks())? {
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
                        self.settle(id);
                        self.forget(id, None, false)
                    }
                    None => self.throw(&path),
                },
            )?;
        }
        Ok(())
    }

    fn check_volumes(&self, findings: &mut Findings) -> Result<(), Error> {
        let names = self.still_there(self.layout.volumes())?;
        let users = match self.volume_users() {
            Ok(users) => users,
            // Whose volumes are they? All stay until that is known.
            Err(Error::Damaged { .. }) => return Ok(()),
            Err(other) => return Err(other),
        };
        for name in names {
            let path = self.layout.volumes().join(&name);
            if name.starts_with(STAGED_PREFIX) {
                findings.found(format!("a volume that was never finished ({name})"), || {
                    self.throw(&path)
                })?;
            } else if path.join(berth_layer::fill::FILLED).exists() {
                findings.found(format!("the volume {name} is not filled yet"), || {
                    self.settle_volume(&name)
                })?;
            } else if !users.contains_key(&name) && self.was_made_in_vain(&name)? {
                findings.found(
                    format!("the volume {name} was made for no container"),
                    || self.throw(&path),
                )?;
            }
        }
        Ok(())
    }

    /// Made for a container that never came to be.
    fn was_made_in_vain(&self, name: &str) -> Result<bool, Error> {
        let record = match self.volume_record(name) {
            Err(Error::Damaged { .. }) => return Ok(false),
            record => record?,
        };
        let made_for = record.and_then(|record| record.made_for);
        let id = made_for.and_then(|id| ContainerId::parse(&id).ok());
        Ok(id.is_some_and(|id| !self.layout.container(&id).exists()))
    }

    pub(crate) fn throw(&self, path: &std::path::Path) -> Result<(), Error> {
        self.trash
            .throw(path, Durability::Durable)
            .map(|_| ())
            .map_err(files("throw away what is nobody's"))
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

    pub(crate) fn record_loss(&self, id: &ContainerId) -> Result<(), Error> {
        let config = self.config(id)?;
        let exit = Exit {
            code: LOST_CODE,
            oom_killed: false,
            finished_at: crate::clock::now(),
            error: Some("its end was not seen: the host or its monitor stopped".to_owned()),
            lost: true,
        };
        self.tell_loss(&config, &exit)?;
        json::write(&self.layout.exit(id), &exit, durability(&config))
    }
}
