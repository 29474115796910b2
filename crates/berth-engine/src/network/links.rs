//! Links: in the default network a container knows another one by a name of its own choice, and its variables tell of the
//! other's address and ports.
//!
//! Asked for as `CONTAINER[:ALIAS]`, recorded as `ID:ALIAS`. What a link means is looked up at each start.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_model::config::{NetworkMode, Port};
use berth_model::id::valid_name;
use berth_model::{ContainerConfig, ContainerId};

use super::BRIDGE_NETWORK;
use crate::create::invalid;
use crate::request::CreateRequest;
use crate::{Engine, Error};

/// What one link gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linked {
    pub(crate) address: IpAddr,
    /// For `/etc/hosts`.
    pub(crate) names: Vec<String>,
    /// `DB_PORT=tcp://172.17.0.2:5432`, …
    pub(crate) variables: Vec<String>,
}

/// The two parts of what is asked for. `/other:/own/alias`, as `inspect` tells it, means the same again.
fn parse(text: &str) -> Result<(&str, &str), Error> {
    let (name, alias) = text.split_once(':').unwrap_or((text, text));
    let last = |path: &'_ str| path.rfind('/').map_or(0, |at| at + 1);
    let (name, alias) = (&name[last(name)..], &alias[last(alias)..]);
    match name.is_empty() || !valid_name(alias) {
        true => Err(invalid(format!("bad format for links: {text}"))),
        false => Ok((name, alias)),
    }
}

/// The two parts of what is recorded.
fn recorded(text: &str) -> Option<(ContainerId, &str)> {
    let (id, alias) = text.split_once(':')?;
    Some((ContainerId::parse(id).ok()?, alias))
}

impl Engine {
    /// Puts ids for names.
    pub(crate) fn resolve_links(&self, request: &mut CreateRequest) -> Result<(), Error> {
        if request.networking.links.is_empty() {
            return Ok(());
        }
        if request.network != Some(NetworkMode::Bridge) {
            let message = "links are of the default network only".to_owned();
            return Err(invalid(message));
        }
        let mut aliases = BTreeSet::new();
        for link in &mut request.networking.links {
            let (name, alias) = parse(link)?;
            let found = match self.find(name) {
                Err(error @ Error::NoContainer { .. }) => {
                    let message = format!("could not get container for {name}: {error}");
                    return Err(invalid(message));
                }
                found => found?,
            };
            let id = self.network_donor(&found)?;
            if self.config(&id)?.network != NetworkMode::Bridge {
                let message =
                    format!("Cannot link to {name}, as it does not belong to the default network");
                return Err(invalid(message));
            }
            if !aliases.insert(alias.to_owned()) {
                return Err(invalid(format!("two links have the name {alias}")));
            }
            *link = format!("{id}:{alias}");
        }
        Ok(())
    }

    /// What the links give at a start. A link to a container that is gone is gone with it.
    pub(crate) fn linked(&self, config: &ContainerConfig) -> Result<Vec<Linked>, Error> {
        if config.networking.links.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.current_name(config)?;
        let mut all = Vec::new();
        for (id, alias) in config.networking.links.iter().filter_map(|l| recorded(l)) {
            let Some((other, name)) = self.link_target(&id)? else {
                continue;
            };
            let connection = match self.status(&id)?.is_alive() {
                true => self.connection(&id)?,
                false => None,
            };
            let place = connection
                .as_ref()
                .and_then(|all| all.place(BRIDGE_NETWORK));
            let Some(address) = place.and_then(|place| place.address(true)) else {
                return Err(Error::Invalid {
                    message: format!(
                        "Cannot link to a non running container: /{name} AS /{own}/{alias}"
                    ),
                    hint: Some("start that one first".to_owned()),
                });
            };
            let mut names = vec![alias.to_owned(), other.hostname.clone()];
            if name != alias {
                names.push(name);
            }
            all.push(Linked {
                address,
                names,
                variables: variables(&format!("/{own}/{alias}"), alias, address, &other),
            });
        }
        Ok(all)
    }

    /// The links of a container that is called `own`, as Docker tells them: `/other:/own/alias`.
    pub(super) fn told_links(
        &self,
        config: &ContainerConfig,
        own: &str,
    ) -> Result<Vec<String>, Error> {
        let mut told = Vec::new();
        for (id, alias) in config.networking.links.iter().filter_map(|l| recorded(l)) {
            if let Some((_, name)) = self.link_target(&id)? {
                told.push(format!("/{name}:/{own}/{alias}"));
            }
        }
        Ok(told)
    }

    fn link_target(&self, id: &ContainerId) -> Result<Option<(ContainerConfig, String)>, Error> {
        match self.config(id) {
            Err(Error::NoContainer { .. }) => Ok(None),
            other => {
                let other = other?;
                let name = self.current_name(&other)?;
                Ok(Some((other, name)))
            }
        }
    }

    /// Takes a link away: `CONTAINER/ALIAS`. One that runs keeps it until its next start.
    ///
    /// # Errors
    /// [`Error::NoContainer`]: there is no such link.
    pub fn remove_link(&self, text: &str) -> Result<(), Error> {
        let none = || Error::NoContainer {
            name: text.to_owned(),
        };
        let link = text.trim_start_matches('/').split_once('/');
        let (name, alias) = link.ok_or_else(none)?;
        let id = self.find(name)?;
        let _lock = self.lock(&id)?;
        let before = self.config(&id)?;
        let mut after = before.clone();
        let links = &mut after.networking.links;
        links.retain(|link| recorded(link).is_none_or(|(_, other)| other != alias));
        if after == before {
            return Err(none());
        }
        self.write_updated(&after)
    }
}

/// The variables of a link.
fn variables(path: &str, alias: &str, address: IpAddr, other: &ContainerConfig) -> Vec<String> {
    let prefix = alias.to_uppercase().replace('-', "_");
    let url = |port: &Port| format!("{}://{address}:{}", port.protocol, port.number);
    let mut all = Vec::new();
    let first = other.exposed_ports.iter().next();
    all.extend(first.map(|port| format!("{prefix}_PORT={}", url(port))));
    for port in &other.exposed_ports {
        let (number, protocol) = (port.number, port.protocol.word());
        let name = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
        all.extend([
            format!("{name}={}", url(port)),
            format!("{name}_ADDR={address}"),
            format!("{name}_PORT={number}"),
            format!("{name}_PROTO={protocol}"),
        ]);
    }
    all.push(format!("{prefix}_NAME={path}"));
    for entry in &other.process.env {
        if let Some((name, value)) = entry.split_once('=')
            && !matches!(name, "HOME" | "PATH")
        {
            all.push(format!("{prefix}_ENV_{name}={value}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_ask_for_a_link() {
        for (text, expected) in [
            ("db", Some(("db", "db"))),
            ("db:store", Some(("db", "store"))),
            ("/db:/web/store", Some(("db", "store"))),
            ("", None),
            (":x", None),
            ("db:", None),
            ("db:a b", None),
            ("db:x\n1.2.3.4 y", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_variables_tell() {
        let mut other = ContainerConfig::new(ContainerId::from_bytes([7; 32]));
        other.exposed_ports = ["5432", "53/udp"].map(|port| port.parse().unwrap()).into();
        other.process.env = ["PATH=/bin", "A=1=2", "B"].map(str::to_owned).to_vec();
        assert_eq!(
            variables("/web/my-db", "my-db", [10, 9, 0, 2].into(), &other),
            [
                "MY_DB_PORT=udp://10.9.0.2:53",
                "MY_DB_PORT_53_UDP=udp://10.9.0.2:53",
                "MY_DB_PORT_53_UDP_ADDR=10.9.0.2",
                "MY_DB_PORT_53_UDP_PORT=53",
                "MY_DB_PORT_53_UDP_PROTO=udp",
                "MY_DB_PORT_5432_TCP=tcp://10.9.0.2:5432",
                "MY_DB_PORT_5432_TCP_ADDR=10.9.0.2",
                "MY_DB_PORT_5432_TCP_PORT=5432",
                "MY_DB_PORT_5432_TCP_PROTO=tcp",
                "MY_DB_NAME=/web/my-db",
                "MY_DB_ENV_A=1=2",
            ]
        );
    }
}
