//! Facts observed of a container, and the status derived from them. A status is never stored.

use serde::{Deserialize, Serialize};

/// How a container's init ended. Wire form of `exit.json`, written by the monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Exit {
    /// The exit status; 128 + n when signal n ended it.
    pub code: i32,
    /// The out-of-memory killer struck inside the container.
    #[serde(default)]
    pub oom_killed: bool,
    /// RFC 3339 with nanoseconds, UTC.
    pub finished_at: String,
    /// Set when the container never ran: why the start failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The end was not seen by a monitor (crash, reboot); `code` is a stand-in (137).
    #[serde(default)]
    pub lost: bool,
}

/// What was observed, each from its own source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Somebody holds the lock on `shim.lock`: the monitor lives.
    pub monitor_alive: bool,
    /// Init's process exists, with the recorded start time.
    pub init_alive: bool,
    /// `pid.json` exists: init was created in this boot.
    pub init_recorded: bool,
    /// The container's cgroup is frozen.
    pub frozen: bool,
    /// `exit.json`.
    pub exit: Option<Exit>,
    /// `desired.json` says that it should run.
    pub should_run: bool,
    /// `backoff.json`: it waits for its next start.
    pub waits: bool,
}

/// A container's state, as `ps` and `inspect` show it.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// Never started.
    Created,
    /// The shim is setting init up.
    Starting,
    /// Init runs.
    Running,
    /// Init runs, frozen.
    Paused,
    /// Init is dead and the monitor is writing `exit.json`.
    Exiting,
    /// It ended.
    Exited(Exit),
    /// It ended so, and waits for its next start.
    Restarting(Exit),
    /// Init runs without a monitor: `reconcile` kills it and records the loss.
    Orphaned,
    /// It should run, but there is no monitor, no init and no exit: crash or reboot.
    Lost,
}

impl Status {
    /// Docker's word for the state.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Starting => "created",
            Status::Running | Status::Exiting | Status::Orphaned => "running",
            Status::Paused => "paused",
            Status::Exited(_) | Status::Lost => "exited",
            Status::Restarting(_) => "restarting",
        }
    }

    /// What Docker calls running: init's process exists, or will again.
    pub fn is_up(&self) -> bool {
        self.is_alive() || matches!(self, Status::Restarting(_))
    }

    /// Whether init's process exists.
    pub fn is_alive(&self) -> bool {
        matches!(
            self,
            Status::Running | Status::Paused | Status::Exiting | Status::Orphaned
        )
    }
}

/// The status that the facts amount to.
pub fn derive(facts: &Facts) -> Status {
    if let (Some(exit), false) = (&facts.exit, facts.init_alive) {
        return match facts.waits {
            true => Status::Restarting(exit.clone()),
            false => Status::Exited(exit.clone()),
        };
    }
    match (facts.monitor_alive, facts.init_recorded, facts.init_alive) {
        (true, _, true) if facts.frozen => Status::Paused,
        (true, _, true) => Status::Running,
        (true, true, false) => Status::Exiting,
        (true, false, false) => Status::Starting,
        (false, _, true) => Status::Orphaned,
        (false, _, false) if facts.should_run => Status::Lost,
        (false, _, false) => Status::Created,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32) -> Exit {
        Exit {
            code,
            oom_killed: false,
            finished_at: "2026-01-01T00:00:00Z".into(),
            error: None,
            lost: false,
        }
    }

    #[test]
    fn each_row_of_the_table() {
        let row =
            |monitor_alive, init_recorded, init_alive, frozen, should_run, code: Option<i32>| {
                derive(&Facts {
                    monitor_alive,
                    init_recorded,
                    init_alive,
                    frozen,
                    should_run,
                    exit: code.map(exit),
                    waits: false,
                })
            };
        assert_eq!(
            row(false, false, false, false, false, None),
            Status::Created
        );
        assert_eq!(row(true, false, false, false, true, None), Status::Starting);
        assert_eq!(row(true, true, true, false, true, None), Status::Running);
        assert_eq!(row(true, true, true, true, true, None), Status::Paused);
        assert_eq!(row(true, true, false, false, true, None), Status::Exiting);
        assert_eq!(row(false, true, true, false, true, None), Status::Orphaned);
        assert_eq!(row(false, true, false, false, true, None), Status::Lost);
        assert_eq!(row(false, false, false, false, true, None), Status::Lost);
        assert_eq!(
            row(false, true, false, false, true, Some(3)),
            Status::Exited(exit(3))
        );
        assert_eq!(
            row(true, true, false, false, false, Some(3)),
            Status::Exited(exit(3))
        );
        let waits = |init_alive| {
            derive(&Facts {
                monitor_alive: init_alive,
                init_alive,
                exit: (!init_alive).then(|| exit(3)),
                waits: true,
                ..Facts::default()
            })
        };
        assert_eq!(waits(false), Status::Restarting(exit(3)));
        assert_eq!(waits(true), Status::Running, "started again");
        assert!(waits(false).is_up() && !waits(false).is_alive());
    }
}
