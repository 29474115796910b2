//! Which address is whose.
//!
//! ```text
//! DIR/addr/172.17.0.2 → OWNER     a symbolic link: made or not made, never half
//! DIR/freed/172.17.0.3 → OWNER    the same one, renamed: its change time is when it was freed
//! DIR/last, last-fd00::           the address given last: where the search goes on
//! DIR/swept                       its time: when freed ones were last forgotten
//! ```
//! An address is given to one owner: the kernel makes one link of a name. A freed one is in quarantine, so that whoever
//! still speaks to its old owner does not reach a new one: it is given only where no other is free, the one that has waited
//! longest first. `last`, `freed` and `swept` are hints: lost, they cost a longer search or the quarantine, never an
//! address.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{Error, Result, Subnet};

mod step;
use step::step;

/// How long others may remember who had an address: their tables of neighbours and connections.
const QUARANTINE: Duration = Duration::from_secs(60);

/// The addresses of a network.
#[derive(Debug, Clone)]
pub struct Pool {
    dir: PathBuf,
    subnet: Subnet,
    limits: Limits,
    quarantine: Duration,
}

/// Which addresses of a subnet are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only of these, unless one is asked for.
    pub range: Option<Subnet>,
    /// None of these: the gateway's, and those of others in the network.
    pub reserved: Vec<IpAddr>,
}

impl Pool {
    /// In a directory, with `addr/` in it. Pools of several subnets may share one.
    pub fn new(dir: &Path, subnet: Subnet, limits: Limits) -> Pool {
        Pool {
            dir: dir.to_owned(),
            subnet,
            limits,
            quarantine: QUARANTINE,
        }
    }

    /// Gives `owner` an address: `wish` if that is free.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Reservation`].
    pub fn reserve(&self, owner: &str, wish: Option<IpAddr>) -> Result<IpAddr> {
        if let Some(wish) = wish.filter(|wish| self.is_for_containers(*wish))
            && self.link(wish, owner)?
        {
            return Ok(wish);
        }
        let range = self.limits.range.unwrap_or(self.subnet);
        let mut waiting = BTreeSet::new();
        for address in range.addresses_after(self.last()) {
            if !self.is_for_containers(address) {
                continue;
            }
            if let Some(freed) = self.in_quarantine(address) {
                waiting.insert((freed, address));
            } else if self.link(address, owner)? {
                // Lost, it costs a longer search.
                let _ = write(&self.last_path(), &address.to_string());
                return Ok(address);
            }
        }
        for (_, address) in waiting {
            if self.link(address, owner)? {
                return Ok(address);
            }
        }
        Err(Error::Full { subnet: range })
    }

    /// Gives `owner` this address and no other.
    ///
    /// # Errors
    /// [`Error::Taken`], [`Error::Reservation`].
    pub fn take(&self, owner: &str, address: IpAddr) -> Result<()> {
        match self.is_for_containers(address) && self.link(address, owner)? {
            true => Ok(()),
            false => Err(Error::Taken { address }),
        }
    }

    /// Frees an address of `owner`. That it is another's, or free, is fine.
    ///
    /// # Errors
    /// [`Error::Reservation`].
    pub fn free(&self, address: IpAddr, owner: &str) -> Result<()> {
        let path = self.path(address);
        let fail = |source| Error::Reservation {
            action: "free the address",
            path: path.clone(),
            source,
        };
        // Only who frees takes links away: under this lock, what is read here is what goes.
        let _lock = match self.lock() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            lock => lock.map_err(fail)?,
        };
        if self.owner(address)?.as_deref() != Some(owner) {
            return Ok(());
        }
        step().map_err(fail)?;
        self.sweep();
        match std::fs::rename(&path, self.freed(address)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => return renamed.map_err(fail),
        }
        // The first one of this network.
        std::fs::create_dir_all(self.dir.join("freed")).map_err(fail)?;
        step().map_err(fail)?;
        std::fs::rename(&path, self.freed(address)).map_err(fail)
    }

    /// Whose an address is.
    ///
    /// # Errors
    /// [`Error::Reservation`].
    pub fn owner(&self, address: IpAddr) -> Result<Option<String>> {
        let path = self.path(address);
        match std::fs::read_link(&path) {
            Ok(owner) => Ok(Some(owner.to_string_lossy().into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Reservation {
                action: "read",
                path,
                source,
            }),
        }
    }

    /// All addresses that are given, with their owners: of all pools that share the directory.
    ///
    /// # Errors
    /// [`Error::Reservation`].
    pub fn all(&self) -> Result<Vec<(IpAddr, String)>> {
        let path = self.dir.join("addr");
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(Error::Reservation {
                    action: "list",
                    path,
                    source,
                });
            }
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            if let Ok(address) = entry.file_name().to_string_lossy().parse()
                && let Some(owner) = self.owner(address)?
            {
                found.push((address, owner));
            }
        }
        found.sort();
        Ok(found)
    }

    fn link(&self, address: IpAddr, owner: &str) -> Result<bool> {
        let path = self.path(address);
        let made = step().and_then(|()| std::os::unix::fs::symlink(owner, &path));
        match made {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(source) => {
                return Err(Error::Reservation {
                    action: "reserve the address",
                    path,
                    source,
                });
            }
        }
        step().map_err(|source| Error::Reservation {
            action: "reserve the address",
            path,
            source,
        })?;
        // Most times there is none.
        let _ = std::fs::remove_file(self.freed(address));
        Ok(true)
    }

    /// When an address was freed, if that is not long ago.
    fn in_quarantine(&self, address: IpAddr) -> Option<SystemTime> {
        let freed = changed(&self.freed(address))?;
        // A time to come is one of a clock that was set back.
        let waited = SystemTime::now().duration_since(freed);
        (!waited.is_ok_and(|waited| waited >= self.quarantine)).then_some(freed)
    }

    /// Forgets those that have waited long enough; not each time, or many would be looked at each time.
    fn sweep(&self) {
        let swept = self.dir.join("swept");
        let old = |at: Option<SystemTime>| {
            at.is_none_or(|at| at.elapsed().is_ok_and(|age| age >= self.quarantine))
        };
        if !old(changed(&swept)) {
            return;
        }
        // Nothing of this has to succeed.
        let _ = write(&swept, "");
        for entry in std::fs::read_dir(self.dir.join("freed"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if old(changed(&entry.path())) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn lock(&self) -> io::Result<std::fs::File> {
        let dir = std::fs::File::open(self.dir.join("addr"))?;
        rustix::fs::flock(&dir, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(dir)
    }

    fn is_for_containers(&self, address: IpAddr) -> bool {
        let subnet = self.subnet;
        // IPv6 has no address that reaches all.
        let last = subnet.is_ipv4().then(|| subnet.broadcast());
        subnet.contains(address)
            && address != subnet.address()
            && Some(address) != last
            && !self.limits.reserved.contains(&address)
    }

    /// Where the search begins: behind this.
    fn last(&self) -> IpAddr {
        let text = std::fs::read_to_string(self.last_path());
        let last = text.ok().and_then(|text| text.trim().parse().ok());
        last.unwrap_or(self.subnet.address())
    }

    /// IPv6 subnets have a hint each.
    fn last_path(&self) -> PathBuf {
        self.dir.join(match self.subnet.is_ipv4() {
            true => "last".to_owned(),
            false => format!("last-{}", self.subnet.address()),
        })
    }

    fn freed(&self, address: IpAddr) -> PathBuf {
        self.dir.join("freed").join(address.to_string())
    }

    fn path(&self, address: IpAddr) -> PathBuf {
        self.dir.join("addr").join(address.to_string())
    }
}

/// When a file, or a link itself, was last changed or renamed.
fn changed(path: &Path) -> Option<SystemTime> {
    let seen = std::fs::symlink_metadata(path).ok()?;
    let seconds = Duration::from_secs(u64::try_from(seen.ctime()).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds + Duration::from_nanos(seen.ctime_nsec() as u64))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    use io::Write as _;
    std::fs::File::create(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
