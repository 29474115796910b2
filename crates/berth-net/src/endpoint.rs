//! An endpoint: one container's place in a network.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use berth_sys::netlink::Attributes;

use crate::link::{self, Inner};
use crate::{Error, Kernel, Namespace, Network, Result, Subnet, spoof};

/// The kernel takes a moment to listen for an address; longer than this is not waited.
const LISTEN: Duration = Duration::from_millis(100);

/// A container's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The device on the host's side; macvlan and ipvlan have none.
    pub device: String,
    /// The container's, such as `eth0`.
    pub inside: String,
    /// Its addresses, with the bits of their subnets.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its hardware address; `None`: one that the kernel chooses.
    pub mac: Option<[u8; 6]>,
    /// Bytes of a packet; `None`: the network's.
    pub mtu: Option<u32>,
}

/// By what a container is connected.
#[derive(Debug, Clone, Copy)]
pub enum Attach<'a> {
    /// A pair of devices, one of them in the network's bridge.
    Bridge(&'a Network),
    /// A device with a hardware address of its own over one of the host's.
    Macvlan(&'a str, Macvlan),
    /// A device over one of the host's, whose hardware address it shares.
    Ipvlan(&'a str, Ipvlan),
}

/// Whom devices over the same one reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Macvlan {
    /// Not each other.
    Private = 1,
    /// Each other, by a switch outside that sends packets back.
    Vepa = 2,
    /// Each other.
    Bridge = 4,
    /// There is only one.
    Passthru = 8,
}

/// At which layer packets are switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipvlan {
    /// As a switch does.
    L2 = 0,
    /// As a router does.
    L3 = 1,
    /// As a router does, whose rules of the host are asked.
    L3s = 2,
}

/// What is made for a network that is to be over a device which the host does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent<'a> {
    /// A virtual LAN of this number, over another device.
    Lan(&'a str, u16),
    /// One that leads nowhere.
    Nowhere,
}

/// By what a container reaches everything else, in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A router.
    Gateway(IpAddr),
    /// Its own device of this name, as ipvlan's layer 3 has it.
    Device {
        /// Its name in the container.
        inside: String,
        /// The family.
        ipv4: bool,
    },
}

/// The hardware address that belongs to an address, as Docker makes it: who takes over an address is found by what
/// neighbours remember of the one before.
pub fn mac_of(address: IpAddr) -> [u8; 6] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0x02, 0x42, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [.., a, b, c, d, e] = address.octets();
            [0x02, a, b, c, d, e]
        }
    }
}

/// Connects a namespace: the devices, the addresses; its loopback comes up. Routes to elsewhere: [`default_routes`].
///
/// # Errors
/// [`Error::NoParent`], [`Error::NoKind`], [`Error::Kernel`]; what was made is left for [`unplug`].
pub fn plug(
    kernel: &Kernel,
    attach: Attach<'_>,
    namespace: &Namespace,
    endpoint: &Endpoint,
) -> Result<()> {
    let fail = |what: &str| Error::kernel(format!("{what} `{}`", endpoint.device));
    let parent = match attach {
        Attach::Bridge(network) => &network.bridge,
        Attach::Macvlan(parent, _) | Attach::Ipvlan(parent, _) => parent,
    };
    let no_parent = |source| Error::NoParent {
        name: parent.to_owned(),
        source,
    };
    let over = link::find(&kernel.route, parent)
        .and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(no_parent)?;
    let inner = Inner {
        name: &endpoint.inside,
        namespace: namespace.as_fd(),
        mac: endpoint.mac,
        mtu: endpoint.mtu,
    };
    make(kernel, attach, over.index, endpoint, inner).map_err(|source| {
        match source.raw_os_error() {
            Some(libc::EOPNOTSUPP) => Error::NoKind { source },
            _ => fail("make the devices of")(source),
        }
    })?;
    if let Attach::Bridge(network) = attach {
        spoof::add(
            kernel,
            network,
            &endpoint.device,
            &spoof::alias(&endpoint.addresses),
        )?;
    }
    if endpoint.addresses.iter().any(|(one, _)| one.is_ipv6()) {
        let inside = &endpoint.inside;
        let allowed = namespace.enter(|| allow_ipv6(inside))?;
        allowed.map_err(fail("allow IPv6 to"))?;
    }
    set_up_inside(namespace, endpoint).map_err(fail("set up the container's end of"))?;
    settle(kernel, namespace, endpoint, parent).map_err(fail("bring up"))
}

fn make(
    kernel: &Kernel,
    attach: Attach<'_>,
    over: i32,
    endpoint: &Endpoint,
    mut inner: Inner<'_>,
) -> io::Result<()> {
    const MODE: u16 = 1;
    let mode = |bytes: &[u8]| Attributes::new().with(MODE, bytes);
    let socket = &kernel.route;
    let (device, addresses) = (&endpoint.device, &endpoint.addresses);
    match attach {
        Attach::Bridge(network) => {
            inner.mtu = inner.mtu.or(network.mtu);
            let alias = spoof::alias(addresses);
            link::make_veth(socket, device, over, !network.icc, &alias, &inner)
        }
        Attach::Macvlan(_, how) => {
            let data = mode(&(how as u32).to_ne_bytes());
            link::make_over(socket, "macvlan", &data, over, &inner)
        }
        Attach::Ipvlan(_, how) => {
            // It has the hardware address of the one below.
            inner.mac = None;
            let data = mode(&(how as u16).to_ne_bytes());
            link::make_over(socket, "ipvlan", &data, over, &inner)
        }
    }
}

/// Makes the device that a macvlan or ipvlan network is to be over, if there is none of the name. It comes up; [`unplug`]
/// removes it.
///
/// # Errors
/// [`Error::NoParent`], [`Error::NoKind`], [`Error::Kernel`].
pub fn make_parent(kernel: &Kernel, name: &str, parent: Parent<'_>) -> Result<()> {
    let fail = |source: io::Error| match source.raw_os_error() {
        Some(libc::EOPNOTSUPP) => Error::NoKind { source },
        _ => Error::kernel(format!("make the device `{name}`"))(source),
    };
    if has_device(kernel, name)? {
        return Ok(());
    }
    let over = match parent {
        Parent::Lan(over, number) => {
            let found = link::find(&kernel.route, over).map_err(fail)?;
            let found = found.ok_or_else(|| Error::NoParent {
                name: over.to_owned(),
                source: io::ErrorKind::NotFound.into(),
            })?;
            Some((found.index, number))
        }
        Parent::Nowhere => None,
    };
    match link::make_parent(&kernel.route, name, over) {
        // Somebody was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(fail),
    }
}

/// Whether the host has a device of this name.
///
/// # Errors
/// [`Error::Kernel`].
pub fn has_device(kernel: &Kernel, name: &str) -> Result<bool> {
    let found = link::find(&kernel.route, name);
    found
        .map(|found| found.is_some())
        .map_err(Error::kernel(format!("look for the device `{name}`")))
}

/// Devices of which a cable has just come up drop packets until the kernel gets round to it: whoever asks about one has it
/// done at once (since Linux 6.8). The first packet of a connection that is lost costs a second.
fn settle(
    kernel: &Kernel,
    namespace: &Namespace,
    endpoint: &Endpoint,
    over: &str,
) -> io::Result<()> {
    link::find(&namespace.route, &endpoint.inside)?;
    if !endpoint.device.is_empty() {
        link::find(&kernel.route, &endpoint.device)?;
    }
    link::find(&kernel.route, over)?;
    let end = Instant::now() + LISTEN;
    for (address, _) in &endpoint.addresses {
        // An IPv6 address is not found by others before its device listens for those who ask for it.
        while let IpAddr::V6(address) = address
            && !link::listens_for(&namespace.route, *address)?
            && Instant::now() < end
        {
            std::thread::sleep(LISTEN / 200);
        }
    }
    Ok(())
}

fn set_up_inside(namespace: &Namespace, endpoint: &Endpoint) -> io::Result<()> {
    let socket = &namespace.route;
    link::loopback_up(socket)?;
    let device = link::find(socket, &endpoint.inside)?.ok_or(io::ErrorKind::NotFound)?;
    link::set_up(socket, device.index)?;
    for (address, prefix) in &endpoint.addresses {
        let subnet = Subnet::of(*address, *prefix).ok_or(io::ErrorKind::InvalidInput)?;
        link::add_address(socket, device.index, *address, subnet)?;
    }
    Ok(())
}

/// Of the device and the loopback, in the namespace. What others on the network announce changes nothing (security: D16).
fn allow_ipv6(device: &str) -> io::Result<()> {
    let set = |device: &str, setting: &str, value: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/{device}/{setting}");
        File::options()
            .write(true)
            .open(path)?
            .write_all(value.as_bytes())
    };
    set(device, "accept_ra", "0")?;
    set(device, "accept_dad", "0")?;
    set("lo", "disable_ipv6", "0")?;
    set(device, "disable_ipv6", "0")
}

/// The routes to everywhere: by these ways, one a family, and by no others. They replace those of before, so that a
/// container that runs keeps its connections where they do not change.
///
/// # Errors
/// [`Error::Kernel`].
pub fn default_routes(namespace: &Namespace, ways: &[Way]) -> Result<()> {
    let socket = &namespace.route;
    let set = |ipv4: bool| match ways.iter().find(|way| way.is_ipv4() == ipv4) {
        Some(Way::Gateway(gateway)) => link::set_default_route(socket, *gateway),
        Some(Way::Device { inside, .. }) => {
            let device = link::find(socket, inside)?.ok_or(io::ErrorKind::NotFound)?;
            link::set_default_device(socket, ipv4, device.index)
        }
        None => link::remove_default_route(socket, ipv4),
    };
    [true, false]
        .into_iter()
        .try_for_each(set)
        .map_err(Error::kernel("set the container's default routes"))
}

impl Way {
    fn is_ipv4(&self) -> bool {
        match self {
            Way::Gateway(gateway) => gateway.is_ipv4(),
            Way::Device { ipv4, .. } => *ipv4,
        }
    }
}

/// Puts devices that have lost their bridge back into it, after it was made anew; tells which ones are gone.
///
/// # Errors
/// [`Error::Kernel`].
pub fn rejoin(kernel: &Kernel, network: &Network, devices: &[String]) -> Result<Vec<String>> {
    let fail = || Error::kernel(format!("bring containers back to `{}`", network.bridge));
    let bridge = link::find(&kernel.route, &network.bridge).map_err(fail())?;
    let Some(bridge) = bridge else {
        return Err(fail()(io::ErrorKind::NotFound.into()));
    };
    let mut gone = Vec::new();
    for device in devices {
        match link::port(&kernel.route, device, bridge.index).map_err(fail())? {
            None => gone.push(device.clone()),
            Some((true, _)) => {}
            Some((false, alias)) => {
                // The rules that were made meanwhile know nothing of it.
                spoof::add(kernel, network, device, &alias.unwrap_or_default())?;
                link::join(&kernel.route, device, bridge.index, !network.icc).map_err(fail())?
            }
        }
    }
    Ok(gone)
}

/// Cuts a container off, at once. The kernel removes the devices when the namespace ends, on its own time: removing
/// them by hand waits for its other processors.
///
/// # Errors
/// [`Error::Kernel`].
pub fn cut(kernel: &Kernel, device: &str) -> Result<bool> {
    let fail = || Error::kernel(format!("cut off the device `{device}`"));
    spoof::remove(kernel, device).map_err(fail())?;
    link::set_down(&kernel.route, device).map_err(fail())
}

/// Removes the devices. That they are gone is fine.
///
/// # Errors
/// [`Error::Kernel`].
pub fn unplug(kernel: &Kernel, device: &str) -> Result<bool> {
    let fail = || Error::kernel(format!("remove the device `{device}`"));
    spoof::remove(kernel, device).map_err(fail())?;
    link::remove(&kernel.route, device).map_err(fail())
}

/// Removes a device by its name in the container, with what hangs on it. That it is gone is fine.
///
/// # Errors
/// [`Error::Kernel`].
pub fn unplug_inside(namespace: &Namespace, inside: &str) -> Result<bool> {
    let fail = Error::kernel(format!("remove the container's device `{inside}`"));
    link::remove(&namespace.route, inside).map_err(fail)
}

/// Devices in the bridge that are up.
///
/// # Errors
/// [`Error::Kernel`].
pub fn plugged(kernel: &Kernel, network: &Network) -> Result<Vec<String>> {
    let ports = link::ports(&kernel.route, &network.bridge)
        .map_err(Error::kernel("list the devices of the bridge"))?;
    Ok(ports.into_iter().map(|(name, _)| name).collect())
}
