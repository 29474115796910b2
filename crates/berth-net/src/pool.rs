//! Which address is whose.
//!
//! ```text
//! DIR/addr/172.17.0.2 → OWNER    a symbolic link: made or not made, never half
//! DIR/last, last-fd00::          the address given last: where the search goes on
//! ```
//! An address is given to one owner: the kernel makes one link of a name. A freed one comes last, so that whoever still
//! speaks to its old owner does not reach a new one. `last` is only a hint: lost, it costs a longer search.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::{Error, Result, Subnet};

/// The addresses of a network.
#[derive(Debug, Clone)]
pub struct Pool {
    dir: PathBuf,
    subnet: Subnet,
    limits: Limits,
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
        let last = self.last();
        let begin = std::fs::read_to_string(&last)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(self.subnet.address());
        for address in range.addresses_after(begin) {
            if self.is_for_containers(address) && self.link(address, owner)? {
                // Lost, it costs a longer search.
                let _ = write(&last, &address.to_string());
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
        // Only who frees removes links: under this lock, what is read here is what is removed.
        let _lock = match self.lock() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            lock => lock.map_err(|source| Error::Reservation {
                action: "free the address",
                path: path.clone(),
                source,
            })?,
        };
        if self.owner(address)?.as_deref() != Some(owner) {
            return Ok(());
        }
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Reservation {
                action: "free the address",
                path,
                source,
            }),
            _ => Ok(()),
        }
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

    /// All addresses that are given, with their owners.
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
        match std::os::unix::fs::symlink(owner, &path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(Error::Reservation {
                action: "reserve the address",
                path,
                source,
            }),
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

    /// IPv6 subnets have a hint each.
    fn last(&self) -> PathBuf {
        self.dir.join(match self.subnet.is_ipv4() {
            true => "last".to_owned(),
            false => format!("last-{}", self.subnet.address()),
        })
    }

    fn path(&self, address: IpAddr) -> PathBuf {
        self.dir.join("addr").join(address.to_string())
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    use io::Write as _;
    std::fs::File::create(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
