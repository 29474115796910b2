//! Links, addresses and routes. Source: rtnetlink(7), linux/if_link.h, linux/veth.h.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use berth_sys::netlink::{Attributes, CREATE, DUMP, Request, Socket, attribute};

use crate::Subnet;

/// Bytes of `struct ifinfomsg`, `struct ifaddrmsg` and `struct rtmsg`.
const IFINFO: usize = 16;
const IFADDR: usize = 8;
const RTMSG: usize = 12;

/// `IFLA_BRPORT_MODE`.
const PORT_HAIRPIN: u16 = 4;
/// `VETH_INFO_PEER`.
const VETH_PEER: u16 = 1;
/// `IFLA_INET6_ADDR_GEN_MODE`, and its value for "none".
const ADDR_GEN_MODE: u16 = 8;
const GEN_NONE: u8 = 1;
/// The loopback has this number in each namespace.
const LOOPBACK: i32 = 1;

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: i32,
    pub(crate) up: bool,
    /// `bridge`, `veth`, …; empty: physical.
    pub(crate) kind: String,
}

/// A device by its name.
pub(crate) fn find(socket: &Socket, name: &str) -> io::Result<Option<Link>> {
    let request = Request::new(libc::RTM_GETLINK, 0, &ifinfo(0, 0))
        .attributes(&Attributes::new().text(libc::IFLA_IFNAME, name));
    match socket.ask(request) {
        Ok(answers) => Ok(answers.first().and_then(|body| link(body))),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names of the devices in a bridge that are up.
pub(crate) fn ports(socket: &Socket, bridge: &str) -> io::Result<Vec<String>> {
    let Some(bridge) = find(socket, bridge)? else {
        return Ok(Vec::new());
    };
    let all = socket.ask(Request::new(libc::RTM_GETLINK, DUMP, &ifinfo(0, 0)))?;
    let port = |body: &Vec<u8>| {
        let master = attribute(body, IFINFO, libc::IFLA_MASTER)?;
        let of_bridge = master == bridge.index.to_ne_bytes() && link(body)?.up;
        let name = attribute(body, IFINFO, libc::IFLA_IFNAME)?;
        of_bridge.then(|| {
            String::from_utf8_lossy(name)
                .trim_end_matches('\0')
                .to_owned()
        })
    };
    Ok(all.iter().filter_map(port).collect())
}

fn link(body: &[u8]) -> Option<Link> {
    let word = |at: usize| Some(i32::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let info = attribute(body, IFINFO, libc::IFLA_LINKINFO).unwrap_or_default();
    let kind = attribute(info, 0, libc::IFLA_INFO_KIND).unwrap_or_default();
    Some(Link {
        index: word(4)?,
        up: word(8)? & libc::IFF_UP != 0,
        kind: String::from_utf8_lossy(kind)
            .trim_end_matches('\0')
            .to_owned(),
    })
}

/// IPv4 addresses of all devices: index, address, prefix.
pub(crate) fn addresses(socket: &Socket) -> io::Result<Vec<(i32, Ipv4Addr, u8)>> {
    let answers = socket.ask(Request::new(libc::RTM_GETADDR, DUMP, &ifaddr(0, 0)))?;
    let address = |body: &Vec<u8>| {
        let index = i32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
        let local = attribute(body, IFADDR, libc::IFA_LOCAL)?;
        Some((
            index,
            Ipv4Addr::from(*local.first_chunk::<4>()?),
            *body.get(1)?,
        ))
    };
    Ok(answers.iter().filter_map(address).collect())
}

/// Where IPv4 routes lead to, default routes included.
pub(crate) fn routes(socket: &Socket) -> io::Result<Vec<Subnet>> {
    let mut body = [0; RTMSG];
    body[0] = libc::AF_INET as u8;
    let answers = socket.ask(Request::new(libc::RTM_GETROUTE, DUMP, &body))?;
    let route = |body: &Vec<u8>| {
        let target = attribute(body, RTMSG, libc::RTA_DST)
            .and_then(|bytes| bytes.first_chunk::<4>().copied())
            .unwrap_or_default();
        Subnet::of(Ipv4Addr::from(target), *body.get(1)?)
    };
    Ok(answers.iter().filter_map(route).collect())
}

/// A bridge, down. Its own hardware address keeps it from taking that of a port.
pub(crate) fn make_bridge(socket: &Socket, name: &str, mac: [u8; 6]) -> io::Result<()> {
    let attributes = Attributes::new()
        .text(libc::IFLA_IFNAME, name)
        .with(libc::IFLA_ADDRESS, &mac)
        .nest(
            libc::IFLA_LINKINFO,
            &Attributes::new().text(libc::IFLA_INFO_KIND, "bridge"),
        );
    let request = Request::new(libc::RTM_NEWLINK, CREATE, &ifinfo(0, 0));
    socket.ask(request.attributes(&attributes)).map(drop)
}

/// A pair of virtual Ethernet devices: one end here, up and in a bridge, the other as `eth0` in a namespace.
pub(crate) fn make_veth(
    socket: &Socket,
    name: &str,
    bridge: i32,
    mac: [u8; 6],
    namespace: BorrowedFd<'_>,
) -> io::Result<()> {
    let peer = [
        &ifinfo(0, 0)[..],
        Attributes::new()
            .text(libc::IFLA_IFNAME, INSIDE)
            .with(libc::IFLA_ADDRESS, &mac)
            .number(libc::IFLA_NET_NS_FD, namespace.as_raw_fd() as u32)
            .bytes(),
    ]
    .concat();
    let info = Attributes::new().text(libc::IFLA_INFO_KIND, "veth").nest(
        libc::IFLA_INFO_DATA,
        &Attributes::new().with(VETH_PEER, &peer),
    );
    let named = || Attributes::new().text(libc::IFLA_IFNAME, name);
    let make = named().nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, CREATE, &ifinfo(0, 0));
    socket.ask(request.attributes(&make))?;
    // Not at once: a device that is being made has no IPv6 yet that could be told.
    let join = || named().number(libc::IFLA_MASTER, bridge as u32);
    let ask = |attributes: &Attributes| {
        let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(0, libc::IFF_UP));
        socket.ask(request.attributes(attributes))
    };
    match ask(&join().nest(libc::IFLA_AF_SPEC, &no_link_local())) {
        // A kernel without IPv6 cannot be told of it.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => ask(&join())?,
        other => other?,
    };
    // A container reaches a port of its own by the host's address: where the rules are asked for bridged packets too,
    // what it sends has to leave by where it came from.
    let port = Attributes::new().with(PORT_HAIRPIN, &[1]);
    let info = Attributes::new()
        .text(libc::IFLA_INFO_SLAVE_KIND, "bridge")
        .nest(libc::IFLA_INFO_SLAVE_DATA, &port);
    let hairpin = named().nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(0, 0));
    socket.ask(request.attributes(&hairpin)).map(drop)
}

/// The device's name in a container.
pub(crate) const INSIDE: &str = "eth0";

/// No IPv6 address by itself.
fn no_link_local() -> Attributes {
    let mode = Attributes::new().with(ADDR_GEN_MODE, &[GEN_NONE]);
    Attributes::new().nest(libc::AF_INET6 as u16, &mode)
}

/// Brings a device up.
pub(crate) fn set_up(socket: &Socket, index: i32) -> io::Result<()> {
    let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(index, libc::IFF_UP));
    socket.ask(request).map(drop)
}

/// Takes a device down. `false`: it was not there.
pub(crate) fn set_down(socket: &Socket, name: &str) -> io::Result<bool> {
    let mut body = ifinfo(0, libc::IFF_UP);
    body[8..12].fill(0);
    let request = Request::new(libc::RTM_NEWLINK, 0, &body)
        .attributes(&Attributes::new().text(libc::IFLA_IFNAME, name));
    match socket.ask(request) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Brings the loopback up.
pub(crate) fn loopback_up(socket: &Socket) -> io::Result<()> {
    set_up(socket, LOOPBACK)
}

/// Removes a device and what hangs on it. `false`: it was not there.
pub(crate) fn remove(socket: &Socket, name: &str) -> io::Result<bool> {
    let request = Request::new(libc::RTM_DELLINK, 0, &ifinfo(0, 0))
        .attributes(&Attributes::new().text(libc::IFLA_IFNAME, name));
    match socket.ask(request) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a device an address, with the route to its subnet. That it has it is fine.
pub(crate) fn add_address(
    socket: &Socket,
    index: i32,
    address: Ipv4Addr,
    subnet: Subnet,
) -> io::Result<()> {
    let request = Request::new(libc::RTM_NEWADDR, CREATE, &ifaddr(index, subnet.prefix()))
        .with(libc::IFA_LOCAL, &address.octets())
        .with(libc::IFA_ADDRESS, &address.octets())
        .with(libc::IFA_BROADCAST, &subnet.broadcast().octets());
    exists_is_fine(socket.ask(request))
}

/// Takes an address from a device.
pub(crate) fn remove_address(
    socket: &Socket,
    index: i32,
    address: Ipv4Addr,
    prefix: u8,
) -> io::Result<()> {
    let request = Request::new(libc::RTM_DELADDR, 0, &ifaddr(index, prefix))
        .with(libc::IFA_LOCAL, &address.octets());
    socket.ask(request).map(drop)
}

/// The route to everywhere.
pub(crate) fn add_default_route(socket: &Socket, gateway: Ipv4Addr) -> io::Result<()> {
    let mut body = [0; RTMSG];
    body[0] = libc::AF_INET as u8;
    body[4] = libc::RT_TABLE_MAIN;
    body[5] = libc::RTPROT_BOOT;
    body[6] = libc::RT_SCOPE_UNIVERSE;
    body[7] = libc::RTN_UNICAST;
    let request =
        Request::new(libc::RTM_NEWROUTE, CREATE, &body).with(libc::RTA_GATEWAY, &gateway.octets());
    exists_is_fine(socket.ask(request))
}

fn exists_is_fine<T>(result: io::Result<T>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// `flags` are set; no others are touched.
fn ifinfo(index: i32, flags: i32) -> [u8; IFINFO] {
    let mut bytes = [0; IFINFO];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

fn ifaddr(index: i32, prefix: u8) -> [u8; IFADDR] {
    let mut bytes = [0; IFADDR];
    bytes[0] = libc::AF_INET as u8;
    bytes[1] = prefix;
    bytes[4..].copy_from_slice(&index.to_ne_bytes());
    bytes
}
