//! Passwords: checked against the file of users, few at a time, and remembered for a while.
//!
//! A password that was right is known again by its HMAC under a key that exists in this process only: it is the whole
//! of what memory keeps of it. The hash from the file is part of it, so that a changed password counts at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;

use super::htpasswd::{Hash, Users};
use crate::setup::{Error, Warnings};
use crate::sync::{Remembered, lock};
use berth_serve::files::{Stamp, Watched};

/// How long a password is remembered.
const REMEMBERED: Duration = Duration::from_secs(120);
/// Passwords that are.
const MAX_REMEMBERED: usize = 4096;
/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Checks that wait for their turn, each in a thread that others wait for, too; who comes then is told to come again.
const MAX_WAITING: usize = 16;

/// Too many passwords are being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The users of a file.
pub struct Logins {
    path: PathBuf,
    users: Watched<Option<Stamp>, Users>,
    key: hmac::Key,
    remembered: Remembered<[u8; 32]>,
    turns: Turns,
    warnings: Warnings,
}

impl Logins {
    /// Of this file.
    ///
    /// # Errors
    /// It cannot be read, or has a line that is none; no random numbers.
    pub fn load(path: &Path, warnings: Warnings) -> Result<Logins, Error> {
        let users = Watched::load(LOOK_EVERY, || Stamp::at(path), || Users::load(path))?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| Error::Random)?;
        Ok(Logins {
            path: path.to_owned(),
            users,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            remembered: Remembered::new(MAX_REMEMBERED),
            turns: Turns::new(),
            warnings,
        })
    }

    /// Whether the password was found right lately: takes no time.
    pub fn remembers(&self, user: &str, password: &str) -> bool {
        let users = self.users();
        let Some(hash) = users.get(user) else {
            return false;
        };
        self.remembered.has(&self.mark(user, password, hash))
    }

    /// Whether the password is right: takes its time, the same for whoever is not a user.
    ///
    /// # Errors
    /// Too many others are being checked.
    pub fn check(&self, user: &str, password: &str) -> Result<bool, Busy> {
        let _turn = self.turns.take()?;
        // Whoever had the turn before may have asked the same.
        if self.remembers(user, password) {
            return Ok(true);
        }
        let users = self.users();
        let hash = users.get(user);
        let right = users.verify(hash, password);
        if let Some(hash) = hash.filter(|_| right) {
            let mark = self.mark(user, password, hash);
            self.remembered.add(mark, REMEMBERED);
        }
        Ok(right)
    }

    fn mark(&self, user: &str, password: &str, hash: &Hash) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&hash.bytes());
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password.as_bytes());
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    /// The file's content, read again if it has changed.
    fn users(&self) -> Arc<Users> {
        self.users.now(
            || Stamp::at(&self.path),
            || Users::load(&self.path),
            |error| self.warnings.tell(&error, "the users stay as they were"),
        )
    }
}

/// Turns at computing: some at a time, some that wait.
struct Turns {
    state: Mutex<(usize, usize)>,
    free: Condvar,
    max: usize,
}

struct Turn<'a>(&'a Turns);

impl Turns {
    fn new() -> Turns {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Turns {
            state: Mutex::new((0, 0)),
            free: Condvar::new(),
            // Half of the machine is left for those who are in.
            max: cores.div_ceil(2),
        }
    }

    fn take(&self) -> Result<Turn<'_>, Busy> {
        let mut state = lock(&self.state);
        if state.0 >= self.max {
            if state.1 >= MAX_WAITING {
                return Err(Busy);
            }
            state.1 += 1;
            state = self
                .free
                .wait_while(state, |state| state.0 >= self.max)
                .unwrap_or_else(PoisonError::into_inner);
            state.1 -= 1;
        }
        state.0 += 1;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).0 -= 1;
        self.0.free.notify_one();
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "alice:$2y$06$abcdefghijklmnopqrstuuxLa0AkDDSrQ9VwNnETzOsObiucpMYgC\n";
    const OTHER: &str = "alice:$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq\n";

    #[test]
    fn a_right_password_is_remembered_a_wrong_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::fs::write(&path, ALICE).unwrap();
        let logins = Logins::load(&path, Warnings::default()).unwrap();
        assert!(!logins.remembers("alice", "secret"));
        assert_eq!(logins.check("alice", "secret"), Ok(true));
        assert!(logins.remembers("alice", "secret"));
        assert_eq!(logins.check("alice", "wrong"), Ok(false));
        assert!(!logins.remembers("alice", "wrong"));
        assert_eq!(logins.check("nobody", "secret"), Ok(false));
        // Only its HMAC is.
        assert!(!format!("{:?}", logins.remembered).contains("secret"));
        logins.remembered.expire();
        assert!(!logins.remembers("alice", "secret"));
    }

    #[test]
    fn a_changed_file_counts_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::fs::write(&path, ALICE).unwrap();
        let logins = Logins::load(&path, Warnings::default()).unwrap();
        assert_eq!(logins.check("alice", "secret"), Ok(true));
        std::fs::write(&path, OTHER).unwrap();
        logins.users.look_again();
        assert!(!logins.remembers("alice", "secret"));
        assert_eq!(logins.check("alice", ""), Ok(true));
        // One that is wrong leaves all as it was, until it is right.
        for bad in ["alice:plain\n", "x"] {
            std::fs::write(&path, bad).unwrap();
            logins.users.look_again();
            assert_eq!(logins.check("alice", ""), Ok(true), "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        logins.users.look_again();
        assert_eq!(logins.check("alice", ""), Ok(true));
        std::fs::write(&path, "# nobody\n").unwrap();
        logins.users.look_again();
        assert_eq!(logins.check("alice", ""), Ok(false));
    }

    #[test]
    fn turns_are_bounded() {
        let turns = Turns::new();
        let held: Vec<_> = (0..turns.max).map(|_| turns.take().unwrap()).collect();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..MAX_WAITING)
                .map(|_| scope.spawn(|| turns.take().map(|_| ())))
                .collect();
            while lock(&turns.state).1 < MAX_WAITING {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(turns.take().is_err());
            drop(held);
            for waits in waiting {
                assert!(waits.join().unwrap().is_ok());
            }
        });
        assert_eq!(*lock(&turns.state), (0, 0));
        assert!(turns.take().is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::fs::write(&path, ALICE).unwrap();
        let logins = Logins::load(&path, Warnings::default()).unwrap();
        for i in 0..MAX_REMEMBERED + 10 {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&i.to_be_bytes());
            logins.remembered.add(mark, REMEMBERED);
        }
        assert_eq!(logins.remembered.len(), MAX_REMEMBERED);
    }
}
