//! A container's state: `State` of its document, `Status` of its row.

use berth_engine::Container;
use berth_model::Status;
use berth_model::elapsed;
use berth_model::health::Health;
use jiff::Timestamp;
use serde::Serialize;

use super::NEVER;

/// What the end of a container that nobody saw counts as.
const LOST: i32 = 137;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State<'a> {
    status: &'static str,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: &'a str,
    started_at: &'a str,
    finished_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'a Health>,
}

impl<'a> State<'a> {
    pub(crate) fn of(container: &'a Container) -> State<'a> {
        let alive = container.status.is_alive();
        let (exit_code, oom_killed, finished_at, error) = match &container.status {
            Status::Exited(exit) | Status::Restarting(exit) => (
                exit.code,
                exit.oom_killed,
                exit.finished_at.as_str(),
                exit.error.as_deref().unwrap_or(""),
            ),
            Status::Lost => (LOST, false, NEVER, "the container's end was not seen"),
            _ => (0, false, NEVER, ""),
        };
        let pid = container.pid.as_ref();
        State {
            status: container.status.word(),
            running: container.status.is_up(),
            paused: container.status == Status::Paused,
            restarting: matches!(container.status, Status::Restarting(_)),
            oom_killed,
            dead: false,
            pid: pid.filter(|_| alive).map_or(0, |pid| pid.pid),
            exit_code,
            error,
            started_at: pid.map_or(NEVER, |pid| &pid.started_at),
            finished_at,
            health: container.health.as_ref(),
        }
    }
}

/// `Up 2 minutes`, `Exited (0) 3 hours ago`, `Created`.
pub(crate) fn text(container: &Container, now: Timestamp) -> String {
    let since = |time: &str| {
        let time = time.parse::<Timestamp>();
        elapsed::duration(time.map_or(0, |time| now.as_second() - time.as_second()))
    };
    let up = || {
        let started = container.pid.as_ref().map(|pid| pid.started_at.as_str());
        format!("Up {}", since(started.unwrap_or("")))
    };
    match &container.status {
        Status::Created | Status::Starting => "Created".to_owned(),
        Status::Running | Status::Exiting | Status::Orphaned => {
            let health = container.health.as_ref();
            up() + health.map_or("", |health| health.status.in_list())
        }
        Status::Paused => format!("{} (Paused)", up()),
        Status::Exited(exit) => format!("Exited ({}) {} ago", exit.code, since(&exit.finished_at)),
        Status::Restarting(exit) => format!(
            "Restarting ({}) {} ago",
            exit.code,
            since(&exit.finished_at)
        ),
        Status::Lost => format!("Exited ({LOST})"),
    }
}

/// The code of its end, if it has ended.
pub(crate) fn exit_code(status: &Status) -> Option<i32> {
    match status {
        Status::Exited(exit) | Status::Restarting(exit) => Some(exit.code),
        Status::Lost => Some(LOST),
        _ => None,
    }
}
