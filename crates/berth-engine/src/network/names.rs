//! How containers are known: `/etc/hosts`, `/etc/resolv.conf`, and what the resolver of networks of one's own is told
//! (see berth-dns).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::path::Path;

use berth_dns::record::{self as dns, Names, Task};
use berth_fs::{Durability, failpoint};
use berth_model::config::{EndpointConfig, NetworkMode};
use berth_model::{ContainerConfig, ContainerId};

use super::connection::{Connection, Joined};
use super::{BRIDGE_NETWORK, Bridge, Linked, files as net_files};
use crate::error::files;
use crate::{Engine, Error, json};

/// Bytes of a container's file of names that we change.
const LARGEST: u64 = 1 << 20;

impl Engine {
    /// `/etc/hosts` and `/etc/resolv.conf` of a container.
    pub(crate) fn name_files(
        &self,
        config: &ContainerConfig,
        connection: Option<&Connection>,
        linked: &[Linked],
    ) -> (String, String) {
        let host = config.network == NetworkMode::Host;
        let hosts = match host && config.networking.extra_hosts.is_empty() {
            true => read("/etc/hosts"),
            false => {
                let addresses = connection.map(addresses).unwrap_or_default();
                net_files::hosts(
                    config,
                    &addresses,
                    self.host_gateway(config, connection),
                    linked,
                )
            }
        };
        (hosts, self.resolv(config, connection))
    }

    /// What `host-gateway` means.
    fn host_gateway(
        &self,
        config: &ContainerConfig,
        connection: Option<&Connection>,
    ) -> Option<IpAddr> {
        let own = connection.and_then(Connection::host);
        if own.is_some() || config.networking.extra_hosts.is_empty() {
            return own;
        }
        let bridge = json::read::<Bridge>(&self.layout.bridge_record());
        Some(bridge.ok().flatten()?.subnet.gateway())
    }

    pub(super) fn resolv(
        &self,
        config: &ContainerConfig,
        connection: Option<&Connection>,
    ) -> String {
        let asked = &config.networking;
        let mut resolv = read(net_files::RESOLV);
        let own =
            asked.dns.is_empty() && asked.dns_search.is_empty() && asked.dns_options.is_empty();
        if config.network == NetworkMode::Host && own {
            return resolv;
        }
        if net_files::uses_stub(&resolv) {
            let text = read(net_files::RESOLVED);
            if !text.is_empty() {
                resolv = text;
            }
        }
        let served = connection.is_some_and(is_served);
        net_files::resolv(config, &resolv, served)
    }

    /// Writes down what a container that runs is called in its networks, and has the resolver answer it.
    pub(super) fn serve_names(
        &self,
        config: &ContainerConfig,
        connection: &Connection,
        namespace: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let id = &config.id;
        let record = dns::task(self.layout.run_dir(), id.as_str());
        if !is_served(connection) {
            if record.exists() {
                self.forget_resolver(id)?;
            }
            return Ok(());
        }
        self.write_names(config, connection)?;
        failpoint!("engine.network.named");
        let asked = config.networking.endpoints(&config.network);
        let own = connection.places.iter().filter(|place| has_names(place));
        let joined = own.map(|place| dns::Joined {
            id: place.key.clone(),
            name: place.network_name.clone(),
            links: links(asked.iter().find(|asked| place.is_of(asked))),
        });
        let options = config.networking.dns_options.iter();
        let mut dots =
            options.filter_map(|option| option.strip_prefix("ndots:")?.parse::<u32>().ok());
        let task = Task {
            schema: 1,
            networks: joined.collect(),
            servers: config.networking.dns.clone(),
            forward: connection
                .places
                .iter()
                .any(|place| !place.network.internal),
            ndots: dots.any(|dots| dots > 0),
        };
        json::write(&record, &task, Durability::Volatile)?;
        self.resolver(|resolver| resolver.look(id, namespace))
    }

    /// Writes down what a container that runs is called in its networks.
    pub(crate) fn write_names(
        &self,
        config: &ContainerConfig,
        connection: &Connection,
    ) -> Result<(), Error> {
        let name = self.current_name(config)?;
        let asked = config.networking.endpoints(&config.network);
        for place in connection.places.iter().filter(|place| has_names(place)) {
            let dir = dns::names(self.layout.run_dir(), &place.key);
            berth_fs::ensure_dir(&dir, 0o700).map_err(files("make the network's directory"))?;
            let names = Names {
                schema: 1,
                names: names(config, &name, asked.iter().find(|asked| place.is_of(asked))),
                addresses: place.addresses.clone(),
            };
            json::write(&dir.join(config.id.as_str()), &names, Durability::Volatile)?;
        }
        Ok(())
    }

    /// A container is not known any more in a network.
    pub(super) fn forget_name(&self, id: &ContainerId, place: &Joined) -> Result<(), Error> {
        let names = dns::names(self.layout.run_dir(), &place.key).join(id.as_str());
        berth_fs::remove_file(&names, Durability::Volatile).map_err(files("forget the names"))
    }

    pub(super) fn forget_names(
        &self,
        id: &ContainerId,
        connection: &Connection,
    ) -> Result<(), Error> {
        for place in connection.places.iter().filter(|place| has_names(place)) {
            self.forget_name(id, place)?;
        }
        match dns::task(self.layout.run_dir(), id.as_str()).exists() {
            true => self.forget_resolver(id),
            false => Ok(()),
        }
    }

    fn forget_resolver(&self, id: &ContainerId) -> Result<(), Error> {
        let record = dns::task(self.layout.run_dir(), id.as_str());
        berth_fs::remove_file(&record, Durability::Volatile).map_err(files("forget the names"))?;
        // It sees for itself that the container is gone; told, it knows it sooner.
        let _ = self.resolver(|resolver| resolver.forget(id));
        Ok(())
    }

    /// Has a container that runs see what its files say by now. They are mounted in it, so each stays the file that it is.
    pub(super) fn rewrite_name_files(
        &self,
        config: &ContainerConfig,
        before: &Connection,
        after: &Connection,
    ) -> Result<(), Error> {
        let task = self.layout.task(&config.id);
        // What the container has made of its files is its own affair.
        let size = |name: &str| std::fs::metadata(task.join(name)).map_or(0, |file| file.len());
        if size("hosts") > LARGEST || size("resolv.conf") > LARGEST {
            return Ok(());
        }
        let hosts = read_path(&task.join("hosts"));
        let line = |address: &IpAddr| net_files::own_line(config, *address);
        let gone: Vec<String> = addresses(before).iter().map(line).collect();
        let mut text: String = hosts
            .split_inclusive('\n')
            .filter(|line| !gone.iter().any(|gone| gone == line))
            .collect();
        addresses(after)
            .iter()
            .for_each(|address| text.push_str(&line(address)));
        rewrite(&task.join("hosts"), &hosts, &text)?;
        let resolv = read_path(&task.join("resolv.conf"));
        // What somebody in the container has written stays.
        match resolv == self.resolv(config, Some(before)) {
            true => rewrite(
                &task.join("resolv.conf"),
                &resolv,
                &self.resolv(config, Some(after)),
            ),
            false => Ok(()),
        }
    }
}

/// Whether the resolver answers in a network.
fn has_names(place: &Joined) -> bool {
    place.key != BRIDGE_NETWORK
}

/// Whether the resolver answers a container.
fn is_served(connection: &Connection) -> bool {
    connection.places.iter().any(has_names)
}

fn addresses(connection: &Connection) -> Vec<IpAddr> {
    let places = connection.places.iter();
    places.flat_map(|place| place.addresses.clone()).collect()
}

/// What a container is called in a network of one's own, its name first.
pub(super) fn names(
    config: &ContainerConfig,
    name: &str,
    asked: Option<&EndpointConfig>,
) -> Vec<String> {
    let aliases = asked.map(|asked| asked.aliases.clone()).unwrap_or_default();
    let mut all = vec![name.to_owned()];
    all.extend(aliases);
    all.extend([config.id.short().to_owned(), config.hostname.clone()]);
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Alias → container.
fn links(asked: Option<&EndpointConfig>) -> BTreeMap<String, String> {
    let links = asked.iter().flat_map(|asked| &asked.links);
    let bare = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let parts = links.map(|link| link.split_once(':').unwrap_or((link, link)));
    parts
        .map(|(name, alias)| (bare(alias), bare(name)))
        .collect()
}

fn read(path: &str) -> String {
    read_path(Path::new(path))
}

fn read_path(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn rewrite(path: &Path, before: &str, text: &str) -> Result<(), Error> {
    if before == text {
        return Ok(());
    }
    let write = || {
        let mut file = std::fs::File::options().write(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    };
    write().map_err(|source| Error::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
