//! A container's place in a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_engine::network::EndpointSettings;
use berth_model::ContainerConfig;
use berth_model::config::EndpointConfig;
use serde::{Deserialize, Serialize};

use super::mount::Parsed;
use super::null_if_empty;
use crate::Version;

/// Until then its short id was among its aliases; now it is among its names only.
const NAMES_APART: Version = Version(1, 45);
/// The version that tells names.
const NAMES: Version = Version(1, 44);
/// The version in which one network can be said to come first.
const PRIORITY: Version = Version(1, 48);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NetworkingConfig {
    pub(crate) endpoints_config: BTreeMap<String, Endpoint>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Endpoint {
    #[serde(rename = "IPAMConfig")]
    pub(crate) ipam_config: Option<Ipam>,
    pub(crate) links: Option<Vec<String>>,
    pub(crate) aliases: Option<Vec<String>>,
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
    pub(crate) gateway: String,
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    pub(crate) ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    pub(crate) ipv6_gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub(crate) global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub(crate) global_ipv6_prefix_len: u8,
    pub(crate) mac_address: String,
    pub(crate) driver_opts: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gw_priority: Option<i64>,
    #[serde(rename = "DNSNames", skip_serializing_if = "Option::is_none")]
    pub(crate) dns_names: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ipam {
    #[serde(rename = "IPv4Address", skip_serializing_if = "String::is_empty")]
    ipv4_address: String,
    #[serde(rename = "IPv6Address", skip_serializing_if = "String::is_empty")]
    ipv6_address: String,
    #[serde(rename = "LinkLocalIPs", skip_serializing_if = "Vec::is_empty")]
    link_local_ips: Vec<String>,
}

impl Endpoint {
    /// What it asks for, in this network.
    pub(crate) fn meaning(&self, network: &str) -> Parsed<EndpointConfig> {
        let address = |text: &String| -> Parsed<IpAddr> {
            text.parse()
                .map_err(|_| format!("invalid IP address: {text}"))
        };
        let mut wish = EndpointConfig {
            network: network.to_owned(),
            links: self.links.clone().unwrap_or_default(),
            aliases: self.aliases.clone().unwrap_or_default(),
            driver_options: self.driver_opts.clone().unwrap_or_default(),
            gateway_priority: self.gw_priority.unwrap_or(0),
            ..EndpointConfig::default()
        };
        if let Some(ipam) = &self.ipam_config {
            for (text, ipv4) in [(&ipam.ipv4_address, true), (&ipam.ipv6_address, false)] {
                if !text.is_empty() {
                    let address = address(text)?;
                    if address.is_ipv4() != ipv4 {
                        return Err(format!("invalid IP address: {text}"));
                    }
                    wish.addresses.push(address);
                }
            }
            let local = ipam.link_local_ips.iter().map(address);
            wish.link_local = local.collect::<Parsed<_>>()?;
        }
        if !self.mac_address.is_empty() {
            wish.mac = Some(mac(&self.mac_address)?);
        }
        Ok(wish)
    }

    /// Of a container: what was asked for, and what it has.
    pub(crate) fn of(
        config: &ContainerConfig,
        asked: &EndpointConfig,
        place: Option<&EndpointSettings>,
        version: Version,
    ) -> Endpoint {
        let text = |wanted: fn(&&IpAddr) -> bool| {
            let found = asked.addresses.iter().find(wanted);
            found.map(ToString::to_string).unwrap_or_default()
        };
        let locals = asked.link_local.iter().map(ToString::to_string);
        let ipam = Ipam {
            ipv4_address: text(|address| address.is_ipv4()),
            ipv6_address: text(|address| address.is_ipv6()),
            link_local_ips: locals.collect(),
        };
        let chosen = !asked.addresses.is_empty() || !asked.link_local.is_empty();
        let options = &asked.driver_options;
        let place = place.cloned().unwrap_or_default();
        let mut aliases = asked.aliases.clone();
        if version < NAMES_APART && !matches!(asked.network.as_str(), "" | "bridge") {
            aliases.push(config.id.short().to_owned());
        }
        Endpoint {
            network_id: place.network_id,
            endpoint_id: place.endpoint_id,
            gateway: place.gateway,
            ip_address: place.address,
            ip_prefix_len: place.prefix,
            ipv6_gateway: place.gateway6,
            global_ipv6_address: place.address6,
            global_ipv6_prefix_len: place.prefix6,
            mac_address: match place.mac.as_str() {
                "" => asked.mac.clone().unwrap_or_default(),
                _ => place.mac,
            },
            ipam_config: chosen.then_some(ipam),
            links: null_if_empty(asked.links.clone()),
            aliases: null_if_empty(aliases),
            driver_opts: (!options.is_empty()).then(|| options.clone()),
            gw_priority: (version >= PRIORITY).then_some(asked.gateway_priority),
            dns_names: null_if_empty(place.names).filter(|_| version >= NAMES),
        }
    }
}

/// Six bytes in hexadecimal digits.
pub(crate) fn mac(text: &str) -> Parsed<String> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let byte = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts.len() == 6 && parts.iter().all(byte) {
        true => Ok(parts.join(":").to_ascii_lowercase()),
        false => Err(format!("invalid MAC address: {text}")),
    }
}
