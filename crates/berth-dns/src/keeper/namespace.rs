//! Work inside a container's network namespace. A socket belongs to the namespace in which it was made, for ever.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use berth_net::redirect::{self, RESOLVER};
use rustix::net::{AddressFamily, SocketAddrAny, SocketFlags, SocketType, sockopt};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Error, Result};

/// The caller's.
pub(super) fn own() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// Does something inside, and comes back.
pub(super) fn inside<T>(
    namespace: impl AsFd,
    home: impl AsFd,
    act: impl FnOnce() -> T,
) -> io::Result<T> {
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), kind)?;
    let done = act();
    // Whoever cannot come back must not serve others from there.
    move_into_link_name_space(home.as_fd(), kind).expect("a way that was gone is open");
    Ok(done)
}

/// The sockets of the resolver in a container, with the way to them.
pub(super) fn open(namespace: impl AsFd, home: impl AsFd) -> Result<(OwnedFd, OwnedFd)> {
    let fail = Error::kernel("listen in the container's network");
    let make = || {
        let udp = bound(SocketType::DGRAM).map_err(&fail)?;
        let tcp = bound(SocketType::STREAM).map_err(&fail)?;
        rustix::net::listen(&tcp, 64).map_err(|error| fail(error.into()))?;
        let ports = port(&udp).and_then(|udp| Ok((udp, port(&tcp)?)));
        let (udp_port, tcp_port) = ports.map_err(&fail)?;
        redirect::install(udp_port, tcp_port).map_err(Error::Redirect)?;
        Ok((udp, tcp))
    };
    inside(namespace, home, make).map_err(Error::kernel("enter the container's network"))?
}

/// A port that the kernel chooses: none is the container's loss.
fn bound(kind: SocketType) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None)?;
    // Its loopback may not be up yet.
    sockopt::set_ip_freebind(&socket, true)?;
    rustix::net::bind(&socket, &std::net::SocketAddrV4::new(RESOLVER, 0))?;
    Ok(socket)
}

fn port(socket: &OwnedFd) -> io::Result<u16> {
    let name: SocketAddrAny = rustix::net::getsockname(socket)?;
    Ok(std::net::SocketAddr::try_from(name)?.port())
}
