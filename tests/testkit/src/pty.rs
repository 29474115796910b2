//! A terminal session: a program on a pseudo terminal of its own, driven as a person does.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Uid, fchown};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::finished::describe;
use crate::user::TestUser;
use crate::wait::{PATIENCE, eventually};

/// A running program and the terminal that it believes to be a person.
pub struct Session {
    line: String,
    child: Child,
    master: File,
    /// All output so far.
    seen: Arc<Mutex<Vec<u8>>>,
    /// How much of it `expect` has consumed.
    read: usize,
}

impl Session {
    /// Starts `command` with a terminal of 24 rows and 80 columns as its controlling terminal.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn start(command: &Command) -> Session {
        Session::start_for(command, None)
    }

    /// The same; the terminal belongs to `owner`, as it does after a login.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn start_for(command: &Command, owner: Option<&TestUser>) -> Session {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pty");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let name = ptsname(&master, Vec::new())
            .expect("its name")
            .into_string()
            .expect("ASCII");
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&name)
            .expect("its other end");
        if let Some(user) = owner {
            fchown(&slave, Some(Uid::from_raw(user.uid)), None).expect("root may");
        }
        set_size(&master, 24, 80);
        let end = || slave.try_clone().expect("a descriptor");

        // `setsid --ctty` does what would need unsafe code here: a session, and its controlling terminal.
        let mut with_session = Command::new("setsid");
        with_session
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        copy_surroundings(command, &mut with_session);
        with_session.stdin(end()).stdout(end()).stderr(end());
        let child = with_session.spawn().expect("setsid of util-linux");

        let master = File::from(master);
        let seen = Arc::new(Mutex::new(Vec::new()));
        read_all(master.try_clone().expect("a descriptor"), Arc::clone(&seen));
        Session {
            line: describe(command),
            child,
            master,
            seen,
            read: 0,
        }
    }

    /// Types.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn send(&mut self, text: &str) {
        self.master
            .write_all(text.as_bytes())
            .unwrap_or_else(|e| panic!("{}: type {text:?}: {e}", self.line));
    }

    /// Waits until `text` is shown after what was expected before; answers with all up to its end.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let rest = self.rest();
            if let Some(at) = rest.find(text) {
                let upto = at + text.len();
                self.read += upto;
                return rest[..upto].to_owned();
            }
            assert!(
                Instant::now() < end,
                "{}: {text:?} does not come; there is {rest:?}",
                self.line
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What was shown and not expected yet.
    pub fn rest(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        // Lossless for offsets: tests speak ASCII.
        seen[self.read..]
            .iter()
            .map(|byte| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '?'
                }
            })
            .collect()
    }

    /// Changes the terminal's size, as a window manager does.
    pub fn resize(&self, rows: u16, columns: u16) {
        set_size(&self.master, rows, columns);
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("the end of `{}`", self.line);
        eventually(&what, || self.child.try_wait().expect("our own child"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(terminal: impl std::os::fd::AsFd, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a terminal");
}

/// `Command` cannot be wrapped, only rebuilt, from what can be asked for: all but its user.
fn copy_surroundings(from: &Command, to: &mut Command) {
    to.env_clear();
    for (name, value) in from.get_envs() {
        if let Some(value) = value {
            to.env(name, value);
        }
    }
    if let Some(directory) = from.get_current_dir() {
        to.current_dir(directory);
    }
}

fn read_all(mut from: File, seen: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        // EIO: the last of the other ends is closed.
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            seen.lock()
                .expect("nobody panics with it")
                .extend_from_slice(&bytes[..count]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_answers_and_sees_the_size() {
        let mut command = Command::new("/bin/sh");
        command
            .env("PATH", "/usr/bin:/bin")
            .env("PS1", "> ")
            .arg("-i");
        let mut session = Session::start(&command);
        session.send("tty; stty size; echo $((40 + 2))\n");
        session.expect("/dev/pts/");
        session.expect("24 80");
        session.expect("42");
        session.resize(33, 99);
        session.send("stty size; exit 7\n");
        session.expect("33 99");
        assert_eq!(session.wait().code(), Some(7));
    }
}
