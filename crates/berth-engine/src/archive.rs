//! Files into and out of containers: what `cp` does, and the archives of Docker's API.
//!
//! A confined child does it inside the container's mounts, so that volumes are seen and nothing else is: see
//! `berth_layer::archive`. A container that does not run is locked meanwhile, by the child too: nobody starts it while
//! its files are mounted a second time.

mod host;

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use berth_fs::Lock;
use berth_layer::archive::{Action, Bind, Place, Put, Request};
use berth_layer::child::Failure;
use berth_model::config::{MountConfig, MountKind};
use berth_model::{ContainerConfig, ContainerId, ErrorKind, Status};

use crate::error::Chain;
use crate::{Engine, Error};

pub use berth_layer::archive::PathStat;
/// The child's side: the main function behind `berth internal archive`.
pub use berth_layer::archive::main as child;
pub use host::{HostTree, pack, unpack};

/// More than any complaint is an attack or a bug.
const COMPLAINT_BYTES: u64 = 1 << 20;
/// As much of a first line: a name and a link.
const STAT_BYTES: u64 = 64 << 10;

/// How to unpack an archive in a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// No directory replaces what is none, nor the other way round.
    pub no_overwrite_dir_non_dir: bool,
    /// All belongs to the user that the container's program runs as, not to whom the archive says.
    pub copy_uid_gid: bool,
}

/// The archive of a path in a container. Reading fails if the child did, so that its end is the archive's.
#[derive(Debug)]
pub struct ContainerArchive {
    /// What is at the path.
    pub stat: PathStat,
    child: Running,
    output: BufReader<ChildStdout>,
}

impl Read for ContainerArchive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer)? {
            0 if !buffer.is_empty() => {
                self.child.finish().map_err(io::Error::other)?;
                Ok(0)
            }
            length => Ok(length),
        }
    }
}

impl Engine {
    /// What is at a path in the container; a link itself is told of.
    ///
    /// # Errors
    /// [`Error::NoPath`], [`Error::CopyFiles`].
    pub fn path_stat(&self, id: &ContainerId, path: &str) -> Result<PathStat, Error> {
        let (mut child, mut output) = self.reader_of(id, path, Action::Stat)?;
        let stat = read_stat(&mut output);
        child.finish()?;
        stat.map_err(|source| child.broken(source))
    }

    /// What is at a path in the container, with all below it, as an archive whose names begin with the path's last
    /// component. Mounts are entered.
    ///
    /// # Errors
    /// [`Error::NoPath`], [`Error::CopyFiles`].
    pub fn read_archive(&self, id: &ContainerId, path: &str) -> Result<ContainerArchive, Error> {
        let (mut child, mut output) = self.reader_of(id, path, Action::Get)?;
        match read_stat(&mut output) {
            Ok(stat) => {
                self.record_of(id, "archive-path");
                Ok(ContainerArchive {
                    stat,
                    child,
                    output,
                })
            }
            Err(source) => {
                child.finish()?;
                Err(child.broken(source))
            }
        }
    }

    /// Unpacks an archive, which may be compressed, in a directory of the container.
    ///
    /// # Errors
    /// [`Error::NoPath`], [`Error::CopyFiles`]; what was unpacked before stays.
    pub fn write_archive(
        &self,
        id: &ContainerId,
        path: &str,
        options: PutOptions,
        mut input: impl Read,
    ) -> Result<(), Error> {
        let owner = match options.copy_uid_gid {
            true => self.owner(id)?,
            false => None,
        };
        let action = Action::Put(Put {
            no_overwrite_dir_non_dir: options.no_overwrite_dir_non_dir,
            owner,
            skip_devices: self.options.rootless,
        });
        let mut child = self.archive_child(id, path, action, Stdio::piped(), Stdio::null())?;
        let copied = match child.child.stdin.take() {
            Some(mut stdin) => copy(&mut input, &mut stdin),
            None => Ok(()),
        };
        // A child that reads no more has ended, and its own reason is the better one.
        child.finish()?;
        copied.map_err(|source| child.broken(source))?;
        self.record_of(id, "extract-to-dir");
        Ok(())
    }

    fn reader_of(
        &self,
        id: &ContainerId,
        path: &str,
        action: Action,
    ) -> Result<(Running, BufReader<ChildStdout>), Error> {
        let mut child = self.archive_child(id, path, action, Stdio::null(), Stdio::piped())?;
        let output = child.child.stdout.take();
        let output = output.ok_or_else(|| child.broken(io::ErrorKind::BrokenPipe.into()))?;
        Ok((child, BufReader::new(output)))
    }

    fn archive_child(
        &self,
        id: &ContainerId,
        path: &str,
        action: Action,
        input: Stdio,
        output: Stdio,
    ) -> Result<Running, Error> {
        let (place, lock) = self.place(id)?;
        let inside = matches!(&place, Place::Stopped { .. }) && self.options.rootless;
        let mut command = if inside {
            self.in_namespace("archive")
        } else {
            let mut command = Command::new(&self.options.berth);
            command.env_clear().args(["internal", "archive"]);
            command
        };
        let helper = |source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        };
        let request = Request {
            place,
            path: path.to_owned(),
            action,
        };
        let text = serde_json::to_string(&request).map_err(|error| helper(error.into()))?;
        command
            .arg(text)
            .current_dir("/")
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped());
        let held: Vec<_> = lock.iter().map(|lock| (lock.as_fd(), 3)).collect();
        let child = berth_sys::spawn::spawn_with_fds(&mut command, &held).map_err(helper)?;
        Ok(Running {
            child,
            id: id.clone(),
            path: path.to_owned(),
            finished: false,
        })
    }

    /// Where the container's files are; locked when it does not run.
    fn place(&self, id: &ContainerId) -> Result<(Place, Option<Lock>), Error> {
        let lock = self.lock(id)?;
        let mut status = self.status(id)?;
        if status == Status::Exiting {
            self.settle(id);
            status = self.status(id)?;
        }
        if status.is_alive() || status == Status::Starting {
            let pid = self.pid(id)?.ok_or_else(|| Error::WrongState {
                action: "copy files of",
                id: id.short().to_owned(),
                state: status.word(),
                hint: "try again in a moment",
            })?;
            let (pid, start_time) = (pid.pid, pid.start_time);
            return Ok((Place::Running { pid, start_time }, None));
        }
        let config = self.config(id)?;
        let root = self.root_of(&config)?;
        let place = Place::Stopped {
            root,
            read_only: config.read_only,
            binds: self.binds(&config)?,
            rootless: self.options.rootless,
        };
        Ok((place, Some(lock)))
    }

    /// What a start would mount, but for memory.
    fn binds(&self, config: &ContainerConfig) -> Result<Vec<Bind>, Error> {
        self.check_sources(config)?;
        let elsewhere = self.volume_mounts(config)?;
        let mut binds = Vec::new();
        for mount in &config.mounts {
            let (source, recursive) = match (mount.kind, elsewhere.get(&mount.source)) {
                (MountKind::Tmpfs, _) => continue,
                (MountKind::Bind, _) => (mount.source.clone().into(), !mount.non_recursive),
                (MountKind::Volume, None) => (self.volume_dir(&mount.source).join("_data"), false),
                (MountKind::Volume, Some(volume)) if volume.kind == "bind" => {
                    let recursive = volume.options.iter().any(|word| word == "rbind");
                    (volume.source.clone().into(), recursive)
                }
                (MountKind::Volume, Some(volume)) if volume.kind == "tmpfs" => continue,
                (MountKind::Volume, Some(volume)) => return Err(not_reached(mount, &volume.kind)),
            };
            binds.push(Bind {
                source,
                subpath: mount.subpath.clone(),
                destination: mount.destination.clone(),
                read_only: mount.read_only,
                recursive,
            });
        }
        // Stable: of two of the same depth the order of asking stays.
        binds.sort_by_key(|bind| bind.destination.split('/').count());
        Ok(binds)
    }

    /// The numbers of the user that the container's program runs as; none of one that says nothing.
    fn owner(&self, id: &ContainerId) -> Result<Option<(u32, u32)>, Error> {
        let config = self.config(id)?;
        if config.process.user.is_empty() {
            return Ok(None);
        }
        let root = self.root_of(&config)?;
        let account = self.account(&config.process.user, &root)?;
        Ok(Some((account.uid, account.gid)))
    }
}

fn not_reached(mount: &MountConfig, kind: &str) -> Error {
    Error::Invalid {
        message: format!(
            "the volume {} is a file system of the type {kind}, which only a running container has mounted",
            mount.source
        ),
        hint: Some("start the container first".to_owned()),
    }
}

/// A child at work; killed if nobody waits for its end.
#[derive(Debug)]
struct Running {
    child: Child,
    id: ContainerId,
    path: String,
    finished: bool,
}

impl Running {
    fn finish(&mut self) -> Result<(), Error> {
        if self.finished {
            return Ok(());
        }
        let mut complaint = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What could not be read is missing from the complaint, which then is none.
            let _ = stderr.take(COMPLAINT_BYTES).read_to_end(&mut complaint);
        }
        let status = self.child.wait().map_err(|source| self.broken(source))?;
        self.finished = true;
        if status.success() {
            return Ok(());
        }
        Err(match serde_json::from_slice::<Failure>(&complaint) {
            Ok(failure) if failure.kind == ErrorKind::NotFound && failure.causes.is_empty() => {
                Error::NoPath {
                    container: self.id.short().to_owned(),
                    path: self.path.clone(),
                }
            }
            Ok(failure) => Error::CopyFiles {
                source: failure
                    .causes
                    .split_first()
                    .map(|(first, rest)| Chain::of(first, rest)),
                message: failure.message,
                kind: failure.kind,
                hint: failure.hint,
            },
            Err(_) => Error::CopyFiles {
                message: format!("the copier ended without a report ({status})"),
                kind: ErrorKind::Internal,
                hint: None,
                source: Some(Chain::of(String::from_utf8_lossy(&complaint).trim(), &[])),
            },
        })
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Io {
            action: "copy the files of the container",
            path: self.id.short().into(),
            source,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn read_stat(output: &mut BufReader<ChildStdout>) -> io::Result<PathStat> {
    let mut line = Vec::new();
    output.take(STAT_BYTES).read_until(b'\n', &mut line)?;
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// Until the input's end, or until the child takes no more.
fn copy(input: &mut impl Read, child: &mut impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => return child.flush(),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match child.write_all(&buffer[..length]) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

/// A mode of stat(2) as Go's `os.FileMode`, which Docker's API speaks.
pub fn go_mode(mode: u32) -> u32 {
    const DIR: u32 = 1 << 31;
    const SYMLINK: u32 = 1 << 27;
    const DEVICE: u32 = 1 << 26;
    const PIPE: u32 = 1 << 25;
    const SOCKET: u32 = 1 << 24;
    const SETUID: u32 = 1 << 23;
    const SETGID: u32 = 1 << 22;
    const CHAR_DEVICE: u32 = 1 << 21;
    const STICKY: u32 = 1 << 20;
    let kind = match mode & 0o170_000 {
        0o040_000 => DIR,
        0o120_000 => SYMLINK,
        0o060_000 => DEVICE,
        0o020_000 => DEVICE | CHAR_DEVICE,
        0o010_000 => PIPE,
        0o140_000 => SOCKET,
        _ => 0,
    };
    let bits = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];
    let special = bits.iter().filter(|(bit, _)| mode & bit != 0);
    special.fold(kind | mode & 0o777, |all, (_, bit)| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_go_has_them() {
        for (mode, go) in [
            (0o100_644, 0o644),
            (0o040_755, 0x8000_01ed),
            (0o041_777, 0x8010_01ff),
            (0o120_777, 0x0800_01ff),
            (0o104_755, 0x0080_01ed),
            (0o020_666, 0x0420_01b6),
            (0o060_660, 0x0400_01b0),
            (0o010_644, 0x0200_01a4),
            (0o140_755, 0x0100_01ed),
        ] {
            assert_eq!(go_mode(mode), go, "{mode:o}");
        }
    }
}
