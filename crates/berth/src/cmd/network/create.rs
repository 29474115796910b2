//! `berth network create`.

use std::collections::BTreeMap;

use berth_engine::network::NetworkRequest;
use clap::ArgAction::{Append, Set};

use crate::cmd::print;
use crate::context;
use crate::globals::Globals;
use crate::opts::{self, subnets};
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Make a network, and print its id
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Told by inspect; on one machine every network is
    #[arg(long)]
    attachable: bool,
    /// An address in it that is somebody else's, NAME=ADDRESS
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = opts::annotation, action = Append)]
    aux_address: Vec<(String, String)>,
    /// A network made with --config-only, whose settings it has
    #[arg(
        long,
        value_name = "NETWORK",
        default_value = "",
        hide_default_value = true
    )]
    config_from: String,
    /// Settings for other networks only
    #[arg(long)]
    config_only: bool,
    /// How it is made: bridge, macvlan, ipvlan
    #[arg(short, long, default_value = "bridge")]
    driver: String,
    /// The gateway of a subnet
    #[arg(long, value_name = "ADDRESS", action = Append)]
    gateway: Vec<String>,
    /// A network of a cluster
    #[arg(long, hide = true)]
    ingress: bool,
    /// Nothing leaves it, and nothing comes in
    #[arg(long)]
    internal: bool,
    /// The part of a subnet from which containers get addresses
    #[arg(long, value_name = "SUBNET", action = Append)]
    ip_range: Vec<String>,
    /// Who chooses addresses
    #[arg(long, value_name = "DRIVER", default_value = "default")]
    ipam_driver: String,
    /// An option of who chooses addresses, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE", value_parser = opts::annotation, action = Append)]
    ipam_opt: Vec<(String, String)>,
    /// With IPv4; `--ipv4=false` goes with `--ipv6`
    #[arg(long, action = Set, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true")]
    ipv4: bool,
    /// With IPv6, too
    #[arg(long, action = Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ipv6: bool,
    /// A label, KEY=VALUE
    #[arg(long, value_parser = opts::label, action = Append)]
    label: Vec<(String, String)>,
    /// An option of the driver, KEY=VALUE
    #[arg(short, long, value_parser = opts::label, action = Append)]
    opt: Vec<(String, String)>,
    /// Where it is known: `local`
    #[arg(long, hide = true)]
    scope: Option<String>,
    /// A subnet, such as 10.9.0.0/24
    #[arg(long, value_name = "SUBNET", action = Append)]
    subnet: Vec<String>,
    /// Its name
    #[arg(value_name = "NETWORK")]
    name: String,
}

impl Verb for Create {
    fn run(self, globals: &Globals) -> Outcome {
        self.refuse()?;
        let others: BTreeMap<String, String> = self.aux_address.into_iter().collect();
        let addresses = subnets::together(&self.subnet, &self.ip_range, &self.gateway, &others)
            .map_err(Failure::new)?;
        let id = context::engine(globals)?.create_network(NetworkRequest {
            name: self.name,
            driver: self.driver,
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            internal: self.internal,
            attachable: self.attachable,
            ipam_driver: self.ipam_driver,
            ipam_options: self.ipam_opt.into_iter().collect(),
            addresses,
            options: self.opt.into_iter().collect(),
            labels: self.label.into_iter().collect(),
            config_only: self.config_only,
            config_from: self.config_from,
        })?;
        print(&format!("{id}\n"))?;
        Ok(0)
    }
}

impl Create {
    fn refuse(&self) -> Result<(), Failure> {
        let cluster = self.ingress || self.scope.as_ref().is_some_and(|scope| scope != "local");
        match cluster {
            true => Err(Failure::new("a network of a cluster cannot be had")),
            false => Ok(()),
        }
    }
}
