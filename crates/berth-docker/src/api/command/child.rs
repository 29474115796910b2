//! The child that is the verb: its arguments, its files, its terminal.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use berth_engine::Engine;
use berth_model::command::{Argument, Start, VARIABLES};
use berth_sys::pty;
use rustix::fs::MemfdFlags;
use rustix::pipe::{PipeFlags, pipe_with};

/// What of our own environment is not the verb's: who the client is, and what is ours.
const OURS: [&str; 14] = [
    "BERTH_CONTEXT",
    "BERTH_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "REGISTRY_AUTH_FILE",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "XDG_RUNTIME_DIR",
];

/// `berth` with this daemon's directories.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// In the place of a client's directory: logins come with the request, and only they count.
    no_config: PathBuf,
}

impl Launch {
    pub(super) fn of(engine: &Engine) -> Launch {
        let options = engine.options();
        let mut arguments: Vec<OsString> = vec![
            "--for-client".into(),
            "--root".into(),
            options.root.clone().into(),
            "--run-dir".into(),
            options.run_dir.clone().into(),
        ];
        if let Some(helpers) = options.runtime.parent() {
            arguments.extend(["--libexec".into(), helpers.into()]);
        }
        if let Some(parent) = &options.cgroup_parent {
            arguments.extend(["--cgroup-parent".into(), parent.into()]);
        }
        Launch {
            program: options.berth.clone(),
            arguments,
            no_config: options.run_dir.join("no-client"),
        }
    }
}

/// The child, and our ends of what it has.
pub(super) struct Started {
    pub(super) child: Child,
    /// Its terminal, if it has one.
    pub(super) terminal: Option<OwnedFd>,
    /// Where its input goes: a pipe or the terminal.
    pub(super) input: Option<File>,
    /// The pipes of its output and error output, where they are no terminal.
    pub(super) outputs: [Option<File>; 2],
    /// What it writes to files of the client, by number.
    pub(super) files: Vec<File>,
    /// Files that it reads or writes by our descriptors: as long as it lives.
    pub(super) _held: Vec<OwnedFd>,
}

/// Starts what the client asks for. To be called by the thread that waits for it: the child is killed with it.
pub(super) fn start(launch: &Launch, start: &Start) -> io::Result<Started> {
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments);
    let mut files = Files::default();
    for argument in &start.arguments {
        command.arg(files.argument(argument)?);
    }
    for name in OURS.iter().chain(&VARIABLES) {
        command.env_remove(name);
    }
    let variables = start.environment.iter();
    let known = variables.filter(|(name, _)| VARIABLES.contains(&name.as_str()));
    command
        .envs(known)
        .env("DOCKER_CONFIG", &launch.no_config)
        .current_dir("/");

    let pair = match start.terminal.contains(&true) {
        true => Some(pty::open()?),
        false => None,
    };
    if let Some(pair) = &pair {
        pty::resize(&pair.master, start.size.rows, start.size.columns)?;
    }
    let slave = |which: usize| -> io::Result<Option<OwnedFd>> {
        match &pair {
            Some(pair) if start.terminal[which] => Ok(Some(pair.slave.try_clone()?)),
            _ => Ok(None),
        }
    };
    let mut input = None;
    match (slave(0)?, start.input) {
        (Some(slave), reads) => {
            command.stdin(slave);
            if let (true, Some(pair)) = (reads, &pair) {
                input = Some(File::from(pair.master.try_clone()?));
            }
        }
        (None, true) => {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            command.stdin(read);
            input = Some(File::from(write));
        }
        (None, false) => drop(command.stdin(Stdio::null())),
    }
    let mut outputs = [None, None];
    for (which, ours) in outputs.iter_mut().enumerate() {
        let theirs = match slave(which + 1)? {
            Some(slave) => slave,
            None => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                *ours = Some(File::from(read));
                write
            }
        };
        match which {
            0 => command.stdout(theirs),
            _ => command.stderr(theirs),
        };
    }
    let child = command.spawn()?;
    Ok(Started {
        child,
        terminal: pair.map(|pair| pair.master),
        input,
        outputs,
        files: files.back,
        _held: files.held,
    })
}

/// Files of the client. The child gets the paths of our descriptors: there is nothing on a disk to be left behind,
/// and no descriptor is inherited.
#[derive(Default)]
struct Files {
    held: Vec<OwnedFd>,
    back: Vec<File>,
}

impl Files {
    fn argument(&mut self, argument: &Argument) -> io::Result<String> {
        match argument {
            Argument::Text(text) => Ok(text.clone()),
            Argument::Content(before, content) => {
                let flags = MemfdFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::memfd_create("berth-command", flags)?);
                file.write_all(content.as_bytes())?;
                Ok(self.hold(before, file.into()))
            }
            Argument::File(before, _) => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                self.back.push(File::from(read));
                Ok(self.hold(before, write))
            }
        }
    }

    fn hold(&mut self, before: &str, file: OwnedFd) -> String {
        let (process, number) = (std::process::id(), file.as_raw_fd());
        self.held.push(file);
        format!("{before}/proc/{process}/fd/{number}")
    }
}
