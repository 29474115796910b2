//! The shim: `berth-runtime shim [--attached] TASK_DIR`, what the engine starts for each container.
//!
//! ```text
//! fd 3   sync pipe: one JSON `ShimReport` a line; the last line before its end counts
//! fd 4   with --attached: the foreground client's socket (SOCK_SEQPACKET), already connected
//! fd 5…  open namespaces, which the spec names as `/proc/self/fd/NUMBER`
//! ```
//! It claims the task (lock, listening socket), makes the container, records its pid, reports, and
//! becomes the monitor by execve: lock, sockets, pipes and children stay. Until then everything it
//! made hangs on it: the container's process waits on a socket whose other end the shim holds, so a
//! killed shim leaves nothing that runs; a failure undoes its steps and leaves no file behind.
//!
//! In a rootless task the shim first becomes root of a user namespace with the user's subordinate ids.

pub mod claim;
pub mod console;
pub mod monitor;
pub mod record;
pub mod report;
pub mod rootless;

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use berth_model::task::TaskRequest;
use berth_oci::spec::Spec;

use crate::error::{Error, Result, step};
use crate::launch::{self, Created, LaunchOptions};
use crate::{bundle, sealed};
use claim::Claim;
use console::Streams;
use report::Reporter;

/// Number of the sync pipe.
const SYNC_FD: i32 = 3;
/// Number of the foreground client's socket.
const CLIENT_FD: i32 = 4;

/// Runs the shim: on success this process becomes the monitor, so it returns the exit code of a failure,
/// which was reported on the sync pipe. To be called before anything is opened.
pub fn run(arguments: &[String]) -> i32 {
    // First what may execute this program again, with its descriptors as they were given.
    let ready = rootless::become_root().and_then(|()| sealed::ensure());
    let mut reporter = match Reporter::take(SYNC_FD) {
        Ok(reporter) => reporter,
        Err(source) => {
            eprintln!("error: berth-runtime shim: no sync pipe at descriptor {SYNC_FD}: {source}");
            return 125;
        }
    };
    // Ours to join, and nobody else's.
    let ready = ready.and_then(|()| {
        berth_sys::process::close_on_exec_from(CLIENT_FD as u32 + 1)
            .map_err(|e| step("keep the namespaces to ourselves", e))
    });
    let error = match ready.and_then(|()| start(arguments, &mut reporter)) {
        Err(error) => error,
        Ok(never) => match never {},
    };
    let failure = error.to_failure();
    let code = failure.exit_code;
    reporter.failed(failure);
    code
}

fn start(arguments: &[String], reporter: &mut Reporter) -> Result<Infallible> {
    let (task_dir, client) = parse(arguments)?;
    let request: TaskRequest = bundle::read_json(&task_dir.join("task.json"))?;
    let spec = bundle::load(&request.bundle)?;
    claim::leave_the_caller()?;
    let claim = Claim::make(&task_dir)?;
    let task = Task {
        dir: &task_dir,
        request: &request,
        spec: &spec,
        claim: &claim,
        client: client.as_ref(),
    };
    let failed = task.make_container(reporter);
    if failed.is_err() {
        record::remove(&task_dir);
        claim.release();
    }
    failed
}

/// A claimed task.
struct Task<'a> {
    dir: &'a Path,
    request: &'a TaskRequest,
    spec: &'a Spec,
    claim: &'a Claim,
    client: Option<&'a OwnedFd>,
}

impl Task<'_> {
    fn make_container(&self, reporter: &mut Reporter) -> Result<Infallible> {
        let log = monitor::open_log(self.request.log.as_ref())?;
        let program = monitor::check_program(&self.request.monitor)?;
        let (mut streams, stdio) = Streams::make(self.request)?;
        let options = LaunchOptions {
            id: self.request.id.clone(),
            claim: None,
            bundle: self.request.bundle.clone(),
            rootfs: self.request.rootfs.clone(),
            stdio,
            console_size: self.request.console_size,
            fifo: None,
            preserve_fds: 0,
            more_env: Vec::new(),
            no_pivot: false,
            no_new_keyring: false,
            rootless: None,
            systemd: false,
        };
        let mut created = launch::create(self.spec, options)?;
        let failed = match streams.adopt(created.terminal.take()) {
            Ok(()) => self.hand_over(&program, &streams, log.as_ref(), &mut created, reporter),
            Err(error) => Err(error),
        };
        created.abandon(self.spec);
        failed
    }

    /// Starts the paused container and becomes its monitor; returns only if that failed.
    fn hand_over(
        &self,
        program: &CString,
        streams: &Streams,
        log: Option<&OwnedFd>,
        created: &mut Created,
        reporter: &mut Reporter,
    ) -> Result<Infallible> {
        let pid = record::write(self.dir, created)?;
        created.start(self.spec)?;
        reporter.started(pid)?;
        Err(monitor::become_it(&monitor::Inheritance {
            request: self.request,
            program,
            claim: self.claim,
            streams,
            log,
            client: self.client,
            init: created.pid,
            cgroups: &created.cgroup().paths(),
        }))
    }
}

fn parse(arguments: &[String]) -> Result<(PathBuf, Option<OwnedFd>)> {
    let usage = || Error::Usage {
        message: "usage: berth-runtime shim [--attached] TASK_DIR".to_owned(),
    };
    let (attached, task_dir) = match arguments {
        [flag, task_dir] if flag == "--attached" => (true, task_dir),
        [task_dir] if !task_dir.starts_with('-') => (false, task_dir),
        _ => return Err(usage()),
    };
    let client = attached
        .then(|| berth_sys::process::inherited_fd(CLIENT_FD))
        .transpose();
    let client = client.map_err(|e| step("take the client's socket", e))?;
    let task_dir = Path::new(task_dir);
    if !task_dir.is_absolute() {
        return Err(usage());
    }
    Ok((task_dir.to_owned(), client))
}
