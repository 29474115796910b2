//! `pause` and `resume`: freezes and thaws all processes of a container.

use berth_cgroup::Cgroup;

use super::args::{Args, unknown};
use super::{Global, wrong_state};
use crate::error::Result;
use crate::state::Status;

pub(super) fn main(global: &Global, mut args: Args, freeze: bool) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let id = args.only_operand("the container's id")?;
    let verb = if freeze { "pause" } else { "resume" };
    let (record, status) = global.root.find(&id)?.known(verb)?;
    let right = if freeze {
        matches!(status, Status::Running | Status::Created)
    } else {
        status == Status::Paused
    };
    if !right {
        return Err(wrong_state(verb, &id, status));
    }
    let cgroup = Cgroup::open(&record.cgroups)?;
    if freeze {
        cgroup.freeze()?;
    } else {
        cgroup.thaw()?;
    }
    Ok(0)
}
