//! A host, its containers and a neighbour: network namespaces of the test's own, joined by a cable.

use testkit::Finished;
use testkit::network::Hosts;

use super::*;

/// The host at the neighbour's cable, and the neighbour.
const HOST: &str = "10.77.0.1";
const NEIGHBOUR: &str = "10.77.0.2";

fn hosts() -> (Hosts, Sandbox) {
    let hosts = Hosts::make(HOST, NEIGHBOUR);
    let s = Sandbox::root().in_namespace(hosts.host()).with_busybox();
    (hosts, s)
}

/// Takes the rules of a chain away: what they keep out comes in then, so the test can fail.
fn without_rules(hosts: &Hosts, s: &Sandbox, chain: &str) -> Finished {
    hosts.shell(
        &hosts.host(),
        &format!("nft flush chain inet berth-{} {chain}", s.bridge()),
    )
}

/// D12. Nor is a port reached that is not published, whatever route the neighbour takes.
#[test]
fn the_neighbour_reaches_what_is_published_to_it() {
    let (hosts, s) = hosts();
    let _aa = serve(&s, "aa", &["-p", "8080:80", "-p", "127.0.0.1:8081:80"]);
    let _bb = serve(&s, "bb", &[]);
    let from = hosts.neighbour();
    hosts
        .shell(&from, &format!("ip route add {} via {HOST}", s.subnet()))
        .ok();
    let published = || ask(&from, &format!("{HOST}:8080"));
    assert_eq!(published(), hello(NEIGHBOUR), "with its own address");
    assert_eq!(ask(&hosts.host(), "127.0.0.1:8081"), hello(&gateway(&s)));
    assert_eq!(
        ask(&from, &format!("{HOST}:8081")),
        None,
        "published at the loopback"
    );
    let [aa, bb] = ["aa", "bb"].map(|name| format!("{}:80", address(&s, name)));
    assert_eq!(
        [ask(&from, &aa), ask(&from, &bb)],
        [None, None],
        "by a route"
    );
    without_rules(&hosts, &s, "forward").ok();
    assert_eq!(ask(&from, &bb), None, "the second wall");
    hosts.shell(&hosts.host(), "ip rule del pref 102").ok();
    assert_eq!(ask(&from, &bb), hello(NEIGHBOUR));
    // The next start puts the rules back, and the published ports of those that run stay.
    s.berth(&["run", "--rm", "busybox", "true"]).ok();
    assert_eq!(ask(&from, &bb), None);
    assert_eq!(published(), hello(NEIGHBOUR));
    // So does fsck, after all was lost.
    hosts.shell(&hosts.host(), "nft flush ruleset").ok();
    s.berth(&["fsck"]).fails(1);
    s.berth(&["fsck", "--repair"]).ok();
    assert_eq!(published(), hello(NEIGHBOUR));
}

#[test]
fn containers_go_out_with_the_hosts_address() {
    let (hosts, s) = hosts();
    s.berth(&["run", "-d", "--name", "aa", "busybox", "sleep", "1000"])
        .ok();
    let server = Server::start(&hosts.neighbour(), "0.0.0.0:0", "hello");
    let there = format!("{NEIGHBOUR}:{}", server.port());
    assert_eq!(ask(&s.namespace("aa"), &there), hello(HOST));
}

/// D17: the setting that lets the host reach published ports from 127.0.0.1 gives nobody the host's loopback.
#[test]
fn the_hosts_loopback_is_its_own() {
    let (hosts, s) = hosts();
    let secret = Server::start(&hosts.host(), "127.0.0.1:0", "hello");
    s.berth(&["run", "-d", "--name", "aa", "busybox", "sleep", "1000"])
        .ok();
    let from = s.namespace("aa");
    // As a container could that has all rights over its network.
    let route = format!(
        "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet && ip addr del 127.0.0.1/8 dev lo && \
         ip route add 127.0.0.1/32 via {} dev eth0",
        gateway(&s)
    );
    hosts.shell(&from, &route).ok();
    let there = format!("127.0.0.1:{}", secret.port());
    assert_eq!(ask(&from, &there), None);
    assert_eq!(
        ask(&from, &format!("{}:{}", gateway(&s), secret.port())),
        None
    );
    without_rules(&hosts, &s, "guard").ok();
    assert_eq!(ask(&from, &there), hello(&address(&s, "aa")));
    s.berth(&["fsck", "--repair"]).ok();
    assert_eq!(ask(&from, &there), None);
}

/// D21.
#[test]
fn the_metadata_service_is_not_for_containers() {
    let (hosts, s) = hosts();
    hosts
        .shell(&hosts.host(), "ip addr add 169.254.169.254/32 dev lo")
        .ok();
    let _service = Server::start(&hosts.host(), "169.254.169.254:80", "hello");
    let _resolver = Server::start(&hosts.host(), "169.254.169.254:53", "hello");
    s.berth(&["run", "-d", "--name", "aa", "busybox", "sleep", "1000"])
        .ok();
    let from = s.namespace("aa");
    assert_eq!(
        ask(&hosts.host(), "169.254.169.254:80"),
        hello("169.254.169.254")
    );
    assert_eq!(ask(&from, "169.254.169.254:80"), None);
    // Some clouds have their resolver there.
    assert_eq!(ask(&from, "169.254.169.254:53"), hello(&address(&s, "aa")));
    without_rules(&hosts, &s, "guard").ok();
    assert_eq!(ask(&from, "169.254.169.254:80"), hello(&address(&s, "aa")));
    s.berth(&["fsck", "--repair"]).ok();
    assert_eq!(ask(&from, "169.254.169.254:80"), None);
}

/// D13: nothing of berth listens for containers. D16: what they advertise is not listened to.
#[test]
fn nothing_of_ours_listens() {
    let (hosts, s) = hosts();
    s.berth(&["run", "-d", "--name", "aa", "busybox", "sleep", "1000"])
        .ok();
    let host = |line: &str| hosts.shell(&hosts.host(), line).ok().to_owned();
    assert_eq!(host("ss -Hltnu"), "");
    let bridge = s.bridge();
    assert_eq!(
        host(&format!(
            "cd /proc/sys/net/ipv6/conf/{bridge} && cat accept_ra disable_ipv6"
        )),
        "0\n1"
    );
    assert_eq!(host(&format!("ip -6 addr show dev {bridge}")), "");
}

#[test]
fn many_published_ports() {
    let (hosts, s) = hosts();
    let _aa = serve(&s, "aa", &["-p", "20000-20499:80-579", "-p", "8080:80"]);
    let from = hosts.neighbour();
    for port in [20000, 8080] {
        assert_eq!(
            ask(&from, &format!("{HOST}:{port}")),
            hello(NEIGHBOUR),
            "{port}"
        );
    }
    assert_eq!(s.berth(&["port", "aa"]).ok().lines().count(), 501);
    let map = format!("nft list map inet berth-{} published", s.bridge());
    let elements = hosts.shell(&hosts.host(), &map).ok().matches(" : ").count();
    assert_eq!(elements, 502, "501 and the type");
}
