//! Hooks: programs of whoever made the bundle, run at six points of a container's life, with the
//! container's state on standard input. They come from `config.json` only (security: R24).
//!
//! | hook | run by | where | status | a failure |
//! |---|---|---|---|---|
//! | prestart | the runtime | host | created | undoes the creation |
//! | createRuntime | the runtime | host | creating | undoes the creation |
//! | createContainer | init, before it enters the root | container | creating | undoes the creation |
//! | startContainer | init, inside | container | created | ends the container |
//! | poststart | the runtime | host | running | ends the container |
//! | poststop | the runtime | host | stopped | is a warning |
//!
//! What goes in and comes out are files in memory: a hook that reads nothing or says a lot stops nobody.
//!
//! Source: config.md "POSIX-platform Hooks", runtime.md "Lifecycle".

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use berth_oci::spec::{Hook, Spec, State};
use berth_sys::process::Strings;
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::environment::strings;
use crate::error::{Error, Result, invalid};
use crate::pid::ends_within;
use crate::warning::warn;

/// All of them, in their order.
pub const STAGES: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// Bytes of a failed hook's last words that the message carries.
const LAST_WORDS: usize = 1024;

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

/// Checks all of a configuration's hooks.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub fn check(spec: &Spec) -> Result<()> {
    let Some(all) = &spec.hooks else {
        return Ok(());
    };
    let lists = [
        &all.prestart,
        &all.create_runtime,
        &all.create_container,
        &all.start_container,
        &all.poststart,
        &all.poststop,
    ];
    for (stage, hooks) in STAGES.iter().zip(lists) {
        for hook in hooks {
            if !hook.path.is_absolute() {
                let path = hook.path.display();
                return invalid(format!("hooks.{stage}: the path `{path}` is not absolute"));
            }
            if hook.timeout == Some(0) {
                return invalid(format!("hooks.{stage}: a timeout is greater than 0"));
            }
            if hook.args.iter().chain(&hook.env).any(|t| t.contains('\0')) {
                return invalid(format!("hooks.{stage}: a NUL byte in args or env"));
            }
        }
    }
    Ok(())
}

/// Runs hooks in their order; the first failure ends it. One without an environment has `env`; `None` is this
/// process's own, as with other runtimes.
///
/// # Errors
/// [`Error::Hook`].
pub fn run_all(
    stage: &'static str,
    hooks: &[Hook],
    state: &State,
    env: Option<&[String]>,
) -> Result<()> {
    for hook in hooks {
        run(hook, state, env).map_err(|reason| Error::Hook {
            stage,
            path: hook.path.clone(),
            reason,
        })?;
    }
    Ok(())
}

/// Runs the `poststop` hooks of a container that is gone. One that fails does not keep the others from running.
///
/// Source: runtime.md "Lifecycle", 13.
pub fn run_poststop(spec: &Spec, state: &State) {
    let state = State {
        status: "stopped".to_owned(),
        pid: None,
        ..state.clone()
    };
    for hook in spec.hooks.iter().flat_map(|all| &all.poststop) {
        if let Err(error) = run_all("poststop", std::slice::from_ref(hook), &state, None) {
            warn(format_args!("{error}"));
        }
    }
}

/// An error is the reason, in words.
fn run(hook: &Hook, state: &State, env: Option<&[String]>) -> std::result::Result<(), String> {
    let words = memory_file().map_err(|e| e.to_string())?;
    let mut child = start(hook, state, env, &words).map_err(|e| e.to_string())?;
    let ended = wait(&mut child, hook.timeout).map_err(|e| e.to_string())?;
    let how = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        },
        None => format!(
            "timeout: no end after {} s, so its process group was killed",
            hook.timeout.unwrap_or_default()
        ),
    };
    Err(format!("{how} {}", last_words(&words))
        .trim_end()
        .to_owned())
}

fn start(hook: &Hook, state: &State, env: Option<&[String]>, words: &File) -> io::Result<Child> {
    let mut input = memory_file()?;
    input.write_all(&crate::json::write(state)?)?;
    input.seek(SeekFrom::Start(0))?;
    let texts = |list: &[String]| strings(list).map_err(io::Error::other);
    let path = CString::new(hook.path.clone().into_os_string().into_vec())?;
    let args = match hook.args.as_slice() {
        [] => Strings::new(vec![path.clone()]),
        args => texts(args)?,
    };
    let env = match (hook.env.as_slice(), env) {
        ([], None) => std::env::vars_os()
            .map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='))
            .map(CString::new)
            .collect::<std::result::Result<_, _>>()
            .map(Strings::new)?,
        ([], Some(env)) | (env, _) => texts(env)?,
    };
    let mut command = Command::new(&hook.path);
    command
        .stdin(input)
        .stdout(Stdio::from(words.try_clone()?))
        .stderr(Stdio::from(words.try_clone()?))
        .process_group(0);
    berth_sys::signals::reset_in_child(&mut command);
    berth_sys::spawn::execute_exactly(&mut command, path, args, env);
    command.spawn()
}

/// Waits for its end; `None`: it took too long and was killed, with all of its process group.
fn wait(child: &mut Child, timeout_s: Option<u64>) -> io::Result<Option<ExitStatus>> {
    let Some(seconds) = timeout_s else {
        return child.wait().map(Some);
    };
    let pid = Pid::from_child(child);
    // Our unreaped child: the number is its own, and its group's.
    let ended = pidfd_open(pid, PidfdFlags::empty())
        .and_then(|pidfd| ends_within(&pidfd, Duration::from_secs(seconds)));
    if ended == Ok(true) {
        return child.wait().map(Some);
    }
    // A group that it has left for another, with nobody else in it, is there no more.
    let _ = kill_process_group(pid, Signal::KILL);
    child.kill()?;
    child.wait()?;
    ended?;
    Ok(None)
}

fn memory_file() -> io::Result<File> {
    let make = |flags| rustix::fs::memfd_create(c"hook", MemfdFlags::CLOEXEC | flags);
    // Before Linux 6.3 there is no such flag, and no need of one.
    let file = match make(MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => make(MemfdFlags::empty()),
        other => other,
    };
    Ok(File::from(file?))
}

fn last_words(words: &File) -> String {
    let length = words.metadata().map_or(0, |m| m.len());
    let mut bytes = vec![0; LAST_WORDS.min(length as usize)];
    let from = length - bytes.len() as u64;
    match words.read_exact_at(&mut bytes, from) {
        Ok(()) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(_) => String::new(),
    }
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
        let bundle = std::path::Path::new("/b");
        state_of(&Spec::default(), "some-id", bundle, "creating", Some(7))
    }

    fn outcome(hook: &Hook) -> std::result::Result<(), String> {
        run_all("prestart", std::slice::from_ref(hook), &state(), None).map_err(|e| e.to_string())
    }

    /// Source: config.md "POSIX-platform Hooks": the state MUST be passed over stdin.
    #[test]
    fn the_state_is_on_standard_input_and_only_its_own_environment() {
        let script = r#"grep -q '"id":"some-id"' && test "$X" = 1 && test -z "$HOME" "#;
        outcome(&shell(script, None)).unwrap();
        outcome(&shell("exit 0", None)).unwrap();
    }

    /// Twice the same name, none at all: the kernel passes on what it is given.
    #[test]
    fn the_environment_is_exactly_as_given() {
        let mut hook = shell(
            "tr '\\0' '|' < /proc/self/environ | grep -qxF 'B=2|A=1|odd|A=3|'",
            None,
        );
        hook.env = ["B=2", "A=1", "odd", "A=3"].map(String::from).to_vec();
        // The shell's own child has an environment of the shell's making.
        hook.args[2] = hook.args[2].replace("self", "$$");
        outcome(&hook).unwrap();
        let mut hook = shell("test \"$A\" = b && test -z \"$HOME\"", None);
        hook.env.clear();
        let own = ["A=b".to_owned()];
        run_all("startContainer", &[hook.clone()], &state(), Some(&own)).unwrap();
        hook.args[2] = "test -n \"$PATH\"".to_owned();
        outcome(&hook).unwrap();
    }

    #[test]
    fn failures_say_why() {
        let message = |hook: &Hook| outcome(hook).unwrap_err();
        assert!(message(&shell("echo no luck >&2; exit 3", None)).contains("exit code 3 no luck"));
        assert!(message(&shell("kill -9 $$", None)).contains("signal 9"));
        let missing = Hook {
            path: "/no/such".into(),
            ..Hook::default()
        };
        assert!(message(&missing).contains("prestart hook /no/such: No such file"));
    }

    /// All of it, not the shell alone: what it left behind goes, too.
    #[test]
    fn a_hook_that_takes_too_long_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let started = std::time::Instant::now();
        let said = outcome(&shell(&script, Some(1))).unwrap_err();
        assert!(said.contains("timeout: no end after 1 s"), "{said}");
        assert!(started.elapsed().as_secs() < 10);
        let child: i32 = std::fs::read_to_string(file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        testkit::eventually("the child's end", || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }

    #[test]
    fn a_hook_that_left_its_group_is_killed_all_the_same() {
        let script = "exec perl -e 'setpgrp(0, getpgrp(getppid())); sleep 1000'";
        let said = outcome(&shell(script, Some(1))).unwrap_err();
        assert!(said.contains("timeout: no end after 1 s"), "{said}");
    }

    /// More than a pipe holds, in both directions.
    #[test]
    fn nobody_waits_for_a_hook_that_does_not_read_or_says_too_much() {
        let mut large = state();
        large.annotations.insert("x".into(), "y".repeat(1 << 20));
        run_all("prestart", &[shell("exit 0", Some(20))], &large, None).unwrap();
        let script = "head -c 300000 /dev/zero | tr '\\0' x; echo the end; exit 1";
        let said = outcome(&shell(script, Some(20))).unwrap_err();
        assert!(
            said.ends_with("xxx\nthe end") || said.ends_with("xxxthe end"),
            "{said}"
        );
        assert!(said.len() < 2 * LAST_WORDS);
    }

    /// Source: config.md "POSIX-platform Hooks": `path` MUST be absolute, `timeout` MUST be greater than zero.
    #[test]
    fn hooks_are_checked_beforehand() {
        let with = |hook: Hook| {
            let hooks = berth_oci::spec::Hooks {
                poststop: vec![hook],
                ..Default::default()
            };
            check(&Spec {
                hooks: Some(hooks),
                ..Spec::default()
            })
        };
        with(shell("", Some(1))).unwrap();
        with(shell("", Some(0))).unwrap_err();
        let relative = Hook {
            path: "bin/sh".into(),
            ..Hook::default()
        };
        let said = with(relative).unwrap_err().to_string();
        assert!(said.contains("hooks.poststop: the path `bin/sh`"), "{said}");
        with(shell("a\0b", None)).unwrap_err();
    }
}
