//! Published ports obey the host's own firewall, whether nft or iptables made it.
#![allow(clippy::unwrap_used, reason = "a test")]

use berth_net::{Kernel, Network, firewall};
use testkit::network::{Server, ask};

mod world;
use world::{Container, HOST, NEIGHBOUR, World, hello, network, published};

/// A host whose port 8080 leads to a container, and 8081 with IPv6.
struct Site {
    world: World,
    net: Network,
    _container: Container,
    _servers: [Server; 2],
}

impl Site {
    fn new() -> Site {
        let world = World::new();
        let net = network("nb0", &["10.9.0.0/24", "fd00:9::/64"]);
        let list = [
            published("0.0.0.0", 8080, "10.9.0.2", 80),
            published("::", 8080, "fd00:9::2", 81),
            published("0.0.0.0", 9090, "10.9.0.2", 80),
        ];
        world.ensure(&net, &list);
        let container = Container::new();
        world.plug(&net, &container, "eth0", 2);
        let servers =
            ["0.0.0.0:80", "[::]:81"].map(|at| Server::start(container.path(), at, "hello"));
        Site {
            world,
            net,
            _container: container,
            _servers: servers,
        }
    }

    /// After a change of the firewall.
    fn mirror(&self) -> Vec<String> {
        self.world
            .here(|| firewall::mirror(&Kernel::open().unwrap()).unwrap())
    }

    /// Changes the firewall; tells which of both families' port 8080 and of 9090 the neighbour reaches then.
    fn after(&self, change: &str) -> [bool; 3] {
        self.world.shell(change);
        let notes = self.mirror();
        assert!(notes.is_empty(), "{change}: {notes:?}");
        self.reached()
    }

    fn reached(&self) -> [bool; 3] {
        let from = self.world.hosts.neighbour();
        let here = ask(&self.world.hosts.host(), "127.0.0.1:8080");
        assert_eq!(here, hello("10.9.0.1"), "the loopback is let pass");
        let there = [
            (format!("{}:8080", HOST[0]), NEIGHBOUR[0]),
            (format!("[{}]:8080", HOST[1]), NEIGHBOUR[1]),
            (format!("{}:9090", HOST[0]), NEIGHBOUR[0]),
        ];
        there.map(|(there, neighbour)| {
            let said = ask(&from, &there);
            assert!(said.is_none() || said == hello(neighbour), "{said:?}");
            said.is_some()
        })
    }
}

#[test]
fn drops_of_nft() {
    let site = Site::new();
    assert_eq!(site.after("true"), [true; 3]);
    let input =
        "nft add table inet f && nft add chain inet f in '{ type filter hook input priority 0; }'";
    assert_eq!(site.after(input), [true; 3]);
    assert_eq!(
        site.after("nft add rule inet f in tcp dport 8080 counter drop"),
        [false, false, true]
    );
    // It is seen that nothing has changed, whatever is counted.
    let digest = || site.world.shell("nft -a list table inet berth-input-f");
    let before = digest();
    site.mirror();
    assert_eq!(digest(), before);
    assert_eq!(site.after("nft flush chain inet f in"), [true; 3]);
    // By sets, maps of verdicts and other chains.
    let more = "nft add set inet f ports '{ type inet_service; flags interval; elements = { 8000-8100 }; }' &&
        nft add chain inet f closed && nft add rule inet f closed reject with icmpx admin-prohibited &&
        nft add rule inet f in ct state vmap '{ established : accept, related : accept }' &&
        nft add rule inet f in iifname cable tcp dport @ports jump closed";
    assert_eq!(site.after(more), [false, false, true]);
    let elsewhere =
        "nft flush chain inet f in && nft add rule inet f in iifname other tcp dport 8080 drop &&
        nft add rule inet f in ip saddr 10.77.0.3 drop";
    assert_eq!(site.after(elsewhere), [true; 3]);
    assert_eq!(site.after("nft delete table inet f"), [true; 3]);
    assert!(!site.world.shell("nft list tables").contains("berth-input"));
}

#[test]
fn a_closed_host_with_exceptions() {
    let site = Site::new();
    let closed = "nft add table inet f &&
        nft add chain inet f in '{ type filter hook input priority 0; policy drop; }' &&
        nft add rule inet f in ct state established,related accept &&
        nft add rule inet f in meta l4proto ipv6-icmp accept &&
        nft add rule inet f in iifname lo accept &&
        nft add rule inet f in tcp dport 22 accept";
    assert_eq!(site.after(closed), [false; 3]);
    assert_eq!(
        site.after("nft add rule inet f in tcp dport '{ 8080, 443 }' accept"),
        [true, true, false]
    );
    assert_eq!(
        site.after("nft add rule inet f in ip saddr 10.77.0.0/24 tcp dport 9090 accept"),
        [true; 3]
    );
    // A second chain, behind the first.
    let second =
        "nft add table ip g && nft add chain ip g in '{ type filter hook input priority 10; }' &&
        nft add rule ip g in tcp dport 9090 drop";
    assert_eq!(site.after(second), [true, true, false]);
    // A port is closed from the first moment.
    let list = [published("0.0.0.0", 7070, "10.9.0.2", 80)];
    site.world.here(|| {
        let kernel = Kernel::open().unwrap();
        berth_net::network::publish(&kernel, &site.net, &list).unwrap();
    });
    assert_eq!(ask(&site.world.hosts.neighbour(), "10.77.0.1:7070"), None);
    assert_eq!(
        ask(&site.world.hosts.host(), "127.0.0.1:7070"),
        hello("10.9.0.1")
    );
    site.world.here(|| {
        let kernel = Kernel::open().unwrap();
        berth_net::network::remove(&kernel, &site.net).unwrap();
    });
    assert!(!site.world.shell("nft list tables").contains("berth"));
}

#[test]
fn drops_of_iptables() {
    let site = Site::new();
    let only = |rest: &str| format!("iptables-nft {rest} && ip6tables-nft {rest}");
    assert_eq!(
        site.after(&only("-A INPUT -p tcp --dport 8080 -j DROP")),
        [false, false, true]
    );
    assert_eq!(site.after(&only("-F INPUT")), [true; 3]);
    assert_eq!(
        site.after(&only("-A INPUT -p tcp -m tcp --dport 8080 -j REJECT")),
        [false, false, true]
    );
    // As firewalls are: chains of their own, matches of iptables, a policy.
    let closed = [
        "-F INPUT",
        "-N mine",
        "-A mine -m comment --comment web -p tcp -m multiport --dports 8080,443 -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m addrtype --dst-type LOCAL -j mine",
        "-A INPUT -m limit --limit 3/min -j LOG",
        "-P INPUT DROP",
    ];
    let closed: Vec<String> = closed.iter().map(|line| only(line)).collect();
    let allowed = "ip6tables-nft -A INPUT -p ipv6-icmp -j ACCEPT";
    assert_eq!(
        site.after(&format!("{} && {allowed}", closed.join(" && "))),
        [true, true, false]
    );
    assert_eq!(site.after("iptables-nft -D mine 1"), [false, true, false]);
    assert_eq!(site.after("iptables-nft -P INPUT ACCEPT"), [true; 3]);
}

#[test]
fn drops_of_forwarding_hold_by_themselves() {
    let site = Site::new();
    let drop = "nft add table inet f && nft add chain inet f way '{ type filter hook forward priority 0; }' &&
        nft add rule inet f way iifname cable meta l4proto tcp ct original proto-dst 8080 drop";
    assert_eq!(site.after(drop), [false, false, true]);
    assert_eq!(site.after("nft delete table inet f"), [true; 3]);
    let drop = "iptables-nft -I FORWARD -i cable -p tcp --dport 80 -j DROP";
    assert_eq!(site.after(drop), [false, true, false]);
}

/// What has no meaning before routing closes what it may concern, and that is told.
#[test]
fn what_cannot_be_applied_fails_closed() {
    let site = Site::new();
    let rules = "nft add table inet f && nft add chain inet f in '{ type filter hook input priority 0; }' &&
        nft add set inet f seen '{ type ipv4_addr; flags dynamic; timeout 1m; }' &&
        nft add rule inet f in tcp dport 8080 meta nfproto ipv4 add @seen '{ ip saddr limit rate over 9/minute }' drop";
    site.world.shell(rules);
    let notes = site.mirror();
    assert_eq!(site.reached(), [false, true, true]);
    assert!(notes[0].contains("chain in in table f"), "{notes:?}");
    assert_eq!(notes, site.mirror(), "told each time");
    // One that would let something in is left out.
    let rules = "nft flush chain inet f in && nft add rule inet f in tcp dport 8080 add @seen '{ ip saddr }' accept &&
        nft add rule inet f in iifname cable meta nfproto ipv4 drop";
    site.world.shell(rules);
    assert!(site.mirror()[0].contains("left out"));
    assert_eq!(site.reached(), [false, true, false]);
}
