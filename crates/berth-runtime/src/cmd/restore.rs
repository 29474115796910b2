//! `restore`: starts a container from an image directory that `checkpoint` wrote, through CRIU; in the foreground
//! it waits, passes signals on and removes the container, as `run` does.

use std::path::Path;

use berth_oci::spec::{Linux, Spec};

use super::args::{Args, unknown};
use super::create::Options;
use super::run::{FORWARDED, follow, listen};
use super::{Global, checkpoint, delete, terminal, write_pid_file};
use crate::criu::Given;
use crate::criu::restore::{self, Restored};
use crate::error::{Error, Result};
use crate::place::Place;
use crate::state::{Dir, Record, Status, now};
use crate::{hooks, launch};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (given, mut options, detach) = parse(&mut args)?;
    let id = args.only_operand("the container's id")?;
    checkpoint::need_root()?;
    let (bundle, spec) = options.load()?;
    options.wants_terminal(&spec, detach)?;
    let signals = (!detach).then(|| listen(&FORWARDED)).transpose()?;
    let dir = global.root.make(&id)?;
    let mut restored = match restored(global, &dir, &spec, &bundle, &given, &options) {
        Ok(made) => made,
        Err(error) => {
            let _ = dir.claim().undo();
            let _ = dir.remove();
            return Err(error);
        }
    };
    let Some(signals) = signals else {
        return Ok(0);
    };
    let code = follow(&restored.pidfd, &signals, restored.terminal.take());
    let waited = launch::wait(&restored.pidfd);
    delete::clean_up(
        dir,
        &spec,
        &bundle,
        &restored.cgroup,
        restored.unit.as_ref(),
    )?;
    code?;
    waited
}

fn parse(args: &mut Args) -> Result<(Given, Options, bool)> {
    let (mut given, mut options) = (checkpoint::defaults(), Options::default());
    let mut detach = false;
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-d" | "--detach" => detach = args.flag()?,
            // Orphans are the container's own to reap, and CRIU always pivots.
            "--no-subreaper" | "--no-pivot" => drop(args.flag()?),
            "-b" | "--bundle" | "--pid-file" | "--console-socket" => {
                options.take(&option, args)?;
            }
            "--lsm-profile" => given.lsm_profile = Some(args.value()?),
            "--lsm-mount-context" => given.lsm_mount_context = Some(args.value()?),
            other if checkpoint::take(&mut given, other, args)? => {}
            other => return Err(unknown(other)),
        }
    }
    Ok((given, options, detach))
}

/// Restores it; it is written down before it goes on.
fn restored(
    global: &Global,
    dir: &Dir,
    spec: &Spec,
    bundle: &Path,
    given: &Given,
    options: &Options,
) -> Result<Restored> {
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    if linux.intel_rdt.is_some() {
        return Err(Error::Unsupported {
            what: "restore with linux.intelRdt",
        });
    }
    let rootless = global.rootless.unwrap_or(false);
    let claim = Some(dir.claim());
    let place = Place::new(linux, dir.id(), global.systemd_cgroup, rootless, claim)?;
    let state = hooks::state_of(spec, dir.id(), bundle, Status::Creating.word(), None);
    restore::restore(spec, &state, &place, given, |restored| {
        if let (Some(socket), Some(master)) = (&options.console_socket, &restored.terminal) {
            terminal::send(socket, master)?;
        }
        dir.rewrite_spec(spec)?;
        dir.rewrite_record(&Record {
            id: dir.id().to_owned(),
            pid: restored.pid,
            start_time: restored.start_time,
            bundle: bundle.to_owned(),
            cgroups: restored.cgroup.paths(),
            cgroup_number: restored.cgroup.inode(),
            unit: restored.unit.clone(),
            created: now(),
            rdt: None,
            no_new_keyring: false,
        })?;
        match &options.pid_file {
            Some(path) => write_pid_file(path, restored.pid),
            None => Ok(()),
        }
    })
}
