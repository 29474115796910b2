//! A container on disk → a running task: the bundle, the shim, its report.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use berth_fs::{Durability, atomic_write};
use berth_model::status::Exit;
use berth_model::task::{LogFile, Pid, RootfsMount, ShimReport, TaskRequest};
use berth_model::{ContainerConfig, ContainerId, Status};
use berth_oci::digest::Digest;

use crate::create::durability;
use crate::error::{Chain, files};
use crate::join::FIRST_FD;
use crate::join::shim_path;
use crate::network::{Connection, Linked, Starting};
use crate::spec;
use crate::{Engine, Error, json};

/// How to start.
#[derive(Debug, Default)]
pub struct StartOptions {
    /// The shim's end of [`crate::attach::AttachStream::foreground`]: the caller is attached from the first byte,
    /// and reaps the container when it is told the end.
    pub client: Option<OwnedFd>,
    /// Rows and columns of the caller's terminal.
    pub console_size: Option<(u16, u16)>,
}

/// Who starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A user: restarts are counted anew.
    User,
    /// The container's restart policy.
    Policy,
}

/// What the shim is started with.
struct Prepared {
    /// The task's directory.
    task: PathBuf,
    /// Namespaces that the container joins.
    joined: Vec<OwnedFd>,
    /// What the monitor keeps open as long as the container runs.
    held: Vec<OwnedFd>,
}

impl Engine {
    /// Starts a container; `false`: it runs already, and `options` were not used.
    ///
    /// # Errors
    /// [`Error::Start`] with the runtime's report (its `exit_code` is Docker's: 125, 126, 127); then nothing
    /// runs, and `exit.json` says why; one that is to go with its end is gone. [`Error::WrongState`] when it is
    /// paused.
    pub fn start(&self, id: &ContainerId, options: StartOptions) -> Result<bool, Error> {
        let _lock = self.lock(id)?;
        let started = self.start_locked(id, options, By::User);
        if started.is_err()
            && let Ok(config) = self.config(id)
            && config.auto_remove
            && matches!(self.status(id), Ok(Status::Created | Status::Exited(_)))
        {
            // The failure that led here is the one to tell; what stays, `fsck` knows.
            let _ = self.forget(id, Some(&config), true);
        }
        started
    }

    /// As [`Engine::start`]; the lock is ours.
    pub(crate) fn start_locked(
        &self,
        id: &ContainerId,
        options: StartOptions,
        by: By,
    ) -> Result<bool, Error> {
        let mut status = self.status(id)?;
        if status == Status::Exiting {
            self.settle(id);
            status = self.status(id)?;
        }
        match status {
            Status::Running | Status::Starting | Status::Exiting => return Ok(false),
            Status::Paused => {
                return Err(Error::WrongState {
                    action: "start",
                    id: id.short().to_owned(),
                    state: "paused",
                    hint: "`berth unpause` lets it run on",
                });
            }
            Status::Orphaned => self.recover(id)?,
            Status::Lost => self.record_loss(id)?,
            Status::Created | Status::Exited(_) | Status::Restarting(_) => {}
        }
        let config = self.config(id)?;
        // First: the kernel makes the namespace meanwhile.
        let network = self.begin_connection(&config)?;
        self.settle(id);
        self.tell_end(&config, |_| Ok(()))?;
        self.clear_task(id)?;
        let durable = durability(&config);
        // In this order: a crash between the two leaves an exited container, not a lost one.
        atomic_write(
            &self.layout.desired(id),
            b"{\"schema\":1,\"state\":\"running\"}\n",
            durable,
        )
        .map_err(files("note that the container should run"))?;
        berth_fs::remove_file(&self.layout.exit(id), durable)
            .map_err(files("forget the last exit"))?;
        if by == By::User {
            berth_fs::remove_file(&self.layout.restart(id), durable)
                .map_err(files("forget earlier restarts"))?;
        }
        if options.client.is_some() {
            self.record(self.container_event(&config, "attach"));
        }
        let started = self
            .prepare_task(&config, &options, network)
            .and_then(|task| self.run_shim(id, &task, options.client));
        match &started {
            // Under our lock, so before its end is told.
            Ok(_) => {
                self.record_taken(&config);
                self.record(self.container_event(&config, "start"));
            }
            Err(error) => self.record_failure(id, error, durable),
        }
        // Last: who is killed before this leaves a start that is still due.
        berth_fs::remove_file(&self.layout.backoff(id), Durability::Volatile)
            .map_err(files("clear the task"))?;
        started.map(|_| true)
    }

    fn prepare_task(
        &self,
        config: &ContainerConfig,
        options: &StartOptions,
        network: Option<Starting>,
    ) -> Result<Prepared, Error> {
        let id = &config.id;
        let task = self.layout.task(id);
        for dir in [&task, &self.layout.bundle(id)] {
            berth_fs::ensure_dir(dir, 0o700).map_err(files("make the task"))?;
        }
        self.mount_plugin_volumes(config)?;
        self.check_sources(config)?;
        for last in [
            self.layout.pid(id),
            self.layout.health(id),
            self.layout.unhealthy(id),
            self.layout.removing(id),
        ] {
            berth_fs::remove_file(&last, Durability::Volatile).map_err(files("clear the task"))?;
        }
        let mut rootfs = self.root_of(config)?;
        if durability(config) == Durability::Volatile {
            rootfs.forget();
        }
        let account = self.account_of(config, &rootfs)?;
        let mut joins = self.join(config)?;
        self.make_shm(config)?;
        let linked = self.linked(config)?;
        let place = network
            .map(|starting| self.reserve_place(config, starting))
            .transpose()?;
        if place.is_some() {
            joins.joined.network = Some(shim_path(joins.files.len()));
        }
        let connection = place.as_ref().map(|place| &place.connection);
        self.write_host_files(config, &task, connection, &linked)?;
        joins.joined.variables = linked.into_iter().flat_map(|link| link.variables).collect();
        let inputs = self.spec_inputs(config, account, joins.joined)?;
        let mut spec = spec::build_spec(config, &inputs).map_err(|source| Error::Spec {
            id: id.short().to_owned(),
            source,
        })?;
        spec.hooks = self.pasta(config)?;
        json::write(
            &self.layout.bundle(id).join("config.json"),
            &spec,
            Durability::Volatile,
        )?;
        let mut held = Vec::new();
        if let Some(place) = place {
            let (namespace, ports) = self.connect(config, place)?;
            joins.files.push(namespace);
            held = ports;
        }
        let request = TaskRequest {
            held: held.iter().map(AsRawFd::as_raw_fd).collect(),
            ..self.task_request(config, rootfs, options)?
        };
        json::write(&task.join("task.json"), &request, Durability::Volatile)?;
        Ok(Prepared {
            task,
            joined: joins.files,
            held,
        })
    }

    fn task_request(
        &self,
        config: &ContainerConfig,
        rootfs: RootfsMount,
        options: &StartOptions,
    ) -> Result<TaskRequest, Error> {
        let id = &config.id;
        let process = &config.process;
        let attributes = crate::logs::attributes::of(config).map_err(crate::create::invalid)?;
        Ok(TaskRequest {
            id: id.to_string(),
            bundle: self.layout.bundle(id),
            rootfs: Some(rootfs),
            rootless: self.options.rootless,
            terminal: process.tty,
            console_size: options.console_size,
            stdin: process.stdin,
            stdin_once: process.stdin_once,
            log: config.log.is_kept().then(|| LogFile {
                path: self.layout.log(id),
                max_bytes: config.log.max_bytes,
                max_files: config.log.max_files,
                attributes,
            }),
            receiver: crate::logs::receiver::of(config)?,
            exit_file: self.layout.exit(id),
            held: Vec::new(),
            reap: self.reap_line(id),
            monitor: self.options.monitor.clone(),
            durable: durability(config) == Durability::Durable,
            removing: self.layout.removing(id),
        })
    }

    /// What the monitor becomes at its end.
    pub(crate) fn reap_line(&self, id: &ContainerId) -> Vec<String> {
        self.own_line(&["reap", id.as_str()])
    }

    /// `berth internal …` on the same directories.
    pub(crate) fn own_line(&self, words: &[&str]) -> Vec<String> {
        let mut line: Vec<String> = vec![self.options.berth.display().to_string()];
        for (flag, dir) in [
            ("--root", self.layout.root()),
            ("--run-dir", self.layout.run_dir()),
        ] {
            line.extend([flag.to_owned(), dir.display().to_string()]);
        }
        // It may start the container again.
        if let Some(parent) = &self.options.cgroup_parent {
            line.extend(["--cgroup-parent".to_owned(), parent.clone()]);
        }
        if self.options.rootless {
            // There the monitor, and what it becomes, is root of a user namespace.
            line.push("--rootless".to_owned());
        }
        line.push("internal".to_owned());
        line.extend(words.iter().map(|word| (*word).to_owned()));
        line
    }

    /// Starts the shim and takes its report. The shim leaves our session and outlives us.
    fn run_shim(
        &self,
        id: &ContainerId,
        prepared: &Prepared,
        client: Option<OwnedFd>,
    ) -> Result<Pid, Error> {
        let helper = |source| Error::Helper {
            program: self.options.runtime.clone(),
            source,
        };
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|e| helper(e.into()))?;
        let mut command = Command::new(&self.options.runtime);
        command
            .arg0("berth-runtime")
            .arg("shim")
            .args(client.is_some().then_some("--attached"))
            .arg(&prepared.task)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !self.options.rootless {
            // A rootless shim finds newuidmap by PATH.
            command.env_clear();
        }
        let mut fds = vec![(writer.as_fd(), 3)];
        if let Some(client) = &client {
            fds.push((client.as_fd(), 4));
        }
        fds.extend(
            (FIRST_FD..)
                .zip(&prepared.joined)
                .map(|(number, file)| (file.as_fd(), number)),
        );
        let held = prepared.held.iter().map(AsFd::as_fd).collect();
        berth_sys::spawn::leave_open(&mut command, held);
        let child = berth_sys::spawn::spawn_with_fds(&mut command, &fds).map_err(helper)?;
        drop((writer, client));
        let mut text = String::new();
        File::from(reader)
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(helper)?;
        let last = text.lines().next_back().unwrap_or_default();
        let report = serde_json::from_str(last);
        let mut child = child;
        if matches!(report, Ok(ShimReport::Started(_))) {
            self.keep_child(child);
        } else {
            // It failed and is about to end: no zombie stays with us.
            let _ = child.wait();
        }
        match report {
            Ok(ShimReport::Started(pid)) => Ok(pid),
            Ok(ShimReport::Failed(failure)) => Err(Error::Start {
                id: id.short().to_owned(),
                source: Chain::of(&failure.message, &failure.causes),
                failure,
            }),
            Err(_) => Err(Error::ShimDied {
                id: id.short().to_owned(),
            }),
        }
    }

    /// A start that failed is an end: `inspect` tells why.
    fn record_failure(&self, id: &ContainerId, error: &Error, durable: Durability) {
        let code = match error {
            Error::Start { failure, .. } => failure.exit_code,
            _ => 125,
        };
        let mut words = error.to_string();
        for cause in berth_model::error::causes(error) {
            words = format!("{words}: {cause}");
        }
        let exit = Exit {
            code,
            oom_killed: false,
            finished_at: crate::clock::now(),
            error: Some(words),
            lost: false,
        };
        // The failure itself is what the user is told; this is only its record.
        let _ = json::write(&self.layout.exit(id), &exit, durable);
        let _ = self.clear_task(id);
    }

    /// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, new at each start.
    fn write_host_files(
        &self,
        config: &ContainerConfig,
        task: &Path,
        connection: Option<&Connection>,
        linked: &[Linked],
    ) -> Result<(), Error> {
        let (hosts, resolv) = self.name_files(config, connection, linked);
        let hostname = format!("{}\n", config.hostname);
        for (name, content) in [
            ("hosts", hosts),
            ("resolv.conf", resolv),
            ("hostname", hostname),
        ] {
            let path = task.join(name);
            atomic_write(&path, content.as_bytes(), Durability::Volatile)
                .map_err(files("make the task"))?;
            crate::volumes::set_mode(&path, 0o644).map_err(|source| Error::Io {
                action: "set the mode of",
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

/// The chain ids as digests; they were when they were written.
pub(crate) fn chain(config: &ContainerConfig) -> Result<Vec<Digest>, Error> {
    let parsed: Result<Vec<_>, _> = config
        .image
        .chain
        .iter()
        .map(|id| Digest::parse(id))
        .collect();
    parsed.map_err(|error| Error::Invalid {
        message: format!("the container's record names a bad layer: {error}"),
        hint: Some("remove the container".to_owned()),
    })
}
