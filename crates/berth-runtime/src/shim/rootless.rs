//! Rootless: becoming root of a user namespace that maps the user's subordinate ids.
//!
//! A process cannot write its own maps with more ids than its own: a child made beforehand stays
//! outside and has `newuidmap` and `newgidmap` write them.

use std::io;
use std::os::fd::OwnedFd;

use berth_sys::process::{CloneOptions, Forked, clone3, exit_now, namespace, unshare};
use berth_sys::userns::{self, IdMap};
use rustix::fs::{Gid, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::{Error, Result};

/// Moves this process into a new user and mount namespace, as its root; root stays where it is.
///
/// # Errors
/// [`Error::NoSubordinateIds`], [`Error::IdMaps`], [`Error::Clone`].
pub fn become_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let own = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    let uids = map("/etc/subuid", own.0, own.0)?;
    let gids = map("/etc/subgid", own.0, own.1)?;
    let failed = |source: io::Error| Error::IdMaps { source };
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()));
    let (go, go_writer) = pipe()?;
    let (answer, answer_writer) = pipe()?;
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let helper = match clone3(CloneOptions::default()).map_err(|source| Error::Clone { source })? {
        Forked::Child => {
            drop((go_writer, answer));
            exit_now(write_maps(this, &uids, &gids, &go, &answer_writer))
        }
        Forked::Parent(child) => child,
    };
    drop((go, answer_writer));
    // Mounts can be made only in a mount namespace that belongs to the user namespace. What the host
    // mounts and unmounts later is seen here too: such a namespace is the host's slave.
    let unshared =
        unshare(namespace::USER | namespace::MOUNT).map_err(|source| Error::Clone { source });
    if unshared.is_ok() {
        // The helper is gone only if it was killed: its missing answer tells.
        let _ = rustix::io::write(&go_writer, b"!");
    }
    drop(go_writer);
    let mut said = String::new();
    let read = io::Read::read_to_string(&mut std::fs::File::from(answer), &mut said);
    let _ = waitpid(Pid::from_raw(helper.pid), WaitOptions::empty());
    unshared?;
    read.map_err(failed)?;
    match said.split_once(':') {
        Some(("ok", "")) => {}
        Some(("missing", what)) => {
            return Err(failed(io::Error::new(
                io::ErrorKind::NotFound,
                what.to_owned(),
            )));
        }
        Some((_, what)) => return Err(failed(io::Error::other(what.to_owned()))),
        None => return Err(failed(io::Error::other("the helper died"))),
    }
    take_ids().map_err(|error| failed(error.into()))
}

/// The map for a file of subordinate ids.
fn map(file: &'static str, user: u32, own: u32) -> Result<Vec<IdMap>> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let ranges = userns::sub_ranges(&text, user, userns::user_name(&passwd, user));
    if ranges.is_empty() {
        return Err(Error::NoSubordinateIds { file, user });
    }
    Ok(userns::rootless_map(own, &ranges))
}

/// The helper: waits until the namespace is there, writes its maps, and answers.
fn write_maps(pid: i32, uids: &[IdMap], gids: &[IdMap], go: &OwnedFd, answer: &OwnedFd) -> i32 {
    if rustix::io::read(go, &mut [0]) != Ok(1) {
        return 1;
    }
    let text = match userns::write_maps_by_helpers(pid, uids, gids) {
        Ok(()) => "ok:".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("missing:{error}"),
        Err(error) => format!("failed:{error}"),
    };
    i32::from(berth_fs::atomic::write_all(answer, text.as_bytes()).is_err())
}

/// Becomes uid 0 and gid 0 of the namespace, without the caller's other groups.
fn take_ids() -> std::result::Result<(), rustix::io::Errno> {
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}
