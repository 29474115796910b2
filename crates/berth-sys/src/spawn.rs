//! Starting a program with descriptors at fixed numbers beside the usual three.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use crate::process::{Strings, execve};

/// Spawns `command` with each `(descriptor, number)` in place. Numbers are 3 or more and differ.
///
/// # Errors
/// As `Command::spawn`.
pub fn spawn_with_fds(command: &mut Command, fds: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Child> {
    let above = fds.iter().map(|(_, number)| number + 1).max().unwrap_or(3);
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut places: Vec<(RawFd, RawFd)> = Vec::new();
    for (file, number) in fds {
        // A copy out of the way of all targets, so that placing one cannot cover the source of another.
        let copy = rustix::io::fcntl_dupfd_cloexec(file, above)?;
        places.push((copy.as_raw_fd(), *number));
        held.push(copy);
        // The target is occupied in the parent too: the pipe by which `Command` learns of a failed exec
        // then gets another number and is not covered in the child.
        held.push(rustix::io::fcntl_dupfd_cloexec(file, *number)?);
    }
    // SAFETY: the closure only calls dup2, which is async-signal-safe, on descriptors that `held` keeps open
    // until the spawn is over; it allocates nothing.
    unsafe {
        command.pre_exec(move || {
            for (from, to) in &places {
                if libc::dup2(*from, *to) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    let child = command.spawn();
    drop(held);
    child
}

/// Leaves descriptors open in the program, at their numbers. They have to stay open until it is spawned.
pub fn leave_open(command: &mut Command, fds: Vec<BorrowedFd<'_>>) {
    let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    if numbers.is_empty() {
        return;
    }
    // SAFETY: the closure only calls fcntl, which is async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            for number in &numbers {
                if libc::fcntl(*number, libc::F_SETFD, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// What [`execute_exactly`] executes: pointers into itself only.
struct Program {
    path: CString,
    args: Strings,
    env: Strings,
}

// SAFETY: the pointers in `Strings` are to its own strings, which move with it and are only read.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

/// Lets the command execute just this path with just these strings, to the byte and in this order, whatever it was
/// made with. It dies with this process.
pub fn execute_exactly(command: &mut Command, path: CString, args: Strings, env: Strings) {
    let program = Program { path, args, env };
    // SAFETY: between fork and exec only prctl and execve are called, which are safe there, on memory that the
    // closure owns.
    unsafe {
        command.pre_exec(move || {
            // The whole of it is captured, not its parts.
            let program = &program;
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Err(execve(&program.path, &program.args, &program.env))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::process::Stdio;

    #[test]
    fn each_descriptor_is_at_its_number_and_no_other_is_open() {
        let (first, mut first_in) = io::pipe().unwrap();
        let (second, mut second_in) = io::pipe().unwrap();
        first_in.write_all(b"one").unwrap();
        second_in.write_all(b"two").unwrap();
        drop((first_in, second_in));
        let script = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdout(Stdio::piped());
            command
        };
        let count = "ls /proc/self/fd | wc -l";
        // Whoever runs the tests may have left descriptors open for all their children.
        let before = script(count).output().unwrap().stdout;
        let before: usize = String::from_utf8(before).unwrap().trim().parse().unwrap();
        let mut command = script(&format!("cat <&4; cat <&3; {count}"));
        let mut child =
            spawn_with_fds(&mut command, &[(first.as_fd(), 4), (second.as_fd(), 3)]).unwrap();
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        child.wait().unwrap();
        let more: usize = text.trim().strip_prefix("onetwo").unwrap().parse().unwrap();
        // A number that was taken is replaced, one that was free is added.
        assert!(more >= before && more <= before + 2, "{before} → {more}");
    }

    #[test]
    fn what_is_left_open_keeps_its_number() {
        let (mut reader, writer) = io::pipe().unwrap();
        let number = writer.as_raw_fd();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo said >&{number}")]);
        leave_open(&mut command, vec![writer.as_fd()]);
        assert!(command.spawn().unwrap().wait().unwrap().success());
        drop((writer, command));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "said\n");
    }

    #[test]
    fn exactly_what_is_given_is_executed() {
        let strings =
            |list: &[&str]| Strings::new(list.iter().map(|s| CString::new(*s).unwrap()).collect());
        let script = "tr '\\0' '|' < /proc/$$/environ; echo $0";
        let (args, env) = (
            strings(&["sh", "-c", script, "x"]),
            strings(&["A=1", "odd", "A=2"]),
        );
        let mut command = Command::new("ignored");
        command.stdout(Stdio::piped());
        execute_exactly(&mut command, c"/bin/sh".into(), args, env);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "A=1|odd|A=2|x\n");
        let (args, env) = (strings(&["x"]), strings(&[]));
        let mut command = Command::new("sh");
        execute_exactly(&mut command, c"/no/such".into(), args, env);
        let error = command.status().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let (reader, _writer) = io::pipe().unwrap();
        let error = spawn_with_fds(&mut Command::new("/no/such"), &[(reader.as_fd(), 3)]);
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
