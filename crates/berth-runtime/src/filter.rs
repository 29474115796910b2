//! The seccomp filter of a process: compiled before it is made, installed by itself.
//!
//! Where the filter asks somebody about calls, the listener goes to the parent, and from there to the program
//! behind `listenerPath`. From its installation on the process is subject to it, so the way there must not take
//! a call that is asked about: it is sendmsg, or (when that one is) the descriptor's number by write, for the
//! parent to fetch it, and read for the answer.
//!
//! Source: config-linux.md "Seccomp", "The Container Process State"; seccomp(2).

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use berth_oci::spec::{Seccomp, State};
use berth_seccomp::Arch;
use berth_sys::seccomp::{self as sys, Insn};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use crate::error::{Error, Result, invalid, step};
use crate::json;
use crate::sync::Sync;

/// Flags by their names. One thread synchronises with nobody.
pub const FLAGS: [(&str, u32); 4] = [
    ("SECCOMP_FILTER_FLAG_TSYNC", 0),
    ("SECCOMP_FILTER_FLAG_LOG", sys::FLAG_LOG),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", sys::FLAG_SPEC_ALLOW),
    (KILLABLE, sys::FLAG_WAIT_KILLABLE_RECV),
];
const KILLABLE: &str = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    program: Vec<Insn>,
    flags: u32,
    listener: bool,
    /// The listener cannot be sent.
    by_number: bool,
}

impl Filter {
    /// Compiles a profile. An unknown word anywhere is an error: a filter with a hole is none
    /// (security: R25).
    ///
    /// # Errors
    /// [`Error::Seccomp`], [`Error::InvalidSpec`].
    pub fn compile(profile: &Seccomp) -> Result<Filter> {
        let mut flags = 0;
        for name in &profile.flags {
            match FLAGS.iter().find(|(known, _)| known == name) {
                Some((_, flag)) => flags |= flag,
                None => return invalid(format!("seccomp flag `{name}` is not known")),
            }
        }
        if profile.listener_metadata.is_some() && profile.listener_path.is_none() {
            return invalid("seccomp: listenerMetadata needs a listenerPath".into());
        }
        let native = Arch::native().map_err(|source| Error::Seccomp { source })?;
        let runs = |name: &String| matches!(Arch::parse(name), Ok(Some(a)) if native.runs(a));
        let named = &profile.architectures;
        if !named.is_empty() && !named.iter().any(runs) {
            let named = named.join(", ");
            return invalid(format!("seccomp: this machine runs none of {named}"));
        }
        let compiled =
            berth_seccomp::compile(profile).map_err(|source| Error::Seccomp { source })?;
        let (listener, mut by_number) = (compiled.listener, false);
        if listener {
            if profile.listener_path.is_none() {
                return invalid("SCMP_ACT_NOTIFY needs a listenerPath".into());
            }
            by_number = asks_about(profile, "sendmsg");
            if by_number && (asks_about(profile, "write") || asks_about(profile, "read")) {
                return invalid(
                    "SCMP_ACT_NOTIFY for `sendmsg` and one of `read` and `write` would stop the runtime itself".into(),
                );
            }
        } else {
            // Without a listener there is nothing to wait for, and the kernel refuses the flag.
            flags &= !sys::FLAG_WAIT_KILLABLE_RECV;
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
            listener,
            by_number,
        })
    }

    /// Whether somebody is to be asked about some system calls.
    pub fn notifies(&self) -> bool {
        self.listener
    }

    /// Whether sendmsg is one of these.
    pub fn asks_about_sending(&self) -> bool {
        self.by_number
    }

    /// Puts the filter on this process; the listener, if any, goes to the parent.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn install(&self, sync: &Sync) -> Result<()> {
        let listener = sys::install(&self.program, self.flags, self.listener)
            .map_err(|e| step("install the seccomp filter", e))?;
        match listener {
            Some(listener) if self.by_number => sync.show_fd(listener.as_fd()),
            Some(listener) => sync.send_fd(b'S', listener.as_fd()),
            None => Ok(()),
        }
    }
}

/// The names of the flags that this kernel knows.
pub fn supported_flags() -> Vec<&'static str> {
    let known = FLAGS.iter().filter(|(_, flag)| sys::knows(*flag));
    known.map(|(name, _)| *name).collect()
}

fn asks_about(profile: &Seccomp, call: &str) -> bool {
    let asks = |rule: &berth_oci::spec::SeccompRule| {
        rule.action == "SCMP_ACT_NOTIFY" && rule.names.iter().any(|name| name == call)
    };
    profile.syscalls.iter().any(asks)
}

/// A listener, as it comes from the process.
#[derive(Debug)]
pub enum Listener {
    /// It was sent.
    Sent(OwnedFd),
    /// The process has it at this number, and waits until it was fetched.
    At(i32),
}

/// Hands a listener to the program behind `listenerPath`: of the process `pid` in a container of this state.
///
/// # Errors
/// [`Error::Step`].
pub fn hand_over(
    listener: Listener,
    pid: i32,
    pidfd: &OwnedFd,
    profile: Option<&Seccomp>,
    state: &State,
    sync: &Sync,
) -> Result<()> {
    let fail = |e: io::Error| step("hand over the seccomp listener", e);
    let (fd, waits) = match listener {
        Listener::Sent(fd) => (fd, false),
        Listener::At(number) => {
            let fd = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty());
            (fd.map_err(|e| step("fetch the seccomp listener", e))?, true)
        }
    };
    if let Some((profile, path)) = profile.and_then(|p| Some((p, p.listener_path.as_ref()?))) {
        let message = serde_json::json!({
            "ociVersion": state.oci_version,
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": profile.listener_metadata.as_deref().unwrap_or_default(),
            "state": state,
        });
        let message = json::write(&message).map_err(|e| fail(e.into()))?;
        let mut socket = UnixStream::connect(path).map_err(fail)?;
        // Descriptors go with the first part only.
        let sent = berth_sys::fdpass::send(&socket, &message, &[fd.as_fd()]);
        let sent = sent.map_err(|e| fail(e.into()))?;
        socket.write_all(&message[sent..]).map_err(fail)?;
    }
    if waits { sync.go() } else { Ok(()) }
}
