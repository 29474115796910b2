//! Which places in networks a container asks for: names → ids, and what cannot be had.

use berth_model::config::{EndpointConfig, NetworkConfig, NetworkMode};

use super::BRIDGE_NETWORK;
use super::find::Found;
use super::record::Record;
use crate::create::invalid;
use crate::request::CreateRequest;
use crate::{Engine, Error};

/// What clients call the network of those who ask for none.
const DEFAULT: &str = "default";

impl Engine {
    /// Puts ids for names, and in order: the network of the container's mode first.
    pub(crate) fn resolve_networks(&self, request: &mut CreateRequest) -> Result<(), Error> {
        let chosen = request.network.is_some();
        let default = self.default_network();
        let mode = request.network.get_or_insert(default).clone();
        let asked = request.networking.endpoints.take().unwrap_or_default();
        alike(&mode, &asked)?;
        if !mode.has_networks() {
            return Ok(());
        }
        let mut main = request.networking.endpoints(&mode).remove(0);
        if mode.is_named() {
            main.links = std::mem::take(&mut request.networking.links);
        }
        let main = self.resolve_endpoint(main)?;
        let mut places: Vec<EndpointConfig> = Vec::new();
        for mut wish in asked {
            if wish.network == DEFAULT {
                wish.network = BRIDGE_NETWORK.to_owned();
            }
            let wish = self.resolve_endpoint(wish)?;
            if places.iter().any(|place| place.network == wish.network) {
                return Err(invalid(format!(
                    "network \"{}\" is specified multiple times",
                    wish.name
                )));
            }
            places.push(wish);
        }
        match places
            .iter()
            .position(|place| place.network == main.network)
        {
            Some(at) => {
                let mut own = places.remove(at);
                own.mac = own.mac.or(main.mac);
                own.addresses.extend(main.addresses);
                own.link_local.extend(main.link_local);
                own.aliases.extend(main.aliases);
                own.links.extend(main.links);
                places.insert(0, own);
            }
            // Who names only others means those.
            None if !chosen && !places.is_empty() => {}
            None => places.insert(0, main),
        }
        let plain = EndpointConfig {
            network: BRIDGE_NETWORK.to_owned(),
            name: BRIDGE_NETWORK.to_owned(),
            mac: request.networking.mac.clone(),
            ..EndpointConfig::default()
        };
        // As it was before there were others.
        let alone = mode == NetworkMode::Bridge && places == [plain];
        let networking = &mut request.networking;
        *networking = NetworkConfig {
            addresses: Vec::new(),
            link_local: Vec::new(),
            aliases: Vec::new(),
            driver_options: Default::default(),
            endpoints: (!alone).then_some(places),
            ..std::mem::take(networking)
        };
        Ok(())
    }

    /// Puts the network's id for its name.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; what cannot be had in it.
    pub(super) fn resolve_endpoint(&self, wish: EndpointConfig) -> Result<EndpointConfig, Error> {
        match self.find_network(&wish.network)? {
            Found::Own(record) => {
                in_own(&record, &wish)?;
                Ok(EndpointConfig {
                    network: record.id,
                    name: record.name,
                    ..wish
                })
            }
            Found::Predefined(BRIDGE_NETWORK) => {
                in_bridge(&wish)?;
                Ok(EndpointConfig {
                    network: BRIDGE_NETWORK.to_owned(),
                    name: BRIDGE_NETWORK.to_owned(),
                    ..wish
                })
            }
            Found::Predefined("host") => Err(host()),
            Found::Predefined(_) => Err(none()),
        }
    }
}

/// In Docker's words, as all that follows.
pub(super) fn host() -> Error {
    invalid(
        "container cannot be disconnected from host network or connected to host network"
            .to_owned(),
    )
}

pub(super) fn none() -> Error {
    invalid(
        "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            .to_owned(),
    )
}

/// Networks go with networks only; of another mode nothing more can be said.
fn alike(mode: &NetworkMode, asked: &[EndpointConfig]) -> Result<(), Error> {
    let own = mode.to_string();
    let fits = |wish: &EndpointConfig| match mode.has_networks() {
        true => !matches!(wish.network.as_str(), "host" | "none"),
        false => wish.network == own,
    };
    match asked.iter().all(fits) {
        true => Ok(()),
        false => Err(invalid(
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
                .to_owned(),
        )),
    }
}

fn in_bridge(wish: &EndpointConfig) -> Result<(), Error> {
    if !wish.addresses.is_empty() {
        return Err(invalid(
            "user specified IP address is supported on user defined networks only".to_owned(),
        ));
    }
    match wish.aliases.is_empty() {
        true => Ok(()),
        false => Err(invalid(
            "network-scoped aliases are only supported for user-defined networks".to_owned(),
        )),
    }
}

fn in_own(record: &Record, wish: &EndpointConfig) -> Result<(), Error> {
    let word = |text: &String| {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        text.is_empty() || text.len() > 255 || text.contains(odd)
    };
    if let Some(bad) = wish
        .aliases
        .iter()
        .chain(&wish.links)
        .find(|text| word(text))
    {
        return Err(invalid(format!("`{bad}` is no name in a network")));
    }
    for address in &wish.addresses {
        let ranges = record.shape.ranges.iter();
        let mut chosen = ranges.filter(|range| range.chosen).peekable();
        let any = chosen.peek().is_some();
        match chosen.find(|range| range.subnet.contains(*address)) {
            Some(_) => {}
            None if !any => {
                return Err(Error::Invalid {
                    message: "user specified IP address is supported only when connecting to networks with user \
                              configured subnets"
                        .to_owned(),
                    hint: Some("make the network with `--subnet`".to_owned()),
                });
            }
            None => {
                return Err(invalid(format!(
                    "Invalid address {address}: It does not belong to any of this network's subnets"
                )));
            }
        }
    }
    Ok(())
}
