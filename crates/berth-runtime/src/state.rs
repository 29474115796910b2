//! The runtime's own state: one directory a container, gone at reboot. The status is never stored, but
//! derived from the process and the fifo.
//!
//! ```text
//! ROOT/<id>/            0700; made exclusively: the id is taken
//! ├── state.json        Record
//! ├── config.json       the bundle's configuration as it was at creation, and updated
//! └── exec.fifo         there until `start`: init reads it, and has it open until the exec
//! ```
//! ROOT is `--root`, else (an ordinary user, also as root of a user namespace) `$XDG_RUNTIME_DIR/berth-runtime`,
//! else `/run/berth-runtime`.
//!
//! | process alive (pid + start time) | exec.fifo | status |
//! |---|---|---|
//! | no state.json yet | – | creating |
//! | yes | there, open for reading | created; cgroup frozen: paused |
//! | yes | gone, or nobody reads it | running; cgroup frozen: paused |
//! | no | – | stopped |

use std::io;
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;
use berth_cgroup::systemd::Unit;
use berth_fs::Durability;
use berth_oci::spec::Spec;
use rustix::fs::Mode;
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::launch::Created;
use crate::namespaces::in_user_namespace;
use crate::{bundle, json, pid, rdt};

mod fifo;

pub use fifo::Released;
pub(crate) use fifo::wait_for_start;

use fifo::open_to_write;

const DEFAULT_ROOT: &str = "/run/berth-runtime";
const RECORD: &str = "state.json";
const CONFIG: &str = "config.json";
const FIFO: &str = "exec.fifo";

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The container's id.
    pub id: String,
    /// Init's pid.
    pub pid: i32,
    /// Init's start time, in clock ticks since boot.
    pub start_time: u64,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// Its cgroup directories.
    pub cgroups: Vec<PathBuf>,
    /// Tells them from others of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_number: Option<u64>,
    /// The unit that systemd has made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// When it was made: RFC 3339, UTC.
    #[serde(default)]
    pub created: String,
    /// Its resctrl groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdt: Option<rdt::Group>,
    /// What enters it keeps its session keyring, as it has its own caller's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_new_keyring: bool,
}

impl Record {
    /// Its cgroup; `None` if another's is in its place.
    ///
    /// # Errors
    /// [`Error::Cgroup`].
    pub fn cgroup(&self) -> Result<Option<Cgroup>> {
        Ok(Cgroup::open_same(&self.cgroups, self.cgroup_number)?)
    }
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is being made.
    Creating,
    /// Init waits for the start.
    Created,
    /// Init runs its program.
    Running,
    /// Its cgroup is frozen.
    Paused,
    /// Init has ended.
    Stopped,
}

impl Status {
    /// The specification's word (and `paused`).
    pub fn word(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// Where the states are.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
    /// Below `$XDG_RUNTIME_DIR`, where what is old may be pruned unless it is sticky.
    sticky: bool,
}

impl Root {
    /// The given directory, or the default.
    pub fn new(given: Option<PathBuf>) -> Root {
        let (path, sticky) = match (given, std::env::var_os("XDG_RUNTIME_DIR")) {
            // What is in it becomes a source of mounts: not by way of the bundle's directory.
            (Some(path), _) => (std::path::absolute(&path).unwrap_or(path), false),
            (None, Some(own)) if !own.is_empty() && is_users_own() => {
                (Path::new(&own).join("berth-runtime"), true)
            }
            _ => (PathBuf::from(DEFAULT_ROOT), false),
        };
        Root { path, sticky }
    }

    /// All ids, sorted.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn ids(&self) -> Result<Vec<String>> {
        let fail = |source| Error::StateDir {
            path: self.path.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fail)?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name();
            ids.extend(
                name.into_string()
                    .ok()
                    .filter(|name| check_id(name).is_ok()),
            );
        }
        ids.sort();
        Ok(ids)
    }

    /// Takes the id.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::InvalidId`], [`Error::StateDir`].
    pub fn make(&self, id: &str) -> Result<Dir> {
        check_id(id)?;
        let path = self.path.join(id);
        let fail = |source: io::Error| Error::StateDir {
            path: path.clone(),
            source,
        };
        let mode = Mode::from_raw_mode(0o700);
        let made = match rustix::fs::mkdir(&path, mode) {
            Err(rustix::io::Errno::NOENT) => {
                std::fs::create_dir_all(&self.path).map_err(fail)?;
                let sticky = Mode::from_raw_mode(if self.sticky { 0o1700 } else { 0o700 });
                rustix::fs::chmod(&self.path, sticky).map_err(|e| fail(e.into()))?;
                rustix::fs::mkdir(&path, mode)
            }
            other => other,
        };
        match made {
            Ok(()) => Ok(Dir {
                id: id.to_owned(),
                path,
            }),
            Err(rustix::io::Errno::EXIST) => Err(Error::Exists { id: id.to_owned() }),
            Err(errno) => Err(fail(errno.into())),
        }
    }

    /// The state of an existing container.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::InvalidId`].
    pub fn find(&self, id: &str) -> Result<Dir> {
        check_id(id)?;
        let path = self.path.join(id);
        if path.is_dir() {
            Ok(Dir {
                id: id.to_owned(),
                path,
            })
        } else {
            Err(Error::NoContainer { id: id.to_owned() })
        }
    }
}

/// One container's directory.
#[derive(Debug)]
pub struct Dir {
    id: String,
    path: PathBuf,
}

impl Dir {
    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is made outside of it is written down here.
    pub fn claim(&self) -> Claim {
        Claim::new(self.path.clone())
    }

    /// Writes the record and a copy of the configuration.
    ///
    /// # Errors
    /// [`Error::WriteFile`].
    pub fn record(&self, created: &Created, spec: &Spec, bundle: &Path) -> Result<()> {
        let record = Record {
            id: self.id.clone(),
            pid: created.pid,
            start_time: created.start_time,
            bundle: bundle.to_owned(),
            cgroups: created.cgroup().paths(),
            cgroup_number: created.cgroup().inode(),
            unit: created.unit().cloned(),
            created: now(),
            rdt: created.rdt().cloned(),
            no_new_keyring: created.no_new_keyring,
        };
        self.write(CONFIG, spec)?;
        self.write(RECORD, &record)
    }

    /// Writes the record anew.
    ///
    /// # Errors
    /// [`Error::WriteFile`].
    pub fn rewrite_record(&self, record: &Record) -> Result<()> {
        self.write(RECORD, record)
    }

    /// Writes the configuration anew, as it is in force.
    ///
    /// # Errors
    /// [`Error::WriteFile`].
    pub fn rewrite_spec(&self, spec: &Spec) -> Result<()> {
        self.write(CONFIG, spec)
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path.join(name);
        let fail = |source| Error::WriteFile {
            path: path.clone(),
            source,
        };
        let json = json::write(value).map_err(|e| fail(e.into()))?;
        berth_fs::atomic_write(&path, &json, Durability::Volatile).map_err(|e| fail(e.into()))
    }

    /// Reads the record; `None` while the container is being made.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::ParseJson`].
    pub fn load(&self) -> Result<Option<Record>> {
        match bundle::read_json(&self.path.join(RECORD)) {
            Ok(record) => Ok(Some(record)),
            Err(Error::ReadFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The configuration as it was at creation, with the limits that were changed since.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::ParseJson`].
    pub fn spec(&self) -> Result<Spec> {
        bundle::read_json(&self.path.join(CONFIG))
    }

    /// Derives the status.
    ///
    /// # Errors
    /// When the process or the cgroup cannot be looked at.
    pub fn status(&self, record: Option<&Record>) -> Result<Status> {
        let Some(record) = record else {
            return Ok(Status::Creating);
        };
        if pid::open(record.pid, record.start_time)?.is_none() {
            return Ok(Status::Stopped);
        }
        Ok(if Cgroup::open(&record.cgroups)?.is_frozen()? {
            Status::Paused
        } else if open_to_write(&self.path.join(FIFO)).is_ok() {
            Status::Created
        } else {
            Status::Running
        })
    }

    /// Status and record of a container that was made.
    ///
    /// # Errors
    /// [`Error::WrongState`] for one that is still being made.
    pub fn known(&self, verb: &'static str) -> Result<(Record, Status)> {
        let record = self.load()?;
        let status = self.status(record.as_ref())?;
        let wrong = || Error::WrongState {
            verb,
            id: self.id.clone(),
            status: status.word(),
        };
        record.map(|record| (record, status)).ok_or_else(wrong)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory; the id is free after that.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.path).map_err(|source| Error::StateDir {
            path: self.path.clone(),
            source,
        })
    }
}

/// Whether `$XDG_RUNTIME_DIR` is the caller's own: the real root has kept it from whoever called sudo.
/// Source: runc 1.3, rootless_linux.go.
fn is_users_own() -> bool {
    !rustix::process::geteuid().is_root()
        || (in_user_namespace() && std::env::var_os("USER").is_none_or(|user| user != "root"))
}

/// This moment: RFC 3339, UTC.
pub(crate) fn now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let text = berth_monitor::clock::rfc3339(seconds, since.subsec_nanos());
    String::from_utf8_lossy(&text).into_owned()
}

/// Checks an id: it becomes a file's name.
fn check_id(id: &str) -> Result<()> {
    let good = (1..=255).contains(&id.len())
        && id != "."
        && id != ".."
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'+'));
    if good {
        Ok(())
    } else {
        Err(Error::InvalidId { id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::OFlags;

    use super::*;

    #[test]
    fn ids_are_file_names_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(Some(dir.path().join("a/b")));
        assert_eq!(root.ids().unwrap(), [""; 0]);
        let first = root.make("x1").unwrap();
        assert!(matches!(root.make("x1"), Err(Error::Exists { .. })));
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/etc",
            "a b",
            "a\n",
            "a:b",
            &"x".repeat(256),
        ] {
            assert!(
                matches!(root.make(bad), Err(Error::InvalidId { .. })),
                "{bad}"
            );
            assert!(root.find(bad).is_err());
        }
        assert_eq!(root.ids().unwrap(), ["x1"]);
        assert_eq!(first.status(None).unwrap(), Status::Creating);
        first.remove().unwrap();
        assert!(matches!(root.find("x1"), Err(Error::NoContainer { .. })));
    }

    #[test]
    fn status_is_derived() {
        let dir = tempfile::tempdir().unwrap();
        let state = Root::new(Some(dir.path().to_owned())).make("x").unwrap();
        let own = std::process::id() as i32;
        let mut record = Record {
            id: "x".into(),
            pid: own,
            start_time: pid::start_time(own).unwrap(),
            bundle: "/b".into(),
            cgroups: Vec::new(),
            cgroup_number: None,
            unit: None,
            created: now(),
            rdt: None,
            no_new_keyring: false,
        };
        assert_eq!(state.status(Some(&record)).unwrap(), Status::Running);
        let fifo = state.make_fifo().unwrap();
        assert_eq!(state.status(Some(&record)).unwrap(), Status::Created);
        drop(fifo);
        assert_eq!(state.status(Some(&record)).unwrap(), Status::Running);
        let _fifo = rustix::fs::open(state.path.join(FIFO), OFlags::RDWR, Mode::empty()).unwrap();
        assert_eq!(state.status(Some(&record)).unwrap(), Status::Created);
        record.start_time += 1;
        assert_eq!(state.status(Some(&record)).unwrap(), Status::Stopped);
    }
}
