//! What networks let through, with both families: containers, their host, and a neighbour.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use berth_net::{Kernel, Network, unplug_inside};
use testkit::network::{Server, ask};

mod world;
use world::{Container, HOST, NEIGHBOUR, World, hello, network, published};

const SUBNETS: [&str; 2] = ["10.9.0.0/24", "fd00:9::/64"];

fn at(address: &str, port: u16) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    }
}

/// Two containers in a network, of which the first serves at port 80 with both families.
fn two(world: &World, network: &Network) -> (Container, Container, [Server; 2]) {
    let (a, b) = (Container::new(), Container::new());
    world.plug(network, &a, "eth0", 2);
    world.plug(network, &b, "eth0", 3);
    let servers = ["0.0.0.0:80", "[::]:81"].map(|at| Server::start(a.path(), at, "hello"));
    (a, b, servers)
}

/// D16, D20: IPv6 is where it is asked for, and nowhere else.
#[test]
fn both_families() {
    let world = World::new();
    let net = network("nb0", &SUBNETS);
    let list = [
        published("0.0.0.0", 8080, "10.9.0.2", 80),
        published("::", 8080, "fd00:9::2", 81),
        published("127.0.0.1", 8081, "10.9.0.2", 80),
        published("fd00:77::1", 8082, "fd00:9::2", 81),
    ];
    world.shell("echo 1 > /proc/sys/net/ipv6/conf/cable/accept_ra");
    assert!(world.ensure(&net, &list) > 4);
    assert_eq!(world.ensure(&net, &list), 0);
    let listens = world.shell("cat /proc/sys/net/ipv6/conf/cable/accept_ra");
    assert_eq!(
        listens.trim(),
        "2",
        "the host still listens to its own router"
    );
    let (a, b, _servers) = two(&world, &net);
    let (host, from) = (world.hosts.host(), world.hosts.neighbour());
    // At once: nobody waits for others that could have the address.
    assert_eq!(ask(b.path(), "[fd00:9::2]:81"), hello("fd00:9::3"));
    assert_eq!(ask(b.path(), "10.9.0.2:80"), hello("10.9.0.3"));
    assert_eq!(ask(&host, "[fd00:9::2]:81"), hello("fd00:9::1"));
    let seen = a.shell("cat /proc/sys/net/ipv6/conf/eth0/accept_ra; ip -6 route; ip -6 -o addr");
    assert!(
        seen.starts_with("0\n") && seen.contains("default via fd00:9::1"),
        "{seen}"
    );
    assert!(!seen.contains("tentative"), "{seen}");
    for (host, neighbour) in HOST.iter().zip(NEIGHBOUR) {
        assert_eq!(
            ask(&from, &at(host, 8080)),
            hello(neighbour),
            "its own address"
        );
    }
    assert_eq!(ask(&from, "[fd00:77::1]:8082"), hello(NEIGHBOUR[1]));
    assert_eq!(ask(&host, "127.0.0.1:8080"), hello("10.9.0.1"));
    assert_eq!(ask(&host, "[fd00:77::1]:8080"), hello("fd00:77::1"));
    // Hairpin.
    for from in [&a, &b] {
        assert_eq!(ask(from.path(), "[fd00:9::1]:8080"), hello("fd00:9::1"));
        assert_eq!(ask(from.path(), "10.9.0.1:8080"), hello("10.9.0.1"));
        assert_eq!(ask(from.path(), "[fd00:9::1]:8082"), None);
    }
    // With the host's address.
    let outside = Server::start(&from, "[::]:90", "hello");
    assert_eq!(ask(b.path(), "[fd00:77::2]:90"), hello(HOST[1]));
    drop(outside);
    // D12: by a route.
    world.route_neighbour(&net);
    assert_eq!(ask(&from, "[fd00:9::2]:81"), None);
    assert_eq!(ask(&from, "10.9.0.2:80"), None);
    let four = network("nb1", &["10.10.0.0/24"]);
    world.ensure(&four, &[]);
    let c = Container::new();
    world.plug(&four, &c, "eth0", 2);
    assert_eq!(c.shell("ip -6 addr"), "");
    assert_eq!(world.shell("ip -6 addr show dev nb1"), "");
}

/// The kernel leads no connection of ::1 elsewhere. Whoever tries is refused at once, so that 127.0.0.1 is tried next, and
/// does not hang at the socket that holds the port.
#[test]
fn ipv6s_loopback_is_refused_at_once() {
    let world = World::new();
    let net = network("nb0", &SUBNETS);
    world.ensure(&net, &[published("::", 8080, "fd00:9::2", 81)]);
    let (_a, _b, _servers) = two(&world, &net);
    let host = world.hosts.host();
    let held = Server::start(&host, "[::]:8080", "held");
    let begin = Instant::now();
    assert_eq!(ask(&host, "[::1]:8080"), None);
    assert!(begin.elapsed() < Duration::from_millis(500));
    assert_eq!(ask(&host, "[fd00:77::1]:8080"), hello("fd00:77::1"));
    world.ensure(&net, &[]);
    assert_eq!(ask(&host, "[::1]:8080"), Some("held ::1".to_owned()));
    drop(held);
}

#[test]
fn internal_networks_have_no_world() {
    let world = World::new();
    let (mut inner, other) = (network("nb0", &SUBNETS), network("nb1", &["10.10.0.0/24"]));
    inner.internal = true;
    world.ensure(&other, &[]);
    world.ensure(&inner, &[]);
    let (_a, b, _servers) = two(&world, &inner);
    let c = Container::new();
    world.plug(&other, &c, "eth0", 2);
    let (host, from) = (world.hosts.host(), world.hosts.neighbour());
    let _outside = Server::start(&from, "0.0.0.0:90", "hello");
    let _elsewhere = Server::start(c.path(), "0.0.0.0:90", "hello");
    assert_eq!(ask(b.path(), "10.9.0.2:80"), hello("10.9.0.3"));
    assert_eq!(ask(b.path(), "[fd00:9::2]:81"), hello("fd00:9::3"));
    assert_eq!(ask(&host, "10.9.0.2:80"), hello("10.9.0.1"));
    assert_eq!(ask(c.path(), "10.77.0.2:90"), hello(HOST[0]));
    for there in ["10.77.0.2:90", "10.10.0.2:90"] {
        assert_eq!(ask(b.path(), there), None, "{there}");
    }
    world.route_neighbour(&inner);
    assert_eq!(ask(&from, "10.9.0.2:80"), None);
    assert_eq!(ask(c.path(), "10.9.0.2:80"), None);
}

/// Networks do not reach each other, but by what is published.
#[test]
fn networks_are_apart() {
    let world = World::new();
    let (one, other) = (network("nb0", &SUBNETS), network("nb1", &["10.10.0.0/24"]));
    world.ensure(&one, &[published("0.0.0.0", 8080, "10.9.0.2", 80)]);
    world.ensure(&other, &[]);
    let (_a, _b, _servers) = two(&world, &one);
    let c = Container::new();
    world.plug(&other, &c, "eth0", 2);
    assert_eq!(ask(c.path(), "10.9.0.2:80"), None);
    assert_eq!(ask(c.path(), "10.77.0.1:8080"), hello("10.9.0.1"));
    // With a place in both it has both, and the world by the one that is said.
    world.plug(&one, &c, "eth1", 4);
    let _outside = Server::start(&world.hosts.neighbour(), "0.0.0.0:90", "hello");
    assert_eq!(ask(c.path(), "10.9.0.2:80"), hello("10.9.0.4"));
    assert_eq!(ask(c.path(), "10.77.0.2:90"), hello(HOST[0]));
    assert!(
        c.shell("ip route")
            .contains("default via 10.9.0.1 dev eth1")
    );
    world.route(&other, &c);
    let routes = c.shell("ip route; ip -6 route");
    assert!(
        routes.contains("default via 10.10.0.1 dev eth0"),
        "{routes}"
    );
    assert_eq!(routes.matches("default").count(), 1, "{routes}");
    assert!(unplug_inside(&c.namespace, "eth1").unwrap());
    assert!(!unplug_inside(&c.namespace, "eth1").unwrap());
    assert_eq!(ask(c.path(), "10.9.0.2:80"), None);
    assert_eq!(ask(c.path(), "10.77.0.2:90"), hello(HOST[0]));
}

#[test]
fn options_of_a_network() {
    let world = World::new();
    let mut net = network("nb0", &SUBNETS);
    (net.icc, net.masquerade, net.mtu) = (false, false, Some(1400));
    world.ensure(&net, &[published("0.0.0.0", 8080, "10.9.0.2", 80)]);
    let (a, b, _servers) = two(&world, &net);
    assert_eq!(ask(b.path(), "10.9.0.2:80"), None);
    assert_eq!(ask(b.path(), "[fd00:9::2]:81"), None);
    assert_eq!(ask(&world.hosts.host(), "10.9.0.2:80"), hello("10.9.0.1"));
    // Nor by way of the host; but by what is published, where the host's rules are not asked for bridged packets.
    world.shell("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables");
    b.shell("ip route add 10.9.0.2 via 10.9.0.1");
    assert_eq!(ask(b.path(), "10.9.0.2:80"), None);
    assert_eq!(ask(b.path(), "10.9.0.1:8080"), hello("10.9.0.1"));
    assert!(a.shell("ip link show eth0").contains("mtu 1400"));
    assert!(
        world
            .shell("ip link show nb0-2; ip link show nb0")
            .matches("mtu 1400")
            .count()
            == 2
    );
    let from = world.hosts.neighbour();
    let _outside = Server::start(&from, "0.0.0.0:90", "hello");
    assert_eq!(
        ask(a.path(), "10.77.0.2:90"),
        None,
        "the neighbour knows no way back"
    );
    world.route_neighbour(&net);
    assert_eq!(
        ask(a.path(), "10.77.0.2:90"),
        hello("10.9.0.2"),
        "its own address"
    );
    net.mtu = Some(1300);
    assert_eq!(
        world.ensure(&net, &[published("0.0.0.0", 8080, "10.9.0.2", 80)]),
        1
    );
}

/// D21, with what a network may opt for.
#[test]
fn metadata_by_choice() {
    let world = World::new();
    let mut net = network("nb0", &SUBNETS);
    world.shell(
        "ip addr add 169.254.169.254/32 dev lo && ip addr add fd00:ec2::254/128 dev lo nodad",
    );
    world.ensure(&net, &[]);
    let (_a, b, _servers) = two(&world, &net);
    let host = world.hosts.host();
    let _services = ["169.254.169.254:80", "[fd00:ec2::254]:80"]
        .map(|at| (at, Server::start(&host, at, "hello")))
        .map(|(at, server)| {
            assert_eq!(ask(b.path(), at), None, "{at}");
            server
        });
    net.metadata = true;
    world.ensure(&net, &[]);
    assert_eq!(ask(b.path(), "169.254.169.254:80"), hello("10.9.0.3"));
    assert_eq!(ask(b.path(), "[fd00:ec2::254]:80"), hello("fd00:9::3"));
}

/// From the table of IPv4 only that there was before.
#[test]
fn the_table_of_before_is_replaced() {
    let world = World::new();
    let net = network("nb0", &SUBNETS);
    world.shell("nft add table ip berth-nb0 && nft add table ip berth-other");
    world.ensure(&net, &[]);
    let tables = world.shell("nft list tables");
    assert!(tables.contains("table inet berth-nb0") && tables.contains("table ip berth-other"));
    assert!(!tables.contains("table ip berth-nb0"), "{tables}");
    world.here(|| {
        let kernel = Kernel::open().unwrap();
        berth_net::network::remove(&kernel, &net).unwrap();
    });
    assert_eq!(world.shell("nft list tables"), "table ip berth-other\n");
}
