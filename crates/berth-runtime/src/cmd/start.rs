//! `start`: lets a created container run its program.

use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, poll};

use berth_cgroup::Cgroup;

use super::args::{Args, unknown};
use super::{Global, delete};
use crate::error::{Error, Result};
use crate::hooks;
use crate::state::Status;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let id = args.only_operand("the container's id")?;
    let dir = global.root.find(&id)?;
    let (record, status) = dir.known("start")?;
    if status != Status::Created {
        return Err(Error::WrongState {
            verb: "start",
            id,
            status: status.word(),
        });
    }
    let fifo = dir.release_init()?;
    // Until the program runs: a signal sent after `start` finds it, not the runtime.
    let mut wanted = [PollFd::from_borrowed_fd(fifo.as_fd(), PollFlags::empty())];
    rustix::io::retry_on_intr(|| poll(&mut wanted, None)).map_err(|errno| Error::Step {
        action: "wait for the program",
        source: errno.into(),
    })?;
    let spec = dir.spec()?;
    if let Some(all) = spec.hooks.as_ref().filter(|all| !all.poststart.is_empty()) {
        let state = hooks::state_of(&spec, &id, &record.bundle, "running", Some(record.pid));
        hooks::run_all("poststart", &all.poststart, &state)?;
    }
    Ok(0)
}
