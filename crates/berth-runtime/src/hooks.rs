//! Hooks: programs of whoever made the bundle, run at six points of a container's life, with the
//! container's state on standard input. They come from `config.json` only (security: R24).
//!
//! Source: config.md "POSIX-platform Hooks", runtime.md "Lifecycle".

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};

use berth_oci::spec::{Hook, Spec, State};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Error, Result};

/// Bytes of a failed hook's standard error that the message carries.
const MAX_STDERR: u64 = 1024;

/// The state as hooks and `state` show it.
pub fn state_of(
    spec: &Spec,
    id: &str,
    bundle: &std::path::Path,
    status: &str,
    pid: Option<i32>,
) -> State {
    State {
        oci_version: berth_oci::spec::OCI_VERSION.to_owned(),
        id: id.to_owned(),
        status: status.to_owned(),
        pid,
        bundle: bundle.to_owned(),
        annotations: spec.annotations.clone(),
    }
}

/// Runs hooks in their order, the first failure ends it.
///
/// # Errors
/// [`Error::Hook`].
pub fn run_all(stage: &'static str, hooks: &[Hook], state: &State) -> Result<()> {
    hooks.iter().try_for_each(|hook| run(stage, hook, state))
}

fn run(stage: &'static str, hook: &Hook, state: &State) -> Result<()> {
    let fail = |reason: String| Error::Hook {
        stage,
        path: hook.path.clone(),
        reason,
    };
    if !hook.path.is_absolute() {
        return Err(fail("its path is not absolute".into()));
    }
    let mut command = Command::new(&hook.path);
    command
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    berth_sys::signals::reset_in_child(&mut command);
    command.envs(hook.env.iter().filter_map(|pair| pair.split_once('=')));
    let mut child = command.spawn().map_err(|e| fail(e.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let json = serde_json::to_vec(state).map_err(|e| fail(e.to_string()))?;
        // A hook need not read it.
        let _ = stdin.write_all(&json);
    }
    let status = wait(&mut child, hook.timeout).map_err(|e| fail(e.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(MAX_STDERR).read_to_string(&mut said);
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    Err(fail(format!("{how} {}", said.trim()).trim_end().to_owned()))
}

fn wait(child: &mut Child, timeout_s: Option<u64>) -> io::Result<ExitStatus> {
    let Some(seconds) = timeout_s else {
        return child.wait();
    };
    let pid = Pid::from_raw(child.id() as i32).ok_or(io::ErrorKind::NotFound)?;
    // Our unreaped child: the number is its own.
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let limit = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let ended = poll(
        &mut [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)],
        Some(&limit),
    )?;
    if ended == 0 {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no end after {seconds} s"),
        ));
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Option<u64>) -> Hook {
        let args = ["sh", "-c", script].map(String::from).to_vec();
        Hook {
            path: "/bin/sh".into(),
            args,
            env: vec!["X=1".into()],
            timeout,
        }
    }

    fn state() -> State {
        state_of(
            &Spec::default(),
            "some-id",
            std::path::Path::new("/b"),
            "creating",
            Some(7),
        )
    }

    #[test]
    fn the_state_is_on_standard_input_and_only_its_own_environment() {
        let script = r#"grep -q '"id":"some-id"' && test "$X" = 1 && test -z "$HOME" "#;
        run("prestart", &shell(script, None), &state()).unwrap();
        run("prestart", &shell("exit 0", None), &state()).unwrap();
    }

    #[test]
    fn failures_say_why() {
        let message = |hook: &Hook| run("prestart", hook, &state()).unwrap_err().to_string();
        assert!(message(&shell("echo no luck >&2; exit 3", None)).contains("exit code 3 no luck"));
        assert!(message(&shell("kill -9 $$", None)).contains("signal 9"));
        let started = std::time::Instant::now();
        assert!(message(&shell("sleep 30", Some(0))).contains("no end after 0 s"));
        assert!(started.elapsed().as_secs() < 10);
        assert!(
            message(&Hook {
                path: "sh".into(),
                ..Hook::default()
            })
            .contains("not absolute")
        );
    }
}
