//! The seccomp filter of a process: compiled before it is made, installed by itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use berth_oci::spec::{Seccomp, State};
use berth_sys::seccomp::{self as sys, Insn};

use crate::error::{Error, Result, step};
use crate::sync::Sync;

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    program: Vec<Insn>,
    flags: u32,
    listener: bool,
}

impl Filter {
    /// Compiles a profile. An unknown word anywhere is an error: a filter with a hole is none
    /// (security: R25).
    ///
    /// # Errors
    /// [`Error::Seccomp`], [`Error::InvalidSpec`].
    pub fn compile(profile: &Seccomp) -> Result<Filter> {
        let mut flags = 0;
        for flag in &profile.flags {
            flags |= match flag.as_str() {
                "SECCOMP_FILTER_FLAG_LOG" => sys::FLAG_LOG,
                "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => sys::FLAG_SPEC_ALLOW,
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => sys::FLAG_WAIT_KILLABLE_RECV,
                // One thread: it would synchronise with nobody.
                "SECCOMP_FILTER_FLAG_TSYNC" => 0,
                other => {
                    return Err(Error::InvalidSpec {
                        reason: format!("seccomp flag `{other}` is not known"),
                    });
                }
            };
        }
        let compiled =
            berth_seccomp::compile(profile).map_err(|source| Error::Seccomp { source })?;
        if compiled.listener && profile.listener_path.is_none() {
            return Err(Error::InvalidSpec {
                reason: "SCMP_ACT_NOTIFY needs a listenerPath".into(),
            });
        }
        let program = compiled.instructions.iter().map(|i| Insn {
            code: i.code,
            jt: i.jt,
            jf: i.jf,
            k: i.k,
        });
        Ok(Filter {
            program: program.collect(),
            flags,
            listener: compiled.listener,
        })
    }

    /// Whether somebody is to be asked about some system calls.
    pub fn notifies(&self) -> bool {
        self.listener
    }

    /// Puts the filter on this process; the listener, if any, goes to the parent.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn install(&self, sync: &Sync) -> Result<()> {
        let listener = sys::install(&self.program, self.flags, self.listener)
            .map_err(|e| step("install the seccomp filter", e))?;
        match listener {
            Some(listener) => sync.send_fd(b'S', listener.as_fd()),
            None => Ok(()),
        }
    }
}

/// Hands a listener to the program behind `listenerPath`, with the state it asks for.
///
/// # Errors
/// [`Error::Step`].
pub fn send_listener(
    path: &Path,
    metadata: Option<&str>,
    listener: BorrowedFd<'_>,
    state: &State,
) -> Result<()> {
    let fail = |e: io::Error| step("hand over the seccomp listener", e);
    let socket = std::os::unix::net::UnixStream::connect(path).map_err(fail)?;
    let message = serde_json::json!({
        "ociVersion": state.oci_version,
        "fds": ["seccompFd"],
        "pid": state.pid,
        "metadata": metadata.unwrap_or_default(),
        "state": state,
    });
    let message = serde_json::to_vec(&message).map_err(|e| fail(e.into()))?;
    berth_sys::fdpass::send(&socket, &message, &[listener])
        .map(drop)
        .map_err(|e| fail(e.into()))
}

/// Where the listener of a profile goes.
pub fn listener_path(profile: Option<&Seccomp>) -> Option<&PathBuf> {
    profile.and_then(|p| p.listener_path.as_ref())
}
