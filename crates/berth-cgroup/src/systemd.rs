//! The systemd driver: systemd makes the cgroup, as a scope of its own, and is told the limits; then
//! they are written here too, because systemd knows only some of them.
//!
//! ```text
//! cgroupsPath  SLICE:PREFIX:NAME        machine-a.slice:berth:x
//! unit         PREFIX-NAME.scope        berth-x.scope
//! cgroup       the slice's, expanded    /machine.slice/machine-a.slice/berth-x.scope
//! ```
//! A scope needs a process: it is asked for with the pid of the container's init, which waits until
//! that is done. Where systemd has put it, the kernel tells (`/proc/PID/cgroup`): nobody's word is
//! taken for a path. A scope whose last process ends is removed by systemd, however it ended.
//!
//! No annotation becomes a property of the unit (security: R23).
//!
//! Source: org.freedesktop.systemd1(5), systemd.scope(5), systemd.resource-control(5); runc's
//! docs/systemd.md.

mod bus;
mod manager;
mod properties;
mod wire;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use berth_oci::spec::Resources;
use serde::{Deserialize, Serialize};

use crate::delegation::entries;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::{Cgroup, Options};
use manager::Manager;
pub(crate) use manager::is_running;

/// Longest name of a unit, in bytes. Source: systemd.unit(5).
const MAX_NAME: usize = 255;

/// How a user's systemd is found: what the environment of a login says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// `$DBUS_SESSION_BUS_ADDRESS`.
    pub bus: Option<String>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

/// A scope that was made for a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `PREFIX-NAME.scope`.
    pub name: String,
    /// It is a user's systemd's, not the system's.
    pub user: bool,
}

/// A scope to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    unit: Unit,
    slice: String,
    description: String,
}

impl Scope {
    /// Understands the specification's `cgroupsPath`, or takes the default for the container `id`;
    /// checks that there is a systemd.
    ///
    /// # Errors
    /// [`Error::NoSystemd`], [`Error::BadUnitPath`], [`Error::BadUnit`].
    pub fn new(cgroups_path: Option<&str>, id: &str, rootless: bool) -> Result<Scope> {
        manager::booted()?;
        let user = rootless && !manager::is_ours();
        if user && !Layout::detect()?.v1.is_empty() {
            return Err(Error::BadUnit {
                name: id.to_owned(),
                why: "a user's systemd can make a container's cgroup on cgroup v2 only",
            });
        }
        Scope::parse(cgroups_path, id, user)
    }

    fn parse(cgroups_path: Option<&str>, id: &str, user: bool) -> Result<Scope> {
        let default = if user { "user.slice" } else { "system.slice" };
        let path = cgroups_path.filter(|path| !path.is_empty());
        let (slice, prefix, name) = match path {
            None => ("", "berth", id),
            Some(path) => match path.split(':').collect::<Vec<_>>()[..] {
                [slice, prefix, name] => (slice, prefix, name),
                _ => {
                    return Err(Error::BadUnitPath {
                        path: path.to_owned(),
                    });
                }
            },
        };
        let slice = if slice.is_empty() { default } else { slice };
        check_slice(slice)?;
        if name.ends_with(".slice") {
            return Err(Error::BadUnit {
                name: name.to_owned(),
                why: "a container runs in a scope, not in a slice",
            });
        }
        let unit = format!("{prefix}-{name}.scope");
        check_name(&unit)?;
        Ok(Scope {
            unit: Unit { name: unit, user },
            slice: slice.to_owned(),
            description: format!("berth container {name}"),
        })
    }

    /// The unit that will be.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Has systemd make the scope, with the process `pid` in it and the limits on it.
    ///
    /// # Errors
    /// [`Error::UnitExists`]; what systemd said; nothing of it is left then.
    pub fn start(&self, pid: i32, resources: &Resources, session: &Session) -> Result<Unit> {
        let mut manager = Manager::connect(self.unit.user, session)?;
        manager.start(self, pid, resources)?;
        Ok(self.unit.clone())
    }
}

impl Unit {
    /// The unit's cgroup at `path`, with the limits written to it. On v1, where systemd knows some
    /// controllers only, the others' leaves are made and the process `pid` joins them.
    ///
    /// # Errors
    /// Whatever was refused.
    pub fn cgroup(
        &self,
        path: &str,
        pid: i32,
        resources: &Resources,
        options: &Options,
    ) -> Result<Cgroup> {
        let cgroup = Cgroup::adopt(path, resources, options)?;
        cgroup.add_v1(pid)?;
        Ok(cgroup)
    }

    /// Tells systemd other limits; what `resources` leaves out stays as it is. To be done between
    /// two times [`Cgroup::update`]: the first learns what the kernel refuses, the second undoes
    /// systemd's rounding.
    ///
    /// # Errors
    /// What systemd said.
    pub fn update(&self, resources: &Resources, session: &Session) -> Result<()> {
        Manager::connect(self.user, session)?.update(&self.name, resources)
    }

    /// Has systemd move a process into a cgroup, which is the unit's or below it: a user's own
    /// right may not reach there.
    ///
    /// # Errors
    /// What systemd said.
    pub fn attach(&self, pid: i32, cgroup: &Path, session: &Session) -> Result<()> {
        Manager::connect(self.user, session)?.attach(&self.name, &self.below(cgroup), pid)
    }

    /// What of a path is below the unit's cgroup: empty, or absolute as seen from there.
    fn below(&self, cgroup: &Path) -> String {
        let mut parts = cgroup.iter().skip_while(|part| !self.is_dir(part));
        parts.next();
        parts
            .map(|part| format!("/{}", part.to_string_lossy()))
            .collect()
    }

    /// Whether a directory's name is the unit's. systemd puts a `_` before what could be mistaken
    /// for a file of the kernel's.
    fn is_dir(&self, name: &OsStr) -> bool {
        let name = name.as_bytes();
        name.strip_prefix(b"_").unwrap_or(name) == self.name.as_bytes()
    }

    /// Has systemd remove the unit, whose processes were killed before. One that is gone is fine.
    ///
    /// # Errors
    /// What systemd said; [`Error::Bus`] when that takes too long.
    pub fn stop(&self, session: &Session) -> Result<()> {
        Manager::connect(self.user, session)?.stop(&self.name)
    }

    /// Has systemd remove the unit, unless there are processes in it: one whose first process ended
    /// before it was moved there stays for ever.
    ///
    /// # Errors
    /// As [`Unit::stop`].
    pub fn stop_if_empty(&self, session: &Session) -> Result<()> {
        let mut manager = Manager::connect(self.user, session)?;
        match manager.is_empty(&self.name)? {
            true => manager.stop(&self.name),
            false => Ok(()),
        }
    }

    /// Where the unit is, and its process `pid`: a path in each hierarchy.
    ///
    /// # Errors
    /// [`Error::NotInUnit`].
    pub fn path(&self, pid: i32) -> Result<String> {
        let file = format!("/proc/{pid}/cgroup");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        self.find(&text).ok_or_else(|| Error::NotInUnit {
            unit: self.name.clone(),
            file: PathBuf::from(file),
        })
    }

    fn find(&self, text: &str) -> Option<String> {
        let path = |controllers: &str| {
            entries(text).find_map(|(found, path)| {
                let ours = self.is_dir(OsStr::new(path.rsplit('/').next()?));
                (found == controllers && ours).then(|| path.to_owned())
            })
        };
        path("").or_else(|| path("name=systemd"))
    }
}

/// `a-b.slice`, or the root's: `-.slice`.
fn check_slice(slice: &str) -> Result<()> {
    let bad = |why| {
        Err(Error::BadUnit {
            name: slice.to_owned(),
            why,
        })
    };
    let Some(stem) = slice.strip_suffix(".slice") else {
        return bad("a slice's name ends with `.slice`");
    };
    // `a-b.slice` is below `a.slice`: what is empty between two dashes has no name.
    if stem != "-" && stem.split('-').any(str::is_empty) {
        return bad("a slice's name has a dash only between two words");
    }
    check_name(slice)
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    let why = if name.len() > MAX_NAME {
        "a unit's name has at most 255 bytes"
    } else if !name.bytes().all(allowed) {
        "a unit's name is made of letters, digits and `:-_.\\@`"
    } else {
        return Ok(());
    };
    Err(Error::BadUnit {
        name: name.to_owned(),
        why,
    })
}
