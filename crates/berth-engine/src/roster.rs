//! The list of containers for one who asks again and again: what has not changed since the last look is not looked at
//! again.
//!
//! Nothing here is a truth of its own. A container is looked at anew unless all of this holds:
//! - its directory and its task's have the time of change that they had before the last look (every file in them is
//!   replaced by a rename), and had it for longer then than a clock may be late;
//! - its init and monitor, by pidfd, live as they did, and its cgroup is frozen, or not, as it was;
//! - its name is the one it had.
//!
//! States that end without leaving a trace in a file (starting, exiting, orphaned, lost, restarting) are never kept.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_cgroup::{Cgroup, FrozenFile};
use berth_model::task::Pid;
use berth_model::{ContainerId, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, statat};
use rustix::process::{PidfdFlags, Resource, getrlimit, pidfd_open};

use crate::error::files;
use crate::network::NetworkSettings;
use crate::{Container, Engine, Error};

/// The kernel's clock for files may be so late; with the slowest tick that kernels are built for.
const LATE: Duration = Duration::from_millis(40);
/// Descriptors that a container which runs takes here.
const DESCRIPTORS: u64 = 3;

/// The list, kept; with each container what its user notes, a `T`, as long as that container does not change.
#[derive(Debug, Default)]
pub struct Roster<T>(Mutex<Kept<T>>);

#[derive(Debug, Default)]
struct Kept<T> {
    places: Option<Places>,
    ids: Dated<Vec<ContainerId>>,
    names: Dated<HashMap<ContainerId, String>>,
    entries: HashMap<ContainerId, Entry<T>>,
}

/// The directories of all containers and of all tasks.
#[derive(Debug)]
struct Places {
    containers: OwnedFd,
    tasks: OwnedFd,
}

/// What was read of a directory when it was as its stamp says.
#[derive(Debug, Default)]
struct Dated<T> {
    stamp: Stamp,
    value: T,
}

/// When a directory changed last, and which one it is. Equal stamps of before a look and of now: it has not changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    seconds: i64,
    nanos: i64,
    /// It was old enough when it was taken that no later change can have the same.
    settled: bool,
}

/// A container that was looked at.
#[derive(Debug)]
pub struct Seen<T>(Arc<Look<T>>);

/// What was seen.
#[derive(Debug)]
pub struct Look<T> {
    /// As it is.
    pub container: Container,
    /// Its network.
    pub network: NetworkSettings,
    /// What its user notes.
    pub note: T,
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Seen(Arc::clone(&self.0))
    }
}

impl<T> Deref for Seen<T> {
    type Target = Look<T>;

    fn deref(&self) -> &Look<T> {
        &self.0
    }
}

impl<T> Borrow<Container> for Seen<T> {
    fn borrow(&self) -> &Container {
        &self.container
    }
}

#[derive(Debug)]
struct Entry<T> {
    seen: Seen<T>,
    stamps: [Stamp; 2],
    alive: Option<Alive>,
}

/// What tells that a container runs as it did.
#[derive(Debug)]
struct Alive {
    init: OwnedFd,
    monitor: OwnedFd,
    frozen: Option<FrozenFile>,
}

impl<T: Default> Roster<T> {
    /// All containers, the newest first, as [`Engine::list`] has them.
    ///
    /// # Errors
    /// As that.
    pub fn list(&self, engine: &Engine) -> Result<Vec<Seen<T>>, Error> {
        // What a panic left is checked like all else.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.list(engine)?;
        drop(kept);
        all.sort_by(|a, b| b.container.config.created.cmp(&a.container.config.created));
        Ok(all)
    }
}

impl<T: Default> Kept<T> {
    fn list(&mut self, engine: &Engine) -> Result<Vec<Seen<T>>, Error> {
        self.refresh(engine)?;
        self.forget_ended();
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 4 / DESCRIPTORS;
        let Kept {
            places,
            ids,
            names,
            entries,
        } = self;
        let mut all = Vec::with_capacity(ids.value.len());
        for id in &ids.value {
            let stamp = |place: fn(&Places) -> &OwnedFd| match &*places {
                Some(places) => Stamp::of(place(places).as_fd(), id.as_str()),
                None => Stamp::default(),
            };
            let stamps = [
                stamp(|places| &places.containers),
                stamp(|places| &places.tasks),
            ];
            let name = names.value.get(id).map_or("", String::as_str);
            if let Some(entry) = entries.get(id)
                && entry.holds(stamps, name)
            {
                all.push(entry.seen.clone());
                continue;
            }
            entries.remove(id);
            let container = match engine.inspect(id) {
                Ok(container) => container,
                Err(Error::NoContainer { .. } | Error::Newer { .. }) => continue,
                Err(error) => return Err(error),
            };
            let seen = Seen(Arc::new(Look {
                network: engine.network_settings(&container)?,
                container,
                note: T::default(),
            }));
            all.push(seen.clone());
            if (entries.len() as u64) < most
                && let Some(entry) = Entry::of(engine, seen, stamps)
            {
                entries.insert(id.clone(), entry);
            }
        }
        Ok(all)
    }

    /// Which containers there are, and their names.
    fn refresh(&mut self, engine: &Engine) -> Result<(), Error> {
        let layout = engine.layout();
        let (containers, tasks) = (layout.containers(), layout.tasks());
        let still = |fd: &OwnedFd, path: &Path| {
            let there = rustix::fs::stat(path).map(|found| (found.st_dev, found.st_ino));
            there.is_ok() && there == rustix::fs::fstat(fd).map(|held| (held.st_dev, held.st_ino))
        };
        let held = |places: &Places| {
            still(&places.containers, &containers) && still(&places.tasks, &tasks)
        };
        if !self.places.as_ref().is_some_and(held) {
            let open = |path: &Path| berth_fs::open_dir(path).map_err(files("open the containers"));
            *self = Kept {
                places: Some(Places {
                    containers: open(&containers)?,
                    tasks: open(&tasks)?,
                }),
                ..Kept::default()
            };
        }
        let stamp = Stamp::of(rustix::fs::CWD, &containers);
        if !self.ids.stamp.still(stamp) {
            self.ids = Dated {
                stamp,
                value: engine.ids()?,
            };
            let there: HashSet<&ContainerId> = self.ids.value.iter().collect();
            self.entries.retain(|id, _| there.contains(id));
        }
        let stamp = Stamp::of(rustix::fs::CWD, layout.names());
        if !self.names.stamp.still(stamp) {
            let names = engine.all_names()?.into_iter();
            self.names = Dated {
                stamp,
                value: names.map(|(name, id)| (id, name)).collect(),
            };
        }
        Ok(())
    }

    /// Drops those whose init or monitor has ended: one system call for all.
    fn forget_ended(&mut self) {
        let running = self.entries.iter();
        let running = running.filter_map(|(id, entry)| Some((id, entry.alive.as_ref()?)));
        let (ids, mut watched): (Vec<&ContainerId>, Vec<PollFd<'_>>) = running
            .flat_map(|(id, alive)| [(id, watch(&alive.init)), (id, watch(&alive.monitor))])
            .unzip();
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let polled = poll(&mut watched, Some(&now)).is_ok();
        let all = ids.into_iter().zip(&watched);
        let ended = all.filter(|(_, fd)| !polled || !fd.revents().is_empty());
        let ended: Vec<ContainerId> = ended.map(|(id, _)| id.clone()).collect();
        for id in ended {
            self.entries.remove(&id);
        }
    }
}

fn watch(pidfd: &OwnedFd) -> PollFd<'_> {
    PollFd::new(pidfd, PollFlags::IN)
}

impl Stamp {
    fn of(place: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Stamp {
        let Ok(found) = statat(place, name, AtFlags::SYMLINK_NOFOLLOW) else {
            // It is not there: nothing in it can change. Once it is made it has another stamp.
            return Stamp {
                settled: true,
                ..Stamp::default()
            };
        };
        let (seconds, nanos) = (found.st_mtime, found.st_mtime_nsec as i64);
        let changed = UNIX_EPOCH + Duration::new(seconds.max(0) as u64, nanos.max(0) as u32);
        Stamp {
            inode: found.st_ino,
            seconds,
            nanos,
            // A clock that was set back gives an error: not settled.
            settled: SystemTime::now()
                .duration_since(changed)
                .is_ok_and(|age| age > LATE),
        }
    }

    /// Whether nothing has changed between the look that began with this one and that one.
    fn still(self, now: Stamp) -> bool {
        let what = |stamp: Stamp| (stamp.inode, stamp.seconds, stamp.nanos);
        self.settled && what(self) == what(now)
    }
}

impl<T> Entry<T> {
    /// `None`: its state may change without a trace. The stamps are of before the look.
    fn of(engine: &Engine, seen: Seen<T>, stamps: [Stamp; 2]) -> Option<Entry<T>> {
        let container = &seen.container;
        let alive = match &container.status {
            Status::Created | Status::Exited(_) => None,
            Status::Running | Status::Paused => {
                let pid = container.pid.as_ref()?;
                Some(Alive::of(engine, &container.config.id, pid)?)
            }
            _ => return None,
        };
        Some(Entry {
            seen,
            stamps,
            alive,
        })
    }

    fn holds(&self, stamps: [Stamp; 2], name: &str) -> bool {
        let unchanged = self
            .stamps
            .iter()
            .zip(stamps)
            .all(|(then, now)| then.still(now));
        let frozen = self.alive.as_ref().and_then(|alive| alive.frozen.as_ref());
        let is_frozen = frozen.is_some_and(FrozenFile::is_frozen);
        unchanged
            && self.seen.container.name == name
            && is_frozen == (self.seen.container.status == Status::Paused)
    }
}

impl Alive {
    /// `None`: it has changed meanwhile, or there are no descriptors left.
    fn of(engine: &Engine, id: &ContainerId, pid: &Pid) -> Option<Alive> {
        let init = berth_sys::pid::open(pid.pid, pid.start_time).ok()??;
        let monitor = rustix::process::Pid::from_raw(pid.shim_pid)?;
        let monitor = pidfd_open(monitor, PidfdFlags::empty()).ok()?;
        // It holds its lock all its life: the number was still its own when it was opened.
        if !engine.monitor_alive(id) {
            return None;
        }
        let frozen = Cgroup::open(&pid.cgroups).and_then(|cgroup| cgroup.frozen_file());
        Some(Alive {
            init,
            monitor,
            frozen: frozen.ok()?,
        })
    }
}
