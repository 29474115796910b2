//! Removal and what follows an end. Each step may be the last one before a crash: what is left is then
//! either a container that can be removed again, or garbage that `fsck` knows.

use std::os::fd::OwnedFd;

use berth_cgroup::Cgroup;
use berth_fs::Durability;
use berth_model::config::PidMode;
use berth_model::task::Pid;
use berth_model::{ContainerConfig, ContainerId, Status};
use berth_sys::later;
use rustix::fs::{Mode, OFlags};

use crate::create::durability;
use crate::error::files;
use crate::stop::SIGKILL;
use crate::{Engine, Error, observe};

/// Keeps the overlay of a container mounted: whoever is the last to let go of one waits until the disk below has all that
/// anybody wrote, and that is not to be init while its end is waited for.
fn hold_root(pid: &Pid) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{}/root", pid.pid), flags, Mode::empty()).ok()?;
    // Its own, not that of another with its number.
    observe::is_alive(pid).then_some(root)
}

impl Engine {
    /// Removes a container: its record, its writable layer, its logs; with `volumes` its anonymous volumes too.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it runs and `force` is not given; [`Error::KillPending`]; [`Error::Files`].
    pub fn remove(&self, id: &ContainerId, force: bool, volumes: bool) -> Result<(), Error> {
        let _lock = self.lock(id)?;
        let mut status = self.status(id)?;
        if !force
            && let Status::Exited(_) = status
            && self.has_untold_end(id)
            && let Ok(config) = self.config(id)
        {
            // Who waited for its end may be quicker than who plans its next start.
            self.settle(id);
            self.tell_end(&config, |exit| self.plan_restart(&config, exit))?;
            status = self.status(id)?;
        }
        let mut root = None;
        if status.is_alive() || status == Status::Starting {
            if !force {
                return Err(Error::WrongState {
                    action: "remove",
                    id: id.short().to_owned(),
                    state: status.word(),
                    hint: "stop it first: `berth stop`, or `berth rm -f`",
                });
            }
            self.wait_for_start(id)?;
            if let Some(pid) = self.pid(id)? {
                self.record_kill(id, SIGKILL);
                // Its end goes with it: no disk is waited for. If it cannot be noted, one is.
                let _ =
                    berth_fs::atomic_write(&self.layout.removing(id), b"", Durability::Volatile);
                root = hold_root(&pid);
                self.kill_all(id, &pid)?;
            }
        }
        match status {
            Status::Lost => self.record_loss(id)?,
            Status::Restarting(_) if !force => {
                return Err(Error::WrongState {
                    action: "remove",
                    id: id.short().to_owned(),
                    state: "about to be started again",
                    hint: "stop it first: `berth stop`, or `berth rm -f`",
                });
            }
            _ => {}
        }
        self.settle(id);
        // A damaged configuration must not make its container unremovable.
        let config = self.config(id).ok();
        let forgotten = self.forget(id, config.as_ref(), volumes);
        if let Some(root) = root {
            later::close(root);
        }
        forgotten
    }

    /// What the monitor's end calls (`berth internal reap`), or the client that saw the end: frees what the task
    /// held, and removes the container if it was asked to go with its end. Doing it twice is fine.
    ///
    /// # Errors
    /// [`Error::Files`], [`Error::Cgroup`].
    pub fn reap(&self, id: &ContainerId) -> Result<(), Error> {
        let Some(_lock) = self.lock_if_there(id)? else {
            return Ok(());
        };
        // Started again meanwhile: the new task is somebody else's, and its monitor is not waited for.
        let again = |status| matches!(status, Status::Starting | Status::Running | Status::Paused);
        if again(self.status(id)?) {
            return Ok(());
        }
        self.settle(id);
        let config = self.config(id)?;
        match self.status(id)? {
            status if status.is_alive() || status == Status::Starting => Ok(()),
            _ if config.auto_remove => self.forget(id, Some(&config), true),
            _ => {
                self.tell_end(&config, |exit| self.plan_restart(&config, exit))?;
                self.clear_task(id)
            }
        }
    }

    /// The container's directory goes first: from then on it does not exist. The lock is ours.
    pub(crate) fn forget(
        &self,
        id: &ContainerId,
        config: Option<&ContainerConfig>,
        volumes: bool,
    ) -> Result<(), Error> {
        let _at_work = self.at_work()?;
        self.remove_cgroups(id)?;
        self.end_pasta(id)?;
        self.release_network(id)?;
        let durable = config.map_or(Durability::Durable, durability);
        if let Some(config) = config.filter(|_| !volumes) {
            self.keep_own_volumes(config)?;
        }
        let names = self.names_of(id, config)?;
        let mut destroyed = None;
        if let Some(config) = config {
            self.tell_end(config, |_| Ok(()))?;
            destroyed = Some(self.container_event(config, "destroy"));
        }
        let thrown = self
            .trash
            .throw(&self.layout.container(id), durable)
            .map_err(files("remove the container"))?;
        for name in names {
            self.free_name(&name, Some(id))?;
        }
        self.remove_task(id)?;
        if let Some(config) = config.filter(|_| volumes) {
            self.remove_own_volumes(config, durable)?;
        }
        if thrown.is_some() {
            if let Some(event) = destroyed {
                self.record(event);
            }
            self.empty_trash()?;
        }
        Ok(())
    }

    fn names_of(
        &self,
        id: &ContainerId,
        config: Option<&ContainerConfig>,
    ) -> Result<Vec<String>, Error> {
        if let Some(config) = config
            && self.named(&config.name)?.as_ref() == Some(id)
        {
            return Ok(vec![config.name.clone()]);
        }
        let all = self.all_names()?.into_iter();
        Ok(all
            .filter(|(_, holder)| holder == id)
            .map(|(name, _)| name)
            .collect())
    }

    /// Deletes what was thrown away. Files of subordinate ids are deleted by a child in the user namespace.
    pub(crate) fn empty_trash(&self) -> Result<(), Error> {
        if !self.options.rootless {
            return self.trash.empty().map_err(files("empty the trash"));
        }
        if self.trash.empty().is_ok() {
            return Ok(());
        }
        let mut purge = self.in_namespace("purge");
        let left = crate::names::read_names(self.layout.trash())?;
        purge.args(left.iter().map(|name| self.layout.trash().join(name)));
        let helper = |source| Error::Helper {
            program: self.options.runtime.clone(),
            source,
        };
        let output = purge.output().map_err(helper)?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(helper(std::io::Error::other(words)))
    }

    /// Frees what a task that ended held; its `pid.json` stays, for the time of its start.
    pub(crate) fn clear_task(&self, id: &ContainerId) -> Result<(), Error> {
        self.remove_cgroups(id)?;
        self.end_pasta(id)?;
        self.release_network(id)?;
        self.remove_shm(id)?;
        self.unmount_plugin_volumes(id)?;
        for name in ["shim.sock", "task.json"] {
            berth_fs::remove_file(&self.layout.task(id).join(name), Durability::Volatile)
                .map_err(files("clear the task"))?;
        }
        match berth_fs::open_dir(&self.layout.task(id)) {
            Ok(task) => berth_fs::remove_tree_at(std::os::fd::AsFd::as_fd(&task), "bundle")
                .map_err(files("clear the task")),
            // Never started in this boot.
            Err(_) => Ok(()),
        }
    }

    fn remove_task(&self, id: &ContainerId) -> Result<(), Error> {
        self.remove_shm(id)?;
        self.unmount_plugin_volumes(id)?;
        let tasks = berth_fs::open_dir(&self.layout.tasks()).map_err(files("open the tasks"))?;
        berth_fs::remove_tree_at(std::os::fd::AsFd::as_fd(&tasks), id.as_str())
            .map_err(files("remove the task"))
    }

    fn remove_cgroups(&self, id: &ContainerId) -> Result<(), Error> {
        let Ok(Some(pid)) = self.pid(id) else {
            return Ok(());
        };
        // The end of an init that has no process namespace of its own leaves the others running.
        let shared = |config: ContainerConfig| config.namespaces.pid != PidMode::Private;
        let kill = self.config(id).is_ok_and(shared);
        Cgroup::open(&pid.cgroups)
            .and_then(|cgroup| {
                if kill {
                    cgroup.kill()?;
                }
                cgroup.remove()
            })
            .map_err(|source| Error::Cgroup {
                action: "remove",
                source,
            })
    }
}
