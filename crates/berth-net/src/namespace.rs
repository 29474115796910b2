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

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

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

    /// That of a container that runs: its file, such as `/proc/PID/ns/net`, opened. Whoever opened it makes sure that the
    /// process was still the one that was meant.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn of(file: OwnedFd) -> Result<Namespace> {
        let open = inside(file.as_fd(), || Socket::open(Protocol::Route));
        let route = open
            .and_then(|socket| socket)
            .map_err(Error::kernel("enter a network namespace"))?;
        Ok(Namespace { file, route })
    }

    /// Does something in it.
    ///
    /// # Errors
    /// [`Error::Kernel`]: it cannot be entered.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        inside(self.file.as_fd(), act).map_err(Error::kernel("enter a network namespace"))
    }
}

/// By a thread of its own.
fn inside<T: Send>(file: BorrowedFd<'_>, act: impl FnOnce() -> T + Send) -> io::Result<T> {
    let act = || -> io::Result<T> {
        move_into_link_name_space(file, Some(LinkNameSpaceType::Network))?;
        Ok(act())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, act)?;
        let failed = |_| Err(io::Error::other("a thread in the namespace failed"));
        thread.join().unwrap_or_else(failed)
    })
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
