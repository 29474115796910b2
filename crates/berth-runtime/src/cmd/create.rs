//! `create`: everything but the container's program. Its init waits for `start`.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use berth_oci::spec::Spec;

use super::args::{Args, unknown, usage};
use super::{Global, terminal, write_pid_file};
use crate::error::Result;
use crate::launch::{Created, LaunchOptions, absolute_bundle};
use crate::process::Stdio;
use crate::{bundle, launch};

/// Options that `create` and `run` share.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) bundle: PathBuf,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) console_socket: Option<PathBuf>,
    pub(super) preserve_fds: u32,
    pub(super) no_pivot: bool,
}

impl Options {
    /// Takes the option if it is one of these.
    pub(super) fn take(&mut self, option: &str, args: &mut Args) -> Result<bool> {
        match option {
            "-b" | "--bundle" => self.bundle = args.value()?.into(),
            "--pid-file" => self.pid_file = Some(args.value()?.into()),
            "--console-socket" => self.console_socket = Some(args.value()?.into()),
            "--preserve-fds" => self.preserve_fds = args.number()?,
            "--no-pivot" => self.no_pivot = true,
            // The session's keyring is always a new one, and nothing of the host is in it.
            "--no-new-keyring" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How a container of this bundle is made.
    pub(super) fn launch(
        &self,
        id: String,
        bundle: &Path,
        terminal: bool,
        fifo: Option<OwnedFd>,
    ) -> LaunchOptions {
        LaunchOptions {
            id,
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
            no_pivot: self.no_pivot,
        }
    }

    /// Reads the bundle.
    pub(super) fn load(&self) -> Result<(PathBuf, Spec)> {
        let path = if self.bundle.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.bundle
        };
        let path = absolute_bundle(path)?;
        let spec = bundle::load(&path)?;
        Ok((path, spec))
    }
}

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut options = Options::default();
    while let Some(option) = args.next_option()? {
        if !options.take(&option, &mut args)? {
            return Err(unknown(&option));
        }
    }
    let id = args.only_operand("the container's id")?;
    let (bundle, spec) = options.load()?;
    let wants_terminal = spec.process.as_ref().is_some_and(|p| p.terminal);
    if wants_terminal != options.console_socket.is_some() {
        return Err(usage(match wants_terminal {
            true => "a terminal needs --console-socket".to_owned(),
            false => "--console-socket is for a container with a terminal".to_owned(),
        }));
    }
    let dir = global.root.make(&id)?;
    let made = (|| -> Result<()> {
        let fifo = dir.make_fifo()?;
        let how = options.launch(id, &bundle, wants_terminal, Some(fifo));
        let created = launch::create(&spec, how)?;
        finish(&created, &options, || dir.record(&created, &spec, &bundle))
            .map_err(|error| abandon(created, error))
    })();
    if made.is_err() {
        let _ = dir.remove();
    }
    made.map(|()| 0)
}

/// What the caller waits for: the terminal, the state, the pid.
pub(super) fn finish(
    created: &Created,
    options: &Options,
    record: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if let (Some(socket), Some(master)) = (&options.console_socket, &created.terminal) {
        terminal::send(socket, master)?;
    }
    record()?;
    match &options.pid_file {
        Some(path) => write_pid_file(path, created.pid),
        None => Ok(()),
    }
}

/// Undoes a container for the sake of an error.
pub(super) fn abandon(created: Created, error: crate::Error) -> crate::Error {
    created.abandon();
    error
}
