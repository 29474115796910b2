//! The process that answers: `berth internal network`. One a RUN_DIR, by a lock that dies with it.
//!
//! ```text
//! watch      what the engine writes down: names, dns.json, pid.json
//! service    one container: its sockets, its namespace, its name servers
//! stream     a connection of a client in a container
//! ask        a question → an answer, or a flight
//! flight     a question that is asked elsewhere, and its attempts
//! control    the engine's socket
//! ```
//! All descriptors are waited for in one place and are looked at in turn, a bounded amount of work each time.

mod ask;
mod control;
mod flight;
mod host;
mod key;
mod namespace;
mod service;
mod stream;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use berth_fs::{Lock, LockMode, ensure_dir};
use rustix::event::{Timespec, epoll};
use rustix::process::Resource;

use crate::{Error, Result, Table, message, random::Random};
use key::{Key, Kind};

pub(crate) use control::{NAME, PACKET, Told, Wish, address};

/// How long it stays when it serves nobody.
const IDLE: Duration = Duration::from_secs(10);
/// How long a listener rests that the process has no descriptors left for.
const REST: Duration = Duration::from_millis(100);
/// Who looks whether somebody has the lock takes it for a moment.
const LOOK: Duration = Duration::from_millis(2);
const LOOKS: usize = 10;
/// Descriptors that are looked at before the others are asked for again.
const READY: usize = 64;

/// Who serves a RUN_DIR.
pub struct Keeper {
    run_dir: PathBuf,
    _lock: Lock,
    ready: OwnedFd,
    control: OwnedFd,
    /// The host's network namespace: ours.
    home: OwnedFd,
    watch: watch::Watch,
    table: Table,
    services: HashMap<u64, service::Service>,
    clients: HashMap<u64, OwnedFd>,
    streams: HashMap<u64, stream::Stream>,
    flights: HashMap<u64, flight::Flight>,
    attempts: HashMap<u64, flight::Attempt>,
    timers: BTreeSet<(Instant, Key)>,
    host: host::Host,
    random: Random,
    last: u64,
    turn: usize,
    buffer: Vec<u8>,
}

impl Keeper {
    /// Becomes the one that serves `run_dir`, and serves all that run; `None`: another process does.
    ///
    /// # Errors
    /// [`Error::Files`], [`Error::Kernel`].
    pub fn start(run_dir: &Path) -> Result<Option<Keeper>> {
        let dir = run_dir.join("dns");
        ensure_dir(&dir, 0o700).map_err(Error::files("make the resolver's directory"))?;
        let Some(lock) = lock(&dir.join("lock"))? else {
            return Ok(None);
        };
        more_descriptors();
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| Error::kernel("wait for descriptors")(error.into()))?;
        let mut keeper = Keeper {
            run_dir: run_dir.to_owned(),
            _lock: lock,
            ready,
            home: namespace::own().map_err(Error::kernel("open the host's network"))?,
            watch: watch::Watch::new().map_err(Error::kernel("watch the names"))?,
            control: control::listen(&dir).map_err(Error::kernel("listen to the engine"))?,
            table: Table::default(),
            services: HashMap::new(),
            clients: HashMap::new(),
            streams: HashMap::new(),
            flights: HashMap::new(),
            attempts: HashMap::new(),
            timers: BTreeSet::new(),
            host: host::Host::default(),
            random: Random::new(),
            last: 0,
            turn: 0,
            buffer: vec![0; message::MAX],
        };
        let fail = Error::kernel("wait for descriptors");
        keeper
            .wait_for(&keeper.control, Key::of(Kind::Control, 0))
            .map_err(&fail)?;
        keeper
            .wait_for(&keeper.watch, Key::of(Kind::Watch, 0))
            .map_err(&fail)?;
        keeper.recover();
        Ok(Some(keeper))
    }

    /// Serves until there was nobody to serve for a while.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn run(mut self) -> Result<()> {
        let mut idle: Option<Instant> = None;
        let mut events = Vec::with_capacity(READY);
        loop {
            let now = Instant::now();
            let busy = !self.services.is_empty() || !self.clients.is_empty();
            idle = if busy {
                None
            } else {
                idle.or(Some(now + IDLE))
            };
            if idle.is_some_and(|end| end <= now) {
                control::close(&self.run_dir.join("dns"));
                return Ok(());
            }
            let next = self.timers.first().map(|(due, _)| *due);
            let wait = next
                .into_iter()
                .chain(idle)
                .min()
                .map(|due| timespec(due - now));
            events.clear();
            match epoll::wait(
                &self.ready,
                rustix::buffer::spare_capacity(&mut events),
                wait.as_ref(),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::kernel("wait for descriptors")(error.into())),
            }
            for event in &events {
                self.handle(Key::from(event.data.u64()), event.flags);
            }
            self.expire(Instant::now());
        }
    }

    fn handle(&mut self, key: Key, flags: epoll::EventFlags) {
        match key.kind() {
            Kind::Control => self.accept_client(),
            Kind::Client => self.talk(key.number()),
            Kind::Watch => self.follow(),
            Kind::Init => self.forget(key.number()),
            Kind::Udp => self.datagrams(key.number()),
            Kind::Listener => self.accept_stream(key.number()),
            Kind::Stream => self.stream_ready(key.number(), flags),
            Kind::Attempt => self.attempt_ready(key.number()),
            Kind::Flight => {}
        }
    }

    /// Does what is due.
    fn expire(&mut self, now: Instant) {
        while let Some((due, key)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, key));
            match key.kind() {
                Kind::Flight => self.flight_due(key.number()),
                Kind::Stream => self.close_stream(key.number()),
                Kind::Listener | Kind::Control => self.wake(key),
                _ => {}
            }
        }
    }

    fn new_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn wait_for(&self, file: impl AsFd, key: Key) -> io::Result<()> {
        self.watch_flags(file, key, epoll::EventFlags::IN)
    }

    fn watch_flags(&self, file: impl AsFd, key: Key, flags: epoll::EventFlags) -> io::Result<()> {
        let data = epoll::EventData::new_u64(key.into());
        epoll::add(&self.ready, file, data, flags).map_err(io::Error::from)
    }

    fn change_flags(&self, file: impl AsFd, key: Key, flags: epoll::EventFlags) -> io::Result<()> {
        let data = epoll::EventData::new_u64(key.into());
        epoll::modify(&self.ready, file, data, flags).map_err(io::Error::from)
    }

    /// A listener that the process has no descriptors left for: it would be ready all the time.
    fn rest(&mut self, key: Key) {
        self.set_listening(key, epoll::EventFlags::empty());
        self.timers.insert((Instant::now() + REST, key));
    }

    fn wake(&mut self, key: Key) {
        self.set_listening(key, epoll::EventFlags::IN);
    }

    fn set_listening(&self, key: Key, flags: epoll::EventFlags) {
        let file = match key.kind() {
            Kind::Control => Some(self.control.as_fd()),
            _ => self
                .services
                .get(&key.number())
                .map(|service| service.tcp.as_fd()),
        };
        // It is gone: nothing is to be done.
        let _ = file.map(|file| self.change_flags(file, key, flags));
    }
}

/// `None`: another process has it for longer than a look takes.
fn lock(path: &Path) -> Result<Option<Lock>> {
    for _ in 0..LOOKS {
        let taken = Lock::try_file(path, LockMode::Exclusive)
            .map_err(Error::files("lock the resolver's directory"))?;
        if taken.is_some() {
            return Ok(taken);
        }
        std::thread::sleep(LOOK);
    }
    Ok(None)
}

fn timespec(left: Duration) -> Timespec {
    // Rounded up: who wakes too early wakes twice.
    let left = left + Duration::from_micros(999);
    Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    }
}

/// As many as may be: each container takes four, and a question that is asked elsewhere one more.
fn more_descriptors() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer, fewer questions are in flight.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
}
