//! `berth network connect`.

use std::net::IpAddr;

use berth_model::config::EndpointConfig;
use clap::ArgAction::Append;

use crate::context;
use crate::globals::Globals;
use crate::opts::{self, network};
use crate::verbs::{Outcome, Verb};

/// Connect a container to a network, also while it runs
#[derive(Debug, clap::Args)]
pub struct Connect {
    /// Another name in the network
    #[arg(long, value_name = "NAME", value_parser = network::word, action = Append)]
    alias: Vec<String>,
    /// An option of the network's driver, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE", value_parser = opts::annotation, action = Append)]
    driver_opt: Vec<(String, String)>,
    /// The network with the highest has the way to everywhere
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    gw_priority: i64,
    /// IPv4 address
    #[arg(long, value_name = "ADDRESS", value_parser = network::v4)]
    ip: Option<IpAddr>,
    /// IPv6 address
    #[arg(long, value_name = "ADDRESS", value_parser = network::v6)]
    ip6: Option<IpAddr>,
    /// A name for another container
    #[arg(long, value_name = "CONTAINER[:ALIAS]", value_parser = network::word, action = Append)]
    link: Vec<String>,
    /// Link-local address
    #[arg(long, value_name = "ADDRESS", value_parser = network::address, action = Append)]
    link_local_ip: Vec<IpAddr>,
    /// Network, by name or id
    #[arg(value_name = "NETWORK")]
    network: String,
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Verb for Connect {
    fn run(self, globals: &Globals) -> Outcome {
        let wish = EndpointConfig {
            network: self.network,
            addresses: self.ip.into_iter().chain(self.ip6).collect(),
            link_local: self.link_local_ip,
            aliases: self.alias,
            links: self.link,
            driver_options: self.driver_opt.into_iter().collect(),
            gateway_priority: self.gw_priority,
            ..EndpointConfig::default()
        };
        context::engine(globals)?.connect_network(&self.container, wish)?;
        Ok(0)
    }
}
