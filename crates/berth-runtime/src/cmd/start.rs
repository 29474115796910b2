//! `start`: lets a created container run its program.

use berth_cgroup::Cgroup;

use super::args::{Args, unknown};
use super::{Global, delete, notify, wrong_state};
use crate::error::{Error, Result};
use crate::state::{Released, Status};
use crate::{hooks, pid};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let id = args.only_operand("the container's id")?;
    let dir = global.root.find(&id)?;
    let wrong = |status| wrong_state("start", &id, status);
    let record = dir.load()?.ok_or_else(|| wrong(Status::Creating))?;
    let spec = dir.spec()?;
    let notify = notify::listen(&dir)?;
    // Until the program runs: a signal sent after `start` finds it, not the runtime.
    match dir.release_init().and_then(Released::wait_for_exec) {
        // Whether it may be started shows in the attempt: the usual one is spared a look beforehand.
        Err(Error::WrongState { .. }) => return Err(wrong(dir.status(Some(&record))?)),
        other => other?,
    }
    if let Some(all) = spec.hooks.as_ref().filter(|all| !all.poststart.is_empty()) {
        let state = hooks::state_of(&spec, &id, &record.bundle, "running", Some(record.pid));
        if let Err(error) = hooks::run_all("poststart", &all.poststart, &state, None) {
            // Source: runtime.md "Lifecycle", 9. The rest of it is for `delete`.
            if let Ok(cgroup) = Cgroup::open(&record.cgroups) {
                let _ = delete::kill(&record, &cgroup);
            }
            return Err(error);
        }
    }
    if let Some(notify) = notify
        && let Some(init) = pid::open(record.pid, record.start_time)?
    {
        notify.pass_on(&init, record.pid);
    }
    Ok(0)
}
