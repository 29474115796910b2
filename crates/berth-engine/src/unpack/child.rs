//! One confined child.
//!
//! ```text
//! root      berth internal unpack REQUEST                              < blob > Outcome
//! rootless  berth-runtime unshare -- berth internal unpack REQUEST     < blob > Outcome
//! ```

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use berth_layer::child::{Outcome, Request, Unpacked};
use berth_oci::digest::Digest;

use super::{ChildOutput, UnpackError, UnpackOptions};
use crate::error::Chain;

/// More than any report is an attack or a bug.
const REPORT_BYTES: u64 = 1 << 20;

/// A child that unpacks.
pub(super) struct Unpacker<'a> {
    child: Child,
    /// Its standard output; what we write opens its gate.
    socket: UnixStream,
    program: String,
    diff_id: &'a Digest,
}

impl<'a> Unpacker<'a> {
    /// Starts it on a blob.
    pub(super) fn start(
        options: &UnpackOptions,
        request: &Request,
        blob: OwnedFd,
        diff_id: &'a Digest,
    ) -> Result<Unpacker<'a>, UnpackError> {
        let program = options.self_exe.display().to_string();
        let failed = |source| UnpackError::Child {
            program: program.clone(),
            source,
        };
        let request = serde_json::to_string(request).map_err(|error| failed(error.into()))?;
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let child = command(
            options,
            ["internal", "unpack", &request].map(OsString::from),
        )
        .stdin(blob)
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
        Ok(Unpacker {
            child,
            socket,
            program,
            diff_id,
        })
    }

    /// Tells it that the layers below are whole.
    pub(super) fn open_gate(&mut self) {
        // If it has ended, its report says why.
        let _ = self.socket.write_all(b"g");
    }

    /// Ends it: nobody wants its layer any more.
    pub(super) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its report.
    pub(super) fn report(mut self) -> Result<Unpacked, UnpackError> {
        let (report, complaint) = self.outputs();
        let status = self.child.wait().map_err(|source| UnpackError::Child {
            program: self.program,
            source,
        })?;
        let diff_id = self.diff_id.clone();
        match serde_json::from_slice(&report) {
            Ok(Outcome::Unpacked(unpacked)) if unpacked.diff_id == diff_id => Ok(unpacked),
            Ok(Outcome::Unpacked(unpacked)) => Err(UnpackError::WrongDiffId {
                expected: diff_id,
                found: unpacked.diff_id,
            }),
            Ok(Outcome::Failed(failure)) => Err(UnpackError::Layer {
                diff_id,
                kind: failure.kind,
                source: Chain::of(&failure.message, &failure.causes),
                hint: failure.hint,
            }),
            Err(_) => Err(UnpackError::Died {
                diff_id,
                status: status.to_string(),
                source: ChildOutput(String::from_utf8_lossy(&complaint).trim().to_owned()),
            }),
        }
    }

    /// Standard output and error. The child writes the second only in the few words of a panic, so that reading
    /// one after the other cannot block.
    fn outputs(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut report, mut complaint) = (Vec::new(), Vec::new());
        // What could not be read is missing from the report, which then is no report.
        let _ = (&self.socket).take(REPORT_BYTES).read_to_end(&mut report);
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(REPORT_BYTES).read_to_end(&mut complaint);
        }
        (report, complaint)
    }
}

/// `berth ARGS`, for a rootless engine inside the user namespace.
fn command(options: &UnpackOptions, args: [OsString; 3]) -> Command {
    let mut command = if options.rootless {
        // The environment stays: newuidmap and newgidmap are found by PATH.
        let mut command = Command::new(&options.runtime_exe);
        command.args(["unshare", "--"]).arg(&options.self_exe);
        command
    } else {
        let mut command = Command::new(&options.self_exe);
        command.env_clear();
        command
    };
    command.args(args).current_dir("/");
    command
}
