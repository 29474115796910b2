//! Removes a container's cgroup directories, nested ones first.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::Cgroup;
use crate::dir::Dir;
use crate::error::{Error, Result};

/// How long killed processes may take to leave: the kernel tears their memory down first.
const TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

impl Cgroup {
    /// Removes the directories in all hierarchies; those that are gone already are fine. Waits a
    /// few seconds for dying processes to leave; living ones must have been killed before.
    ///
    /// # Errors
    /// The first refusal; the other hierarchies are cleaned nevertheless.
    pub fn remove(&self) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        let mut first = Ok(());
        for dir in &self.dirs {
            let result = remove_patiently(dir, deadline);
            if first.is_ok() {
                first = result;
            }
        }
        first
    }
}

fn remove_patiently(dir: &Dir, deadline: Instant) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        match remove_empty(dir) {
            Err(Error::RemoveDir {
                source: Errno::BUSY,
                ..
            }) if Instant::now() < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

/// Removes one directory and what is below it, without waiting.
pub(crate) fn remove_empty(dir: &Dir) -> Result<()> {
    match remove_self(dir) {
        // Only a directory with children or processes is busy: look for children then, not before.
        Err(Error::RemoveDir {
            source: Errno::BUSY,
            ..
        }) => {
            for name in dir.children()? {
                match dir.child(&name) {
                    Ok(child) => remove_empty(&child)?,
                    Err(Error::OpenDir {
                        source: Errno::NOENT,
                        ..
                    }) => {}
                    Err(other) => return Err(other),
                }
            }
            remove_self(dir)
        }
        other => other,
    }
}

fn remove_self(dir: &Dir) -> Result<()> {
    match rustix::fs::rmdir(&dir.path) {
        Ok(()) | Err(Errno::NOENT | Errno::NODEV) => Ok(()),
        Err(source) => Err(Error::RemoveDir {
            path: dir.path.clone(),
            source,
        }),
    }
}
