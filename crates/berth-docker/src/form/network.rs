//! How the API and `network inspect` tell of networks.

use std::collections::BTreeMap;

use berth_engine::network::{self, NetworkInfo};
use serde::{Deserialize, Serialize};

use crate::Version;
use crate::version::COMMAND;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document<'a> {
    name: &'a str,
    id: &'a str,
    created: &'a str,
    scope: &'static str,
    driver: &'static str,
    #[serde(rename = "EnableIPv4", skip_serializing_if = "Option::is_none")]
    enable_ipv4: Option<bool>,
    #[serde(rename = "EnableIPv6")]
    enable_ipv6: bool,
    #[serde(rename = "IPAM")]
    ipam: Ipam<'a>,
    internal: bool,
    attachable: bool,
    ingress: bool,
    config_from: ConfigFrom<'a>,
    config_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<BTreeMap<&'a str, Member<'a>>>,
    options: &'a BTreeMap<String, String>,
    labels: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ipam<'a> {
    driver: &'static str,
    options: Option<&'a BTreeMap<String, String>>,
    config: Vec<AddressConfig>,
}

/// Addresses of a network, as they are asked for and told; what is empty was not said.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AddressConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    subnet: String,
    #[serde(rename = "IPRange", skip_serializing_if = "String::is_empty")]
    ip_range: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    gateway: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    auxiliary_addresses: BTreeMap<String, String>,
}

impl From<AddressConfig> for network::AddressConfig {
    fn from(asked: AddressConfig) -> network::AddressConfig {
        network::AddressConfig {
            subnet: asked.subnet,
            range: asked.ip_range,
            gateway: asked.gateway,
            auxiliary: asked.auxiliary_addresses,
        }
    }
}

impl From<&network::AddressConfig> for AddressConfig {
    fn from(one: &network::AddressConfig) -> AddressConfig {
        AddressConfig {
            subnet: one.subnet.clone(),
            ip_range: one.range.clone(),
            gateway: one.gateway.clone(),
            auxiliary_addresses: one.auxiliary.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigFrom<'a> {
    network: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member<'a> {
    name: &'a str,
    #[serde(rename = "EndpointID")]
    endpoint_id: &'a str,
    mac_address: &'a str,
    #[serde(rename = "IPv4Address")]
    ipv4_address: &'a str,
    #[serde(rename = "IPv6Address")]
    ipv6_address: &'a str,
}

/// What `inspect` tells of a network.
pub fn network(network: &NetworkInfo) -> impl Serialize {
    Document::of(network, true, COMMAND)
}

impl<'a> Document<'a> {
    /// Of one network, with who is in it; in a list, without.
    pub(crate) fn of(network: &'a NetworkInfo, members: bool, version: Version) -> Document<'a> {
        let containers = network.containers.iter();
        let containers = containers.map(|(id, member)| {
            let member = Member {
                name: &member.name,
                endpoint_id: &member.endpoint_id,
                mac_address: &member.mac,
                ipv4_address: &member.address,
                ipv6_address: &member.address6,
            };
            (id.as_str(), member)
        });
        // Lists had an empty map there.
        let told = members || version < Version(1, 52);
        Document {
            name: &network.name,
            id: &network.id,
            created: &network.created,
            scope: "local",
            driver: network.driver,
            enable_ipv4: (version >= Version(1, 48)).then_some(network.ipv4),
            enable_ipv6: network.ipv6,
            ipam: Ipam {
                driver: "default",
                options: Some(&network.ipam_options).filter(|options| !options.is_empty()),
                config: network.addresses.iter().map(Into::into).collect(),
            },
            internal: network.internal,
            attachable: network.attachable,
            ingress: false,
            config_from: ConfigFrom {
                network: &network.config_from,
            },
            config_only: network.config_only,
            containers: told.then(|| containers.collect()),
            options: &network.options,
            labels: &network.labels,
        }
    }
}
