//! A container's network namespace. A thread makes it while the caller does other things: nothing in a container's
//! start takes the kernel longer.
//!
//! It has no name: it is kept by the descriptor here, then by the container's processes. IPv6 is off in it from its first
//! moment (security: D20).

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use berth_sys::netlink::{Protocol, Socket};
use berth_sys::process::{namespace, unshare};

use crate::{Error, Result};

/// A network namespace, and a socket in it.
#[derive(Debug)]
pub struct Namespace {
    file: OwnedFd,
    pub(crate) route: Socket,
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// One that is being made.
#[derive(Debug)]
pub struct Pending(JoinHandle<io::Result<Namespace>>);

impl Namespace {
    /// Begins to make one.
    ///
    /// # Errors
    /// [`Error::Kernel`]: there can be no more threads.
    pub fn begin() -> Result<Pending> {
        let maker = std::thread::Builder::new().spawn(make);
        maker
            .map(Pending)
            .map_err(Error::kernel("make a network namespace"))
    }
}

impl Pending {
    /// Waits until it is made.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn wait(self) -> Result<Namespace> {
        let made = self
            .0
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("its maker failed")));
        made.map_err(Error::kernel("make a network namespace"))
    }
}

/// The thread that is in it ends.
fn make() -> io::Result<Namespace> {
    unshare(namespace::NETWORK)?;
    // Such a file shows the namespace of whoever opens it. A kernel without IPv6 has none.
    let setting = File::options()
        .write(true)
        .open("/proc/sys/net/ipv6/conf/all/disable_ipv6");
    match setting {
        Ok(mut file) => file.write_all(b"1")?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(Namespace {
        file: File::open("/proc/thread-self/ns/net")?.into(),
        route: Socket::open(Protocol::Route)?,
    })
}
