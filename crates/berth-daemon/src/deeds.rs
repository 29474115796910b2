//! Slow deeds, in a thread of their own, each at its time: what a policy starts with a daemon is started, what a killed
//! monitor or reaper left is finished, the unhealthy are restarted.
//!
//! Starts are spread: a host that comes up with hundreds of containers stays usable (security: N22).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use berth_engine::Engine;
use berth_model::ContainerId;
use berth_model::config::RestartKind;

use crate::counters::{Counters, count};
use crate::ends::Ends;
use crate::{Note, Told, spawn};

/// The end of a monitor is mostly the end of its work: so long, whoever cleans up has the time to.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// Until a container without a monitor that can be watched is looked at again.
const AGAIN: Duration = Duration::from_secs(5);
/// After an image came: more of them may follow.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);
/// Restarts of the unhealthy at the same time, at most.
const AT_ONCE: usize = 8;

/// Something to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Layers were unpacked: have the disk vouch for them, so that a reboot need not unpack them again.
    Settle,
    /// Its monitor is gone: finish what was left, if anything.
    Finish(ContainerId),
    /// Start it, if its policy says so.
    Start(ContainerId),
    /// It is unhealthy in the run that began then, and is to be restarted.
    Restart(ContainerId, u64),
}

/// A deed and when it is due.
pub(crate) type Due = (Instant, Deed);

/// Who does them.
pub(crate) struct Doer {
    engine: Arc<Engine>,
    counters: Arc<Counters>,
    ends: Arc<Ends>,
    note: Note,
    due: BinaryHeap<Reverse<Due>>,
    restarting: Arc<AtomicUsize>,
}

impl Doer {
    pub(crate) fn new(
        engine: Arc<Engine>,
        counters: Arc<Counters>,
        ends: Arc<Ends>,
        note: Note,
    ) -> Doer {
        Doer {
            engine,
            counters,
            ends,
            note,
            due: BinaryHeap::new(),
            restarting: Arc::default(),
        }
    }

    /// Puts right what was left by others, then does all that is asked for, until nobody can ask any more.
    pub(crate) fn work(&mut self, deeds: &Receiver<Due>) {
        if let Err(error) = self.engine.reconcile() {
            (self.note)(Told::Failed("cannot finish what was left", &error));
        }
        self.look_after();
        self.later(SETTLE, Deed::Settle);
        let mut starts = self.to_start();
        let mut next_start = Instant::now();
        loop {
            let start = (!starts.is_empty()).then_some(next_start);
            let due = self.due.peek().map(|Reverse((due, _))| *due);
            let next = start.into_iter().chain(due).min();
            let asked = match next {
                None => deeds.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => deeds.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            match asked {
                // Of many images that came one after the other, the layers are written once.
                Ok((_, Deed::Settle)) if self.settles() => {}
                Ok(due) => self.due.push(Reverse(due)),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while self
                .due
                .peek()
                .is_some_and(|Reverse((due, _))| *due <= Instant::now())
                && let Some(Reverse((_, deed))) = self.due.pop()
            {
                self.act(deed);
            }
            if next_start <= Instant::now()
                && let Some(id) = starts.pop()
            {
                let began = Instant::now();
                self.act(Deed::Start(id));
                // As long a pause as it took: starts take no more than half of what one processor does.
                next_start = Instant::now() + jittered(began.elapsed());
            }
        }
    }

    /// Watches all that are there already.
    fn look_after(&mut self) {
        match self.engine.unfinished() {
            Ok(ids) => ids.into_iter().for_each(|id| self.watch(id)),
            Err(error) => (self.note)(Told::Failed("cannot list the containers", &error)),
        }
    }

    /// A monitor that cannot be watched is asked from time to time.
    fn watch(&mut self, id: ContainerId) {
        if !self.ends.watch(&self.engine, &id) {
            self.later(AGAIN, Deed::Finish(id));
        }
    }

    fn later(&mut self, wait: Duration, deed: Deed) {
        self.due.push(Reverse((Instant::now() + wait, deed)));
    }

    /// Containers with a policy that do not run; the last is to be started first. The oldest are: others may need them.
    fn to_start(&self) -> Vec<ContainerId> {
        let ids = self.engine.ids().unwrap_or_else(|error| {
            (self.note)(Told::Failed("cannot list the containers", &error));
            Vec::new()
        });
        let mut waiting: Vec<(String, ContainerId)> = ids
            .into_iter()
            .filter_map(|id| {
                let config = self.engine.config(&id).ok()?;
                // Of the many without a policy nothing else is asked.
                let due = config.restart.kind != RestartKind::No
                    && self.engine.status(&id).is_ok_and(|status| !status.is_up());
                due.then_some((config.created, id))
            })
            .collect();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        waiting.into_iter().map(|(_, id)| id).collect()
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Settle => self.settle(),
            Deed::Finish(id) => match self.engine.reconcile_end(&id) {
                Ok(true) => self.watch(id),
                Ok(false) => {}
                Err(error) => {
                    self.tell("see to the end of the container", &id, &error);
                    self.later(AGAIN, Deed::Finish(id));
                }
            },
            Deed::Start(id) => {
                if let Err(error) = self.engine.start_by_policy(&id) {
                    self.tell("start the container", &id, &error);
                }
            }
            Deed::Restart(id, run) if self.restarting.load(Ordering::Relaxed) >= AT_ONCE => {
                self.later(GRACE, Deed::Restart(id, run));
            }
            Deed::Restart(id, run) => self.restart(id, run),
        }
    }

    fn tell(&self, what: &str, id: &ContainerId, error: &berth_engine::Error) {
        let what = format!("cannot {what} {}", id.short());
        (self.note)(Told::Failed(&what, error));
    }

    /// Whether layers are about to be written.
    fn settles(&self) -> bool {
        let mut due = self.due.iter();
        due.any(|Reverse((_, deed))| *deed == Deed::Settle)
    }

    /// Waits for a disk.
    fn settle(&self) {
        let (engine, note) = (self.engine.clone(), self.note.clone());
        let work = move || {
            if let Err(error) = engine.settle_layers() {
                note(Told::Failed("cannot have layers written", &error));
            }
        };
        // Without a thread they stay as they are: after a reboot they are unpacked again.
        let _ = spawn("settle", work);
    }

    /// Waits for a container's end, so each has its thread.
    fn restart(&self, id: ContainerId, run: u64) {
        let (engine, note) = (self.engine.clone(), self.note.clone());
        let (counters, restarting) = (self.counters.clone(), self.restarting.clone());
        restarting.fetch_add(1, Ordering::Relaxed);
        let spawned = spawn("restart", move || {
            let short = id.short();
            match engine.restart_unhealthy(&id, run) {
                Ok(true) => {
                    count(&counters.unhealthy_restarts);
                    let text = format!("restarted the unhealthy container {short}");
                    note(Told::Info(&text));
                }
                Ok(false) => {}
                Err(error) => {
                    let what = format!("cannot restart the unhealthy container {short}");
                    note(Told::Failed(&what, &error));
                }
            }
            restarting.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            self.restarting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A time around `mean`, so that several hosts do not go in step.
fn jittered(mean: Duration) -> Duration {
    let mut byte = [0];
    // Without chance there is no jitter, and no harm.
    let _ = getrandom::fill(&mut byte);
    mean / 2 + mean.mul_f64(f64::from(byte[0]) / 255.0)
}
