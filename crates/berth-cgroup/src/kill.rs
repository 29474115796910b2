//! Kills every process of a cgroup, forks included.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::Cgroup;
use crate::dir::Dir;
use crate::error::{Error, Result};

/// Rounds of the v1 way: each catches what was forked in the one before.
const V1_ROUNDS: usize = 50;

impl Cgroup {
    /// Sends SIGKILL to all processes in the cgroup and below it, so that none escapes by
    /// forking. Does not wait for them to be gone. Frozen processes are thawed to die.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&self) -> Result<()> {
        if let Some(dir) = self.unified() {
            // Linux 5.14. The kernel also wakes what it froze itself (v2).
            match dir.try_write("cgroup.kill", "1") {
                Ok(()) => {
                    // A v1 freezer knows nothing of cgroup.kill: SIGKILL pends while FROZEN.
                    return self.thaw_v1();
                }
                Err(Errno::NODEV) => return Ok(()),
                Err(Errno::NOENT) => {}
                Err(source) => return Err(dir.refused("cgroup.kill", "1", source)),
            }
        }
        self.kill_by_signals()
    }

    /// Without cgroup.kill: freeze so that nothing forks, signal each, thaw so that they die.
    fn kill_by_signals(&self) -> Result<()> {
        for round in 0..V1_ROUNDS {
            // Freezing is a help, not a need: without a freezer the rounds do it.
            let _ = self.freeze();
            let pids = self.procs()?;
            for pid in &pids {
                if let Some(pid) = Pid::from_raw(*pid) {
                    // ESRCH: it was faster. A pid cannot have been reused by an outsider while
                    // it is listed in the cgroup; the window after that is why v2 is preferred.
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
            }
            let _ = self.thaw();
            if pids.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(if round < 10 { 1 } else { 20 }));
        }
        match self.dirs.first() {
            Some(dir) if !self.procs()?.is_empty() => Err(Error::KillAll {
                path: dir.path.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Adds the pids in `dir` and all its descendants.
pub(crate) fn collect(dir: &Dir, pids: &mut Vec<i32>) -> Result<()> {
    match dir.try_read("cgroup.procs") {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
        // Removed under our hands, or a threaded cgroup, whose processes its parent lists.
        Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => {}
        Err(source) => {
            return Err(Error::ReadFile {
                path: dir.path.join("cgroup.procs"),
                source,
            });
        }
    }
    for name in dir.children()? {
        match dir.child(&name) {
            Ok(child) => collect(&child, pids)?,
            Err(Error::OpenDir {
                source: Errno::NOENT,
                ..
            }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
