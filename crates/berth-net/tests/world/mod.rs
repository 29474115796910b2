//! A host with a neighbour at its cable and containers in its bridges: namespaces of the test's own.
#![allow(dead_code, clippy::unwrap_used, reason = "a part of tests")]

use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use berth_model::config::Protocol;
use berth_net::network::{self, Desired, Look};
use berth_net::{
    Attach, Endpoint, Kernel, Namespace, Network, Published, Range, Way, default_routes, mac_of,
    plug,
};
use testkit::network::{Hosts, inside};

/// The host and the neighbour at their cable.
pub const HOST: [&str; 2] = ["10.77.0.1", "fd00:77::1"];
pub const NEIGHBOUR: [&str; 2] = ["10.77.0.2", "fd00:77::2"];

pub struct World {
    pub hosts: Hosts,
}

/// A container that does nothing.
pub struct Container {
    pub namespace: Namespace,
    path: PathBuf,
}

impl Container {
    pub fn new() -> Container {
        let namespace = Namespace::begin().unwrap().wait().unwrap();
        let path = format!("/proc/self/fd/{}", namespace.as_fd().as_raw_fd()).into();
        Container { namespace, path }
    }

    /// A file of its namespace.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a line of shell says in it.
    pub fn shell(&self, line: &str) -> String {
        inside(&self.path, || shell(line))
    }
}

/// What a line of shell says.
pub fn shell(line: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", line]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}{error}");
    text
}

impl World {
    pub fn new() -> World {
        let hosts = Hosts::make(HOST[0], NEIGHBOUR[0]);
        for (namespace, address) in [(hosts.host(), HOST[1]), (hosts.neighbour(), NEIGHBOUR[1])] {
            let add = format!("ip addr add {address}/64 dev cable nodad");
            hosts.shell(&namespace, &add).ok();
        }
        World { hosts }
    }

    /// On the host.
    pub fn here<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        inside(&self.hosts.host(), act)
    }

    /// What a line of shell says on the host.
    pub fn shell(&self, line: &str) -> String {
        self.here(|| shell(line))
    }

    /// The neighbour learns where the host's containers are.
    pub fn route_neighbour(&self, network: &Network) {
        for subnet in network.subnets() {
            let host = HOST[usize::from(!subnet.is_ipv4())];
            let add = format!("ip route add {subnet} via {host}");
            self.hosts.shell(&self.hosts.neighbour(), &add).ok();
        }
    }

    /// Makes the network what it has to be; tells how many steps that took.
    pub fn ensure(&self, network: &Network, published: &[Published]) -> usize {
        self.here(|| ensure(&Kernel::open().unwrap(), network, published))
    }

    /// Connects a container as `device` and `inside`, with the address of number `host` of each range, and lets it speak
    /// to the world by this network.
    pub fn plug(&self, network: &Network, container: &Container, inside: &str, host: u8) {
        let addresses: Vec<(IpAddr, u8)> = network
            .subnets()
            .map(|subnet| {
                (
                    address(&subnet.address().to_string(), host),
                    subnet.prefix(),
                )
            })
            .collect();
        let endpoint = Endpoint {
            device: format!("{}-{host}", network.bridge),
            inside: inside.to_owned(),
            mac: Some(mac_of(addresses[0].0)),
            addresses,
            mtu: None,
        };
        let kernel = self.here(|| {
            let kernel = Kernel::open().unwrap();
            // With all of its sockets in there.
            network::observe(&kernel, network, Look::Quick).unwrap();
            kernel
        });
        plug(
            &kernel,
            Attach::Bridge(network),
            &container.namespace,
            &endpoint,
        )
        .unwrap();
        self.route(network, container);
    }

    /// The container's way to the world is by this network.
    pub fn route(&self, network: &Network, container: &Container) {
        let gateways = network.ranges.iter().map(|range| range.gateway);
        let ways: Vec<Way> = gateways.map(Way::Gateway).collect();
        default_routes(&container.namespace, &ways).unwrap();
    }
}

/// Of number `host` in a subnet that is written so that it can be appended.
pub fn address(subnet: &str, host: u8) -> IpAddr {
    match subnet.strip_suffix(".0") {
        Some(first) => format!("{first}.{host}").parse().unwrap(),
        None => format!("{subnet}{host:x}").parse().unwrap(),
    }
}

pub fn ensure(kernel: &Kernel, network: &Network, published: &[Published]) -> usize {
    let desired = Desired { network, published };
    let observed = network::observe(kernel, network, Look::Whole).unwrap();
    let steps = network::plan(&desired, &observed).unwrap();
    network::apply(kernel, &desired, &steps).unwrap();
    let observed = network::observe(kernel, network, Look::Whole).unwrap();
    let rest = network::plan(&desired, &observed).unwrap();
    assert_eq!(rest, [], "{observed:?}");
    steps.len()
}

pub fn network(bridge: &str, subnets: &[&str]) -> Network {
    let ranges = subnets.iter().map(|one| Range::of(one.parse().unwrap()));
    Network::new(bridge, &format!("berth-{bridge}"), ranges.collect())
}

/// By TCP.
pub fn published(host: &str, host_port: u16, address: &str, port: u16) -> Published {
    Published {
        protocol: Protocol::Tcp,
        host: host.parse().unwrap(),
        host_port,
        address: address.parse().unwrap(),
        port,
    }
}

pub fn hello(from: &str) -> Option<String> {
    Some(format!("hello {from}"))
}
