//! A container's place in a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_engine::network::EndpointSettings;
use berth_model::ContainerConfig;
use berth_model::config::NetworkConfig;
use serde::{Deserialize, Serialize};

use super::mount::Parsed;
use super::null_if_empty;

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
    /// What it asks for.
    pub(crate) fn ask(&self, networking: &mut NetworkConfig) -> Parsed<()> {
        let address = |text: &String| -> Parsed<IpAddr> {
            text.parse()
                .map_err(|_| format!("invalid IP address: {text}"))
        };
        if let Some(ipam) = &self.ipam_config {
            for text in [&ipam.ipv4_address, &ipam.ipv6_address] {
                if !text.is_empty() {
                    networking.addresses.push(address(text)?);
                }
            }
            let local = ipam.link_local_ips.iter().map(address);
            networking.link_local = local.collect::<Parsed<_>>()?;
        }
        if !self.mac_address.is_empty() {
            networking.mac = Some(mac(&self.mac_address)?);
        }
        networking
            .links
            .extend(self.links.iter().flatten().cloned());
        networking
            .aliases
            .extend(self.aliases.iter().flatten().cloned());
        let options = self.driver_opts.iter().flatten();
        networking
            .driver_options
            .extend(options.map(|(key, value)| (key.clone(), value.clone())));
        Ok(())
    }

    /// Of a container: what was asked for, and what it has.
    pub(crate) fn of(config: &ContainerConfig, place: Option<&EndpointSettings>) -> Endpoint {
        let networking = &config.networking;
        let text = |wanted: fn(&&IpAddr) -> bool| {
            let found = networking.addresses.iter().find(wanted);
            found.map(ToString::to_string).unwrap_or_default()
        };
        let ipam = Ipam {
            ipv4_address: text(|address| address.is_ipv4()),
            ipv6_address: text(|address| address.is_ipv6()),
            link_local_ips: networking
                .link_local
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        let asked = !networking.addresses.is_empty() || !networking.link_local.is_empty();
        let options = &networking.driver_options;
        let place = place.cloned().unwrap_or_default();
        Endpoint {
            network_id: place.network_id,
            endpoint_id: place.endpoint_id,
            gateway: place.gateway,
            ip_address: place.address,
            ip_prefix_len: place.prefix,
            mac_address: place.mac,
            ipam_config: asked.then_some(ipam),
            aliases: null_if_empty(networking.aliases.clone()),
            driver_opts: (!options.is_empty()).then(|| options.clone()),
            ..Endpoint::default()
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
