//! The sockets to the kernel in the host's network namespace.

use std::cell::OnceCell;

use berth_sys::later;
use berth_sys::netlink::{Protocol, Socket};

use crate::{Error, Result};

/// The kernel, seen from the network namespace in which this was opened.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) route: Socket,
    netfilter: OnceCell<Socket>,
}

impl Kernel {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn open() -> Result<Kernel> {
        let route =
            Socket::open(Protocol::Route).map_err(Error::kernel("open a netlink socket"))?;
        route.strict();
        Ok(Kernel {
            route,
            netfilter: OnceCell::new(),
        })
    }

    /// Opened when first needed.
    pub(crate) fn netfilter(&self) -> Result<&Socket> {
        if let Some(socket) = self.netfilter.get() {
            return Ok(socket);
        }
        let socket =
            Socket::open(Protocol::Netfilter).map_err(|source| Error::NoTables { source })?;
        Ok(self.netfilter.get_or_init(|| socket))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if let Some(socket) = self.netfilter.take() {
            later::close(socket.into());
        }
    }
}
