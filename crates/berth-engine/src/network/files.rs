//! `/etc/hosts` and `/etc/resolv.conf` of a container. Pure: what the host has comes in as text.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use berth_model::ContainerConfig;
use berth_net::redirect::RESOLVER;

use super::Linked;

/// Where the host says which name servers it asks.
pub(crate) const RESOLV: &str = "/etc/resolv.conf";
/// Where systemd-resolved says which ones it asks itself.
pub(crate) const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// Docker's, for who has only resolvers of its own loopback.
const FALLBACK: [Ipv4Addr; 2] = [Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(8, 8, 4, 4)];

const HOSTS: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// `/etc/hosts`. `gateway`: what `host-gateway` means.
pub(crate) fn hosts(
    config: &ContainerConfig,
    addresses: &[IpAddr],
    gateway: Option<IpAddr>,
    linked: &[Linked],
) -> String {
    let mut text = HOSTS.to_owned();
    for extra in &config.networking.extra_hosts {
        let Some((name, target)) = extra.split_once([':', '=']) else {
            continue;
        };
        let target = match (target, gateway) {
            ("host-gateway", Some(gateway)) => gateway.to_string(),
            (target, _) => target
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
        };
        let _ = writeln!(text, "{target}\t{name}");
    }
    for link in linked {
        let _ = writeln!(text, "{}\t{}", link.address, link.names.join(" "));
    }
    for address in addresses {
        text.push_str(&own_line(config, *address));
    }
    text
}

/// The line of `/etc/hosts` for one of the container's own addresses.
pub(crate) fn own_line(config: &ContainerConfig, address: IpAddr) -> String {
    let name = &config.hostname;
    let names = match (config.domainname.as_str(), name.split_once('.')) {
        ("", Some((short, _))) => format!("{name} {short}"),
        ("", None) => name.clone(),
        (domain, _) => format!("{name}.{domain} {name}"),
    };
    format!("{address}\t{names}\n")
}

/// `/etc/resolv.conf`: the host's without what a container cannot reach, or what was asked for in its place. `served`: our
/// own resolver, which knows the others, is asked.
pub(crate) fn resolv(config: &ContainerConfig, host: &str, served: bool) -> String {
    let asked = &config.networking;
    if served {
        return of_the_resolver(config, host);
    }
    let reachable = |server: &IpAddr| server.is_ipv4() && !server.is_loopback();
    let mut servers: Vec<IpAddr> = match asked.dns.is_empty() {
        true => name_servers(host).filter(reachable).collect(),
        false => asked.dns.clone(),
    };
    if servers.is_empty() {
        servers = FALLBACK.map(IpAddr::V4).to_vec();
    }
    if asked.dns.is_empty() && asked.dns_search.is_empty() && asked.dns_options.is_empty() {
        let mut text = String::new();
        for line in host.lines().filter(|line| name_server(line).is_none()) {
            text.push_str(line);
            text.push('\n');
        }
        return with_servers(text, &servers);
    }
    let search = or_hosts(&asked.dns_search, host, "search");
    let options = or_hosts(&asked.dns_options, host, "options");
    with_servers(line("search", &search), &servers) + &line("options", &options)
}

fn of_the_resolver(config: &ContainerConfig, host: &str) -> String {
    let asked = &config.networking;
    let search = or_hosts(&asked.dns_search, host, "search");
    let mut options = or_hosts(&asked.dns_options, host, "options");
    // Names of one label are those of containers.
    if !options.iter().any(|option| option.starts_with("ndots:")) {
        options.push("ndots:0".to_owned());
    }
    with_servers(line("search", &search), &[RESOLVER.into()]) + &line("options", &options)
}

/// What was asked for in place of the host's; `.` stands for nothing.
fn or_hosts(asked: &[String], host: &str, keyword: &str) -> Vec<String> {
    match asked {
        [] => words(host, keyword),
        asked => asked.iter().filter(|word| *word != ".").cloned().collect(),
    }
}

fn line(keyword: &str, words: &[String]) -> String {
    match words {
        [] => String::new(),
        words => format!("{keyword} {}\n", words.join(" ")),
    }
}

/// Which of the host's files counts: systemd-resolved's own where the usual one names only its stub.
pub(crate) fn uses_stub(host: &str) -> bool {
    let mut servers = name_servers(host);
    servers.next() == Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53))) && servers.next().is_none()
}

/// The name servers of a resolv.conf(5).
pub(crate) fn name_servers(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(name_server)
}

fn name_server(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace();
    if words.next() != Some("nameserver") {
        return None;
    }
    // An IPv6 address may name its device.
    words.next()?.split('%').next()?.parse().ok()
}

fn words(text: &str, keyword: &str) -> Vec<String> {
    let line = text
        .lines()
        .rfind(|line| line.split_whitespace().next() == Some(keyword));
    line.into_iter()
        .flat_map(|line| line.split_whitespace().skip(1))
        .map(str::to_owned)
        .collect()
}

fn with_servers(mut text: String, servers: &[IpAddr]) -> String {
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

#[cfg(test)]
mod tests {
    use berth_model::ContainerId;

    use super::*;

    fn config() -> ContainerConfig {
        let mut config = ContainerConfig::new(ContainerId::from_bytes([7; 32]));
        config.hostname = "web".to_owned();
        config
    }

    #[test]
    fn names_of_hosts() {
        let mut config = config();
        let (address, gateway) = ([[10, 9, 0, 2].into()], Some([10, 9, 0, 1].into()));
        let own =
            |config: &ContainerConfig| hosts(config, &address, gateway, &[]).split_off(HOSTS.len());
        assert_eq!(own(&config), "10.9.0.2\tweb\n");
        assert_eq!(hosts(&config, &[], gateway, &[]), HOSTS);
        config.networking.extra_hosts = ["a:1.2.3.4", "gw:host-gateway", "six:[fd00::1]"]
            .map(str::to_owned)
            .to_vec();
        config.domainname = "x.org".to_owned();
        assert_eq!(
            own(&config),
            "1.2.3.4\ta\n10.9.0.1\tgw\nfd00::1\tsix\n10.9.0.2\tweb.x.org web\n"
        );
    }

    #[test]
    fn name_servers_that_a_container_reaches() {
        let cases = [
            ("nameserver 10.0.0.53\n", "nameserver 10.0.0.53\n"),
            ("", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
            (
                "# local\nsearch a b\nnameserver 127.0.0.1\nnameserver ::1\noptions edns0",
                "# local\nsearch a b\noptions edns0\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n",
            ),
            (
                "nameserver fe80::1%eth0\nnameserver 10.1.1.1\n  nameserver 127.0.0.53\n",
                "nameserver 10.1.1.1\n",
            ),
        ];
        for (host, expected) in cases {
            assert_eq!(resolv(&config(), host, false), expected, "{host}");
        }
        assert!(uses_stub("nameserver 127.0.0.53\noptions trust-ad\n"));
        assert!(!uses_stub("nameserver 127.0.0.53\nnameserver 1.1.1.1\n"));
    }

    #[test]
    fn what_was_asked_for_wins() {
        let mut config = config();
        let host = "search home\nnameserver 10.0.0.53\noptions edns0\n";
        config.networking.dns = vec!["9.9.9.9".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        assert_eq!(
            resolv(&config, host, false),
            "search home\nnameserver 9.9.9.9\nnameserver 127.0.0.1\noptions edns0\n"
        );
        config.networking.dns.clear();
        config.networking.dns_search = vec![".".to_owned()];
        config.networking.dns_options = vec!["ndots:2".to_owned()];
        assert_eq!(
            resolv(&config, host, false),
            "nameserver 10.0.0.53\noptions ndots:2\n"
        );
        assert_eq!(
            resolv(&config, host, true),
            "nameserver 127.0.0.11\noptions ndots:2\n"
        );
        let none = self::config();
        assert_eq!(
            resolv(&none, host, true),
            "search home\nnameserver 127.0.0.11\noptions edns0 ndots:0\n"
        );
    }
}
