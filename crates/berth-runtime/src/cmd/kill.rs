//! `kill`: sends a signal to init, through a pidfd that only init can be behind (security: R28).

use berth_cgroup::Cgroup;
use berth_oci::spec::{NamespaceKind, Spec};
use berth_sys::signals;

use super::args::{Args, unknown, usage};
use super::{Global, log, wrong_state};
use crate::error::{Result, step};
use crate::pid;
use crate::state::Status;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut all = false;
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-a" | "--all" => all = args.flag()?,
            other => return Err(unknown(other)),
        }
    }
    let id = args.operand("the container's id")?;
    let name = args.next_operand().unwrap_or_else(|| "TERM".to_owned());
    args.end()?;
    // 0 only asks whether it is there.
    let number = match name.as_str() {
        "0" => 0,
        name => berth_model::signal::parse(name).map_err(usage)?,
    };
    let dir = global.root.find(&id)?;
    let (record, status) = dir.known("kill")?;
    if all {
        let cgroup = record.cgroup()?.unwrap_or_default();
        return to_all(&cgroup, number).map(|()| 0);
    }
    let stopped = || wrong_state("kill", &id, Status::Stopped);
    if status == Status::Stopped {
        return Err(stopped());
    }
    let init = pid::open(record.pid, record.start_time)?.ok_or_else(stopped)?;
    signals::send(&init, number).map_err(|errno| match errno {
        rustix::io::Errno::SRCH => stopped(),
        errno => step("signal the container", errno),
    })?;
    log::debug(format_args!("init has the signal {number}"));
    if number == signals::KILL {
        // A frozen v1 cgroup keeps even SIGKILL waiting.
        if status == Status::Paused {
            Cgroup::open(&record.cgroups)?.thaw()?;
        }
        // With a pid namespace of its own, all end with init.
        if !owns_pids(&dir.spec()?) {
            Cgroup::open(&record.cgroups)?.kill()?;
        }
    }
    Ok(0)
}

fn owns_pids(spec: &Spec) -> bool {
    let linux = spec.linux.as_ref();
    linux.is_some_and(|linux| linux.makes(NamespaceKind::Pid))
}

fn to_all(cgroup: &Cgroup, number: i32) -> Result<()> {
    if number == signals::KILL {
        return Ok(cgroup.kill()?);
    }
    for pid in cgroup.procs()? {
        let Some(pid) = rustix::process::Pid::from_raw(pid) else {
            continue;
        };
        let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        else {
            continue;
        };
        // Still in the cgroup after it is held: it is the one that was listed, or another of the same.
        if cgroup.procs()?.contains(&pid.as_raw_nonzero().get()) {
            let _ = signals::send(&pidfd, number);
        }
    }
    Ok(())
}
