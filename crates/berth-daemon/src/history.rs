//! The history of what containers use: a thread that looks at all that run, as often as it is told. Told never, it sleeps.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use berth_engine::Engine;
use berth_engine::stats::history::Moment;
use berth_engine::stats::{Sample, Sampler};
use berth_model::ContainerId;

use crate::{Error, spawn};

/// How often is looked; dropping it ends the thread.
pub(crate) struct History {
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    now: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq)]
struct Orders {
    /// `None`: never.
    every: Option<Duration>,
    end: bool,
}

impl History {
    pub(crate) fn start(engine: Arc<Engine>, every: Option<Duration>) -> Result<History, Error> {
        let told = Arc::new(Told::default());
        told.orders().every = every;
        let orders = told.clone();
        let thread = spawn("history", move || orders.follow(&engine))?;
        Ok(History {
            told,
            thread: Some(thread),
        })
    }

    pub(crate) fn every(&self, every: Option<Duration>) {
        self.told.orders().every = every;
        self.told.changed.notify_all();
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.told.orders().end = true;
        self.told.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so.
            let _ = thread.join();
        }
    }
}

impl Told {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, engine: &Engine) {
        let mut sampler = engine.sampler();
        let mut before = HashMap::new();
        let mut last = Instant::now();
        loop {
            let mut orders = self.orders();
            loop {
                let wait = match *orders {
                    Orders { end: true, .. } => return,
                    Orders { every: None, .. } => None,
                    Orders {
                        every: Some(every), ..
                    } => Some(every.saturating_sub(last.elapsed())),
                };
                let wait_error = PoisonError::into_inner;
                orders = match wait {
                    Some(Duration::ZERO) => break,
                    Some(wait) => {
                        let waited = self.changed.wait_timeout(orders, wait);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.changed.wait(orders).unwrap_or_else(wait_error),
                };
            }
            drop(orders);
            last = Instant::now();
            look(engine, &mut sampler, &mut before);
        }
    }
}

/// A moment of each that runs. What cannot be looked at is left out: it has ended, or the next look says more.
fn look(engine: &Engine, sampler: &mut Sampler<'_>, before: &mut HashMap<ContainerId, Sample>) {
    let mut now = HashMap::new();
    for id in engine.ids().unwrap_or_default() {
        let Ok(sample) = sampler.sample(&id) else {
            continue;
        };
        if !sample.is_running() {
            continue;
        }
        // A first look has no rate.
        if let Some(before) = before.get(&id) {
            let _ = engine.note_moment(&id, &Moment::of(&sample, before));
        }
        now.insert(id, sample);
    }
    *before = now;
    sampler.keep(|id| before.contains_key(id));
}
