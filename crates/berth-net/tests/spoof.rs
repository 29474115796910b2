//! A container that passes for another one, or for a router.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{Ipv6Addr, SocketAddrV6};

use berth_net::{Kernel, cut};
use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket, sockopt};
use testkit::network::{Server, ask, inside};

mod world;
use world::{Container, World, hello, network};

/// D18: neither by ARP and neighbour discovery, nor by the address that its packets have.
#[test]
fn nobody_passes_for_another() {
    let world = World::new();
    let net = network("nb0", &["10.9.0.0/24", "fd00:9::/64"]);
    world.ensure(&net, &[]);
    let [a, b, c] = [(); 3].map(|()| Container::new());
    for (host, one) in [(2, &a), (3, &b), (4, &c)] {
        world.plug(&net, one, "eth0", host);
    }
    // Its own, and one that nobody has, such as several take turns at.
    b.shell("ip addr add 10.9.0.77/24 dev eth0");
    let _own = Server::start(b.path(), "10.9.0.77:80", "hello");
    assert_eq!(ask(c.path(), "10.9.0.77:80"), hello("10.9.0.4"));
    b.shell("ip addr add 10.9.0.2/24 dev eth0 && ip addr add fd00:9::2/64 dev eth0 nodad");
    b.shell("ip addr add 10.9.0.1/24 dev eth0");
    let _evil = ["10.9.0.2:80", "[fd00:9::2]:81", "10.9.0.1:82"]
        .map(|at| Server::start(b.path(), at, "evil"));
    // It does not answer itself.
    a.shell("ip link set eth0 down");
    let both = || {
        [
            ask(c.path(), "10.9.0.2:80"),
            ask(c.path(), "[fd00:9::2]:81"),
        ]
    };
    assert_eq!(both(), [None, None]);
    assert_eq!(world.ensure(&net, &[]), 0);
    // The table is made anew with all who are there.
    world.shell("nft flush set bridge berth-nb0 homes4 && nft flush set bridge berth-nb0 taken6");
    assert_eq!(world.ensure(&net, &[]), 1);
    assert_eq!(both(), [None, None]);
    world.shell("nft delete table bridge berth-nb0");
    c.shell("ip neigh flush all");
    let evil = |from: &str| Some(format!("evil {from}"));
    assert_eq!(both(), [evil("10.9.0.4"), evil("fd00:9::4")]);
    world.ensure(&net, &[]);
    // Whose container has ended gives its address back.
    world.here(|| cut(&Kernel::open().unwrap(), "nb0-2").unwrap());
    let sets = world.shell("nft list table bridge berth-nb0");
    assert!(
        !sets.contains("10.9.0.2") && !sets.contains("nb0-2"),
        "{sets}"
    );
    assert_eq!(world.ensure(&net, &[]), 0);
    c.shell("ip neigh flush all");
    assert_eq!(ask(c.path(), "10.9.0.2:80"), evil("10.9.0.4"));
}

/// An advertisement: a router for half an hour, without more.
fn advertise() {
    let raw = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6)).unwrap();
    sockopt::set_ipv6_multicast_hops(&raw, 255).unwrap();
    let device = rustix::net::netdevice::name_to_index(&raw, "eth0").unwrap();
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let message = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    sendto(
        &raw,
        &message,
        SendFlags::empty(),
        &SocketAddrV6::new(all, 0, 0, device),
    )
    .unwrap();
}

/// D16: not even where a container would listen to routers.
#[test]
fn nobody_passes_for_a_router() {
    let world = World::new();
    let net = network("nb0", &["fd00:9::/64"]);
    world.ensure(&net, &[]);
    let [a, b] = [(); 2].map(|()| Container::new());
    for (host, one) in [(2, &a), (3, &b)] {
        world.plug(&net, one, "eth0", host);
    }
    a.shell("echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra");
    let routes = || a.shell("ip -6 route | grep -c '^default via fe80' || true");
    let advertised = || {
        inside(b.path(), advertise);
        std::thread::sleep(std::time::Duration::from_millis(200));
        routes()
    };
    let host = world.shell("ip -6 route");
    assert_eq!(advertised(), "0\n");
    assert_eq!(
        world.shell("ip -6 route"),
        host,
        "the host's are as they were"
    );
    world.shell("nft delete table bridge berth-nb0");
    assert_eq!(advertised(), "1\n");
    assert_eq!(world.shell("ip -6 route"), host, "even so");
}
