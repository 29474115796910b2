//! The supervisor: one thread that follows the log of events, starts probes when they are due, and hears of monitors that
//! are gone. Where nothing happens and nothing is due, it sleeps, however many containers there are.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use berth_engine::Engine;
use berth_engine::events::{EventReader, EventWatch};
use berth_model::event::Subject;
use berth_model::{ContainerId, Event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::counters::{Counters, count};
use crate::deeds::{Deed, Doer, Due, GRACE, SETTLE};
use crate::ends::Ends;
use crate::history::History;
use crate::probes::Probes;
use crate::{Audit, Error, Instance, Live, Note, Told, spawn};

/// The resident part of a daemon. Dropping it ends its threads; containers run on.
pub struct Supervisor {
    /// Closed: the thread is to end.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    restart_unhealthy: Arc<AtomicBool>,
    history: History,
    _instance: Instance,
}

impl Supervisor {
    /// Becomes the one daemon on the engine's state and begins to look after the containers: in the background, what a
    /// crash has left is put right, and what a policy wants started is started. `note` is told what went wrong without
    /// anybody having asked for it.
    ///
    /// # Errors
    /// [`Error::Running`], and what keeps it from beginning.
    pub fn start(engine: Arc<Engine>, live: &Live, note: Note) -> Result<Supervisor, Error> {
        let instance = Instance::take(engine.layout().root())?;
        // Before anything is looked at: what happens from here on is told.
        let watch = engine.watch_events().map_err(Error::Engine)?;
        let reader = engine.events(None);
        let (woken, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::start)?;
        let ends = Arc::new(Ends::new().map_err(Error::start)?);
        let counters = Arc::new(Counters::default());
        let restart_all = Arc::new(AtomicBool::new(live.restart_unhealthy));
        let (ask, deeds) = channel();
        let mut doer = Doer::new(engine.clone(), counters.clone(), ends.clone(), note.clone());
        spawn("deeds", move || doer.work(&deeds))?;
        let history = History::start(engine.clone(), live.stats_interval)?;
        let (names, told) = (engine.clone(), note.clone());
        spawn("names", move || crate::names::keep(&names, &told))?;
        let (networks, told) = (engine.clone(), note.clone());
        spawn("networks", move || crate::networks::keep(&networks, &told))?;
        let mut watcher = Watcher {
            probes: Probes::new(engine.clone(), counters.clone(), restart_all.clone()),
            counters: counters.clone(),
            engine,
            watch,
            reader,
            woken,
            ends,
            ask,
            note,
        };
        let thread = spawn("supervisor", move || watcher.run())?;
        Ok(Supervisor {
            stop: Some(stop),
            thread: Some(thread),
            counters,
            restart_unhealthy: restart_all,
            history,
            _instance: instance,
        })
    }

    /// What it has done.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What it is told from now on: whether every container that is unhealthy is restarted, and not only those that ask for
    /// it by their label; how often is written down what containers use.
    pub fn set(&self, live: &Live) {
        self.restart_unhealthy
            .store(live.restart_unhealthy, Ordering::Relaxed);
        self.history.every(live.stats_interval);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so.
            let _ = thread.join();
        }
    }
}

struct Watcher {
    engine: Arc<Engine>,
    watch: EventWatch,
    reader: EventReader,
    woken: OwnedFd,
    ends: Arc<Ends>,
    probes: Probes,
    ask: Sender<Due>,
    counters: Arc<Counters>,
    note: Note,
}

impl Watcher {
    fn run(&mut self) {
        for id in self.engine.with_health_checks().unwrap_or_default() {
            self.probes.begin(&id);
        }
        loop {
            self.watch.clear();
            self.take_events();
            for (id, run) in self.probes.turn() {
                self.ask(Instant::now(), Deed::Restart(id, run));
            }
            let ended = self.ends.take();
            if !ended.is_empty() {
                self.engine.collect_children();
            }
            for id in ended {
                self.ask(Instant::now() + GRACE, Deed::Finish(id));
            }
            if self.wait() {
                return;
            }
        }
    }

    fn ask(&self, due: Instant, deed: Deed) {
        // The other thread ends after us.
        let _ = self.ask.send((due, deed));
    }

    fn take_events(&mut self) {
        // A failure is one for want of memory or descriptors: the next turn tries again.
        while let Ok(events) = self.reader.next_events() {
            if events.is_empty() {
                return;
            }
            for event in &events {
                count(&self.counters.events);
                self.take(event);
            }
        }
    }

    fn take(&mut self, event: &Event) {
        match event.subject {
            Subject::Container => {}
            Subject::Image if matches!(event.action.as_str(), "pull" | "tag") => {
                return self.ask(Instant::now() + SETTLE, Deed::Settle);
            }
            _ => return,
        }
        let Ok(id) = ContainerId::parse(&event.actor.id) else {
            return;
        };
        let run_dir = self.engine.layout().run_dir();
        match event.action.as_str() {
            "create" => {
                let config = self.engine.config(&id).ok();
                let audit = config.and_then(|config| Audit::of(&config, run_dir));
                if let Some(audit) = audit {
                    (self.note)(Told::Audit(&audit));
                }
            }
            "start" => {
                self.probes.begin(&id);
                if !self.ends.watch(&self.engine, &id) {
                    self.ask(Instant::now() + GRACE, Deed::Finish(id));
                }
            }
            "unpause" => self.probes.begin(&id),
            "kill" => {
                let signal = event.attribute("signal");
                let signal = signal.and_then(|signal| signal.parse().ok());
                self.probes.signalled(&id, signal);
            }
            "pause" | "die" => self.probes.end(&id),
            "destroy" => self.probes.forget(&id),
            _ => {
                if let Some(audit) = Audit::of_exec(event) {
                    (self.note)(Told::Audit(&audit));
                }
            }
        }
    }

    /// Waits until something happens or is due. Whether the daemon ends.
    fn wait(&self) -> bool {
        let watched = [self.woken.as_fd(), self.watch.as_fd(), self.ends.as_fd()];
        let probes = self.probes.running.iter();
        let fds = probes.flat_map(|(_, probe)| probe.fds());
        let mut fds: Vec<PollFd<'_>> = watched
            .into_iter()
            .chain(fds)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let timeout = self.probes.next().and_then(|next| {
            Timespec::try_from(next.saturating_duration_since(Instant::now())).ok()
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => !fds[0].revents().is_empty(),
            Err(_) => {
                std::thread::sleep(Duration::from_millis(10));
                false
            }
        }
    }
}
