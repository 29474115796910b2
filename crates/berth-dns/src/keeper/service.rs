//! One container that is served: what is held for it, and how what is written about it is followed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use berth_model::ContainerId;
use berth_model::task::Pid;

use super::key::{Key, Kind};
use super::watch::{Change, Watched};
use super::{Keeper, namespace};
use crate::negative::Cache;
use crate::record::{self, Names, Task};
use crate::{Error, Result, Servers};

/// A container.
pub(super) struct Service {
    pub(super) id: String,
    pub(super) namespace: OwnedFd,
    pub(super) udp: OwnedFd,
    pub(super) tcp: OwnedFd,
    /// Its end is the end of this. Not there yet while it starts.
    init: Option<OwnedFd>,
    pub(super) task: Task,
    pub(super) servers: Servers,
    pub(super) negative: Cache,
    /// Questions that are asked elsewhere.
    pub(super) in_flight: usize,
}

impl Keeper {
    /// Serves all that run: whoever did before is gone.
    pub(super) fn recover(&mut self) {
        let Ok(tasks) = std::fs::read_dir(self.run_dir.join("tasks")) else {
            return;
        };
        for entry in tasks.flatten() {
            let name = entry.file_name();
            if let Some(id) = name.to_str().and_then(|name| ContainerId::parse(name).ok())
                && let Ok(Some(task)) = record::read(&record::task(&self.run_dir, id.as_str()))
            {
                // One that has ended, or is ending, is nobody's loss.
                let _ = self.serve_running(id.as_str(), task);
            }
        }
    }

    /// Serves a container in a namespace, as its `dns.json` says, from now on.
    pub(super) fn look(&mut self, id: &str, namespace: OwnedFd) -> Result<()> {
        let path = record::task(&self.run_dir, id);
        let task: Option<Task> = record::read(&path)?;
        let task = task.ok_or_else(|| Error::Record {
            path,
            source: io::ErrorKind::NotFound.into(),
        })?;
        match self.find(id) {
            Some(number) if self.is_in(number, &namespace) => self.reload(number, task),
            Some(number) => {
                self.forget(number);
                self.serve(id, namespace, task)
            }
            None => self.serve(id, namespace, task),
        }
    }

    /// The number of a container that is served.
    pub(super) fn find(&self, id: &str) -> Option<u64> {
        let found = self.services.iter().find(|(_, service)| service.id == id);
        found.map(|(number, _)| *number)
    }

    fn is_in(&self, number: u64, namespace: &OwnedFd) -> bool {
        let place = |file: &OwnedFd| rustix::fs::fstat(file).map(|stat| (stat.st_dev, stat.st_ino));
        let Some(service) = self.services.get(&number) else {
            return false;
        };
        matches!((place(&service.namespace), place(namespace)), (Ok(a), Ok(b)) if a == b)
    }

    /// In the namespace of its init.
    fn serve_running(&mut self, id: &str, task: Task) -> Result<()> {
        self.watch_task(id)?;
        let Some((pid, _held)) = self.init(id)? else {
            // It starts, or has ended: its files tell.
            return Ok(());
        };
        let file = std::fs::File::open(format!("/proc/{}/ns/net", pid.pid));
        let file = file.map_err(Error::kernel("open the container's network"))?;
        if berth_sys::pid::is_alive(pid.pid, pid.start_time) {
            self.serve(id, file.into(), task)?;
        }
        Ok(())
    }

    fn watch_task(&mut self, id: &str) -> Result<()> {
        let dir = self.run_dir.join("tasks").join(id);
        self.watch
            .add(&dir, Watched::Task(id.to_owned()))
            .map_err(Error::kernel("watch a container's files"))
    }

    /// A container's init, while it lives.
    fn init(&self, id: &str) -> Result<Option<(Pid, OwnedFd)>> {
        let path = self.run_dir.join("tasks").join(id).join("pid.json");
        let Some(pid) = record::read::<Pid>(&path)? else {
            return Ok(None);
        };
        let held = berth_sys::pid::open(pid.pid, pid.start_time)
            .map_err(|error| Error::kernel("hold the container's init")(error.into()))?;
        Ok(held.map(|held| (pid, held)))
    }

    fn serve(&mut self, id: &str, namespace: OwnedFd, task: Task) -> Result<()> {
        let (udp, tcp) = namespace::open(&namespace, &self.home)?;
        let number = self.new_number();
        self.watch_task(id)?;
        let wait = Error::kernel("wait for descriptors");
        self.wait_for(&udp, Key::of(Kind::Udp, number))
            .map_err(&wait)?;
        self.wait_for(&tcp, Key::of(Kind::Listener, number))
            .map_err(&wait)?;
        let service = Service {
            id: id.to_owned(),
            namespace,
            udp,
            tcp,
            init: None,
            servers: Servers::of(&task.servers),
            task: task.clone(),
            negative: Cache::default(),
            in_flight: 0,
        };
        self.services.insert(number, service);
        let served = self.reload(number, task).and_then(|()| self.hold(number));
        if served.is_err() {
            self.forget(number);
        }
        served
    }

    /// Follows what is written about it now.
    fn reload(&mut self, number: u64, task: Task) -> Result<()> {
        for joined in &task.networks {
            self.join(&joined.id)?;
        }
        if let Some(service) = self.services.get_mut(&number) {
            if service.task.servers != task.servers {
                service.servers = Servers::of(&task.servers);
                service.negative.clear();
            }
            service.task = task;
        }
        self.leave_networks();
        Ok(())
    }

    /// Takes notice of the end of its init, once that is known.
    fn hold(&mut self, number: u64) -> Result<()> {
        let Some(service) = self.services.get(&number).filter(|one| one.init.is_none()) else {
            return Ok(());
        };
        let Some((_, held)) = self.init(&service.id.clone())? else {
            return Ok(());
        };
        self.wait_for(&held, Key::of(Kind::Init, number))
            .map_err(Error::kernel("wait for descriptors"))?;
        if let Some(service) = self.services.get_mut(&number) {
            service.init = Some(held);
        }
        Ok(())
    }

    /// Serves a container no longer: its namespace is let go.
    pub(super) fn forget(&mut self, number: u64) {
        let Some(service) = self.services.remove(&number) else {
            return;
        };
        self.watch.remove(&Watched::Task(service.id));
        let streams = self.streams.iter().filter(|(_, one)| one.service == number);
        for stream in streams.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.close_stream(stream);
        }
        let flights = self.flights.iter().filter(|(_, one)| one.service == number);
        for flight in flights.map(|(flight, _)| *flight).collect::<Vec<_>>() {
            self.drop_flight(flight);
        }
        self.leave_networks();
    }

    fn join(&mut self, network: &str) -> Result<()> {
        let what = Watched::Names(network.to_owned());
        if self.watch.has(&what) {
            return Ok(());
        }
        let dir = record::names(&self.run_dir, network);
        std::fs::create_dir_all(&dir).map_err(Error::kernel("make the directory of names"))?;
        self.watch
            .add(&dir, what)
            .map_err(Error::kernel("watch the names"))?;
        self.read_names(network, &dir);
        Ok(())
    }

    fn read_names(&mut self, network: &str, dir: &Path) {
        self.table.forget(network);
        let Ok(entries) = std::fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            if let Some(container) = entry.file_name().to_str() {
                self.read_name(network, container);
            }
        }
    }

    fn read_name(&mut self, network: &str, container: &str) {
        // Others are being written.
        if ContainerId::parse(container).is_err() {
            return;
        }
        let path = record::names(&self.run_dir, network).join(container);
        match record::read::<Names>(&path) {
            Ok(Some(names)) => self.table.set(network, container, names),
            // Nobody is called by what cannot be read.
            Ok(None) | Err(_) => self.table.remove(network, container),
        }
    }

    /// Networks that nobody who is served is in.
    fn leave_networks(&mut self) {
        let joined = |network: &str| {
            let mut networks = self.services.values().flat_map(|one| &one.task.networks);
            networks.any(|joined| joined.id == network)
        };
        let left: Vec<String> = self
            .watch
            .networks()
            .filter(|id| !joined(id))
            .map(str::to_owned)
            .collect();
        for network in left {
            self.watch.remove(&Watched::Names(network.clone()));
            self.table.forget(&network);
        }
    }

    /// Takes notice of all that was written up to now.
    pub(super) fn follow(&mut self) {
        for change in self.watch.drain() {
            match change {
                Change::File(Watched::Names(network), file) => self.read_name(&network, &file),
                Change::Gone(Watched::Names(network)) => self.table.forget(&network),
                Change::File(Watched::Task(id), file) => self.task_changed(&id, &file),
                Change::Gone(Watched::Task(id)) => self.task_gone(&id),
                Change::All => self.read_all(),
            }
        }
    }

    fn task_changed(&mut self, id: &str, file: &str) {
        if !["dns.json", "pid.json"].contains(&file) {
            return;
        }
        let task = record::read::<Task>(&record::task(&self.run_dir, id));
        // What fails is tried again with the engine's next word.
        let _ = match (self.find(id), task) {
            (_, Ok(None)) => {
                self.task_gone(id);
                Ok(())
            }
            (Some(number), Ok(Some(task))) => {
                self.reload(number, task).and_then(|()| self.hold(number))
            }
            (None, Ok(Some(task))) => self.serve_running(id, task),
            (_, Err(error)) => Err(error),
        };
    }

    fn task_gone(&mut self, id: &str) {
        self.watch.remove(&Watched::Task(id.to_owned()));
        if let Some(number) = self.find(id) {
            self.forget(number);
        }
    }

    fn read_all(&mut self) {
        let networks: Vec<String> = self.watch.networks().map(str::to_owned).collect();
        for network in networks {
            let dir = record::names(&self.run_dir, &network);
            self.read_names(&network, &dir);
        }
        let tasks: Vec<String> = self.services.values().map(|one| one.id.clone()).collect();
        for id in tasks {
            self.task_changed(&id, "dns.json");
        }
    }
}
