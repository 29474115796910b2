//! The bridge and its rules: what is wanted, what there is, and the steps between. After [`apply`] the plan is empty.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::link::{self, Link};
use crate::nft::table::Seen;
use crate::nft::{INET, IPV4, elements, table};
use crate::wall::{self, Piece};
use crate::{Error, Kernel, Published, Result, Subnet, firewall, spoof};

/// A bridge network as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The bridge's device.
    pub bridge: String,
    /// The table of its rules.
    pub table: String,
    /// The containers' addresses.
    pub ranges: Vec<Range>,
    /// Whether nothing of it reaches, or is reached from, other networks.
    pub internal: bool,
    /// Whether its containers reach each other.
    pub icc: bool,
    /// Whether its containers speak to the world with the host's address.
    pub masquerade: bool,
    /// Whether its containers reach the metadata services of clouds.
    pub metadata: bool,
    /// Bytes of a packet; `None`: what devices have by themselves.
    pub mtu: Option<u32>,
}

/// Addresses of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// All.
    pub subnet: Subnet,
    /// The bridge's.
    pub gateway: IpAddr,
}

impl Range {
    /// With the first address as the bridge's.
    pub fn of(subnet: Subnet) -> Range {
        Range {
            subnet,
            gateway: subnet.gateway(),
        }
    }
}

impl Network {
    /// As networks are unless told otherwise.
    pub fn new(bridge: &str, table: &str, ranges: Vec<Range>) -> Network {
        Network {
            bridge: bridge.to_owned(),
            table: table.to_owned(),
            ranges,
            internal: false,
            icc: true,
            masquerade: true,
            metadata: false,
            mtu: None,
        }
    }

    /// The subnets.
    pub fn subnets(&self) -> impl Iterator<Item = Subnet> {
        self.ranges.iter().map(|range| range.subnet)
    }

    /// Whether it has IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.subnets().any(|subnet| !subnet.is_ipv4())
    }

    /// The bridge's addresses, with the bits of their subnets.
    pub fn gateways(&self) -> Vec<(IpAddr, u8)> {
        let gateways = self.ranges.iter();
        gateways
            .map(|range| (range.gateway, range.subnet.prefix()))
            .collect()
    }
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Desired<'a> {
    /// The network.
    pub network: &'a Network,
    /// All that is published.
    pub published: &'a [Published],
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The device of the bridge's name.
    pub(crate) device: Option<Link>,
    /// Its addresses with their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Settings of the kernel that are not as they have to be.
    pub settings: Vec<Setting>,
    /// Whether its containers are kept from passing for each other.
    pub apart: bool,
    /// The second wall, of all networks.
    pub walls: BTreeSet<Piece>,
    /// The rules: chain and text.
    pub rules: Vec<Seen>,
    /// What is published; `None`: nobody looked.
    pub published: Option<BTreeSet<Published>>,
}

impl Observed {
    /// Whether there is nothing of it.
    pub fn is_unmade(&self) -> bool {
        self.device.is_none() && self.rules.is_empty()
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Not at what is published: for a container's start, however many there are.
    Quick,
    /// At everything.
    Whole,
}

/// A file of `/proc/sys/net`, and what it has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Below `/proc/sys/net`.
    pub path: String,
    /// The value.
    pub value: &'static str,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the table anew, with all that is published.
    Rules,
    /// Make the bridge.
    Bridge,
    /// Write a setting.
    Set(Setting),
    /// Take an address from the bridge.
    RemoveAddress(IpAddr, u8),
    /// Give the bridge one of its own.
    AddAddress(IpAddr, u8),
    /// Keep its containers from passing for each other.
    Apart,
    /// Put up a part of the second wall.
    Wall(Piece),
    /// Set the bytes of a packet.
    Mtu(u32),
    /// Bring the bridge up.
    Up,
    /// Publish.
    Publish(Vec<Published>),
    /// Publish no longer.
    Withdraw(Vec<Published>),
}

/// The setting that has the host forward packets of IPv6.
const FORWARD6: &str = "ipv6/conf/all/forwarding";

/// What the kernel has to be told. `route_localnet` lets the host reach containers from 127.0.0.1; the rules keep
/// containers from using it (security: D17). A container cannot give the host an IPv6 route (security: D16).
fn settings(network: &Network) -> Vec<Setting> {
    let bridge = &network.bridge;
    let six = network.has_ipv6();
    let mut all = vec![
        (format!("ipv4/conf/{bridge}/route_localnet"), "1"),
        (format!("ipv6/conf/{bridge}/accept_ra"), "0"),
        // An address is used at once: nobody else can have it.
        (format!("ipv6/conf/{bridge}/accept_dad"), "0"),
        (
            format!("ipv6/conf/{bridge}/disable_ipv6"),
            if six { "0" } else { "1" },
        ),
    ];
    if !network.internal {
        all.push(("ipv4/ip_forward".to_owned(), "1"));
        if six {
            all.push((FORWARD6.to_owned(), "1"));
        }
    }
    let setting = |(path, value)| Setting { path, value };
    all.into_iter().map(setting).collect()
}

/// Looks.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NoTables`].
pub fn observe(kernel: &Kernel, network: &Network, look: Look) -> Result<Observed> {
    let fail = || Error::kernel(format!("look at the bridge `{}`", network.bridge));
    let device = link::find(&kernel.route, &network.bridge).map_err(fail())?;
    let mut addresses = Vec::new();
    if let Some(device) = &device {
        let all = link::addresses(&kernel.route).map_err(fail())?;
        let own = all.into_iter().filter(|(index, ..)| *index == device.index);
        addresses = own.map(|(_, address, prefix)| (address, prefix)).collect();
        // IPv6 gives each device a link-local one.
        let wanted = network.gateways();
        addresses.retain(|own| wanted.contains(own) || !is_link_local(own.0));
    }
    let differs = |setting: &Setting| match fs::read_to_string(file(setting)) {
        Ok(text) => text.trim() != setting.value,
        // A kernel without IPv6 has nothing to forbid; a bridge that is not there has no settings yet.
        Err(_) => device.is_none() || !setting.path.starts_with("ipv6/"),
    };
    let netfilter = kernel.netfilter()?;
    let published = match look {
        Look::Quick => None,
        Look::Whole => Some(
            elements::read(netfilter, &network.table)?
                .into_iter()
                .collect(),
        ),
    };
    Ok(Observed {
        settings: settings(network).into_iter().filter(differs).collect(),
        rules: table::read(netfilter, INET, &network.table)?,
        walls: wall::observe(&kernel.route).map_err(fail())?,
        apart: spoof::holds(kernel, network, look == Look::Whole)?,
        published,
        device,
        addresses,
    })
}

/// The steps from what there is to what is wanted. Pure. The rules come before the bridge: no packet meets it without.
///
/// # Errors
/// [`Error::NotABridge`].
pub fn plan(desired: &Desired<'_>, observed: &Observed) -> Result<Vec<Step>> {
    let network = desired.network;
    let mut steps = Vec::new();
    let wanted: BTreeSet<Published> = desired.published.iter().copied().collect();
    if observed.rules != table::expected(network) {
        steps.push(Step::Rules);
    } else if let Some(published) = &observed.published {
        let difference = |a: &BTreeSet<Published>, b: &BTreeSet<Published>| -> Vec<Published> {
            a.difference(b).copied().collect()
        };
        let old = difference(published, &wanted);
        if !old.is_empty() {
            steps.push(Step::Withdraw(old));
        }
        let new = difference(&wanted, published);
        if !new.is_empty() {
            steps.push(Step::Publish(new));
        }
    }
    if !observed.apart {
        steps.push(Step::Apart);
    }
    match &observed.device {
        None => steps.push(Step::Bridge),
        Some(device) if device.kind != "bridge" => {
            return Err(Error::NotABridge {
                name: network.bridge.clone(),
            });
        }
        Some(_) => {}
    }
    steps.extend(observed.settings.iter().cloned().map(Step::Set));
    let walls = wall::wanted(network);
    let missing = walls.difference(&observed.walls);
    steps.extend(missing.cloned().map(Step::Wall));
    let own = network.gateways();
    let foreign = observed.addresses.iter().filter(|one| !own.contains(one));
    steps.extend(foreign.map(|(address, prefix)| Step::RemoveAddress(*address, *prefix)));
    let missing = own.iter().filter(|one| !observed.addresses.contains(one));
    steps.extend(missing.map(|(address, prefix)| Step::AddAddress(*address, *prefix)));
    if let Some(mtu) = network.mtu
        && observed
            .device
            .as_ref()
            .is_none_or(|device| device.mtu != mtu)
    {
        steps.push(Step::Mtu(mtu));
    }
    if !observed.device.as_ref().is_some_and(|device| device.up) {
        steps.push(Step::Up);
    }
    Ok(steps)
}

/// Does the steps. Doing them twice is fine.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NoTables`], [`Error::Setting`].
pub fn apply(kernel: &Kernel, desired: &Desired<'_>, steps: &[Step]) -> Result<()> {
    steps
        .iter()
        .try_for_each(|step| do_step(kernel, desired, step))
}

fn do_step(kernel: &Kernel, desired: &Desired<'_>, step: &Step) -> Result<()> {
    let network = desired.network;
    let name = &network.bridge;
    let index = || {
        let found = link::find(&kernel.route, name)?;
        found
            .map(|device| device.index)
            .ok_or(io::ErrorKind::NotFound.into())
    };
    let on_bridge = |what: &str, act: &dyn Fn(i32) -> io::Result<()>| {
        index()
            .and_then(act)
            .map_err(Error::kernel(format!("{what} the bridge `{name}`")))
    };
    match step {
        Step::Rules => {
            if !desired.published.is_empty() {
                firewall::mirror(kernel)?;
            }
            table::replace(kernel.netfilter()?, network, desired.published)
        }
        Step::Publish(published) => elements::add(kernel.netfilter()?, &network.table, published),
        Step::Withdraw(published) => {
            elements::remove(kernel.netfilter()?, &network.table, published)
        }
        Step::Bridge => {
            let made = link::make_bridge(&kernel.route, name, mac(network));
            match made {
                // Somebody was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                made => made.map_err(Error::kernel(format!("make the bridge `{name}`"))),
            }
        }
        Step::Apart => spoof::replace(kernel, network),
        Step::Set(setting) => set(setting),
        Step::Wall(piece) => wall::put_up(&kernel.route, piece).map_err(Error::kernel(format!(
            "guard the bridge `{name}` by routing"
        ))),
        Step::RemoveAddress(address, prefix) => on_bridge("take an address from", &|index| {
            link::remove_address(&kernel.route, index, *address, *prefix)
        }),
        Step::AddAddress(address, prefix) => on_bridge("give an address to", &|index| {
            let subnet = Subnet::of(*address, *prefix).ok_or(io::ErrorKind::InvalidInput)?;
            link::add_address(&kernel.route, index, *address, subnet)
        }),
        Step::Mtu(mtu) => on_bridge("set the MTU of", &|index| {
            link::set_mtu(&kernel.route, index, *mtu)
        }),
        Step::Up => on_bridge("bring up", &|index| link::set_up(&kernel.route, index)),
    }
}

/// Of the bridge: that of its first address.
fn mac(network: &Network) -> [u8; 6] {
    let first = network.ranges.first();
    crate::mac_of(first.map_or(IpAddr::from([0, 0, 0, 0]), |range| range.gateway))
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// A host that forwards does not listen to routers any more, unless told to by this: it would lose its own routes.
fn keep_listening_to_routers() {
    let Ok(devices) = fs::read_dir("/proc/sys/net/ipv6/conf") else {
        return;
    };
    for device in devices.flatten() {
        let listens = device.path().join("accept_ra");
        if fs::read_to_string(&listens).is_ok_and(|value| value.trim() == "1") {
            // One that has just gone needs none.
            let _ = write(&listens, "2");
        }
    }
}

fn set(setting: &Setting) -> Result<()> {
    let path = file(setting);
    if setting.path == FORWARD6 {
        keep_listening_to_routers();
    }
    let written = write(&path, setting.value);
    match written {
        // No IPv6 in this kernel.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && setting.path.starts_with("ipv6/") =>
        {
            Ok(())
        }
        written => written.map_err(|source| Error::Setting { path, source }),
    }
}

/// To the kernel: such a file is there, or is not.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let file = fs::File::options().write(true).open(path);
    file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
}

fn file(setting: &Setting) -> PathBuf {
    PathBuf::from("/proc/sys/net").join(&setting.path)
}

/// What subnets this host uses: its addresses and routes.
///
/// # Errors
/// [`Error::Kernel`].
pub fn subnets_in_use(kernel: &Kernel) -> Result<Vec<Subnet>> {
    let fail = || Error::kernel("list the host's subnets");
    let addresses = link::addresses(&kernel.route).map_err(fail())?;
    let mut all = link::routes(&kernel.route).map_err(fail())?;
    all.extend(
        addresses
            .into_iter()
            .filter_map(|(_, address, prefix)| Subnet::of(address, prefix)),
    );
    Ok(all)
}

/// Publishes ports of one more container.
///
/// # Errors
/// [`Error::Kernel`].
pub fn publish(kernel: &Kernel, network: &Network, published: &[Published]) -> Result<()> {
    if published.is_empty() {
        return Ok(());
    }
    // First: a port that the host's firewall closes is never open.
    firewall::mirror(kernel)?;
    elements::add(kernel.netfilter()?, &network.table, published)
}

/// Publishes them no longer. That some are not published is fine.
///
/// # Errors
/// [`Error::Kernel`].
pub fn withdraw(kernel: &Kernel, network: &Network, published: &[Published]) -> Result<()> {
    if published.is_empty() {
        return Ok(());
    }
    elements::remove(kernel.netfilter()?, &network.table, published)
}

/// Removes the bridge, with all that hangs on it, its rules, and what guards it.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NotABridge`].
pub fn remove(kernel: &Kernel, network: &Network) -> Result<()> {
    let bridge = &network.bridge;
    let fail = || Error::kernel(format!("remove the bridge `{bridge}`"));
    let mut subnets: Vec<Subnet> = network.subnets().collect();
    match link::find(&kernel.route, bridge).map_err(fail())? {
        Some(device) if device.kind != "bridge" => {
            return Err(Error::NotABridge {
                name: bridge.to_owned(),
            });
        }
        Some(device) => {
            // Whoever has lost the record of the network has these.
            let all = link::addresses(&kernel.route).map_err(fail())?;
            let own = all.into_iter().filter(|(index, ..)| *index == device.index);
            subnets.extend(own.filter_map(|(_, address, prefix)| Subnet::of(address, prefix)));
            link::remove(&kernel.route, bridge).map_err(fail())?;
        }
        None => {}
    }
    table::remove(kernel.netfilter()?, &[INET, IPV4], &network.table)?;
    spoof::remove_all(kernel, network)?;
    firewall::remove_unused(kernel.netfilter()?)?;
    wall::remove(&kernel.route, &subnets, bridge).map_err(fail())
}

#[cfg(test)]
mod tests;
