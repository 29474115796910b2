//! Which monitors are gone: a process descriptor of each, behind one epoll. Nothing is asked again and again; who does not
//! end costs nothing.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use berth_engine::Engine;
use berth_model::ContainerId;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Ends that are taken at once.
const AT_ONCE: usize = 64;

/// The monitors that are watched.
#[derive(Debug)]
pub(crate) struct Ends {
    epoll: OwnedFd,
    watched: Mutex<Watched>,
    /// So many; the others, of more than there are descriptors for, are asked.
    most: usize,
}

#[derive(Debug, Default)]
struct Watched {
    monitors: HashMap<ContainerId, OwnedFd>,
    /// By the descriptor's number.
    ids: HashMap<u64, ContainerId>,
}

impl Ends {
    pub(crate) fn new() -> Result<Ends, Errno> {
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 4;
        Ok(Ends {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            watched: Mutex::default(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
        })
    }

    /// Watches the container's monitor. `false`: it is gone, or cannot be watched.
    pub(crate) fn watch(&self, engine: &Engine, id: &ContainerId) -> bool {
        let Ok(Some(monitor)) = engine.monitor(id) else {
            return false;
        };
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.forget(id);
        if watched.monitors.len() >= self.most {
            return false;
        }
        let number = number(&monitor);
        let data = EventData::new_u64(number);
        if epoll::add(&self.epoll, &monitor, data, EventFlags::IN).is_err() {
            return false;
        }
        watched.ids.insert(number, id.clone());
        watched.monitors.insert(id.clone(), monitor);
        true
    }

    /// Those that have ended; they are watched no more.
    pub(crate) fn take(&self) -> Vec<ContainerId> {
        let mut ended = Vec::new();
        loop {
            let mut events = Vec::with_capacity(AT_ONCE);
            let now = rustix::event::Timespec::default();
            let spare = rustix::buffer::spare_capacity(&mut events);
            let taken = epoll::wait(&self.epoll, spare, Some(&now)).unwrap_or(0);
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            for event in &events {
                if let Some(id) = watched.ids.get(&event.data.u64()).cloned() {
                    watched.forget(&id);
                    ended.push(id);
                }
            }
            if taken < AT_ONCE {
                return ended;
            }
        }
    }
}

/// Readable when a monitor is gone.
impl AsFd for Ends {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Watched {
    /// Closing the descriptor takes it out of the kernel's list, too.
    fn forget(&mut self, id: &ContainerId) {
        if let Some(monitor) = self.monitors.remove(id) {
            self.ids.remove(&number(&monitor));
        }
    }
}

fn number(monitor: &OwnedFd) -> u64 {
    u64::from(monitor.as_raw_fd().unsigned_abs())
}
