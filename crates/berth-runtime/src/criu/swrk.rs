//! The CRIU process and the conversation with it, over a socket that it inherits: `criu swrk FD`.
//!
//! ```text
//! → criu_req     type, opts
//! ← criu_resp    NOTIFY (stage, pid, perhaps a descriptor)   → criu_req NOTIFY, success
//! ← criu_resp    the type asked for, success or an error number
//! ```
//! What it writes to standard error is kept for the message, as long as it has no log of its own.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use berth_sys::fdpass;
use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::opts::kind;
use super::wire::{Message, Value, fields};
use crate::error::{Error, Result, step};

const PROGRAM: &str = "criu";

/// External pid namespaces and the stage `status-ready` are of 3.15.
const OLDEST: (i32, i32) = (3, 15);

/// Bytes of a reply; CRIU's own limit is below that.
const MAX_REPLY: usize = 64 << 10;
/// Bytes of its standard error that are kept.
const MAX_STDERR: u64 = 2048;

/// What it answers.
#[derive(Debug, Default)]
pub(super) struct Reply {
    kind: i32,
    success: bool,
    errno: i32,
    message: String,
    /// Of the restored process.
    restored: i32,
    /// The stage it has come to.
    pub(super) stage: String,
    /// The process that the stage is about.
    pub(super) pid: i32,
    /// What came with the notification.
    pub(super) fd: Option<OwnedFd>,
    version: (i32, i32),
    mem_track: bool,
    lazy_pages: bool,
}

/// The process.
#[derive(Debug)]
pub(super) struct Criu {
    child: Child,
    socket: OwnedFd,
    stderr: File,
}

impl Criu {
    /// Starts it. Descriptors without close-on-exec are its own, too; so is standard input.
    ///
    /// # Errors
    /// [`Error::Criu`]: it is not installed. [`Error::Step`].
    pub(super) fn start() -> Result<Criu> {
        let fail = |e: rustix::io::Errno| step("start criu", e);
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(fail)?;
        let stderr = rustix::fs::memfd_create("criu", MemfdFlags::CLOEXEC).map_err(fail)?;
        let stderr = File::from(stderr);
        rustix::io::fcntl_setfd(&theirs, FdFlags::empty()).map_err(fail)?;
        let mut command = Command::new(PROGRAM);
        command
            .arg("swrk")
            .arg(theirs.as_raw_fd().to_string())
            .stdout(Stdio::null())
            .stderr(stderr.try_clone().map_err(|e| step("start criu", e))?);
        berth_sys::signals::reset_in_child(&mut command);
        let child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => failed("it is not installed".to_owned()),
            _ => step("start criu", source),
        })?;
        Ok(Criu {
            child,
            socket: ours,
            stderr,
        })
    }

    /// Its pid.
    pub(super) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Asks, and answers its notifications through `stage`; the restored process's pid, if there is one.
    ///
    /// # Errors
    /// [`Error::Criu`]; that of `stage`, on which CRIU undoes what it did.
    pub(super) fn ask(
        &mut self,
        request: &Message,
        mut stage: impl FnMut(Reply) -> Result<()>,
    ) -> Result<i32> {
        self.send(request)?;
        loop {
            let reply = self.receive()?;
            if !reply.success {
                return Err(failed(reply.why()));
            }
            if reply.kind != kind::NOTIFY {
                return Ok(reply.restored);
            }
            stage(reply)?;
            let mut answer = Message::default();
            answer.number(1, kind::NOTIFY);
            answer.flag(3, true);
            self.send(&answer)?;
        }
    }

    /// Lets go of it and waits for its end.
    pub(super) fn end(self) {
        let Criu {
            mut child, socket, ..
        } = self;
        // It ends, and undoes what is half done, when nobody listens.
        drop(socket);
        let _ = child.wait();
    }

    fn send(&mut self, message: &Message) -> Result<()> {
        match fdpass::send(&self.socket, message.bytes(), &[]) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::PIPE) => Err(self.silent()),
            Err(errno) => Err(step("talk to criu", errno)),
        }
    }

    fn receive(&mut self) -> Result<Reply> {
        let mut buffer = vec![0; MAX_REPLY];
        let got = match fdpass::receive(&self.socket, &mut buffer, 1) {
            Err(rustix::io::Errno::CONNRESET) => return Err(self.silent()),
            other => other.map_err(|e| step("talk to criu", e))?,
        };
        if got.bytes == 0 {
            return Err(self.silent());
        }
        let mut reply = Reply::read(&buffer[..got.bytes]).map_err(|e| step("talk to criu", e))?;
        reply.fd = got.fds.into_iter().next();
        Ok(reply)
    }

    /// It is gone without an answer.
    fn silent(&mut self) -> Error {
        let how = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let mut said = String::new();
        let _ = self.stderr.rewind();
        let _ = (&self.stderr).take(MAX_STDERR).read_to_string(&mut said);
        let said = said.lines().collect::<Vec<_>>().join("; ");
        failed(format!("no answer ({how}) {said}").trim_end().to_owned())
    }
}

impl Reply {
    fn read(bytes: &[u8]) -> io::Result<Reply> {
        let mut reply = Reply::default();
        for (field, value) in fields(bytes)? {
            match field {
                1 => reply.kind = value.number(),
                2 => reply.success = value.number() != 0,
                4 => reply.restored = number_in(value, 1)?,
                5 => {
                    let notify = fields(value.bytes())?;
                    let stage = notify.iter().find(|(field, _)| *field == 1);
                    reply.stage = stage.map(|(_, value)| value.text()).unwrap_or_default();
                    reply.pid = number_in(value, 2)?;
                }
                7 => reply.errno = value.number(),
                8 => {
                    reply.mem_track = number_in(value, 1)? != 0;
                    reply.lazy_pages = number_in(value, 2)? != 0;
                }
                9 => reply.message = value.text(),
                10 => reply.version = (number_in(value, 1)?, number_in(value, 2)?),
                _ => {}
            }
        }
        Ok(reply)
    }

    /// In the words that callers of other runtimes know.
    fn why(&self) -> String {
        let kind = match self.kind {
            kind::DUMP => "DUMP",
            kind::RESTORE => "RESTORE",
            kind::PRE_DUMP => "PRE_DUMP",
            kind::FEATURE_CHECK => "FEATURE_CHECK",
            kind::VERSION => "VERSION",
            _ => "NOTIFY",
        };
        let text = format!("type {kind} errno {} {}", self.errno, self.message);
        text.trim_end().to_owned()
    }
}

fn number_in(message: Value<'_>, wanted: u32) -> io::Result<i32> {
    let found = fields(message.bytes())?;
    let found = found.into_iter().find(|(field, _)| *field == wanted);
    Ok(found.map_or(0, |(_, value)| value.number()))
}

/// Refuses a CRIU that is absent, too old, or of no use on this kernel.
///
/// # Errors
/// [`Error::Criu`].
pub(super) fn check_version() -> Result<()> {
    let reply = once(kind::VERSION, &Message::default())?;
    if reply.version < OLDEST {
        let ((major, minor), (wanted, least)) = (reply.version, OLDEST);
        return Err(failed(format!(
            "version {major}.{minor} is too old: {wanted}.{least} or later is needed"
        )));
    }
    Ok(())
}

/// Refuses what this kernel cannot do.
///
/// # Errors
/// [`Error::Criu`].
pub(super) fn check_features(mem_track: bool, lazy_pages: bool) -> Result<()> {
    if !mem_track && !lazy_pages {
        return Ok(());
    }
    let mut features = Message::default();
    features.flag(1, mem_track);
    features.flag(2, lazy_pages);
    let reply = once(kind::FEATURE_CHECK, &features)?;
    for (asked, there, name) in [
        (mem_track, reply.mem_track, "memory tracking"),
        (lazy_pages, reply.lazy_pages, "lazy pages"),
    ] {
        if asked && !there {
            return Err(failed(format!("the kernel or criu has no {name}")));
        }
    }
    Ok(())
}

/// A question without options.
fn once(kind: i32, features: &Message) -> Result<Reply> {
    let mut request = Message::default();
    request.number(1, kind);
    if *features != Message::default() {
        request.message(5, features);
    }
    let mut criu = Criu::start()?;
    let reply = criu.send(&request).and_then(|()| criu.receive());
    criu.end();
    let reply = reply?;
    if reply.success {
        Ok(reply)
    } else {
        Err(failed(reply.why()))
    }
}

/// A failure of CRIU.
pub(super) fn failed(reason: String) -> Error {
    Error::Criu {
        reason,
        log: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_understood() {
        let mut version = Message::default();
        version.number(1, 3);
        version.number(2, 17);
        let mut message = Message::default();
        message.number(1, kind::VERSION);
        message.flag(2, true);
        message.message(10, &version);
        let reply = Reply::read(message.bytes()).unwrap();
        assert!(reply.success && reply.version == (3, 17));

        let mut notify = Message::default();
        notify.text(1, "post-restore");
        notify.number(2, 77);
        let mut message = Message::default();
        message.number(1, kind::NOTIFY);
        message.flag(2, true);
        message.message(5, &notify);
        let reply = Reply::read(message.bytes()).unwrap();
        assert_eq!((reply.stage.as_str(), reply.pid), ("post-restore", 77));

        let mut message = Message::default();
        message.number(1, kind::DUMP);
        message.number(2, 0);
        message.number(7, 52);
        let reply = Reply::read(message.bytes()).unwrap();
        assert_eq!(reply.why(), "type DUMP errno 52");
        assert!(Reply::read(b"\x2a\x02\x08").is_err());
    }
}
