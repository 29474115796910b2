//! Links, addresses and routes. Source: rtnetlink(7), linux/if_link.h, linux/veth.h.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use berth_sys::netlink::{Attributes, CREATE, DUMP, REPLACE, Request, Socket, attribute, text};

use crate::Subnet;
use crate::nft::octets;

/// Bytes of `struct ifinfomsg`, `struct ifaddrmsg` and `struct rtmsg`.
pub(crate) const IFINFO: usize = 16;
const IFADDR: usize = 8;
pub(crate) const RTMSG: usize = 12;

/// `IFLA_BRPORT_ISOLATED`.
const PORT_ISOLATED: u16 = 33;
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
    pub(crate) mtu: u32,
}

/// A device by its name.
pub(crate) fn find(socket: &Socket, name: &str) -> io::Result<Option<Link>> {
    Ok(ask_for(socket, name)?.and_then(|body| link(&body)))
}

/// What the kernel tells of a device; `None`: there is no such device.
fn ask_for(socket: &Socket, name: &str) -> io::Result<Option<Vec<u8>>> {
    let request = Request::new(libc::RTM_GETLINK, 0, &ifinfo(0, 0))
        .attributes(&Attributes::new().text(libc::IFLA_IFNAME, name));
    let answers = of_device(socket.ask(request))?.unwrap_or_default();
    Ok(answers.into_iter().next())
}

/// `None`: there is no such device.
fn of_device<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Names of a bridge's ports that are up, with their aliases.
pub(crate) fn ports(socket: &Socket, bridge: &str) -> io::Result<Vec<(String, Option<String>)>> {
    let Some(bridge) = find(socket, bridge)? else {
        return Ok(Vec::new());
    };
    let all = socket.ask(Request::new(libc::RTM_GETLINK, DUMP, &ifinfo(0, 0)))?;
    let port = |body: &Vec<u8>| {
        let master = attribute(body, IFINFO, libc::IFLA_MASTER)?;
        let name = text(body, IFINFO, libc::IFLA_IFNAME)?;
        let is_port = master == bridge.index.to_ne_bytes() && link(body)?.up;
        is_port.then(|| (name, text(body, IFINFO, libc::IFLA_IFALIAS)))
    };
    Ok(all.iter().filter_map(port).collect())
}

fn link(body: &[u8]) -> Option<Link> {
    let word = |at: usize| Some(i32::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let info = attribute(body, IFINFO, libc::IFLA_LINKINFO).unwrap_or_default();
    let mtu = attribute(body, IFINFO, libc::IFLA_MTU)?;
    Some(Link {
        mtu: u32::from_ne_bytes(*mtu.first_chunk()?),
        index: word(4)?,
        up: word(8)? & libc::IFF_UP != 0,
        kind: text(info, 0, libc::IFLA_INFO_KIND).unwrap_or_default(),
    })
}

/// Addresses of all devices: index, address, prefix.
pub(crate) fn addresses(socket: &Socket) -> io::Result<Vec<(i32, IpAddr, u8)>> {
    let all = Request::new(libc::RTM_GETADDR, DUMP, &[0; IFADDR]);
    let address = |body: &Vec<u8>| {
        let index = i32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
        let own = attribute(body, IFADDR, libc::IFA_LOCAL)
            .or_else(|| attribute(body, IFADDR, libc::IFA_ADDRESS))?;
        Some((index, ip(own)?, *body.get(1)?))
    };
    Ok(socket.ask(all)?.iter().filter_map(address).collect())
}

/// Whether some device listens for those who look for the owner of an address.
pub(crate) fn listens_for(socket: &Socket, address: Ipv6Addr) -> io::Result<bool> {
    let [.., a, b, c] = address.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    );
    let mut body = [0; IFADDR];
    body[0] = libc::AF_INET6 as u8;
    let groups = socket.ask(Request::new(libc::RTM_GETMULTICAST, DUMP, &body))?;
    let is_it =
        |body: &Vec<u8>| attribute(body, IFADDR, libc::IFA_MULTICAST) == Some(&group.octets());
    Ok(groups.iter().any(is_it))
}

/// Where routes lead to, default routes included.
pub(crate) fn routes(socket: &Socket) -> io::Result<Vec<Subnet>> {
    let all = Request::new(libc::RTM_GETROUTE, DUMP, &[0; RTMSG]);
    let route = |body: &Vec<u8>| {
        let everywhere = match i32::from(*body.first()?) {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let target = attribute(body, RTMSG, libc::RTA_DST).and_then(ip);
        Subnet::of(target.unwrap_or(everywhere), *body.get(1)?)
    };
    Ok(socket.ask(all)?.iter().filter_map(route).collect())
}

pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|bytes| (*bytes).into()),
        _ => bytes.first_chunk::<16>().map(|bytes| (*bytes).into()),
    }
}

pub(crate) fn family(ipv4: bool) -> u8 {
    (if ipv4 { libc::AF_INET } else { libc::AF_INET6 }) as u8
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

/// What the container's end of a connection is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inner<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: BorrowedFd<'a>,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) mtu: Option<u32>,
}

impl Inner<'_> {
    fn attributes(&self) -> Attributes {
        let file = self.namespace.as_raw_fd() as u32;
        let mut all = mtu(
            Attributes::new().text(libc::IFLA_IFNAME, self.name),
            self.mtu,
        );
        if let Some(mac) = &self.mac {
            all = all.with(libc::IFLA_ADDRESS, mac);
        }
        all.number(libc::IFLA_NET_NS_FD, file)
    }
}

fn mtu(attributes: Attributes, mtu: Option<u32>) -> Attributes {
    match mtu {
        Some(mtu) => attributes.number(libc::IFLA_MTU, mtu),
        None => attributes,
    }
}

/// A pair of virtual Ethernet devices: one end here, up and in a bridge, the other in a namespace. One that is isolated
/// reaches the bridge itself, and no others that are isolated; nor by a published port, where bridged packets meet the
/// host's rules: the kernel then bridges what is translated.
pub(crate) fn make_veth(
    socket: &Socket,
    name: &str,
    bridge: i32,
    isolated: bool,
    alias: &str,
    inner: &Inner<'_>,
) -> io::Result<()> {
    let peer = [&ifinfo(0, 0)[..], inner.attributes().bytes()].concat();
    let info = Attributes::new().text(libc::IFLA_INFO_KIND, "veth").nest(
        libc::IFLA_INFO_DATA,
        &Attributes::new().with(VETH_PEER, &peer),
    );
    let named = || Attributes::new().text(libc::IFLA_IFNAME, name);
    let make = mtu(named(), inner.mtu).nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, CREATE, &ifinfo(0, 0));
    socket.ask(request.attributes(&make))?;
    // Not when it is made: the kernel does not heed it then.
    let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(0, 0));
    let alias = named().with(libc::IFLA_IFALIAS, alias.as_bytes());
    socket.ask(request.attributes(&alias))?;
    join(socket, name, bridge, isolated)
}

/// A device over another one, in a namespace. `data`: what its kind is told.
pub(crate) fn make_over(
    socket: &Socket,
    kind: &str,
    data: &Attributes,
    parent: i32,
    inner: &Inner<'_>,
) -> io::Result<()> {
    let info = Attributes::new()
        .text(libc::IFLA_INFO_KIND, kind)
        .nest(libc::IFLA_INFO_DATA, data);
    let attributes = inner
        .attributes()
        .number(libc::IFLA_LINK, parent as u32)
        .nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, CREATE, &ifinfo(0, 0));
    socket.ask(request.attributes(&attributes)).map(drop)
}

/// A device with this number of a virtual LAN, over another one; `None`: one that leads nowhere. It comes up.
pub(crate) fn make_parent(socket: &Socket, name: &str, over: Option<(i32, u16)>) -> io::Result<()> {
    const VLAN_ID: u16 = 1;
    let mut attributes = Attributes::new().text(libc::IFLA_IFNAME, name);
    let info = Attributes::new();
    let info = match over {
        Some((parent, number)) => {
            attributes = attributes.number(libc::IFLA_LINK, parent as u32);
            let data = Attributes::new().with(VLAN_ID, &number.to_ne_bytes());
            info.text(libc::IFLA_INFO_KIND, "vlan")
                .nest(libc::IFLA_INFO_DATA, &data)
        }
        None => info.text(libc::IFLA_INFO_KIND, "dummy"),
    };
    let attributes = attributes.nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, CREATE, &ifinfo(0, libc::IFF_UP));
    socket.ask(request.attributes(&attributes)).map(drop)
}

/// Brings a device up as a port of a bridge.
pub(crate) fn join(socket: &Socket, name: &str, bridge: i32, isolated: bool) -> io::Result<()> {
    let named = || Attributes::new().text(libc::IFLA_IFNAME, name);
    // Not when it is made: a device that is being made has no IPv6 yet that could be told.
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
    let port = Attributes::new()
        .with(PORT_HAIRPIN, &[1])
        .with(PORT_ISOLATED, &[u8::from(isolated)]);
    let info = Attributes::new()
        .text(libc::IFLA_INFO_SLAVE_KIND, "bridge")
        .nest(libc::IFLA_INFO_SLAVE_DATA, &port);
    let hairpin = named().nest(libc::IFLA_LINKINFO, &info);
    let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(0, 0));
    socket.ask(request.attributes(&hairpin)).map(drop)
}

/// No IPv6 address by itself.
fn no_link_local() -> Attributes {
    let mode = Attributes::new().with(ADDR_GEN_MODE, &[GEN_NONE]);
    Attributes::new().nest(libc::AF_INET6 as u16, &mode)
}

/// Sets the bytes of a packet.
pub(crate) fn set_mtu(socket: &Socket, index: i32, mtu: u32) -> io::Result<()> {
    let request = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(index, 0));
    let request = request.attributes(&Attributes::new().number(libc::IFLA_MTU, mtu));
    socket.ask(request).map(drop)
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
    Ok(of_device(socket.ask(request))?.is_some())
}

/// Whether a device is in a bridge, and its alias; `None`: there is no such device.
pub(crate) fn port(
    socket: &Socket,
    name: &str,
    bridge: i32,
) -> io::Result<Option<(bool, Option<String>)>> {
    Ok(ask_for(socket, name)?.map(|body| {
        let master = attribute(&body, IFINFO, libc::IFLA_MASTER);
        let is_port = master == Some(&bridge.to_ne_bytes());
        (is_port, text(&body, IFINFO, libc::IFLA_IFALIAS))
    }))
}

/// Brings the loopback up.
pub(crate) fn loopback_up(socket: &Socket) -> io::Result<()> {
    set_up(socket, LOOPBACK)
}

/// Removes a device and what hangs on it. `false`: it was not there.
pub(crate) fn remove(socket: &Socket, name: &str) -> io::Result<bool> {
    let request = Request::new(libc::RTM_DELLINK, 0, &ifinfo(0, 0))
        .attributes(&Attributes::new().text(libc::IFLA_IFNAME, name));
    Ok(of_device(socket.ask(request))?.is_some())
}

/// Gives a device an address, with the route to its subnet, for use at once: IPv6 does not look for others that have it.
/// That the device has it is fine.
pub(crate) fn add_address(
    socket: &Socket,
    index: i32,
    address: IpAddr,
    subnet: Subnet,
) -> io::Result<()> {
    let own = octets(address);
    let mut body = ifaddr(index, address, subnet.prefix());
    if address.is_ipv6() {
        body[2] = libc::IFA_F_NODAD as u8;
    }
    let mut request = Request::new(libc::RTM_NEWADDR, CREATE, &body)
        .with(libc::IFA_LOCAL, &own)
        .with(libc::IFA_ADDRESS, &own);
    if address.is_ipv4() {
        request = request.with(libc::IFA_BROADCAST, &octets(subnet.broadcast()));
    }
    exists_is_fine(socket.ask(request))
}

/// Takes an address from a device.
pub(crate) fn remove_address(
    socket: &Socket,
    index: i32,
    address: IpAddr,
    prefix: u8,
) -> io::Result<()> {
    let request = Request::new(libc::RTM_DELADDR, 0, &ifaddr(index, address, prefix))
        .with(libc::IFA_LOCAL, &octets(address));
    socket.ask(request).map(drop)
}

/// The route to everywhere, in the place of the one before.
pub(crate) fn set_default_route(socket: &Socket, gateway: IpAddr) -> io::Result<()> {
    let request = Request::new(
        libc::RTM_NEWROUTE,
        REPLACE,
        &everywhere(family(gateway.is_ipv4())),
    )
    .with(libc::RTA_GATEWAY, &octets(gateway));
    socket.ask(request).map(drop)
}

/// The route to everywhere by a device itself, without a gateway.
pub(crate) fn set_default_device(socket: &Socket, ipv4: bool, index: i32) -> io::Result<()> {
    let mut body = everywhere(family(ipv4));
    body[6] = libc::RT_SCOPE_LINK;
    let request =
        Request::new(libc::RTM_NEWROUTE, REPLACE, &body).with(libc::RTA_OIF, &index.to_ne_bytes());
    socket.ask(request).map(drop)
}

/// No route to everywhere. That there is none is fine.
pub(crate) fn remove_default_route(socket: &Socket, ipv4: bool) -> io::Result<()> {
    let mut body = everywhere(family(ipv4));
    // Of whatever scope: one by a device has that of links.
    body[6] = libc::RT_SCOPE_NOWHERE;
    let request = Request::new(libc::RTM_DELROUTE, 0, &body);
    match socket.ask(request) {
        Err(error) if !is_none(&error) => Err(error),
        _ => Ok(()),
    }
}

/// There is no such route, table or rule, or nothing of the family.
pub(crate) fn is_none(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ESRCH | libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP)
    )
}

fn everywhere(family: u8) -> [u8; RTMSG] {
    let mut body = [0; RTMSG];
    body[0] = family;
    body[4] = libc::RT_TABLE_MAIN;
    body[5] = libc::RTPROT_BOOT;
    body[6] = libc::RT_SCOPE_UNIVERSE;
    body[7] = libc::RTN_UNICAST;
    body
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

fn ifaddr(index: i32, address: IpAddr, prefix: u8) -> [u8; IFADDR] {
    let mut bytes = [0; IFADDR];
    bytes[0] = family(address.is_ipv4());
    bytes[1] = prefix;
    bytes[4..].copy_from_slice(&index.to_ne_bytes());
    bytes
}
