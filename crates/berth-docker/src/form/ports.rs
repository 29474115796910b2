//! Ports: which are published where.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_engine::network::HostPort;
use berth_model::config::{Port, PortBinding};
use serde::{Deserialize, Serialize};

use super::mount::Parsed;

/// `80/tcp` → where on the host; `null` for a port that is only exposed.
pub(crate) type PortMap = BTreeMap<String, Option<Vec<Binding>>>;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Binding {
    pub(crate) host_ip: String,
    pub(crate) host_port: String,
}

/// In our words.
pub(crate) fn meaning(map: &PortMap) -> Parsed<Vec<PortBinding>> {
    let mut all = Vec::new();
    for (port, bindings) in map {
        let port: Port = port
            .parse()
            .map_err(|_| format!("invalid port specification: \"{port}\""))?;
        for binding in bindings.iter().flatten() {
            let (first, last) = range(&binding.host_port)?;
            all.push(PortBinding {
                container_port: port.number,
                protocol: port.protocol,
                host_ip: address(&binding.host_ip)?,
                host_port_first: first,
                host_port_last: last,
            });
        }
    }
    Ok(all)
}

fn range(text: &str) -> Parsed<(u16, u16)> {
    let wrong = || format!("invalid port specification: \"{text}\"");
    if text.is_empty() {
        return Ok((0, 0));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => part.parse::<u16>().map_err(|_| wrong()),
        false => Err(wrong()),
    };
    let (first, last) = (number(first)?, number(last)?);
    match first <= last {
        true => Ok((first, last)),
        false => Err(wrong()),
    }
}

fn address(text: &str) -> Parsed<Option<IpAddr>> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bare.unwrap_or(text) {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("invalid host IP address: \"{text}\"")),
    }
}

/// As it is.
pub(crate) fn published(ports: &BTreeMap<Port, Option<Vec<HostPort>>>) -> PortMap {
    let binding = |port: &HostPort| Binding {
        host_ip: port.host_ip.to_string(),
        host_port: port.host_port.to_string(),
    };
    let of = |all: &Vec<HostPort>| all.iter().map(binding).collect();
    let ports = ports.iter();
    ports
        .map(|(port, bindings)| (port.to_string(), bindings.as_ref().map(of)))
        .collect()
}

/// As asked for.
pub(crate) fn bindings(ports: &[PortBinding]) -> PortMap {
    let mut map = PortMap::new();
    for binding in ports {
        let host_port = match (binding.host_port_first, binding.host_port_last) {
            (0, _) => String::new(),
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        let entry = map.entry(binding.port().to_string()).or_default();
        entry.get_or_insert_default().push(Binding {
            host_ip: binding.host_ip.map(|ip| ip.to_string()).unwrap_or_default(),
            host_port,
        });
    }
    map
}
