//! Restart policies, without a daemon: who cleans up after a run notes that the container is to be started again, and
//! the monitor's reaper waits and does it. A note that nobody waits for (the reaper was killed) is found by `fsck` and
//! by a daemon's start.
//!
//! ```text
//! containers/<id>/restart.json   how often and with which wait (berth-model, `restart`)
//! tasks/<id>/backoff.json        it waits; locked by who does. To take the note away is to call the start off
//! tasks/<id>/unhealthy.json      it is ended to be started again at once, whatever its policy
//! ```

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use berth_fs::{Durability, Lock, LockMode};
use berth_model::config::RestartKind;
use berth_model::restart::{Backoff, Restarts};
use berth_model::status::Exit;
use berth_model::{ContainerConfig, ContainerId, Status};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::attach::AttachStream;
use crate::clock::since_boot_ms;
use crate::create::durability;
use crate::error::files;
use crate::start::{By, StartOptions};
use crate::{Engine, Error, json};

/// How often who waits looks whether the start was called off.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    /// What is remembered of a container's restarts.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn restarts(&self, id: &ContainerId) -> Result<Restarts, Error> {
        Ok(json::read(&self.layout.restart(id))?.unwrap_or_default())
    }

    /// Whether it waits for its next start.
    pub(crate) fn is_restarting(&self, id: &ContainerId) -> bool {
        self.layout.backoff(id).exists()
    }

    /// After an end: notes when it is to be started again, if it is. The lock is ours.
    pub(crate) fn plan_restart(&self, config: &ContainerConfig, exit: &Exit) -> Result<(), Error> {
        let id = &config.id;
        let unhealthy = self.layout.unhealthy(id).exists();
        if config.auto_remove || (config.restart.kind == RestartKind::No && !unhealthy) {
            return Ok(());
        }
        let ran = self.pid(id)?.map(|pid| crate::clock::age(pid.start_time));
        let ran = ran.unwrap_or_default();
        let known = self.restarts(id)?;
        let next = match unhealthy {
            true => Some(known.again()),
            false => known.after(config.restart, exit.code, ran),
        };
        let Some(next) = next else {
            return berth_fs::remove_file(&self.layout.backoff(id), Durability::Volatile)
                .map_err(files("call a restart off"));
        };
        let due_ms = since_boot_ms() + next.delay_ms;
        json::write(&self.layout.restart(id), &next, Durability::Volatile)?;
        json::write(
            &self.layout.backoff(id),
            &Backoff { due_ms },
            Durability::Volatile,
        )?;
        self.forget_unhealthy(id)
    }

    fn forget_unhealthy(&self, id: &ContainerId) -> Result<(), Error> {
        berth_fs::remove_file(&self.layout.unhealthy(id), Durability::Volatile)
            .map_err(files("call a restart off"))
    }

    /// Waits until the container is due, and starts it, unless somebody else waits for it or the start is called off.
    /// Returns at once where nothing is due.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn restart_when_due(&self, id: &ContainerId) -> Result<(), Error> {
        let path = self.layout.backoff(id);
        // Under its lock: so does whoever looks only whether somebody waits.
        let claimed = match self.lock_if_there(id)? {
            Some(_lock) => claim(&path)?,
            None => None,
        };
        let Some(claim) = claimed else {
            return Ok(());
        };
        let Some(backoff) = json::read::<Backoff>(&path)? else {
            return Ok(());
        };
        loop {
            if !claim.still_at(&path) {
                return Ok(());
            }
            let left = Duration::from_millis(backoff.due_ms.saturating_sub(since_boot_ms()));
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(LOOK));
        }
        let Some(_lock) = self.lock_if_there(id)? else {
            return Ok(());
        };
        if !claim.still_at(&path) {
            return Ok(());
        }
        self.start_locked(id, StartOptions::default(), By::Policy)
            .map(drop)
    }

    /// Whether it waits and nobody does the waiting. Its lock is the caller's.
    pub(crate) fn is_forgotten(&self, id: &ContainerId) -> bool {
        matches!(claim(&self.layout.backoff(id)), Ok(Some(_)))
    }

    /// A user ends the container: no policy starts it again, and one that waits for its start waits no more. Whether
    /// one did.
    pub(crate) fn call_restart_off(&self, config: &ContainerConfig) -> Result<bool, Error> {
        let id = &config.id;
        let waited = self.is_restarting(id);
        self.forget_unhealthy(id)?;
        if config.restart.kind == RestartKind::No && !waited {
            return Ok(false);
        }
        let _lock = self.lock(id)?;
        let mut restarts = self.restarts(id)?;
        restarts.stopped = true;
        json::write(&self.layout.restart(id), &restarts, durability(config))?;
        // It may have ended just now, and nobody has planned yet what would be called off.
        let ended = self.has_untold_end(id) && matches!(self.status(id)?, Status::Exited(_));
        let waited = self.is_restarting(id) || ended;
        berth_fs::remove_file(&self.layout.backoff(id), Durability::Volatile)
            .map_err(files("call a restart off"))?;
        Ok(waited)
    }

    /// The foreground client has been told the container's end and cleans up after it in place of the monitor's reaper.
    /// Not where the container may be started again: that wait is the reaper's.
    pub fn take_over(&self, stream: AttachStream, id: &ContainerId) {
        match self.config(id) {
            Ok(config) if config.restart.kind != RestartKind::No && !config.auto_remove => {}
            // When either fails the monitor has begun to clean up itself, which is as good.
            _ => {
                let _ = stream.take_over();
                let _ = self.reap(id);
            }
        }
    }

    /// Starts a reaper, as the monitor becomes one at its end, for one that is due and that nobody waits for.
    pub(crate) fn start_reaper(&self, id: &ContainerId) -> Result<(), Error> {
        let helper = |source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        };
        let line = self.reap_line(id);
        let Some((program, arguments)) = line.split_first() else {
            return Ok(());
        };
        Command::new(program)
            .args(arguments)
            // In a group of its own: an interrupt from the terminal is not for it.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(|child| self.keep_child(child))
            .map_err(helper)
    }

    /// Starts what its policy starts with a daemon, after a reboot, say. `false`: it is not to be started, or runs.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_by_policy(&self, id: &ContainerId) -> Result<bool, Error> {
        let Some(_lock) = self.lock_if_there(id)? else {
            return Ok(false);
        };
        let config = self.config(id)?;
        let code = match self.status(id)? {
            Status::Exited(exit) => exit.code,
            Status::Lost => crate::fsck::LOST_CODE,
            _ => return Ok(false),
        };
        // One that was made and never started is not started by anybody but a user.
        if !self.layout.desired(id).exists()
            || !self.restarts(id)?.at_daemon_start(config.restart, code)
        {
            return Ok(false);
        }
        self.start_locked(id, StartOptions::default(), By::User)
    }
}

/// Locks a note; `None`: there is none, or somebody waits for it.
fn claim(path: &Path) -> Result<Option<Lock>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(source) => {
            return Err(Error::Io {
                action: "open",
                path: path.to_owned(),
                source: source.into(),
            });
        }
    };
    Lock::try_take(file, path, LockMode::Exclusive).map_err(files("wait for a restart"))
}
