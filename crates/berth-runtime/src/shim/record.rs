//! `pid.json`: the container's init as the host sees it, there before init runs its program.

use std::fs;
use std::io;
use std::path::Path;

use berth_fs::Durability;
use berth_model::task::Pid;

use crate::error::{Error, Result};
use crate::json;
use crate::launch::Created;
use crate::state::now;

const NAME: &str = "pid.json";

/// Records the container. Not durable: a reboot ends it anyway, and clears the directory.
///
/// # Errors
/// [`Error::WriteFile`].
pub fn write(task_dir: &Path, created: &Created) -> Result<Pid> {
    let pid = Pid {
        pid: created.pid,
        start_time: created.start_time,
        shim_pid: rustix::process::getpid().as_raw_nonzero().get(),
        started_at: now(),
        cgroups: created.cgroup().paths(),
    };
    let path = task_dir.join(NAME);
    let fail = |source: io::Error| Error::WriteFile {
        path: path.clone(),
        source,
    };
    let text = json::write(&pid).map_err(|error| fail(error.into()))?;
    berth_fs::atomic_write(&path, &text, Durability::Volatile).map_err(|e| fail(e.into()))?;
    Ok(pid)
}

/// Removes the record: the container never ran.
pub fn remove(task_dir: &Path) {
    let _ = fs::remove_file(task_dir.join(NAME));
}
