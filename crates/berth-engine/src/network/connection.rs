//! A container's places in networks, and the ports of the host that lead to it, while it runs: `network.json` of its task.
//!
//! What a network is made of is in it as well: cleaning up needs no other record. Schema 1 knew one place, in the bridge
//! network.

use std::net::IpAddr;

use berth_model::ContainerId;
use berth_model::config::EndpointConfig;
use berth_net::{Published, Subnet, Way};
use serde::{Deserialize, Serialize};

use super::ports::Reach;
use super::record::{Driver, Range, Shape};
use super::{BRIDGE_NETWORK, HostPort, table_of, words};
use crate::{Engine, Error, json};

/// `network.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Connection {
    schema: u32,
    /// In order of their devices inside.
    pub(crate) places: Vec<Joined>,
    pub(crate) ports: Vec<HostPort>,
}

/// A place in a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Joined {
    /// The network's id, or `bridge`.
    pub(crate) key: String,
    pub(crate) network_id: String,
    pub(crate) network_name: String,
    pub(crate) endpoint_id: String,
    /// The device on the host's side.
    pub(crate) device: String,
    /// The container's.
    pub(crate) inside: String,
    /// IPv4 first.
    pub(crate) addresses: Vec<IpAddr>,
    /// Which are in no subnet of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) link_local: Vec<IpAddr>,
    /// `02:42:ac:11:00:02`.
    pub(crate) mac: String,
    /// The network as it was then.
    pub(crate) network: Shape,
    #[serde(default)]
    pub(crate) gateway_priority: i64,
    /// The container is being taken out of it: nothing is published there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) leaving: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Places {
        schema: u32,
        places: Vec<Joined>,
        ports: Vec<HostPort>,
    },
    First(First),
}

/// Schema 1.
#[derive(Deserialize)]
struct First {
    network_id: String,
    endpoint_id: String,
    device: String,
    address: IpAddr,
    mac: String,
    bridge: String,
    #[serde(with = "words")]
    subnet: Subnet,
    ports: Vec<HostPort>,
}

impl From<Stored> for Connection {
    fn from(stored: Stored) -> Connection {
        match stored {
            Stored::Places {
                schema,
                places,
                ports,
            } => Connection {
                schema,
                places,
                ports,
            },
            Stored::First(first) => {
                let place = Joined {
                    key: BRIDGE_NETWORK.to_owned(),
                    network_id: first.network_id,
                    network_name: BRIDGE_NETWORK.to_owned(),
                    endpoint_id: first.endpoint_id,
                    device: first.device,
                    inside: "eth0".to_owned(),
                    addresses: vec![first.address],
                    link_local: Vec::new(),
                    mac: first.mac,
                    network: Shape::of_bridge(&first.bridge, first.subnet),
                    gateway_priority: 0,
                    leaving: false,
                };
                Connection::new(vec![place], first.ports)
            }
        }
    }
}

impl Connection {
    pub(super) fn new(places: Vec<Joined>, ports: Vec<HostPort>) -> Connection {
        Connection {
            schema: 2,
            places,
            ports,
        }
    }

    /// The place in a network.
    pub(crate) fn place(&self, key: &str) -> Option<&Joined> {
        self.places.iter().find(|place| place.key == key)
    }

    /// By which place the container reaches everything else: the highest priority, then the first name. Internal
    /// networks lead nowhere.
    pub(super) fn way_out(&self, ipv4: bool) -> Option<&Joined> {
        let leads = |place: &&Joined| {
            !place.network.internal && !place.leaving && place.gateway(ipv4).is_some()
        };
        let order = |place: &&Joined| {
            (
                -i128::from(place.gateway_priority),
                place.network_name.clone(),
            )
        };
        self.places.iter().filter(leads).min_by_key(order)
    }

    /// The ways to everywhere.
    pub(super) fn ways(&self) -> Vec<Way> {
        let of = |ipv4| self.way_out(ipv4)?.way(ipv4);
        [true, false].into_iter().filter_map(of).collect()
    }

    /// The host's address in the network by which it is reached.
    pub(super) fn host(&self) -> Option<IpAddr> {
        let of = |ipv4| {
            let place = self.way_out(ipv4).filter(|place| place.publishes())?;
            place.gateway(ipv4)
        };
        [true, false].into_iter().find_map(of)
    }

    /// Where ports of the host can lead to it.
    pub(super) fn reach(&self) -> Reach {
        let (four, six) = (self.way_out(true), self.way_out(false));
        Reach {
            // Of an internal network, too: it may be in others later.
            ipv4: self
                .places
                .iter()
                .any(|place| place.address(true).is_some()),
            ipv6: six.is_some(),
            unless_told: four.or(six).and_then(|place| place.network.publish_at),
        }
    }

    /// What is published, and in whose table: by the way that answers take.
    pub(super) fn published(&self) -> Vec<(&Joined, Vec<Published>)> {
        let of = |ipv4: bool| {
            let place = self.way_out(ipv4).filter(|place| place.publishes())?;
            let address = place.address(ipv4)?;
            let ports = self
                .ports
                .iter()
                .filter(|port| port.host_ip.is_ipv4() == ipv4);
            let published = ports.map(|port| Published {
                protocol: port.protocol,
                host: port.host_ip,
                host_port: port.host_port,
                address,
                port: port.container_port,
            });
            Some((place, published.collect::<Vec<_>>())).filter(|(_, all)| !all.is_empty())
        };
        [true, false].into_iter().filter_map(of).collect()
    }

    /// What is published in a table.
    pub(super) fn published_in(&self, table: &str) -> Vec<Published> {
        let own = self.published().into_iter();
        let own = own.filter(|(place, _)| table_of(&place.network.device) == table);
        own.flat_map(|(_, published)| published).collect()
    }
}

impl Joined {
    /// Its address of this family.
    pub(crate) fn address(&self, ipv4: bool) -> Option<IpAddr> {
        let mut addresses = self.addresses.iter();
        addresses.find(|address| address.is_ipv4() == ipv4).copied()
    }

    /// The subnet that an address is in.
    pub(crate) fn range(&self, ipv4: bool) -> Option<&Range> {
        let mut ranges = self.network.ranges.iter();
        let address = self.address(ipv4)?;
        ranges.find(|range| range.subnet.contains(address))
    }

    pub(super) fn gateway(&self, ipv4: bool) -> Option<IpAddr> {
        self.range(ipv4).map(|range| range.gateway)
    }

    /// How everything else is reached by it.
    pub(super) fn way(&self, ipv4: bool) -> Option<Way> {
        let gateway = self.gateway(ipv4)?;
        Some(match self.network.routes() {
            true => Way::Device {
                inside: self.inside.clone(),
                ipv4,
            },
            false => Way::Gateway(gateway),
        })
    }

    /// Whether ports of the host can lead to it: over a device of the host it is a neighbour of the host's.
    pub(super) fn publishes(&self) -> bool {
        self.network.driver == Driver::Bridge
    }

    /// In the words of berth-net.
    pub(super) fn endpoint(&self, mac: [u8; 6]) -> berth_net::Endpoint {
        let prefix = |address: &IpAddr| {
            let range = self.range(address.is_ipv4());
            range.map_or(128, |range| range.subnet.prefix())
        };
        let own = self
            .addresses
            .iter()
            .map(|address| (*address, prefix(address)));
        let local = self.link_local.iter();
        let local = local.map(|address| (*address, if address.is_ipv4() { 16 } else { 64 }));
        berth_net::Endpoint {
            device: self.device.clone(),
            inside: self.inside.clone(),
            addresses: own.chain(local).collect(),
            mac: Some(mac),
            mtu: None,
        }
    }

    /// Whether it is what is asked for.
    pub(super) fn is_of(&self, asked: &EndpointConfig) -> bool {
        self.key == asked.network
    }
}

impl Engine {
    /// A container's connection, if it has one.
    pub(crate) fn connection(&self, id: &ContainerId) -> Result<Option<Connection>, Error> {
        json::read(&self.layout.connection(id))
    }

    /// All connections.
    pub(crate) fn connections(&self) -> Result<Vec<(ContainerId, Connection)>, Error> {
        let mut found = Vec::new();
        for name in crate::names::read_names(self.layout.tasks())? {
            if let Ok(id) = ContainerId::parse(&name)
                && let Some(connection) = self.connection(&id)?
            {
                found.push((id, connection));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"schema":1,"network_id":"n","endpoint_id":"e","device":"bv1","address":"10.9.0.2",
        "mac":"02:42:0a:09:00:02","bridge":"berth0","subnet":"10.9.0.0/24","table":"berth",
        "ports":[{"container_port":80,"protocol":"tcp","host_ip":"0.0.0.0","host_port":8080}]}"#;

    fn place(name: &str, subnet: &str, host: u8) -> Joined {
        let subnet: Subnet = subnet.parse().unwrap();
        let first: Connection = serde_json::from_str(FIRST).unwrap();
        let IpAddr::V4(base) = subnet.address() else {
            unreachable!("it is IPv4")
        };
        let mut octets = base.octets();
        octets[3] = host;
        let mut place = first.places[0].clone();
        place.key = name.to_owned();
        place.network_name = name.to_owned();
        place.network.device = format!("br-{name}");
        place.network.ranges = Shape::of_bridge("x", subnet).ranges;
        place.addresses = vec![IpAddr::from(octets)];
        place
    }

    #[test]
    fn the_first_form_still_loads() {
        let read: Connection = serde_json::from_str(FIRST).unwrap();
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Connection>(&text).unwrap(), read);
        let gateway = IpAddr::from([10, 9, 0, 1]);
        assert_eq!(read.ways(), [Way::Gateway(gateway)]);
        assert_eq!(read.host(), Some(gateway));
        assert_eq!(read.published_in("berth").len(), 1);
        assert_eq!(read.published_in("berth-br-x").len(), 0);
    }

    #[test]
    fn which_network_leads_out() {
        let all = vec![
            place("b", "10.1.0.0/24", 2),
            place("c", "10.2.0.0/24", 2),
            place("a", "10.3.0.0/24", 2),
        ];
        let mut connection = Connection::new(all, Vec::new());
        let out = |connection: &Connection| {
            let way = connection.way_out(true);
            way.map(|place| place.network_name.clone())
        };
        assert_eq!(out(&connection).as_deref(), Some("a"));
        connection.places[2].network.internal = true;
        assert_eq!(out(&connection).as_deref(), Some("b"));
        connection.places[1].gateway_priority = 1;
        assert_eq!(out(&connection).as_deref(), Some("c"));
        connection.places[1].gateway_priority = -1;
        connection.places[0].network.internal = true;
        assert_eq!(out(&connection).as_deref(), Some("c"));
        assert!(connection.way_out(false).is_none());
    }

    #[test]
    fn a_neighbour_of_the_host_has_no_ports_of_it() {
        let mut connection: Connection = serde_json::from_str(FIRST).unwrap();
        connection.places[0].network.driver = Driver::Ipvlan;
        assert!(connection.published().is_empty() && connection.host().is_none());
        for (mode, itself) in [("", false), ("l2", false), ("l3", true), ("l3s", true)] {
            connection.places[0].network.mode = mode.to_owned();
            let by_itself = matches!(connection.ways()[..], [Way::Device { .. }]);
            assert_eq!(by_itself, itself, "{mode}");
        }
    }
}
