//! `unshare`: runs a command as root of a new user and mount namespace in which the caller is uid 0 and
//! his subordinate ids follow. The primitive of all rootless work.
//!
//! A real root has nothing to gain from it and gets its command run as it is, in a new mount namespace.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use berth_sys::mount::{Change, Propagation, set_at};
use berth_sys::process::{namespace, unshare};
use rustix::fs::CWD;

use super::args::{Args, unknown, usage};
use crate::error::{Error, Result};
use crate::shim::rootless;

pub(super) fn main(mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let command = args.rest();
    let Some((program, rest)) = command.split_first() else {
        return Err(usage("the command is missing".to_owned()));
    };
    if rustix::process::geteuid().is_root() {
        unshare(namespace::MOUNT).map_err(|source| Error::Clone { source })?;
        let slave = Change::to(Propagation::Slave, true);
        set_at(CWD, c"/", &slave).map_err(|source| Error::Rootfs {
            action: "set the propagation of /",
            source,
        })?;
    } else {
        // In a mount namespace that is the host's slave already.
        rootless::become_root()?;
    }
    let source = Command::new(program).args(rest).exec();
    Err(match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            program: program.clone(),
            place: ": no such file or directory",
        },
        _ => Error::Exec {
            program: program.clone(),
            source,
        },
    })
}
