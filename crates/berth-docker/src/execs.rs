//! The exec instances that clients have made: what is to run, and what became of it. They are this process's own: a
//! daemon that starts anew knows none, as Docker's.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use berth_engine::Engine;
use berth_engine::attach::DetachKeys;
use berth_engine::events::ExecStep;
use berth_engine::exec::ExecRequest;
use berth_model::ContainerId;

use crate::error::Failure;

/// How long one that has ended, or was never started, can still be asked about.
const KEPT: Duration = Duration::from_secs(300);

/// An instance.
pub(crate) struct Exec {
    pub(crate) id: String,
    pub(crate) container: ContainerId,
    pub(crate) request: ExecRequest,
    pub(crate) wants_stdin: bool,
    pub(crate) wants_stdout: bool,
    pub(crate) wants_stderr: bool,
    pub(crate) detach_keys: DetachKeys,
    made: Instant,
    state: Mutex<State>,
}

/// What became of it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) started: bool,
    pub(crate) running: bool,
    pub(crate) exit_code: Option<i32>,
    /// Master of its terminal, while it runs.
    pub(crate) terminal: Option<Arc<OwnedFd>>,
    ended: Option<Instant>,
}

impl Exec {
    /// Where the runtime writes the process's pid; it goes with the task.
    pub(crate) fn pid_file(&self, engine: &Engine) -> PathBuf {
        let task = engine.layout().task(&self.container);
        task.join(format!("exec-{}.pid", &self.id[..12]))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It ended.
    pub(crate) fn died(&self, engine: &Arc<Engine>, code: i32) {
        self.end(code);
        let (engine, container, id) = (engine.clone(), self.container.clone(), self.id.clone());
        // An event is a line in a file: nobody waits for the disk here.
        tokio::task::spawn_blocking(move || {
            engine.record_exec(&container, &id, ExecStep::Die(code));
        });
    }

    /// It will not run any more.
    pub(crate) fn end(&self, code: i32) {
        let mut state = self.state();
        state.running = false;
        state.exit_code = Some(code);
        state.terminal = None;
        state.ended = Some(Instant::now());
    }
}

/// What a client asks for.
pub(crate) struct NewExec {
    pub(crate) container: ContainerId,
    pub(crate) request: ExecRequest,
    pub(crate) wants_stdin: bool,
    pub(crate) wants_stdout: bool,
    pub(crate) wants_stderr: bool,
    pub(crate) detach_keys: DetachKeys,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Execs(Mutex<HashMap<String, Arc<Exec>>>);

impl Execs {
    /// Makes one; its id.
    pub(crate) fn add(&self, new: NewExec) -> Result<String, Failure> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let exec = Exec {
            id: id.clone(),
            container: new.container,
            request: new.request,
            wants_stdin: new.wants_stdin,
            wants_stdout: new.wants_stdout,
            wants_stderr: new.wants_stderr,
            detach_keys: new.detach_keys,
            made: Instant::now(),
            state: Mutex::default(),
        };
        let mut all = self.lock();
        all.retain(|_, exec| {
            let state = exec.state();
            state.running || state.ended.unwrap_or(exec.made).elapsed() < KEPT
        });
        all.insert(id.clone(), Arc::new(exec));
        Ok(id)
    }

    pub(crate) fn find(&self, id: &str) -> Result<Arc<Exec>, Failure> {
        let found = self.lock().get(id).cloned();
        found.ok_or_else(|| Failure::absent(format!("No such exec instance: {id}")))
    }

    /// The ids of those that run in a container, for its inspection.
    pub(crate) fn of(&self, container: &ContainerId) -> Vec<String> {
        let all = self.lock();
        let running = all
            .values()
            .filter(|exec| exec.container == *container && exec.state().running);
        running.map(|exec| exec.id.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Exec>>> {
        // A table is whole whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
