//! Health: running one probe in a container, and keeping the results. When is the daemon's affair.
//!
//! Nothing here waits: a probe has two descriptors to poll and is looked at again when one of them is ready, or its time
//! is up. So one thread serves the probes of a thousand containers.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use berth_fs::{Durability, Lock, LockMode};
use berth_model::config::HealthConfig;
use berth_model::health::{Health, Probe};
use berth_model::{ContainerConfig, ContainerId};
use jiff::Timestamp;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::error::files;
use crate::exec::{ExecRequest, PreparedExec};
use crate::{Engine, Error, json};

/// What is kept of a probe's output, in bytes.
const OUTPUT: usize = 4096;
/// How often more output than is kept is read.
const FLOOD: Duration = Duration::from_millis(50);
/// More processes than a probe has; a fork bomb's ends with the container's limit.
const PROCESSES: usize = 4096;

impl Engine {
    /// What is known of a container's health; `None`: nobody asks.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn health(&self, config: &ContainerConfig) -> Result<Option<Health>, Error> {
        match &config.health {
            Some(health) if health.is_on() => Ok(Some(
                json::read(&self.layout.health(&config.id))?.unwrap_or_default(),
            )),
            _ => Ok(None),
        }
    }

    /// Starts a probe.
    ///
    /// # Errors
    /// As [`Engine::exec`]; [`Error::Invalid`] when there is nothing to run.
    pub fn start_probe(&self, config: &ContainerConfig) -> Result<RunningProbe, Error> {
        let id = &config.id;
        let failed = |source| Error::Helper {
            program: self.options.runtime.clone(),
            source,
        };
        let health = config.health.clone().unwrap_or_default();
        let request = ExecRequest {
            command: command(config, &health)?,
            ..ExecRequest::default()
        };
        let pid_file = self.layout.task(id).join("probe.pid");
        let _ = std::fs::remove_file(&pid_file);
        let start_time = self.running(id, "probe")?.start_time;
        let mut prepared = self.prepare_exec(id, &request, None, Some(&pid_file))?;
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|error| failed(error.into()))?;
        // Each end of a pipe has its own flags: the probe's blocks.
        rustix::io::ioctl_fionbio(&writer, false).map_err(|error| failed(error.into()))?;
        let command = prepared.command();
        let stderr = writer.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(writer).stderr(stderr);
        let child = command.spawn().map_err(failed)?;
        // Its ends of the pipe stay with the child alone.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
            .map_err(|error| failed(error.into()))?;
        Ok(RunningProbe {
            child,
            ended,
            output: Some(reader.into()),
            text: Vec::new(),
            began: Timestamp::now(),
            deadline: Instant::now() + health.timeout(),
            timeout: health.timeout(),
            pid_file,
            run: Run {
                start_time,
                age: crate::clock::age(start_time),
            },
            _prepared: prepared,
        })
    }

    /// Keeps a result, unless the run that it is of has ended: what is known then. Tells a change. Never waits.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Files`].
    pub fn take_probe(
        &self,
        config: &ContainerConfig,
        probe: Probe,
        run: Run,
    ) -> Result<Option<Health>, Error> {
        let id = &config.id;
        // Who holds it ends, starts or removes it: then this does not matter any more, and others wait for us.
        let dir = self.layout.container(id);
        let lock = Lock::try_dir(&dir, LockMode::Exclusive).map_err(files("lock the container"))?;
        let Some(_lock) = lock else {
            return Ok(None);
        };
        let (Some(pid), Some(health)) = (self.pid(id)?, &config.health) else {
            return Ok(None);
        };
        if pid.start_time != run.start_time {
            return Ok(None);
        }
        let mut known: Health = json::read(&self.layout.health(id))?.unwrap_or_default();
        let changed = known.take(health, probe, run.age);
        json::write(&self.layout.health(id), &known, Durability::Volatile)?;
        if changed {
            let action = format!("health_status: {}", known.status.word());
            self.record(self.container_event(config, action));
        }
        Ok(Some(known))
    }
}

/// Which run of a container a probe looks at, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The start time of its init, which no other run has.
    pub start_time: u64,
    /// Its age when the probe began.
    pub age: Duration,
}

/// How long ago the probe ended, by the wall clock; one that was set back since counts as none.
pub fn time_since(probe: &Probe) -> Duration {
    let ended = probe.end.parse::<Timestamp>();
    ended.map_or(Duration::ZERO, |ended| {
        Duration::try_from(Timestamp::now().duration_since(ended)).unwrap_or_default()
    })
}

fn command(config: &ContainerConfig, health: &HealthConfig) -> Result<Vec<String>, Error> {
    let nothing = || Error::Invalid {
        message: "the health check has nothing to run".to_owned(),
        hint: Some("it begins with CMD or CMD-SHELL".to_owned()),
    };
    match health.test.split_first() {
        Some((word, command)) if word == "CMD" && !command.is_empty() => Ok(command.to_vec()),
        Some((word, [line, ..])) if word == "CMD-SHELL" => {
            let mut command = config.process.shell.clone();
            if command.is_empty() {
                command = vec!["/bin/sh".to_owned(), "-c".to_owned()];
            }
            command.push(line.clone());
            Ok(command)
        }
        _ => Err(nothing()),
    }
}

/// A probe that runs. Dropping it ends its processes.
pub struct RunningProbe {
    child: Child,
    ended: OwnedFd,
    /// `None`: it was closed.
    output: Option<File>,
    text: Vec<u8>,
    began: Timestamp,
    deadline: Instant,
    timeout: Duration,
    pid_file: PathBuf,
    run: Run,
    _prepared: PreparedExec,
}

impl RunningProbe {
    /// Ready when there is something to look at: its end, its output.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let output = self.output.as_ref().filter(|_| !self.is_flooding());
        let output = output.map(|output| output.as_fd());
        std::iter::once(self.ended.as_fd()).chain(output)
    }

    /// When it is to be looked at, at the latest.
    pub fn deadline(&self) -> Instant {
        match self.is_flooding() {
            true => self.deadline.min(Instant::now() + FLOOD),
            false => self.deadline,
        }
    }

    /// It has written more than is kept: what else it writes is taken off its hands now and then.
    fn is_flooding(&self) -> bool {
        self.text.len() > OUTPUT && self.output.is_some()
    }

    /// Which run of the container it looks at.
    pub fn run(&self) -> Run {
        self.run
    }

    /// Takes its output; the result, once it has ended or its time is up. Never waits.
    pub fn look(&mut self) -> Option<Probe> {
        let ended = self.child.try_wait();
        self.read();
        let (exit_code, told) = match ended {
            Ok(Some(status)) => (status.code().unwrap_or(-1), None),
            Ok(None) if Instant::now() < self.deadline => return None,
            Ok(None) => {
                self.kill();
                let limit = in_words(self.timeout);
                (-1, Some(format!("Health check exceeded timeout ({limit})")))
            }
            Err(error) => (
                -1,
                Some(format!("cannot wait for the health check: {error}")),
            ),
        };
        let mut output =
            String::from_utf8_lossy(&self.text[..self.text.len().min(OUTPUT)]).into_owned();
        if self.text.len() > OUTPUT {
            output.push_str("...");
        }
        if let Some(told) = told {
            output = match output.is_empty() {
                true => told,
                false => format!("{told}: {output}"),
            };
        }
        Some(Probe {
            start: crate::clock::format(self.began),
            end: crate::clock::now(),
            exit_code,
            output,
        })
    }

    fn read(&mut self) {
        let mut piece = [0; OUTPUT];
        // Bounded: what never stops to write is read again later, and its time is up some time.
        for _ in 0..16 {
            let Some(output) = &mut self.output else {
                return;
            };
            match output.read(&mut piece) {
                Ok(0) => self.output = None,
                Ok(length) => {
                    let room = (OUTPUT + 1).saturating_sub(self.text.len());
                    self.text.extend_from_slice(&piece[..length.min(room)]);
                }
                // Nothing at the moment.
                Err(_) => return,
            }
        }
    }

    /// Ends it with all that it started.
    fn kill(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // While the runtime waits for it, its number is nobody else's.
            if let Some(pid) = pid_in(&self.pid_file) {
                for process in stopped_with_descendants(pid).into_iter().rev() {
                    let _ = kill_process(process, Signal::KILL);
                }
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for RunningProbe {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.pid_file);
    }
}

fn pid_in(path: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(path).ok()?;
    Pid::from_raw(text.trim().parse().ok().filter(|pid| *pid > 1)?)
}

/// A process and those that it and they have started, parents first; all are stopped. One that is stopped starts no other,
/// and sees to no child's end: so no number becomes another process's while the children are killed before their parents.
fn stopped_with_descendants(first: Pid) -> Vec<Pid> {
    let mut found = vec![first];
    let mut at = 0;
    while at < found.len() && found.len() < PROCESSES {
        let _ = kill_process(found[at], Signal::STOP);
        let pid = found[at].as_raw_pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        found.extend(
            children
                .split_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?)),
        );
        at += 1;
    }
    found
}

/// As Go writes a duration: `30s`, `1m30s`, `500ms`.
fn in_words(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match (seconds / 60, seconds % 60, millis) {
        (0, 0, millis) => format!("{millis}ms"),
        (0, seconds, 0) => format!("{seconds}s"),
        (0, seconds, millis) => format!("{seconds}.{millis:03}s"),
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

/// The label with which a container asks to be restarted when it is unhealthy (`true`), or never to be (`false`).
pub const RESTART_LABEL: &str = "berth.restart-unhealthy";

impl Engine {
    /// The containers that run and have a health check.
    ///
    /// # Errors
    /// As [`Engine::inspect`].
    pub fn with_health_checks(&self) -> Result<Vec<ContainerId>, Error> {
        let mut found = Vec::new();
        for id in self.ids()? {
            if let Ok(config) = self.config(&id)
                && config.health.as_ref().is_some_and(HealthConfig::is_on)
                && self.status(&id).is_ok_and(|status| status.is_alive())
            {
                found.push(id);
            }
        }
        Ok(found)
    }
}
