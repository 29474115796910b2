//! The network that a container sees.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Which network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own namespace with only a loopback.
    #[default]
    None,
    /// The host's namespace.
    Host,
    /// Its own namespace, connected to the default bridge.
    Bridge,
    /// Its own namespace, connected by a process of an ordinary user's.
    Pasta,
    /// The namespace of the container with this id; in a request, its name or part of its id too.
    Container(String),
    /// Its own namespace, connected to the network that was asked for by this name, or id.
    Named(String),
}

impl NetworkMode {
    /// Whether a container has a namespace of its own in which networks can be.
    pub fn has_networks(&self) -> bool {
        matches!(self, NetworkMode::Bridge | NetworkMode::Named(_))
    }

    /// Whether it is a network of somebody's own.
    pub fn is_named(&self) -> bool {
        matches!(self, NetworkMode::Named(_))
    }
}

impl FromStr for NetworkMode {
    type Err = String;

    fn from_str(text: &str) -> Result<NetworkMode, String> {
        Ok(match text {
            "none" => NetworkMode::None,
            "host" => NetworkMode::Host,
            "bridge" => NetworkMode::Bridge,
            "pasta" => NetworkMode::Pasta,
            _ => match text.strip_prefix("container:") {
                Some("") => return Err(format!("`{text}` names no container")),
                Some(name) => NetworkMode::Container(name.to_owned()),
                None if text.trim().is_empty() => return Err(format!("`{text}` names no network")),
                None => NetworkMode::Named(text.to_owned()),
            },
        })
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkMode::None => f.write_str("none"),
            NetworkMode::Host => f.write_str("host"),
            NetworkMode::Bridge => f.write_str("bridge"),
            NetworkMode::Pasta => f.write_str("pasta"),
            NetworkMode::Container(id) => write!(f, "container:{id}"),
            NetworkMode::Named(name) => f.write_str(name),
        }
    }
}

/// A place that a container is to have in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointConfig {
    /// The network's id, or `bridge`; in a request, its name or part of its id too.
    pub network: String,
    /// The name that the network had then.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// `02:42:ac:11:00:02`.
    #[serde(skip_serializing_if = "is_default")]
    pub mac: Option<String>,
    /// Addresses of one's own choice.
    #[serde(skip_serializing_if = "is_default")]
    pub addresses: Vec<IpAddr>,
    /// Link-local addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub link_local: Vec<IpAddr>,
    /// Other names in the network.
    #[serde(skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// `CONTAINER:ALIAS`: a container of the network, known to this one alone by another name.
    #[serde(skip_serializing_if = "is_default")]
    pub links: Vec<String>,
    /// Options of the network's driver.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_options: BTreeMap<String, String>,
    /// The network with the highest has the default route.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway_priority: i64,
}

/// How a container is connected, and what it knows of names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkConfig {
    /// Ports of the host that lead to it.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<PortBinding>,
    /// Each exposed port gets a free port of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub publish_all: bool,
    /// Where on the host ports are published that name no address of it; `None`: everywhere.
    #[serde(skip_serializing_if = "is_default")]
    pub publish_at: Option<IpAddr>,
    /// `02:42:ac:11:00:02`.
    #[serde(skip_serializing_if = "is_default")]
    pub mac: Option<String>,
    /// Its addresses, where it has a say.
    #[serde(skip_serializing_if = "is_default")]
    pub addresses: Vec<IpAddr>,
    /// Link-local addresses.
    #[serde(skip_serializing_if = "is_default")]
    pub link_local: Vec<IpAddr>,
    /// Other names in its network.
    #[serde(skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// Name servers; empty: the host's.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Vec<IpAddr>,
    /// Search domains, likewise; `.`: none.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_search: Vec<String>,
    /// Options of resolv.conf(5), likewise.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_options: Vec<String>,
    /// `NAME:ADDRESS` for `/etc/hosts`; the address may be `host-gateway`.
    #[serde(skip_serializing_if = "is_default")]
    pub extra_hosts: Vec<String>,
    /// `CONTAINER[:ALIAS]`.
    #[serde(skip_serializing_if = "is_default")]
    pub links: Vec<String>,
    /// Options of the network's driver.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_options: BTreeMap<String, String>,
    /// Its places in networks. `None`: one in the network of its mode, with address, names and options as said above; so
    /// it was before there were networks of one's own, and so a request may say it.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoints: Option<Vec<EndpointConfig>>,
}

impl NetworkConfig {
    /// Its places in networks, if its mode is `mode`.
    pub fn endpoints(&self, mode: &NetworkMode) -> Vec<EndpointConfig> {
        match &self.endpoints {
            Some(endpoints) => endpoints.clone(),
            None if mode.has_networks() => vec![EndpointConfig {
                network: mode.to_string(),
                name: mode.to_string(),
                mac: self.mac.clone(),
                addresses: self.addresses.clone(),
                link_local: self.link_local.clone(),
                aliases: self.aliases.clone(),
                driver_options: self.driver_options.clone(),
                ..EndpointConfig::default()
            }],
            None => Vec::new(),
        }
    }
}

/// What a port speaks.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// In lower case.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Protocol, String> {
        match text.to_ascii_lowercase().as_str() {
            "" | "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "sctp" => Ok(Protocol::Sctp),
            _ => Err(format!("`{text}` is not a protocol (tcp, udp, sctp)")),
        }
    }
}

/// `80/tcp`: also its form in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// What it speaks.
    pub protocol: Protocol,
}

impl Port {
    /// `80`, `80/udp`, `8000-8010/tcp`: each port of the range.
    ///
    /// # Errors
    /// A sentence: not a port, or a range that runs backwards.
    pub fn range(text: &str) -> Result<Vec<Port>, String> {
        let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol: Protocol = protocol.parse()?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |part: &str| {
            part.parse::<u16>()
                .ok()
                .filter(|number| *number > 0 && part.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| format!("`{text}` is not a port (such as 80 or 8000-8010/udp)"))
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("the range of ports `{text}` runs backwards"));
        }
        Ok((first..=last)
            .map(|number| Port { number, protocol })
            .collect())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Port, String> {
        match Port::range(text)?.as_slice() {
            [port] => Ok(*port),
            _ => Err(format!("`{text}` is more than one port")),
        }
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}

impl TryFrom<String> for Port {
    type Error = String;

    fn try_from(text: String) -> Result<Port, String> {
        text.parse()
    }
}

/// A port of the host that leads to one of the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortBinding {
    /// Inside.
    pub container_port: u16,
    /// Of both.
    pub protocol: Protocol,
    /// `None`: all addresses of the host.
    pub host_ip: Option<IpAddr>,
    /// The first that may be taken; 0: any free one.
    pub host_port_first: u16,
    /// The last that may be taken; as the first, unless a range was given.
    pub host_port_last: u16,
}

impl PortBinding {
    /// The port inside.
    pub fn port(&self) -> Port {
        Port {
            number: self.container_port,
            protocol: self.protocol,
        }
    }
}
