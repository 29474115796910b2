//! What happens when others change the host's networks: nothing comes in by that, and who watches puts it right at once.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_net::network::{self, Desired, Look, Step};
use berth_net::watch::Watch;
use berth_net::{Kernel, Network, Published, rejoin};
use testkit::network::{Server, ask};

mod world;
use world::{Container, HOST, NEIGHBOUR, World, hello, network, published};

const SUBNETS: [&str; 2] = ["10.9.0.0/24", "fd00:9::/64"];

/// D12, N24: without any rule a container is out of reach for all but its host, its own network, and whoever it asks.
#[test]
fn flushed_rules_let_nothing_in() {
    let world = World::new();
    let (net, other) = (network("nb0", &SUBNETS), network("nb1", &["10.10.0.0/24"]));
    let mut inner = network("nb2", &["10.11.0.0/24"]);
    inner.internal = true;
    let list = [published("127.0.0.1", 8080, "10.9.0.2", 80)];
    for (net, list) in [(&net, &list[..]), (&other, &[]), (&inner, &[])] {
        world.ensure(net, list);
        world.route_neighbour(net);
    }
    let [a, b, c, d] = [(); 4].map(|()| Container::new());
    world.plug(&net, &a, "eth0", 2);
    world.plug(&net, &b, "eth0", 3);
    world.plug(&other, &c, "eth0", 2);
    world.plug(&inner, &d, "eth0", 2);
    let _servers = ["0.0.0.0:80", "[::]:81"].map(|at| Server::start(a.path(), at, "hello"));
    let (host, from) = (world.hosts.host(), world.hosts.neighbour());
    let _outside = Server::start(&from, "0.0.0.0:90", "hello");
    assert_eq!(ask(d.path(), "10.77.0.2:90"), None);
    world.shell("nft flush ruleset");
    for (who, path) in [
        ("neighbour", from.as_path()),
        ("other", c.path()),
        ("inner", d.path()),
    ] {
        assert_eq!(ask(path, "10.9.0.2:80"), None, "{who}");
    }
    assert_eq!(ask(&from, "[fd00:9::2]:81"), None);
    assert_eq!(
        ask(d.path(), "10.77.0.2:90"),
        None,
        "nor out of an internal one"
    );
    assert_eq!(ask(&host, "10.9.0.2:80"), hello("10.9.0.1"));
    assert_eq!(ask(b.path(), "10.9.0.2:80"), hello("10.9.0.3"));
    // It is the wall that does it.
    world.shell("ip rule del pref 102 && ip -6 rule del pref 102 && ip rule del pref 99");
    assert_eq!(ask(&from, "10.9.0.2:80"), hello(NEIGHBOUR[0]));
    assert_eq!(ask(&from, "[fd00:9::2]:81"), hello(NEIGHBOUR[1]));
    assert_eq!(ask(c.path(), "10.9.0.2:80"), hello("10.10.0.2"));
    assert_eq!(ask(d.path(), "10.77.0.2:90"), hello("10.11.0.2"));
    world.ensure(&net, &list);
    assert_eq!(ask(&from, "10.9.0.2:80"), None);
    assert_eq!(ask(&host, "127.0.0.1:8080"), hello("10.9.0.1"));
}

/// As who repairs does.
fn keep(network: &Network, list: &[Published], devices: &[String], end: &AtomicBool) {
    let (kernel, watch) = (Kernel::open().unwrap(), Watch::open().unwrap());
    let desired = Desired {
        network,
        published: list,
    };
    while !end.load(Ordering::Relaxed) {
        if !watch.wait(Duration::from_millis(50)).unwrap() {
            continue;
        }
        // Whoever damages may be at it still.
        let _ = network::observe(&kernel, network, Look::Whole)
            .and_then(|seen| network::plan(&desired, &seen))
            .and_then(|steps| network::apply(&kernel, &desired, &steps))
            .and_then(|()| rejoin(&kernel, network, devices));
    }
}

/// What would have to be done.
fn what_is_left(network: &Network, list: &[Published]) -> Vec<Step> {
    let seen = network::observe(&Kernel::open().unwrap(), network, Look::Whole).unwrap();
    let desired = Desired {
        network,
        published: list,
    };
    network::plan(&desired, &seen).unwrap()
}

/// N24, D12: within a second.
#[test]
fn who_watches_repairs_at_once() {
    let world = World::new();
    let net = network("nb0", &SUBNETS);
    let list = [
        published("0.0.0.0", 8080, "10.9.0.2", 80),
        published("::", 8080, "fd00:9::2", 81),
    ];
    world.ensure(&net, &list);
    let a = Container::new();
    world.plug(&net, &a, "eth0", 2);
    let _servers = ["0.0.0.0:80", "[::]:81"].map(|at| Server::start(a.path(), at, "hello"));
    let from = world.hosts.neighbour();
    let devices = ["nb0-2".to_owned()];
    let end = AtomicBool::new(false);
    let works = || {
        let there = [format!("{}:8080", HOST[0]), format!("[{}]:8080", HOST[1])];
        there.iter().all(|there| ask(&from, there).is_some())
    };
    std::thread::scope(|scope| {
        scope.spawn(|| world.here(|| keep(&net, &list, &devices, &end)));
        for damage in [
            "nft flush ruleset",
            "nft flush chain inet berth-nb0 forward",
            "nft delete table inet berth-nb0",
            "nft flush map inet berth-nb0 published",
            "nft insert rule inet berth-nb0 forward drop",
            "ip link del nb0",
            "ip link set nb0 down",
            "ip link set nb0-2 nomaster",
            "ip addr flush dev nb0",
            "ip rule flush && ip rule add lookup main pref 32766",
            "ip rule del pref 101 && ip -6 rule del pref 101",
            "echo 0 > /proc/sys/net/ipv4/ip_forward",
            "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding",
        ] {
            world.shell(damage);
            let begin = Instant::now();
            while !world.here(|| what_is_left(&net, &list)).is_empty() {
                assert!(
                    begin.elapsed() < Duration::from_secs(1),
                    "{damage}: it stays"
                );
                std::thread::sleep(Duration::from_millis(2));
            }
            assert!(works() || works(), "{damage}");
        }
        end.store(true, Ordering::Relaxed);
    });
}
