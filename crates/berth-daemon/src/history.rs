//! The history of what containers use: a thread that looks at all that run, as often as it is told. Told never, it sleeps.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use berth_engine::Engine;
use berth_engine::stats::history::Moment;
use berth_engine::stats::{Sample, Sampler};
use berth_model::ContainerId;

use crate::{Error, spawn};

/// How often; `None`: never.
type Every = Option<Duration>;

/// Who looks; dropping it ends the thread.
pub(crate) struct History {
    /// Closed: the thread is to end.
    tell: Option<Sender<Every>>,
    thread: Option<JoinHandle<()>>,
}

impl History {
    pub(crate) fn start(engine: Arc<Engine>, every: Every) -> Result<History, Error> {
        let (tell, told) = channel();
        let thread = spawn("history", move || follow(&engine, every, &told))?;
        Ok(History {
            tell: Some(tell),
            thread: Some(thread),
        })
    }

    pub(crate) fn every(&self, every: Every) {
        if let Some(tell) = &self.tell {
            // The thread ends after us.
            let _ = tell.send(every);
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        drop(self.tell.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so.
            let _ = thread.join();
        }
    }
}

fn follow(engine: &Engine, mut every: Every, told: &Receiver<Every>) {
    let mut sampler = engine.sampler();
    let mut before = HashMap::new();
    let mut last = Instant::now();
    loop {
        let news = match every {
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(every) => told.recv_timeout(every.saturating_sub(last.elapsed())),
        };
        match news {
            Ok(news) => every = news,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                last = Instant::now();
                look(engine, &mut sampler, &mut before);
            }
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
