//! Host ports are claimed as every program claims them: by a socket. The kernel says whether a port is free, and whoever
//! wants it later is told that it is not. The socket listens, so that it is seen, and is held as long as the container
//! runs; no connection reaches it, since the rules lead each to the container.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use berth_model::config::Protocol;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::{Error, Result};

/// A port that is ours while this lives.
#[derive(Debug)]
pub struct Held {
    /// The socket.
    pub socket: OwnedFd,
    /// The port.
    pub port: u16,
}

/// Claims the first free port from `first` to `last`; 0: one that the kernel chooses.
///
/// # Errors
/// [`Error::Port`] about the last one tried.
pub fn claim(protocol: Protocol, host: IpAddr, first: u16, last: u16) -> Result<Held> {
    let mut failed = None;
    for port in first..=last.max(first) {
        match hold(protocol, host, port) {
            Ok(held) => return Ok(held),
            Err(source) => {
                let used = source.kind() == io::ErrorKind::AddrInUse;
                failed = Some((port, source));
                if !used {
                    break;
                }
            }
        }
    }
    let (port, source) = failed.unwrap_or((first, io::ErrorKind::InvalidInput.into()));
    Err(Error::Port {
        protocol,
        host,
        port,
        source,
    })
}

fn hold(protocol: Protocol, host: IpAddr, port: u16) -> io::Result<Held> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, rustix::net::ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, rustix::net::ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, rustix::net::ipproto::SCTP),
    };
    let flags = SocketFlags::CLOEXEC;
    let family = match host {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, kind, flags, Some(number))?;
    if host.is_ipv6() {
        // Each family has ports of its own.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    let listens = protocol != Protocol::Udp;
    if listens {
        // Else connections of the last minute, long closed, would keep it taken. Who listens is respected all the same.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    } else {
        // What comes before the rules are there is nobody's.
        sockopt::set_socket_recv_buffer_size(&socket, 0)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(host, port))?;
    if listens {
        // To SCTP 0 means not to.
        rustix::net::listen(&socket, i32::from(protocol == Protocol::Sctp))?;
    }
    let name = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok(Held {
        socket,
        port: name.port(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ALL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    #[test]
    fn a_port_is_had_once_while_it_is_held() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let held = claim(protocol, HERE, 0, 0).unwrap();
            assert_ne!(held.port, 0);
            let taken = |host: IpAddr| claim(protocol, host, held.port, held.port).unwrap_err();
            for host in [HERE, ALL] {
                let error = taken(host);
                assert_eq!(error.kind(), berth_model::ErrorKind::Conflict, "{error}");
            }
            // The other family's ports are others.
            let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            let six = claim(protocol, all, held.port, held.port).unwrap();
            let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
            assert!(claim(protocol, here, six.port, six.port).is_err());
            let port = held.port;
            drop(held);
            // The next one of a range, when the first is taken.
            let held = claim(protocol, HERE, port, port).unwrap();
            if port < u16::MAX - 20 {
                let next = claim(protocol, HERE, port, port + 20).unwrap();
                assert!(next.port > held.port);
            }
        }
        let nowhere = claim(Protocol::Tcp, [198, 51, 100, 9].into(), 0, 0).unwrap_err();
        assert!(nowhere.hint().unwrap().contains("ip address"), "{nowhere}");
    }
}
