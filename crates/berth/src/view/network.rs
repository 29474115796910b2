//! Networks, as rows of `network ls` and as `network inspect` prints them.

use std::net::IpAddr;

use berth_engine::network::{HostPort, NetworkInfo, NetworkSettings};
use berth_model::config::Port;

use crate::ui::rows::Listing;
use crate::ui::template::Value;

/// As docker prints it.
pub const LISTING: Listing<'_> = Listing {
    headers: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "{{.ID}}",
};

/// A row.
pub fn row(network: &NetworkInfo, truncate: bool) -> Value {
    let id = if truncate {
        &network.id[..12]
    } else {
        &network.id
    };
    let labels = network.labels.iter();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Value::fields([
        ("ID", id.into()),
        ("Name", network.name.as_str().into()),
        ("Driver", network.driver.into()),
        ("Scope", "local".into()),
        ("IPv6", network.ipv6.to_string().as_str().into()),
        ("Internal", network.internal.to_string().as_str().into()),
        ("Labels", labels.join(",").as_str().into()),
        (
            "CreatedAt",
            crate::ui::human::timestamp(&network.created).into(),
        ),
    ])
}

/// What `ps` shows of ports: neighbours as ranges, `0.0.0.0:9000-9002->9000-9002/tcp, 80/tcp`.
pub fn ports(settings: &NetworkSettings) -> String {
    /// A port and how it is reached; the last of a range that it begins.
    struct Run<'a> {
        first: (&'a Port, Option<&'a HostPort>),
        last: u16,
    }
    let all = settings
        .ports
        .iter()
        .flat_map(|(port, bindings)| match bindings {
            None => vec![(port, None)],
            Some(bindings) => bindings.iter().map(|one| (port, Some(one))).collect(),
        });
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (port, host) in all {
        let continues = |run: &&mut Run<'_>| {
            let (first, from) = run.first;
            let next =
                run.last.checked_add(1) == Some(port.number) && first.protocol == port.protocol;
            let offset = port.number.wrapping_sub(first.number);
            let same = match (from, host) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    a.host_ip == b.host_ip && a.host_port.wrapping_add(offset) == b.host_port
                }
                _ => false,
            };
            next && same
        };
        match runs.iter_mut().find(continues) {
            Some(run) => run.last = port.number,
            None => runs.push(Run {
                first: (port, host),
                last: port.number,
            }),
        }
    }
    let range = |first: u16, count: u16| match count {
        0 => first.to_string(),
        more => format!("{first}-{}", first.wrapping_add(more)),
    };
    let shown = runs.iter().map(|run| {
        let (port, host) = run.first;
        let count = run.last - port.number;
        let inside = format!("{}/{}", range(port.number, count), port.protocol);
        match host {
            Some(host) => {
                let address = match host.host_ip {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                };
                format!("{address}:{}->{inside}", range(host.host_port, count))
            }
            None => inside,
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_as_ps_has_them() {
        let mut seen = NetworkSettings::default();
        let mut add = |port: &str, host: Option<u16>| {
            let port: Port = port.parse().unwrap();
            let binding = |host_port| HostPort {
                container_port: port.number,
                protocol: port.protocol,
                host_ip: [0, 0, 0, 0].into(),
                host_port,
            };
            let bindings = host.map(|host_port| vec![binding(host_port)]);
            seen.ports.insert(port, bindings);
        };
        for (port, host) in [
            ("9000", 9000),
            ("9001", 9001),
            ("9002", 9002),
            ("80", 8080),
            ("53/udp", 1),
        ] {
            add(port, Some(host));
        }
        for port in ["7000", "7001", "6000"] {
            add(port, None);
        }
        assert_eq!(
            ports(&seen),
            "0.0.0.0:1->53/udp, 0.0.0.0:8080->80/tcp, 6000/tcp, 7000-7001/tcp, \
             0.0.0.0:9000-9002->9000-9002/tcp"
        );
    }
}
