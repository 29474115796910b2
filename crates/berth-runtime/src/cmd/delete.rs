//! `delete`: removes a stopped container's cgroups and state; with `-f` kills it first.

use std::path::Path;
use std::time::Duration;

use berth_cgroup::Cgroup;
use berth_cgroup::systemd::Unit;
use berth_oci::spec::Spec;
use berth_sys::signals;

use super::args::{Args, unknown};
use super::{Global, log, wrong_state};
use crate::error::{Error, Result, step};
use crate::place::session;
use crate::state::{Dir, Record, Status};
use crate::{hooks, pid};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let mut force = false;
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-f" | "--force" => force = args.flag()?,
            other => return Err(unknown(other)),
        }
    }
    let id = args.only_operand("the container's id")?;
    let dir = match global.root.find(&id) {
        Err(Error::NoContainer { .. }) if force => return Ok(0),
        other => other?,
    };
    let Some(record) = dir.load()? else {
        return if force {
            dir.claim().undo()?;
            dir.remove().map(|()| 0)
        } else {
            Err(wrong_state("delete", &id, Status::Creating))
        };
    };
    let mut status = dir.status(Some(&record))?;
    if status == Status::Running && !force && has_ended(&record)? {
        status = Status::Stopped;
    }
    // What is in their place by now is another container's, and its processes.
    let (cgroup, unit) = match record.cgroup()? {
        Some(cgroup) => (cgroup, record.unit.as_ref()),
        None => (Cgroup::default(), None),
    };
    if status != Status::Stopped {
        // As other runtimes: what never ran may go without force.
        if !force && status != Status::Created {
            return Err(wrong_state("delete", &id, status));
        }
        kill(&record, &cgroup)?;
    }
    let spec = dir.spec()?;
    clean_up(dir, &spec, &record.bundle, &cgroup, unit)?;
    Ok(0)
}

/// Whether init ends right now: whoever has seen the program's last deed may be faster than its exit.
fn has_ended(record: &Record) -> Result<bool> {
    let Some(init) = pid::open(record.pid, record.start_time)? else {
        return Ok(true);
    };
    pid::ends_within(&init, Duration::from_millis(50))
        .map_err(|e| step("wait for the container's end", e))
}

/// Kills init and all others, and waits until init has ended.
///
/// # Errors
/// [`Error::Cgroup`], [`Error::Step`].
pub(super) fn kill(record: &Record, cgroup: &Cgroup) -> Result<()> {
    if let Some(init) = pid::open(record.pid, record.start_time)? {
        let _ = signals::send(&init, signals::KILL);
        cgroup.kill()?;
        pid::ends_within(&init, Duration::from_secs(10))
            .map_err(|e| step("wait for the container's end", e))?;
    }
    Ok(())
}

/// Removes what is left of a container whose init has ended, and runs its `poststop` hooks.
///
/// # Errors
/// The first that failed; the others are tried all the same.
pub(super) fn clean_up(
    dir: Dir,
    spec: &Spec,
    bundle: &Path,
    cgroup: &Cgroup,
    unit: Option<&Unit>,
) -> Result<()> {
    let state = hooks::state_of(spec, dir.id(), bundle, Status::Stopped.word(), None);
    // Without a pid namespace of its own, processes outlive init.
    let cgroup = cgroup.kill().and_then(|()| {
        // systemd kills again, patiently: only what is dead goes quickly.
        let stopped = unit.map_or(Ok(()), |unit| unit.stop(&session()));
        cgroup.remove().and(stopped)
    });
    let rdt = match spec.linux.as_ref().and_then(|l| l.intel_rdt.as_ref()) {
        Some(_) => dir.load()?.and_then(|record| record.rdt),
        None => None,
    };
    let rdt = rdt.map_or(Ok(()), |group| group.remove());
    log::debug(format_args!("{} is removed", dir.id()));
    let removed = dir.remove();
    hooks::run_poststop(spec, &state);
    cgroup?;
    rdt?;
    removed
}
