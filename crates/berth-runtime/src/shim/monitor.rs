//! Becoming the monitor: its log, its command line (`berth_monitor::args`), and the execve.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use berth_model::task::{LogFile, TaskRequest};
use berth_sys::process::{Strings, execve};
use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::{Errno, FdFlags};

use super::claim::Claim;
use super::console::Streams;
use crate::error::{Error, Result};

/// Opens the log for appending. Before the container is made: a log that cannot be written is a
/// failure to start.
///
/// # Errors
/// [`Error::WriteFile`].
pub fn open_log(log: Option<&LogFile>) -> Result<Option<OwnedFd>> {
    let Some(log) = log else { return Ok(None) };
    let fail = |error: Errno| Error::WriteFile {
        path: log.path.clone(),
        source: error.into(),
    };
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&log.path, flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
    end_torn_line(&file).map_err(fail)?;
    Ok(Some(file))
}

/// A monitor that was killed may have left half a record: the next one must not be glued to it.
fn end_torn_line(file: &OwnedFd) -> std::result::Result<(), Errno> {
    let length = rustix::fs::fstat(file)?.st_size as u64;
    let mut last = [b'\n'];
    if length > 0 {
        rustix::io::pread(file, &mut last, length - 1)?;
    }
    if last != [b'\n'] {
        rustix::io::write(file, b"\n")?;
    }
    Ok(())
}

/// Checks that the monitor can be run, before there is anything to undo.
///
/// # Errors
/// [`Error::Monitor`].
pub fn check_program(path: &Path) -> Result<CString> {
    let fail = |source| Error::Monitor {
        path: path.to_owned(),
        source,
    };
    rustix::fs::accessat(rustix::fs::CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|error| fail(error.into()))?;
    CString::new(path.as_os_str().as_bytes()).map_err(|error| fail(error.into()))
}

/// All that the monitor takes over.
pub struct Inheritance<'a> {
    /// What was asked.
    pub request: &'a TaskRequest,
    /// The monitor's path.
    pub program: &'a CString,
    /// Lock and socket.
    pub claim: &'a Claim,
    /// Its ends of the container's streams.
    pub streams: &'a Streams,
    /// The log.
    pub log: Option<&'a OwnedFd>,
    /// The foreground client.
    pub client: Option<&'a OwnedFd>,
    /// Pid of the container's init.
    pub init: i32,
    /// Its cgroup directories.
    pub cgroups: &'a [PathBuf],
}

/// Becomes the monitor; returns only if that failed.
pub fn become_it(inheritance: &Inheritance<'_>) -> Error {
    let fail = |source| Error::Monitor {
        path: inheritance.request.monitor.clone(),
        source,
    };
    let line = match command_line(inheritance) {
        Ok(line) => line,
        Err(source) => return fail(source),
    };
    // The directory of the task may be removed while the monitor lives.
    if let Err(error) = rustix::process::chdir("/") {
        return fail(error.into());
    }
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
    });
    let request = inheritance.request;
    let attributes = request.log.iter().map(|log| &log.attributes);
    let attributes = attributes.map(|text| (berth_monitor::args::ATTRIBUTES, text));
    let templates = request.receiver.iter().map(|to| &to.template);
    let templates = templates.map(|text| (berth_monitor::template::TEMPLATE, text));
    // Not in the command line, which everybody sees.
    let secret = attributes
        .chain(templates)
        .filter(|(_, text)| !text.is_empty())
        .filter_map(|(name, text)| CString::new([name, text.as_bytes()].concat()).ok());
    let environment = Strings::new(environment.chain(secret).collect());
    fail(execve(
        inheritance.program,
        &Strings::new(line),
        &environment,
    ))
}

/// Makes the command line; the descriptors that it names stay open over the execve.
fn command_line(inheritance: &Inheritance<'_>) -> io::Result<Vec<CString>> {
    let Inheritance {
        request,
        claim,
        streams,
        ..
    } = inheritance;
    let mut line = vec![inheritance.program.clone()];
    let mut number = |key: &str, value: u64| line.push(argument(key, value.to_string().as_bytes()));
    number("init", inheritance.init as u64);
    number("durable", request.durable.into());
    number("stdin-once", request.stdin_once.into());
    if let Some(log) = &request.log {
        number("log-bytes", log.max_bytes);
        number("log-files", log.max_files.into());
    }
    if let Some(receiver) = &request.receiver {
        number("to-stream", receiver.stream.into());
        number("to-bytes", receiver.buffer_bytes);
        number("to-blocking", receiver.blocking.into());
    }
    let stdin = match &streams.terminal {
        Some(terminal) if request.stdin => Some(terminal),
        _ => streams.stdin.as_ref(),
    };
    for (key, fd) in [
        ("listen", Some(&claim.listen)),
        ("lock", Some(&claim.lock)),
        ("stdout", streams.stdout.as_ref()),
        ("stderr", streams.stderr.as_ref()),
        ("tty", streams.terminal.as_ref()),
        ("stdin", stdin),
        ("log", inheritance.log),
        ("client", inheritance.client),
    ] {
        if let Some(fd) = fd {
            rustix::io::fcntl_setfd(fd.as_fd(), FdFlags::empty())?;
            number(key, fd.as_raw_fd() as u64);
        }
    }
    for held in &request.held {
        berth_sys::process::stay_open(*held)?;
    }
    if let Some(receiver) = &request.receiver {
        line.push(argument("to", receiver.address.as_bytes()));
    }
    let oom = oom_file(inheritance.cgroups);
    let mut path = |key: &str, path: &Path| line.push(argument(key, path.as_os_str().as_bytes()));
    path("exit", &request.exit_file);
    if request.durable {
        path("removing", &request.removing);
    }
    if let Some(log) = &request.log {
        path("log-path", &log.path);
    }
    if let Some(oom) = &oom {
        path("oom", oom);
    }
    if !request.reap.is_empty() {
        line.push(berth_monitor::args::REAP.to_owned());
        for word in &request.reap {
            line.push(CString::new(word.as_str())?);
        }
    }
    Ok(line)
}

/// `key=value`; a value with a NUL byte was refused on reading or is a path that cannot exist.
fn argument(key: &str, value: &[u8]) -> CString {
    let bytes = [key.as_bytes(), b"=", value].concat();
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// The file of the container's memory cgroup that counts OOM kills, v1 or v2.
fn oom_file(cgroups: &[PathBuf]) -> Option<PathBuf> {
    ["memory.oom_control", "memory.events"]
        .into_iter()
        .flat_map(|name| cgroups.iter().map(move |cgroup| cgroup.join(name)))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile {
            path: dir.path().join("log"),
            max_bytes: 0,
            max_files: 1,
            attributes: String::new(),
        };
        for (before, after) in [("", ""), ("{}\n", "{}\n"), ("{}\n{\"lo", "{}\n{\"lo\n")] {
            let file = std::fs::File::create(&log.path).unwrap();
            rustix::io::write(&file, before.as_bytes()).unwrap();
            open_log(Some(&log)).unwrap().unwrap();
            assert_eq!(std::fs::read_to_string(&log.path).unwrap(), after);
        }
        assert!(open_log(None).unwrap().is_none());
        let log = LogFile {
            path: dir.path().join("no/log"),
            ..log
        };
        assert!(matches!(open_log(Some(&log)), Err(Error::WriteFile { .. })));
    }

    #[test]
    fn the_oom_file_of_either_version() {
        let dir = tempfile::tempdir().unwrap();
        let (v1, v2) = (dir.path().join("v1"), dir.path().join("v2"));
        for (cgroup, file) in [(&v1, "memory.oom_control"), (&v2, "memory.events")] {
            std::fs::create_dir(cgroup).unwrap();
            std::fs::File::create(cgroup.join(file)).unwrap();
        }
        assert_eq!(
            oom_file(&[v2.clone(), v1.clone()]),
            Some(v1.join("memory.oom_control"))
        );
        assert_eq!(
            oom_file(std::slice::from_ref(&v2)),
            Some(v2.join("memory.events"))
        );
        assert_eq!(oom_file(&[dir.path().to_owned()]), None);
    }
}
