//! The end of a run is told once, whoever comes to clean up: the monitor's reaper, a foreground client, `stop`, `rm`,
//! the next start or `fsck`.
//!
//! `task.json` is there from before a run to its end, and whoever cleans up after it, under the container's lock,
//! renames it to `ending.json`, writes the events down, and removes that. So an `ending.json` that is found says that
//! somebody died in between, and then the log is asked whether they were written.

use std::path::Path;

use berth_fs::Durability;
use berth_model::event::Subject;
use berth_model::status::Exit;
use berth_model::{ContainerConfig, ContainerId};
use jiff::Timestamp;
use rustix::io::Errno;

use crate::error::files;
use crate::{Engine, Error, exit};

const ENDING: &str = "ending.json";

impl Engine {
    /// Tells that the container has ended, if it ran and nobody has told it; then calls `and`, also where that was cut
    /// short. The lock is ours, and nothing of it runs.
    pub(crate) fn tell_end(
        &self,
        config: &ContainerConfig,
        and: impl FnOnce(&Exit) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let task = self.layout.task(&config.id);
        let ending = task.join(ENDING);
        let untold = moved(&task.join("task.json"), &ending)?;
        if !untold && !ending.exists() {
            return Ok(());
        }
        // Without a pid it never ran, in this boot.
        if self.pid(&config.id)?.is_some()
            && let Some(exit) = self.read_exit(&config.id)?
        {
            if untold || !self.has_told_end(&config.id)? {
                self.tell_exit(config, &exit);
            }
            and(&exit)?;
        }
        berth_fs::remove_file(&ending, Durability::Volatile).map_err(files("clear the task"))
    }

    /// As [`Engine::tell_end`] for an end in an earlier boot, of which there is no task: before `exit` is recorded.
    pub(crate) fn tell_loss(&self, config: &ContainerConfig, exit: &Exit) -> Result<(), Error> {
        if !self.has_untold_end(&config.id) && !self.has_told_end(&config.id)? {
            self.tell_exit(config, exit);
        }
        Ok(())
    }

    /// Whether nobody has seen to an end yet.
    pub(crate) fn has_untold_end(&self, id: &ContainerId) -> bool {
        let task = self.layout.task(id);
        task.join("task.json").exists() || task.join(ENDING).exists()
    }

    pub(crate) fn read_exit(&self, id: &ContainerId) -> Result<Option<Exit>, Error> {
        exit::read(&self.layout.exit(id)).map_err(|source| Error::Exit {
            id: id.short().to_owned(),
            source,
        })
    }

    fn tell_exit(&self, config: &ContainerConfig, exit: &Exit) {
        if exit.error.is_some() && !exit.lost {
            // It never ran.
            return;
        }
        if exit.oom_killed {
            self.record(self.container_event(config, "oom"));
        }
        let die = self.container_event(config, "die");
        self.record(die.with("exitCode", exit.code.to_string()));
        self.record_given_back(config);
    }

    /// Whether the last of the container's starts and ends in the log is an end.
    fn has_told_end(&self, id: &ContainerId) -> Result<bool, Error> {
        let mut events = self.events(Some(Timestamp::UNIX_EPOCH));
        let mut told = false;
        loop {
            let some = events.next_events()?;
            if some.is_empty() {
                return Ok(told);
            }
            for event in some {
                if event.subject == Subject::Container && event.actor.id == id.as_str() {
                    match event.action.as_str() {
                        "start" => told = false,
                        "die" => told = true,
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Renames; `false`: there is nothing at `from`.
fn moved(from: &Path, to: &Path) -> Result<bool, Error> {
    match berth_fs::rename(from, to, Durability::Volatile) {
        Ok(()) => Ok(true),
        Err(error) if error.errno() == Some(Errno::NOENT) => Ok(false),
        Err(source) => Err(Error::Files {
            action: "clear the task",
            source,
        }),
    }
}
