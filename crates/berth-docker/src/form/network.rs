//! How the API and `network inspect` tell of networks.

use std::collections::BTreeMap;

use berth_engine::network::NetworkInfo;
use serde::Serialize;

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
    config_from: ConfigFrom,
    config_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<BTreeMap<&'a str, Member<'a>>>,
    options: &'a BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ipam<'a> {
    driver: &'static str,
    options: Option<()>,
    config: Vec<Subnet<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Subnet<'a> {
    subnet: &'a str,
    gateway: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigFrom {
    network: &'static str,
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
    ipv6_address: &'static str,
}

/// What `inspect` tells of a network.
pub fn network(network: &NetworkInfo) -> impl Serialize {
    Document::of(network, true, COMMAND)
}

impl<'a> Document<'a> {
    /// Of one network, with who is in it; in a list, without.
    pub(crate) fn of(network: &'a NetworkInfo, members: bool, version: Version) -> Document<'a> {
        let subnets = network.subnets.iter();
        let containers = network.containers.iter();
        let containers = containers.map(|(id, member)| {
            let member = Member {
                name: &member.name,
                endpoint_id: &member.endpoint_id,
                mac_address: &member.mac,
                ipv4_address: &member.address,
                ipv6_address: "",
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
            enable_ipv4: (version >= Version(1, 48)).then_some(true),
            enable_ipv6: false,
            ipam: Ipam {
                driver: "default",
                options: None,
                config: subnets
                    .map(|(subnet, gateway)| Subnet { subnet, gateway })
                    .collect(),
            },
            internal: false,
            attachable: false,
            ingress: false,
            config_from: ConfigFrom { network: "" },
            config_only: false,
            containers: told.then(|| containers.collect()),
            options: &network.options,
            labels: BTreeMap::new(),
        }
    }
}
