//! A further process in a running container: `berth-runtime exec`, started here with the caller's streams.
//!
//! The shim has no part in it: the process joins the container's namespaces, and its parent is ours. With a
//! terminal the runtime relays it. Without one the process gets pipes of its own, never the caller's
//! descriptors: what is open on the host stays on the host (security: R11, K8).

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use berth_fs::Durability;
use berth_model::ContainerId;
use berth_oci::spec::{Capabilities, Spec, User};

use crate::events::ExecStep;
use crate::{Engine, Error, Status, env, json};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// `NAME=value`, on top of the container's.
    pub env: Vec<String>,
    /// `user[:group]`; `None`: the container's.
    pub user: Option<String>,
    /// Working directory; `None`: the container's.
    pub working_dir: Option<String>,
    /// A terminal.
    pub tty: bool,
    /// The caller's standard input is passed on.
    pub stdin: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Do not wait for it.
    pub detach: bool,
}

impl Engine {
    /// Runs a process in a container and returns its exit code (126, 127 as Docker has them; 0 when detached).
    ///
    /// # Errors
    /// [`Error::WrongState`] when the container does not run or is paused; [`Error::Invalid`] for the user.
    pub fn exec(&self, id: &ContainerId, request: &ExecRequest) -> Result<i32, Error> {
        let mut prepared = self.prepare_exec(id, request, None, None)?;
        let command = prepared.command();
        command.args(request.detach.then_some("-d"));
        let exec_id = crate::create::random_id()?;
        let told = |step| self.record_exec(id, exec_id.as_str(), step);
        told(ExecStep::Create(&request.command, request.privileged));
        told(ExecStep::Start(&request.command));
        let code = run(command, request).map_err(|source| Error::Helper {
            program: self.options.runtime.clone(),
            source,
        })?;
        // Nobody waits for a detached one.
        if !request.detach {
            told(ExecStep::Die(code));
        }
        Ok(code)
    }

    /// The runtime's command that runs the process and ends with its exit code; it has no streams yet. `console`: a
    /// socket that listens for the terminal; `pid_file`: where the process's pid is written.
    ///
    /// # Errors
    /// As [`Engine::exec`].
    pub fn prepare_exec(
        &self,
        id: &ContainerId,
        request: &ExecRequest,
        console: Option<&Path>,
        pid_file: Option<&Path>,
    ) -> Result<PreparedExec, Error> {
        self.may_exec(id)?;
        let process = self.describe(id, request)?;
        let mut command = Command::new(&self.options.runtime);
        command.arg("exec").args(request.tty.then_some("-t"));
        for (flag, path) in [("--console-socket", console), ("--pid-file", pid_file)] {
            if let Some(path) = path {
                command.arg(flag).arg(path);
            }
        }
        command
            .arg("--task")
            .arg(self.layout.task(id))
            .arg("-p")
            .arg(&process.0);
        Ok(PreparedExec {
            command,
            _process: process,
        })
    }

    /// Whether a process can be started in it now.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it does not run or is paused.
    pub fn may_exec(&self, id: &ContainerId) -> Result<(), Error> {
        self.running(id, "execute in")?;
        if self.status(id)? == Status::Paused {
            return Err(Error::WrongState {
                action: "execute in",
                id: id.short().to_owned(),
                state: "paused",
                hint: "`berth unpause` lets it run on",
            });
        }
        Ok(())
    }

    /// Writes the process as a file beside the bundle: the container's own, with what was asked changed.
    fn describe(&self, id: &ContainerId, request: &ExecRequest) -> Result<Described, Error> {
        let bundle = self.layout.bundle(id).join("config.json");
        let spec: Option<Spec> = json::read(&bundle)?;
        let mut process = spec
            .and_then(|spec| spec.process)
            .ok_or_else(|| Error::NoContainer {
                name: id.short().to_owned(),
            })?;
        if let Some(asked) = &request.user {
            let config = self.config(id)?;
            let rootfs = self.root_of(&config)?;
            let account = self.account(asked, &rootfs)?;
            process.user = User {
                uid: account.uid,
                gid: account.gid,
                umask: process.user.umask,
                additional_gids: account.groups,
            };
            env::set(&mut process.env, &format!("HOME={}", account.home));
        }
        process.args = request.command.clone();
        process.terminal = request.tty;
        if request.tty {
            env::set_default(&mut process.env, "TERM", "xterm");
        }
        for entry in &request.env {
            env::set(&mut process.env, entry);
        }
        if let Some(dir) = &request.working_dir {
            process.cwd = dir.clone();
        }
        if request.privileged {
            let all = crate::host::capabilities(self.options.rootless)?;
            process.capabilities = Some(Capabilities {
                bounding: all.clone(),
                effective: all.clone(),
                permitted: all,
                ..Capabilities::default()
            });
        }
        let name = format!("exec-{}.json", crate::create::random_id()?.short());
        let path = self.layout.bundle(id).join(name);
        json::write(&path, &process, Durability::Volatile)?;
        Ok(Described(path))
    }
}

/// A process that can be started. It is to be kept until that has happened.
pub struct PreparedExec {
    command: Command,
    _process: Described,
}

impl PreparedExec {
    /// The runtime, which stays until the process has ended.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// A file that goes when it is no longer needed.
struct Described(PathBuf);

impl Drop for Described {
    fn drop(&mut self) {
        // A leftover is cleared with the task.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(command: &mut Command, request: &ExecRequest) -> io::Result<i32> {
    if request.tty && !request.detach {
        return command.status().map(|status| status.code().unwrap_or(125));
    }
    let stdin = if request.stdin && !request.detach {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    if request.detach {
        command.stdout(Stdio::null());
        let output = command
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()?
            .wait_with_output()?;
        io::stderr().write_all(&output.stderr)?;
        return Ok(output.status.code().unwrap_or(125));
    }
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    pump(&mut child);
    Ok(child.wait()?.code().unwrap_or(125))
}

/// Copies until the process has closed its output.
fn pump(child: &mut Child) {
    if let Some(stdin) = child.stdin.take() {
        // Not waited for: a read of our own input may never end.
        std::thread::spawn(move || copy(io::stdin(), stdin));
    }
    let stderr = child.stderr.take();
    let errors = stderr.map(|stderr| std::thread::spawn(move || copy(stderr, io::stderr())));
    if let Some(stdout) = child.stdout.take() {
        copy(stdout, io::stdout());
    }
    if let Some(errors) = errors {
        // A thread that only copies does not panic.
        let _ = errors.join();
    }
}

fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 32 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to
                    .write_all(&buffer[..length])
                    .and_then(|()| to.flush())
                    .is_err()
                {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
