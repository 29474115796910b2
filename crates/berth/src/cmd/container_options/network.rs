//! Which network, and how the container is connected to it.

use std::net::IpAddr;

use berth_engine::request::CreateRequest;
use berth_model::config::{EndpointConfig, NetworkMode, Port, PortBinding};
use clap::ArgAction::Append;

use super::Causes;
use crate::opts::network::{self, Connection};
use crate::opts::{Asked, asked};
use crate::ui::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct NetworkOptions {
    /// Network: bridge, host, none, container:NAME or one of `berth network ls`; several: each a network more
    #[arg(long, visible_alias = "net", value_name = "NETWORK", value_parser = asked(network::connection), action = Append)]
    network: Vec<Asked<Connection>>,
    /// Publish ports of the container on the host
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]PORT[/PROTOCOL]", value_parser = asked(network::publish), action = Append)]
    publish: Vec<Asked<Vec<PortBinding>>>,
    /// Publish all exposed ports on free ports of the host
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Expose ports
    #[arg(long, value_name = "PORT[/PROTOCOL]", value_parser = asked(Port::range), action = Append)]
    expose: Vec<Asked<Vec<Port>>>,
    /// Name server
    #[arg(long, value_name = "ADDRESS", value_parser = asked(network::address), action = Append)]
    dns: Vec<Asked<IpAddr>>,
    /// Option of the resolver
    #[arg(long, alias = "dns-opt", value_name = "OPTION", value_parser = asked(network::word), action = Append)]
    dns_option: Vec<Asked<String>>,
    /// Search domain (.: none)
    #[arg(long, value_name = "DOMAIN", value_parser = asked(network::domain), action = Append)]
    dns_search: Vec<Asked<String>>,
    /// Add a name to /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = asked(network::host), action = Append)]
    add_host: Vec<Asked<String>>,
    /// Hardware address
    #[arg(long, value_name = "ADDRESS", value_parser = asked(network::mac))]
    mac_address: Option<Asked<String>>,
    /// IPv4 address
    #[arg(long, value_name = "ADDRESS", value_parser = asked(network::v4))]
    ip: Option<Asked<IpAddr>>,
    /// IPv6 address
    #[arg(long, value_name = "ADDRESS", value_parser = asked(network::v6))]
    ip6: Option<Asked<IpAddr>>,
    /// Link-local address
    #[arg(long, value_name = "ADDRESS", value_parser = asked(network::address), action = Append)]
    link_local_ip: Vec<Asked<IpAddr>>,
    /// Another name in the network
    #[arg(long, alias = "net-alias", value_name = "NAME", value_parser = asked(network::word), action = Append)]
    network_alias: Vec<Asked<String>>,
    /// Link to another container
    #[arg(long, value_name = "CONTAINER[:ALIAS]", value_parser = asked(network::word), action = Append)]
    link: Vec<Asked<String>>,
}

impl NetworkOptions {
    pub(super) fn ask(
        &self,
        request: &mut CreateRequest,
        causes: &mut Causes,
    ) -> Result<(), Failure> {
        let into = &mut request.networking;
        let mut wishes = causes
            .all("network", "--network", &self.network)
            .into_iter();
        let first = wishes.next().unwrap_or_default();
        request.network = first.mode;
        let mut first = first.endpoint;
        into.ports = causes.all("ports", "--publish", &self.publish).concat();
        into.publish_all = causes.switch("publish_all", "--publish-all", self.publish_all);
        let exposed = causes.all("exposed_ports", "--expose", &self.expose);
        request.exposed_ports = exposed.into_iter().flatten().collect();
        (request.exposed_ports).extend(into.ports.iter().map(PortBinding::port));
        into.dns = causes.all("dns", "--dns", &self.dns);
        into.dns_options = causes.all("dns_options", "--dns-option", &self.dns_option);
        into.dns_search = causes.all("dns_search", "--dns-search", &self.dns_search);
        into.extra_hosts = causes.all("extra_hosts", "--add-host", &self.add_host);
        into.links = causes.all("links", "--link", &self.link);
        let local = causes.all("link_local", "--link-local-ip", &self.link_local_ip);
        first.link_local.extend(local);
        let aliases = causes.all("aliases", "--network-alias", &self.network_alias);
        first.aliases.extend(aliases);
        let mac = causes.asked("mac", "--mac-address", self.mac_address.as_ref());
        into.mac = mac.or(first.mac.take());
        let ip = causes.asked("address", "--ip", self.ip.as_ref());
        let ip6 = causes.asked("address6", "--ip6", self.ip6.as_ref());
        first.addresses.extend(ip.into_iter().chain(ip6));
        let mut all = vec![(request.network.clone(), first)];
        all.extend(wishes.map(|wish| (wish.mode, wish.endpoint)));
        if all.len() == 1 && all[0].1 == EndpointConfig::default() {
            return Ok(());
        }
        let named = |(mode, endpoint): (Option<NetworkMode>, EndpointConfig)| EndpointConfig {
            network: mode.map_or_else(|| "default".to_owned(), |mode| mode.to_string()),
            ..endpoint
        };
        into.endpoints = Some(all.into_iter().map(named).collect());
        Ok(())
    }
}
