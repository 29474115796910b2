//! Which container is probed when, and which probes run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use berth_engine::Engine;
use berth_engine::clock;
use berth_engine::health::{RESTART_LABEL, Run, RunningProbe, time_since};
use berth_model::health::{Condition, Health, Probe};
use berth_model::{ContainerConfig, ContainerId};

use crate::backoff::Backoff;
use crate::counters::{Counters, count};

/// Probes that run at the same time, at most; the others are late.
const AT_ONCE: usize = 32;

struct Checked {
    config: ContainerConfig,
    /// Start time of its init.
    run: u64,
    health: Health,
    /// What is in the heap for it counts only when it says the same.
    due: Instant,
    /// Somebody ends it: it is not restarted.
    ending: bool,
}

/// All containers with a health check that run.
pub(crate) struct Probes {
    engine: Arc<Engine>,
    counters: Arc<Counters>,
    restart_all: Arc<AtomicBool>,
    checked: HashMap<ContainerId, Checked>,
    due: BinaryHeap<Reverse<(Instant, ContainerId)>>,
    pub(crate) running: Vec<(ContainerId, RunningProbe)>,
    /// Outlives a container's run.
    backoffs: HashMap<ContainerId, Backoff>,
}

impl Probes {
    pub(crate) fn new(
        engine: Arc<Engine>,
        counters: Arc<Counters>,
        restart_all: Arc<AtomicBool>,
    ) -> Probes {
        Probes {
            engine,
            counters,
            restart_all,
            checked: HashMap::new(),
            due: BinaryHeap::new(),
            running: Vec::new(),
            backoffs: HashMap::new(),
        }
    }

    /// A container runs: from now on, or since before we began.
    pub(crate) fn begin(&mut self, id: &ContainerId) {
        self.end(id);
        let Ok(container) = self.engine.inspect(id) else {
            return;
        };
        let (Some(pid), Some(health)) = (container.pid, container.health) else {
            return;
        };
        let Some(check) = &container.config.health else {
            return;
        };
        if !container.status.is_alive() {
            return;
        }
        let age = clock::age(pid.start_time);
        // Whom another daemon has probed is due when it would have been.
        let since = health.log.last().map_or(age, time_since);
        let due = Instant::now() + health.interval(check, age).saturating_sub(since);
        let checked = Checked {
            run: pid.start_time,
            health,
            due,
            ending: false,
            config: container.config,
        };
        self.checked.insert(id.clone(), checked);
        self.due.push(Reverse((due, id.clone())));
    }

    /// It does not run any more, or is frozen. A probe of it ends.
    pub(crate) fn end(&mut self, id: &ContainerId) {
        self.checked.remove(id);
        self.running.retain(|(other, _)| other != id);
    }

    /// It is gone.
    pub(crate) fn forget(&mut self, id: &ContainerId) {
        self.end(id);
        self.backoffs.remove(id);
    }

    /// It was sent a signal, which may be meant to end it.
    pub(crate) fn signalled(&mut self, id: &ContainerId, signal: Option<i32>) {
        if let Some(checked) = self.checked.get_mut(id) {
            checked.ending |= signal.is_some_and(|signal| checked.config.is_ended_by(signal));
        }
    }

    /// Looks at the probes that run, starts those that are due; which containers, in which of their runs, are to be
    /// restarted.
    pub(crate) fn turn(&mut self) -> Vec<(ContainerId, u64)> {
        let mut restarts = Vec::new();
        let mut at = 0;
        while let Some((_, probe)) = self.running.get_mut(at) {
            match probe.look() {
                None => at += 1,
                Some(result) => {
                    let (id, probe) = self.running.swap_remove(at);
                    let run = probe.run();
                    drop(probe);
                    if self.take(&id, result, run) {
                        restarts.push((id, run.start_time));
                    }
                }
            }
        }
        let now = Instant::now();
        while self.running.len() < AT_ONCE
            && self.due.peek().is_some_and(|Reverse((due, _))| *due <= now)
            && let Some(Reverse((due, id))) = self.due.pop()
        {
            let checked = self.checked.get(&id);
            if checked.is_some_and(|checked| checked.due == due) {
                self.probe(&id);
            }
        }
        restarts
    }

    /// When [`Probes::turn`] has something to do, if nothing happens before.
    pub(crate) fn next(&self) -> Option<Instant> {
        let ends = self.running.iter().map(|(_, probe)| probe.deadline()).min();
        let due = self.due.peek().map(|Reverse((due, _))| *due);
        let due = due.filter(|_| self.running.len() < AT_ONCE);
        ends.into_iter().chain(due).min()
    }

    fn probe(&mut self, id: &ContainerId) {
        let Some(checked) = self.checked.get(id) else {
            return;
        };
        match self.engine.start_probe(&checked.config) {
            Ok(probe) => self.running.push((id.clone(), probe)),
            // It has just ended, or was just frozen: that is told; if not, this is tried again.
            Err(_) => self.again(id),
        }
    }

    fn again(&mut self, id: &ContainerId) {
        if let Some(checked) = self.checked.get_mut(id)
            && let Some(check) = &checked.config.health
        {
            let age = clock::age(checked.run);
            checked.due = Instant::now() + checked.health.interval(check, age);
            self.due.push(Reverse((checked.due, id.clone())));
        }
    }

    /// Whether the container is to be restarted.
    fn take(&mut self, id: &ContainerId, result: Probe, run: Run) -> bool {
        count(&self.counters.probes);
        if result.exit_code != 0 {
            count(&self.counters.failed_probes);
        }
        let Some(checked) = self.checked.get_mut(id) else {
            return false;
        };
        // Of a run that has ended: another one begins by its own event. What cannot be kept is lost.
        if let Ok(Some(health)) = self.engine.take_probe(&checked.config, result, run) {
            checked.health = health;
        }
        self.again(id);
        self.wants_restart(id)
    }

    fn wants_restart(&mut self, id: &ContainerId) -> bool {
        let Some(checked) = self.checked.get(id) else {
            return false;
        };
        let asked = checked.config.labels.get(RESTART_LABEL);
        let all = self.restart_all.load(Ordering::Relaxed);
        let wanted = asked.map_or(all, |word| word == "true");
        // One that is removed at its end, too.
        let wanted = wanted && !checked.ending && !checked.config.auto_remove;
        if !wanted || checked.health.status != Condition::Unhealthy {
            return false;
        }
        let known = self.backoffs.get(id).copied().unwrap_or_default();
        match known.restart(Instant::now()) {
            Some(next) => _ = self.backoffs.insert(id.clone(), next),
            None => return false,
        }
        true
    }
}
