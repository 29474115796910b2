//! An endpoint: one container's place in a network.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use crate::link::{self, Inner};
use crate::{Error, Kernel, Namespace, Network, Result, Subnet};

/// The kernel takes a moment to listen for an address; longer than this is not waited.
const LISTEN: Duration = Duration::from_millis(100);

/// A container's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The device on the host's side.
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
/// [`Error::Kernel`]; what was made is left for [`unplug`].
pub fn plug(
    kernel: &Kernel,
    attach: Attach<'_>,
    namespace: &Namespace,
    endpoint: &Endpoint,
) -> Result<()> {
    let fail = |what: &str| Error::kernel(format!("{what} `{}`", endpoint.device));
    let Attach::Bridge(network) = attach;
    let bridge = link::find(&kernel.route, &network.bridge)
        .map_err(fail("find the bridge for"))?
        .ok_or_else(|| fail("find the bridge for")(io::ErrorKind::NotFound.into()))?;
    let inner = Inner {
        name: &endpoint.inside,
        namespace: namespace.as_fd(),
        mac: endpoint.mac,
        mtu: endpoint.mtu.or(network.mtu),
    };
    let (device, isolated) = (&endpoint.device, !network.icc);
    link::make_veth(&kernel.route, device, bridge.index, isolated, &inner)
        .map_err(fail("make the devices of"))?;
    if endpoint.addresses.iter().any(|(one, _)| one.is_ipv6()) {
        let inside = &endpoint.inside;
        let allowed = namespace.enter(|| allow_ipv6(inside))?;
        allowed.map_err(fail("allow IPv6 to"))?;
    }
    set_up_inside(namespace, endpoint).map_err(fail("set up the container's end of"))?;
    settle(kernel, namespace, endpoint, &network.bridge).map_err(fail("bring up"))
}

/// Devices of which a cable has just come up drop packets until the kernel gets round to it: whoever asks about one has it
/// done at once (since Linux 6.8). The first packet of a connection that is lost costs a second.
fn settle(
    kernel: &Kernel,
    namespace: &Namespace,
    endpoint: &Endpoint,
    bridge: &str,
) -> io::Result<()> {
    link::find(&namespace.route, &endpoint.inside)?;
    link::find(&kernel.route, &endpoint.device)?;
    link::find(&kernel.route, bridge)?;
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

/// The routes to everywhere: by these gateways, one a family, and by no others. They replace those of before, so that a
/// container that runs keeps its connections where they do not change.
///
/// # Errors
/// [`Error::Kernel`].
pub fn default_routes(namespace: &Namespace, gateways: &[IpAddr]) -> Result<()> {
    let set = |ipv4: bool| match gateways.iter().find(|one| one.is_ipv4() == ipv4) {
        Some(gateway) => link::set_default_route(&namespace.route, *gateway),
        None => link::remove_default_route(&namespace.route, ipv4),
    };
    [true, false]
        .into_iter()
        .try_for_each(set)
        .map_err(Error::kernel("set the container's default routes"))
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
        match link::is_port_of(&kernel.route, device, bridge.index).map_err(fail())? {
            None => gone.push(device.clone()),
            Some(true) => {}
            Some(false) => {
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
    let fail = Error::kernel(format!("cut off the device `{device}`"));
    link::set_down(&kernel.route, device).map_err(fail)
}

/// Removes the devices. That they are gone is fine.
///
/// # Errors
/// [`Error::Kernel`].
pub fn unplug(kernel: &Kernel, device: &str) -> Result<bool> {
    let fail = Error::kernel(format!("remove the device `{device}`"));
    link::remove(&kernel.route, device).map_err(fail)
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
    link::ports(&kernel.route, &network.bridge)
        .map_err(Error::kernel("list the devices of the bridge"))
}
