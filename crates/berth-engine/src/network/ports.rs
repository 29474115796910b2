//! Which ports of the host lead to a container: what is asked for → what is had.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;

use berth_model::config::PortBinding;
use berth_model::{ContainerConfig, ErrorKind};
use berth_net::{Held, Published};

use super::HostPort;
use crate::{Engine, Error};

/// The sockets are numbered from here on: below, the shim has what it is given at fixed numbers.
const FIRST_HELD: i32 = 16;
/// With so many ports a process needs more descriptors than it has by default.
const MANY: usize = 500;
/// How often the kernel may choose a port that is free in one family only.
const CHOICES: u32 = 16;

/// Where on the host a container's ports can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// It has an address of IPv4.
    pub(super) ipv4: bool,
    /// It is reached by IPv6.
    pub(super) ipv6: bool,
    /// The address of those that name none, as the network has it.
    pub(super) unless_told: Option<IpAddr>,
}

/// Ports that are claimed.
#[derive(Default)]
pub(super) struct Claimed {
    pub(super) ports: Vec<HostPort>,
    pub(super) held: Vec<Held>,
}

/// All bindings that a container asks for: with `publish_all` its exposed ports too. What the network says comes before
/// what the daemon does.
fn wishes(config: &ContainerConfig, unless_told: Option<IpAddr>) -> Vec<PortBinding> {
    let asked = &config.networking;
    let mut wishes = asked.ports.clone();
    let bound: BTreeSet<_> = wishes.iter().map(PortBinding::port).collect();
    if asked.publish_all {
        let open = config
            .exposed_ports
            .iter()
            .filter(|port| !bound.contains(port));
        wishes.extend(open.map(|port| PortBinding {
            container_port: port.number,
            protocol: port.protocol,
            host_ip: None,
            host_port_first: 0,
            host_port_last: 0,
        }));
    }
    for wish in &mut wishes {
        wish.host_ip = wish.host_ip.or(unless_told).or(asked.publish_at);
    }
    // Those that name a port come first: one that the kernel chooses could be theirs.
    wishes.sort_by_key(|wish| wish.host_port_first == 0);
    wishes
}

/// Claims them.
pub(super) fn claim(config: &ContainerConfig, reach: &Reach) -> Result<Claimed, Error> {
    let wishes = wishes(config, reach.unless_told);
    if wishes.len() > MANY {
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let more = rustix::process::Rlimit {
            current: limits.maximum,
            ..limits
        };
        // If that is refused, a claim fails and says so.
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, more);
    }
    let mut claimed = Claimed::default();
    for wish in &wishes {
        let hosts = addresses(wish, reach)?;
        let failed = |source: berth_net::Error| Error::Publish {
            name: config.name.clone(),
            source: crate::error::Chain::of(&in_use(&source), &[]),
            kind: source.kind(),
            hint: source.hint(),
        };
        let held = hold(wish, &hosts).map_err(failed)?;
        claimed
            .ports
            .extend(hosts.iter().zip(&held).map(|(host_ip, held)| HostPort {
                container_port: wish.container_port,
                protocol: wish.protocol,
                host_ip: *host_ip,
                host_port: held.port,
            }));
        claimed.held.extend(held);
    }
    claimed.ports.sort_by_key(|port| {
        (
            port.container_port,
            port.protocol,
            port.host_ip,
            port.host_port,
        )
    });
    Ok(claimed)
}

/// The same port at each of these addresses.
fn hold(wish: &PortBinding, hosts: &[IpAddr]) -> Result<Vec<Held>, berth_net::Error> {
    let claim = |host: &IpAddr, first, last| {
        berth_net::claim(wish.protocol, *host, first, last).and_then(out_of_the_way)
    };
    let (mut first, last) = (wish.host_port_first, wish.host_port_last);
    let mut choices = CHOICES;
    let Some((host, others)) = hosts.split_first() else {
        return Ok(Vec::new());
    };
    loop {
        let held = claim(host, first, last)?;
        let port = held.port;
        let others: Result<Vec<Held>, _> = others
            .iter()
            .map(|other| claim(other, port, port))
            .collect();
        match others {
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && (port < last || first == 0 && choices > 0) =>
            {
                // Free here and taken there: the next one.
                choices -= u32::from(first == 0);
                first = if first == 0 { 0 } else { port + 1 };
            }
            others => {
                let mut all = vec![held];
                all.extend(others?);
                return Ok(all);
            }
        }
    }
}

fn out_of_the_way(held: Held) -> Result<Held, berth_net::Error> {
    let moved = rustix::io::fcntl_dupfd_cloexec(held.socket.as_fd(), FIRST_HELD);
    let socket = moved.map_err(|error| berth_net::Error::Kernel {
        action: "hold the port".to_owned(),
        source: error.into(),
    })?;
    Ok(Held {
        socket,
        port: held.port,
    })
}

/// As Docker says it, for those who look for its words.
fn in_use(error: &berth_net::Error) -> String {
    match error {
        berth_net::Error::Port {
            host, port, source, ..
        } if source.kind() == std::io::ErrorKind::AddrInUse => {
            format!("Bind for {host}:{port} failed: port is already allocated")
        }
        berth_net::Error::Port {
            protocol,
            host,
            port,
            source,
        } => {
            format!("listen {protocol}4 {host}:{port}: {source}")
        }
        other => other.to_string(),
    }
}

/// Where on the host. A network without IPv6 is not reached by it: then all addresses are all of IPv4. Nor is one without
/// IPv4.
fn addresses(wish: &PortBinding, reach: &Reach) -> Result<Vec<IpAddr>, Error> {
    let all = [
        (reach.ipv4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        (reach.ipv6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    ];
    let all = || all.iter().filter(|one| one.0).map(|one| one.1).collect();
    let (address, family) = match wish.host_ip {
        None => return Ok(all()),
        Some(address) if address.is_ipv4() && !reach.ipv4 => (address, "IPv4"),
        Some(address) if address.is_ipv6() && !reach.ipv6 => (address, "IPv6"),
        Some(address) => return Ok(vec![address]),
    };
    if address.is_unspecified() {
        return Ok(all());
    }
    let (other, without) = match family {
        "IPv4" => ("IPv6", "without `--ipv4=false`"),
        _ => ("IPv4", "with `--ipv6`"),
    };
    Err(Error::Invalid {
        message: format!(
            "a port cannot be published at {address}: the container's network has no {family}"
        ),
        hint: Some(format!(
            "publish it at an address of {other}, or use a network made {without}"
        )),
    })
}

/// A hardware address as a network device can have it.
pub(super) fn mac(text: &str) -> Result<[u8; 6], Error> {
    let parts: Vec<Option<u8>> = text
        .split([':', '-'])
        .map(|part| {
            u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| part.len() == 2)
        })
        .collect();
    match parts[..] {
        // The lowest bit of the first is that of groups.
        [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] if a & 1 == 0 => {
            Ok([a, b, c, d, e, f])
        }
        _ => Err(Error::Invalid {
            message: format!("`{text}` is not a valid mac address"),
            hint: Some("it has six parts, such as 02:42:ac:11:00:09".to_owned()),
        }),
    }
}

impl Engine {
    /// What containers that run, or that somebody is starting, have published in a network: each port of the host once.
    pub(super) fn published(&self, network: &berth_net::Network) -> Result<Vec<Published>, Error> {
        let mut all = Vec::new();
        for (id, connection) in self.connections()? {
            let counts = || self.try_lock(&id).is_none() || self.is_up(&id);
            let published = connection.published_in(&network.table);
            if !published.is_empty() && counts() {
                all.extend(published);
            }
        }
        let mut seen = BTreeSet::new();
        all.retain(|one| seen.insert((one.protocol, one.host, one.host_port)));
        Ok(all)
    }

    /// Whether a container's task lives.
    pub(super) fn is_up(&self, id: &berth_model::ContainerId) -> bool {
        let alive = |pid: Option<berth_model::task::Pid>| {
            pid.is_some_and(|pid| crate::observe::is_alive(&pid))
        };
        self.monitor_alive(id) || self.pid(id).is_ok_and(alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses() {
        assert_eq!(
            mac("02:42:ac:11:00:09").ok(),
            Some([2, 0x42, 0xac, 0x11, 0, 9])
        );
        assert_eq!(
            mac("02-42-AC-11-00-09").ok(),
            Some([2, 0x42, 0xac, 0x11, 0, 9])
        );
        for bad in [
            "",
            "zz",
            "02:42:ac:11:00",
            "02:42:ac:11:00:9",
            "01:00:5e:00:00:01",
            "02:42:ac:11:00:09:01",
        ] {
            assert!(mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn named_ports_come_first_and_exposed_ones_last() {
        let id = berth_model::ContainerId::from_bytes([7; 32]);
        let mut config = ContainerConfig::new(id);
        let binding = |container_port, first| PortBinding {
            container_port,
            protocol: Default::default(),
            host_ip: None,
            host_port_first: first,
            host_port_last: first,
        };
        config.networking.ports = vec![binding(80, 0), binding(81, 8081)];
        config.exposed_ports = ["80/tcp", "53/udp"]
            .map(|port| port.parse().unwrap())
            .into();
        let ports = |config: &ContainerConfig| -> Vec<u16> {
            wishes(config, None)
                .iter()
                .map(|wish| wish.container_port)
                .collect()
        };
        assert_eq!(ports(&config), [81, 80]);
        assert!(
            wishes(&config, None)
                .iter()
                .all(|wish| wish.host_ip.is_none())
        );
        config.networking.publish_all = true;
        config.networking.publish_at = Some([127, 0, 0, 1].into());
        let anywhere = Some([0, 0, 0, 0].into());
        config.networking.ports[0].host_ip = anywhere;
        let places = |unless_told| -> Vec<_> {
            let wishes = wishes(&config, unless_told);
            wishes.iter().map(|wish| wish.host_ip).collect()
        };
        let here = config.networking.publish_at;
        assert_eq!(places(None), [here, anywhere, here]);
        let there = Some([10, 9, 0, 1].into());
        assert_eq!(places(there), [there, anywhere, there]);
        assert_eq!(ports(&config), [81, 80, 53]);
    }

    #[test]
    fn where_on_the_host() {
        let at = |text: &str, ipv4: bool, ipv6: bool| {
            let wish = PortBinding {
                container_port: 80,
                protocol: Default::default(),
                host_ip: (!text.is_empty()).then(|| text.parse().unwrap()),
                host_port_first: 0,
                host_port_last: 0,
            };
            let reach = Reach {
                ipv4,
                ipv6,
                unless_told: None,
            };
            let found = addresses(&wish, &reach).ok()?;
            let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
            Some(found.join(" "))
        };
        for (text, four, both, six) in [
            ("", "0.0.0.0", "0.0.0.0 ::", "::"),
            ("0.0.0.0", "0.0.0.0", "0.0.0.0", "::"),
            ("::", "0.0.0.0", "::", "::"),
            ("10.9.0.1", "10.9.0.1", "10.9.0.1", "no"),
            ("fd00::1", "no", "fd00::1", "fd00::1"),
        ] {
            let no = || "no".to_owned();
            assert_eq!(at(text, true, false).unwrap_or_else(no), four, "{text}");
            assert_eq!(at(text, true, true).unwrap_or_else(no), both, "{text}");
            assert_eq!(at(text, false, true).unwrap_or_else(no), six, "{text}");
        }
    }
}
