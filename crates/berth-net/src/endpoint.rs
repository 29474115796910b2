//! An endpoint: one container's place in a network.

use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use crate::{Error, Kernel, Namespace, Network, Result, link};

/// A container's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The device on the host's side; the container's is `eth0`.
    pub device: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// The hardware address that belongs to an address, as Docker makes it: who takes over an address is found by what
/// neighbours remember of the one before.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// Connects a new namespace: the devices, the address, the route to everywhere; its loopback comes up.
///
/// # Errors
/// [`Error::Kernel`]; what was made is left for [`unplug`].
pub fn plug(
    kernel: &Kernel,
    network: &Network,
    namespace: &Namespace,
    endpoint: &Endpoint,
) -> Result<()> {
    let fail = |what: &str| Error::kernel(format!("{what} `{}`", endpoint.device));
    let bridge = link::find(&kernel.route, &network.bridge)
        .map_err(fail("find the bridge for"))?
        .ok_or_else(|| fail("find the bridge for")(std::io::ErrorKind::NotFound.into()))?;
    link::make_veth(
        &kernel.route,
        &endpoint.device,
        bridge.index,
        endpoint.mac,
        namespace.as_fd(),
    )
    .map_err(fail("make the devices of"))?;
    let inside = || {
        link::loopback_up(&namespace.route)?;
        let device =
            link::find(&namespace.route, link::INSIDE)?.ok_or(std::io::ErrorKind::NotFound)?;
        link::set_up(&namespace.route, device.index)?;
        link::add_address(
            &namespace.route,
            device.index,
            endpoint.address,
            network.subnet,
        )?;
        link::add_default_route(&namespace.route, network.gateway())
    };
    inside().map_err(fail("set up the container's end of"))
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

/// Devices in the bridge that are up.
///
/// # Errors
/// [`Error::Kernel`].
pub fn plugged(kernel: &Kernel, network: &Network) -> Result<Vec<String>> {
    link::ports(&kernel.route, &network.bridge)
        .map_err(Error::kernel("list the devices of the bridge"))
}
