//! Waiting for a container's end or removal, any number of waiters in a process: one thread follows the log of events
//! and tells them. It begins with the first waiter.
//!
//! A run's end is told before the container is started again or removed, so no end is missed by who comes late to look
//! at `exit.json`. Where somebody was killed before he told it, the thread finds the record by itself, some time later.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use berth_model::event::Subject;
use berth_model::{ContainerId, Event, Status};
use jiff::Timestamp;

use crate::events::{EventReader, EventWatch};
use crate::fsck::LOST_CODE;
use crate::layout::Layout;
use crate::{Engine, Error, exit, observe};

/// How often ends are looked for that nobody has told.
const LOOK: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It does not run: now, or when the run ends that goes on.
    NotRunning,
    /// A run ends, this one or the next.
    NextExit,
    /// It is gone.
    Removed,
}

/// What is called with the exit code of the last run, once.
pub type Tell = Box<dyn FnOnce(i32) + Send>;

/// A wait that goes on. To drop it is to give up.
#[derive(Debug)]
pub struct Wait {
    _alive: Arc<()>,
}

struct Waiter {
    until: Until,
    began_nano: i64,
    code: i32,
    alive: Weak<()>,
    tell: Tell,
}

/// The waiters of a process.
#[derive(Default)]
pub(crate) struct Waits {
    by_id: Mutex<Option<Table>>,
}

type Table = Arc<Mutex<HashMap<ContainerId, Vec<Waiter>>>>;

impl Engine {
    /// Calls `tell` when what is waited for has happened: perhaps at once, else from another thread.
    ///
    /// # Errors
    /// [`Error::NoContainer`]; [`Error::Io`]: the log of events cannot be followed.
    pub fn when(&self, id: &ContainerId, until: Until, tell: Tell) -> Result<Wait, Error> {
        let table = self.waits.table(&self.layout)?;
        let alive = Arc::new(());
        let waiter = Waiter {
            until,
            began_nano: nano(Timestamp::now()),
            code: 0,
            alive: Arc::downgrade(&alive),
            tell,
        };
        lock(&table).entry(id.clone()).or_default().push(waiter);
        // Only now: what happens from here on is told.
        let wait = Wait { _alive: alive };
        let status = self.status_of(id)?;
        let now = match (&status, until) {
            (Status::Exited(exit), Until::NotRunning) => Some(exit.code),
            (Status::Lost, Until::NotRunning) => Some(LOST_CODE),
            (Status::Created, Until::NotRunning) => Some(0),
            (Status::Exited(exit), Until::Removed) => {
                note_code(&table, id, exit.code);
                None
            }
            _ => None,
        };
        if let Some(code) = now {
            let mut all = lock(&table);
            let ours = all.get_mut(id).and_then(|waiters| {
                let at = waiters.iter().position(|waiter| {
                    std::ptr::eq(waiter.alive.as_ptr(), Arc::as_ptr(&wait._alive))
                })?;
                Some(waiters.remove(at))
            });
            drop(all);
            if let Some(waiter) = ours {
                (waiter.tell)(code);
            }
        }
        Ok(wait)
    }

    /// The status, after who is starting it is done.
    fn status_of(&self, id: &ContainerId) -> Result<Status, Error> {
        Ok(self.inspect(id)?.status)
    }
}

impl Waits {
    fn table(&self, layout: &Layout) -> Result<Table, Error> {
        let mut begun = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = &*begun {
            return Ok(table.clone());
        }
        let watch = EventWatch::new(&layout.events())?;
        let follower = Follower {
            reader: EventReader::from_now(&layout.events()),
            watch,
            layout: layout.clone(),
            table: Arc::default(),
        };
        let table = follower.table.clone();
        let named = std::thread::Builder::new().name("ends".to_owned());
        named
            .spawn(move || follower.follow())
            .map_err(|source| Error::Io {
                action: "follow",
                path: layout.events(),
                source,
            })?;
        *begun = Some(table.clone());
        Ok(table)
    }
}

fn lock(table: &Table) -> MutexGuard<'_, HashMap<ContainerId, Vec<Waiter>>> {
    // Whole, whatever panicked: it is changed by single calls.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note_code(table: &Table, id: &ContainerId, code: i32) {
    if let Some(waiters) = lock(table).get_mut(id) {
        for waiter in waiters {
            waiter.code = code;
        }
    }
}

struct Follower {
    watch: EventWatch,
    reader: EventReader,
    layout: Layout,
    table: Table,
}

impl Follower {
    fn follow(mut self) {
        let mut looked = Instant::now();
        loop {
            // A failure is one to wait for memory or descriptors: looking goes on.
            while let Ok(events) = self.reader.next_events() {
                if events.is_empty() {
                    break;
                }
                events.iter().for_each(|event| self.take(event));
            }
            if looked.elapsed() >= LOOK {
                self.look();
                looked = Instant::now();
            }
            if self.watch.wait(Some(LOOK)).is_err() {
                std::thread::sleep(LOOK);
            }
        }
    }

    fn take(&self, event: &Event) {
        if event.subject != Subject::Container {
            return;
        }
        let Ok(id) = ContainerId::parse(&event.actor.id) else {
            return;
        };
        match event.action.as_str() {
            "die" => {
                let code = event
                    .attribute("exitCode")
                    .and_then(|code| code.parse().ok());
                self.ended(&id, code.unwrap_or(0), event.time_nano);
            }
            "destroy" => self.removed(&id),
            _ => {}
        }
    }

    fn ended(&self, id: &ContainerId, code: i32, at_nano: i64) {
        let mut told = Vec::new();
        if let Some(waiters) = lock(&self.table).get_mut(id) {
            for waiter in waiters.iter_mut() {
                waiter.code = code;
            }
            let due = |waiter: &mut Waiter| {
                waiter.until != Until::Removed && waiter.began_nano <= at_nano
            };
            told.extend(waiters.extract_if(.., due));
        }
        for waiter in told {
            (waiter.tell)(code);
        }
    }

    fn removed(&self, id: &ContainerId) {
        let waiters = lock(&self.table).remove(id);
        for waiter in waiters.into_iter().flatten() {
            (waiter.tell)(waiter.code);
        }
    }

    /// Ends that nobody has told; and who has given up is forgotten.
    fn look(&self) {
        let mut all = lock(&self.table);
        all.retain(|_, waiters| {
            waiters.retain(|waiter| waiter.alive.strong_count() > 0);
            !waiters.is_empty()
        });
        let ids: Vec<ContainerId> = all.keys().cloned().collect();
        drop(all);
        for id in ids {
            let directory: PathBuf = self.layout.container(&id);
            if !directory.exists() {
                self.removed(&id);
            } else if let Ok(Some(exit)) = exit::read(&self.layout.exit(&id))
                && let Ok(at) = exit.finished_at.parse::<Timestamp>()
            {
                self.ended(&id, exit.code, nano(at));
            } else if observe::is_lost(&self.layout, &id) {
                self.ended(&id, LOST_CODE, i64::MAX);
            }
        }
    }
}

fn nano(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}
