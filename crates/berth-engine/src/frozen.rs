//! A container that stands still for a moment: whoever wants that may die at any point, and it runs on all the same.
//!
//! A guard (`berth internal thaw ID`) is started first. It waits for the end of a pipe that only its parent holds, then
//! thaws, and this is the one way that it is done: an ordinary end is a death, too.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use berth_model::ContainerId;

use crate::{Engine, Error};

/// What the guard writes once it is ready.
const READY: &[u8] = b"ready\n";

/// Keeps a container frozen until it is dropped.
pub(crate) struct Frozen<'e> {
    engine: &'e Engine,
    id: ContainerId,
    guard: Child,
    pipe: Option<ChildStdin>,
}

impl Engine {
    /// Freezes a running container.
    ///
    /// # Errors
    /// As [`Engine::pause`]; [`Error::Helper`].
    pub(crate) fn freeze(&self, id: &ContainerId) -> Result<Frozen<'_>, Error> {
        let helper = |source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        };
        let mut command = Command::new(&self.options.berth);
        command
            .arg("--root")
            .arg(self.layout.root())
            .arg("--run-dir")
            .arg(self.layout.run_dir())
            .args(["internal", "thaw", id.as_str()]);
        // In a group of its own: an interrupt from the terminal is not for it.
        let mut guard = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(helper)?;
        let mut ready = Vec::new();
        if let Some(stdout) = guard.stdout.take() {
            stdout
                .take(READY.len() as u64)
                .read_to_end(&mut ready)
                .map_err(helper)?;
        }
        let frozen = Frozen {
            engine: self,
            id: id.clone(),
            pipe: guard.stdin.take(),
            guard,
        };
        if ready != READY {
            return Err(helper(std::io::Error::other("it did not get ready")));
        }
        self.pause(id)?;
        Ok(frozen)
    }

    /// The guard: says that it is ready, waits for the end of `input`, and thaws the container.
    ///
    /// # Errors
    /// As [`Engine::unpause`], but that it runs (or does not) is fine.
    pub fn thaw_at_end(
        &self,
        id: &ContainerId,
        mut input: impl Read,
        mut output: impl Write,
    ) -> Result<(), Error> {
        let report = |source| Error::Io {
            action: "wait for the end of",
            path: "/dev/stdin".into(),
            source,
        };
        output
            .write_all(READY)
            .and_then(|()| output.flush())
            .map_err(report)?;
        std::io::copy(&mut input, &mut std::io::sink()).map_err(report)?;
        match self.unpause(id) {
            Err(Error::WrongState { .. } | Error::NoContainer { .. }) => Ok(()),
            done => done,
        }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let thawed = self.guard.wait().is_ok_and(|status| status.success());
        if !thawed {
            // Somebody has killed the guard; that it may run already is fine.
            let _ = self.engine.unpause(&self.id);
        }
    }
}
