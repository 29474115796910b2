//! `exec`: a further process in a running container, of this runtime's state root or of a task
//! directory of the engine (`--task`).

use std::path::{Path, PathBuf};

use berth_cgroup::systemd::Unit;
use berth_model::task::Pid;
use berth_oci::spec::{Capabilities, Linux, Process, Spec};
use berth_sys::signals;
use rustix::fs::{Mode, OFlags};

use super::args::{Args, unknown, usage};
use super::create::check_open;
use super::run::{follow, listen};
use super::{Global, log, sub_cgroup, terminal, write_pid_file};
use crate::error::{Result, step};
use crate::exec::{Executed, Target, exec};
use crate::process::Stdio;
use crate::{bundle, launch};

const FORWARDED: [i32; 6] = [1, 2, 3, 10, 12, 15];

#[derive(Debug, Default)]
struct Options {
    process: Option<PathBuf>,
    task: Option<PathBuf>,
    cwd: Option<String>,
    env: Vec<String>,
    tty: bool,
    user: Option<(u32, Option<u32>)>,
    groups: Vec<u32>,
    caps: Vec<String>,
    no_new_privileges: Option<bool>,
    selinux_label: Option<String>,
    apparmor_profile: Option<String>,
    detach: bool,
    pid_file: Option<PathBuf>,
    console_socket: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    preserve_fds: u32,
    sub_cgroups: Vec<String>,
    ignore_paused: bool,
}

/// What is known of the container.
struct Container {
    id: String,
    pid: i32,
    start_time: u64,
    cgroups: Vec<PathBuf>,
    unit: Option<Unit>,
    no_new_keyring: bool,
    bundle: PathBuf,
    spec: Spec,
}

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let options = parse(&mut args)?;
    let container = match &options.task {
        Some(dir) => of_task(dir)?,
        None => of_state(global, &args.operand("the container's id")?)?,
    };
    let process = process(&options, &container.spec, args.rest())?;
    if options.console_socket.is_some() && !process.terminal {
        return Err(usage("--console-socket needs a terminal".into()));
    }
    let loses_terminal = options.detach && process.terminal && options.console_socket.is_none();
    if loses_terminal && options.task.is_none() {
        return Err(usage(
            "a detached process with a terminal needs --console-socket".into(),
        ));
    }
    check_open(options.preserve_fds)?;
    let none = Linux::default();
    let cgroups = match options.sub_cgroups.as_slice() {
        [] => container.cgroups,
        below => sub_cgroup::paths(&container.cgroups, below)?,
    };
    let target = Target {
        id: &container.id,
        pid: container.pid,
        start_time: container.start_time,
        cgroups: &cgroups,
        unit: container.unit.as_ref(),
        spec: &container.spec,
        linux: container.spec.linux.as_ref().unwrap_or(&none),
        bundle: &container.bundle,
        even_paused: options.ignore_paused,
        no_new_keyring: container.no_new_keyring,
    };
    let signals = listen(&FORWARDED)?;
    let stdio = match &options.task {
        _ if process.terminal => Stdio::Terminal,
        // The engine reads what we say to its end, and that is not the process's.
        Some(_) if options.detach => nothing()?,
        _ => Stdio::Inherit,
    };
    let mut executed = exec(&target, &process, stdio, None, options.preserve_fds)?;
    log::debug(format_args!("the process is {}", executed.pid));
    if let Err(error) = hand_out(&options, &mut executed) {
        let _ = signals::send(&executed.pidfd, signals::KILL);
        let _ = launch::wait(&executed.pidfd);
        return Err(error);
    }
    if options.detach {
        return Ok(0);
    }
    follow(&executed.pidfd, &signals, executed.terminal.take())?;
    launch::wait(&executed.pidfd)
}

fn nothing() -> Result<Stdio> {
    let null = || {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::open("/dev/null", flags, Mode::empty()).map_err(|e| step("open /dev/null", e))
    };
    Ok(Stdio::Fds {
        stdin: null()?,
        stdout: null()?,
        stderr: null()?,
    })
}

fn hand_out(options: &Options, executed: &mut Executed) -> Result<()> {
    if let Some(socket) = &options.console_socket
        && let Some(master) = executed.terminal.take()
    {
        terminal::send(socket, &master)?;
    }
    if let Some(socket) = &options.pidfd_socket {
        terminal::send_pidfd(socket, &executed.pidfd)?;
    }
    match &options.pid_file {
        Some(path) => write_pid_file(path, executed.pid),
        None => Ok(()),
    }
}

fn parse(args: &mut Args) -> Result<Options> {
    let mut options = Options::default();
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-p" | "--process" => options.process = Some(args.value()?.into()),
            "--task" => options.task = Some(args.value()?.into()),
            "--cwd" => options.cwd = Some(args.value()?),
            "-e" | "--env" => options.env.push(args.value()?),
            "-t" | "--tty" => options.tty = args.flag()?,
            "-u" | "--user" => options.user = Some(user(&args.value()?)?),
            "-g" | "--additional-gids" => options.groups.push(args.number()?),
            "-c" | "--cap" => options.caps.push(args.value()?),
            "--no-new-privs" => options.no_new_privileges = Some(args.flag()?),
            "--process-label" => options.selinux_label = Some(args.value()?),
            "--apparmor" => options.apparmor_profile = Some(args.value()?),
            "--cgroup" => options.sub_cgroups.push(args.value()?),
            "--ignore-paused" => options.ignore_paused = args.flag()?,
            "-d" | "--detach" => options.detach = args.flag()?,
            "--pid-file" => options.pid_file = Some(args.value()?.into()),
            "--console-socket" => options.console_socket = Some(args.value()?.into()),
            "--pidfd-socket" => options.pidfd_socket = Some(args.value()?.into()),
            "--preserve-fds" => options.preserve_fds = args.number()?,
            other => return Err(unknown(other)),
        }
    }
    Ok(options)
}

/// `UID[:GID]`, numbers only: names are resolved by the engine, from the image.
fn user(text: &str) -> Result<(u32, Option<u32>)> {
    let (uid, gid) = text
        .split_once(':')
        .map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    // `+5` and the like parse as numbers; they name nobody.
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let number = |t: &str| t.parse().ok().filter(|_| digits(t));
    let wrong = || usage(format!("`{text}` is not UID[:GID]"));
    Ok((
        number(uid).ok_or_else(wrong)?,
        gid.map(|gid| number(gid).ok_or_else(wrong)).transpose()?,
    ))
}

fn of_state(global: &Global, id: &str) -> Result<Container> {
    let dir = global.root.find(id)?;
    let (record, _) = dir.known("exec in")?;
    Ok(Container {
        id: record.id,
        pid: record.pid,
        start_time: record.start_time,
        cgroups: record.cgroups,
        unit: record.unit,
        no_new_keyring: record.no_new_keyring,
        bundle: record.bundle,
        spec: dir.spec()?,
    })
}

fn of_task(dir: &Path) -> Result<Container> {
    let pid: Pid = bundle::read_json(&dir.join("pid.json"))?;
    Ok(Container {
        id: dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        pid: pid.pid,
        start_time: pid.start_time,
        cgroups: pid.cgroups,
        unit: None,
        no_new_keyring: false,
        spec: bundle::load(&dir.join("bundle"))?,
        bundle: dir.join("bundle"),
    })
}

/// The process to start: a file's, or the container's own with the options laid over it.
fn process(options: &Options, spec: &Spec, command: Vec<String>) -> Result<Process> {
    if let Some(path) = &options.process {
        if !command.is_empty() {
            return Err(usage("either --process or a command".into()));
        }
        return bundle::load_process(path);
    }
    if command.is_empty() {
        return Err(usage(
            "the command is missing: exec args cannot be empty".into(),
        ));
    }
    let mut process = spec.process.clone().unwrap_or_default();
    process.args = command;
    process.terminal = options.tty;
    process.console_size = None;
    if let Some(on) = options.no_new_privileges {
        process.no_new_privileges = on;
    }
    for (given, place) in [
        (&options.selinux_label, &mut process.selinux_label),
        (&options.apparmor_profile, &mut process.apparmor_profile),
    ] {
        if given.as_ref().is_some_and(|label| !label.is_empty()) {
            place.clone_from(given);
        }
    }
    for pair in &options.env {
        let name = format!("{}=", pair.split('=').next().unwrap_or_default());
        process.env.retain(|old| !old.starts_with(&name));
        process.env.push(pair.clone());
    }
    if let Some(cwd) = &options.cwd {
        process.cwd.clone_from(cwd);
    }
    if let Some((uid, gid)) = options.user {
        process.user.uid = uid;
        // The groups stay the container's, as with other runtimes.
        process.user.gid = gid.unwrap_or(process.user.gid);
        if uid != 0 {
            // R6: another user than root has only what is asked for.
            if let Some(caps) = &mut process.capabilities {
                caps.effective.clear();
                caps.permitted.clear();
                caps.ambient.clear();
                caps.inheritable.clear();
            }
        }
    }
    process.user.additional_gids.extend(&options.groups);
    if !options.caps.is_empty() {
        let caps = process
            .capabilities
            .get_or_insert_with(Capabilities::default);
        for set in [&mut caps.bounding, &mut caps.effective, &mut caps.permitted] {
            set.extend(options.caps.iter().cloned());
        }
        // Ambient ones are inheritable: without any of those in the container's own, none can be.
        if !caps.inheritable.is_empty() {
            caps.ambient.extend(options.caps.iter().cloned());
        }
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R20, R8: digits or an error.
    #[test]
    fn users_are_numbers() {
        assert_eq!(user("5").unwrap(), (5, None));
        assert_eq!(user("5:6").unwrap(), (5, Some(6)));
        for bad in [
            "",
            "root",
            "-1",
            "+1",
            "4294967296",
            "1:",
            ":1",
            "1:x",
            "1 ",
        ] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_lie_over_the_containers_process() {
        let mut spec = Spec::default();
        let caps = Capabilities {
            effective: vec!["CAP_CHOWN".into()],
            ..Capabilities::default()
        };
        spec.process = Some(Process {
            env: vec!["A=1".into(), "AB=2".into()],
            cwd: "/x".into(),
            terminal: true,
            capabilities: Some(caps),
            ..Process::default()
        });
        let options = Options {
            env: vec!["A=3".into()],
            user: Some((9, None)),
            ..Options::default()
        };
        let made = process(&options, &spec, vec!["ls".into()]).unwrap();
        assert_eq!(made.env, ["AB=2", "A=3"]);
        assert_eq!(
            (made.user.uid, made.cwd.as_str(), made.terminal),
            (9, "/x", false)
        );
        assert!(made.capabilities.unwrap().effective.is_empty());
        assert!(process(&options, &spec, Vec::new()).is_err());
    }
}
