//! `create`: everything but the container's program. Its init waits for `start`.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use berth_oci::spec::Spec;

use super::args::{Args, unknown, usage};
use super::{Global, log, notify, terminal, write_pid_file};
use crate::error::Result;
use crate::launch::{Created, LaunchOptions, absolute_bundle};
use crate::process::Stdio;
use crate::state::Dir;
use crate::warning::warn;
use crate::{bundle, launch};

/// Options that `create` and `run` share.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) bundle: PathBuf,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) console_socket: Option<PathBuf>,
    pub(super) preserve_fds: u32,
    /// What the service manager tells the container's first process, and no other.
    pub(super) env: Vec<String>,
    pub(super) no_pivot: bool,
    pub(super) no_new_keyring: bool,
    pub(super) pidfd_socket: Option<PathBuf>,
}

impl Options {
    /// Takes the option if it is one of these.
    pub(super) fn take(&mut self, option: &str, args: &mut Args) -> Result<bool> {
        match option {
            "-b" | "--bundle" => self.bundle = args.value()?.into(),
            "--pid-file" => self.pid_file = Some(args.value()?.into()),
            "--console-socket" => self.console_socket = Some(args.value()?.into()),
            "--preserve-fds" => self.preserve_fds = args.number()?,
            "--pidfd-socket" => self.pidfd_socket = Some(args.value()?.into()),
            "--no-pivot" => self.no_pivot = args.flag()?,
            "--no-new-keyring" => self.no_new_keyring = args.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How a container of this bundle is made.
    pub(super) fn launch(
        &self,
        global: &Global,
        dir: &Dir,
        bundle: &Path,
        terminal: bool,
        fifo: Option<OwnedFd>,
    ) -> LaunchOptions {
        LaunchOptions {
            id: dir.id().to_owned(),
            claim: Some(dir.claim()),
            bundle: bundle.to_owned(),
            rootfs: None,
            stdio: if terminal {
                Stdio::Terminal
            } else {
                Stdio::Inherit
            },
            console_size: None,
            fifo,
            preserve_fds: self.preserve_fds,
            more_env: self.env.clone(),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            rootless: global.rootless,
            systemd: global.systemd_cgroup,
        }
    }

    /// Reads the bundle.
    pub(super) fn load(&mut self) -> Result<(PathBuf, Spec)> {
        let path = if self.bundle.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.bundle
        };
        let path = absolute_bundle(path)?;
        let spec = bundle::load(&path)?;
        self.preserve_fds = preserved(self.preserve_fds, &mut self.env)?;
        log::debug(format_args!("the bundle is {}", path.display()));
        Ok((path, spec))
    }

    /// Whether it has a terminal. That of a detached container needs somebody who takes it.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn wants_terminal(&self, spec: &Spec, detach: bool) -> Result<bool> {
        let wants = wants_terminal(spec);
        match detach && wants != self.console_socket.is_some() {
            true => Err(usage(
                "--console-socket belongs to a detached container with a terminal".to_owned(),
            )),
            false => Ok(wants),
        }
    }
}

fn wants_terminal(spec: &Spec) -> bool {
    spec.process.as_ref().is_some_and(|p| p.terminal)
}

/// Descriptors for the program from 3 on: those of `--preserve-fds`, after those that the service manager
/// passed to this process, of which the program is told.
///
/// Source: sd_listen_fds(3).
fn preserved(asked: u32, env: &mut Vec<String>) -> Result<u32> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    let mut all = asked;
    if let Some(passed) = number("LISTEN_FDS")
        && passed > 0
        && number("LISTEN_PID") == Some(std::process::id())
    {
        env.push(format!("LISTEN_FDS={passed}"));
        env.push("LISTEN_PID=1".to_owned());
        all = all.saturating_add(passed);
    }
    check_open(all)?;
    Ok(all)
}

/// What is to be preserved must be there.
///
/// # Errors
/// [`Error::Usage`].
pub(super) fn check_open(count: u32) -> Result<()> {
    for number in (3..).take(count as usize) {
        if !Path::new(&format!("/proc/self/fd/{number}")).exists() {
            return Err(usage(format!(
                "--preserve-fds: the descriptor {number} is not open"
            )));
        }
    }
    Ok(())
}

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut options = Options::default();
    while let Some(option) = args.next_option()? {
        if !options.take(&option, &mut args)? {
            return Err(unknown(&option));
        }
    }
    let id = args.only_operand("the container's id")?;
    let (bundle, mut spec) = options.load()?;
    let wants_terminal = wants_terminal(&spec);
    if wants_terminal != options.console_socket.is_some() {
        return Err(usage(match wants_terminal {
            true => "cannot allocate tty if the runtime will detach without setting console socket: a terminal needs --console-socket".to_owned(),
            false => "--console-socket is for a container with a terminal".to_owned(),
        }));
    }
    let dir = global.root.make(&id)?;
    let made = (|| -> Result<()> {
        notify::offer(&dir, &mut spec, &mut options.env)?;
        let fifo = dir.make_fifo()?;
        let how = options.launch(global, &dir, &bundle, wants_terminal, Some(fifo));
        let created = launch::create(&spec, how)?;
        finish(&created, &options, || dir.record(&created, &spec, &bundle))
            .map_err(|error| abandon(created, &spec, error))
    })();
    if made.is_err() {
        give_up(dir);
    }
    made.map(|()| 0)
}

/// Frees the id after a failure, unless something is left that `delete --force` can remove, by its claim.
pub(super) fn give_up(dir: Dir) {
    if dir.claim().is_held() {
        let id = dir.id();
        warn(format_args!(
            "not all of `{id}` could be removed: see to it, then `delete --force {id}`"
        ));
    } else {
        let _ = dir.remove();
    }
}

/// What the caller waits for: the terminal, the state, the pid.
pub(super) fn finish(
    created: &Created,
    options: &Options,
    record: impl FnOnce() -> Result<()>,
) -> Result<()> {
    log::debug(format_args!("init is {}", created.pid));
    if let (Some(socket), Some(master)) = (&options.console_socket, &created.terminal) {
        terminal::send(socket, master)?;
    }
    if let Some(socket) = &options.pidfd_socket {
        terminal::send_pidfd(socket, &created.pidfd)?;
    }
    record()?;
    match &options.pid_file {
        Some(path) => write_pid_file(path, created.pid),
        None => Ok(()),
    }
}

/// Undoes a container for the sake of an error.
pub(super) fn abandon(created: Created, spec: &Spec, error: crate::Error) -> crate::Error {
    created.abandon(spec);
    error
}
