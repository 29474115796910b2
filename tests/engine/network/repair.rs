//! Networks that others change, while somebody keeps them.

use testkit::network::Hosts;

use super::*;

/// N24, D12: with a container in a network of one's own somebody is there who repairs, within a second.
#[test]
fn what_others_change_is_put_right_at_once() {
    let hosts = Hosts::make("10.77.0.1", "10.77.0.2");
    let s = Sandbox::root().in_namespace(hosts.host()).with_busybox();
    s.berth(&[
        "network",
        "create",
        "-o",
        "com.docker.network.bridge.name=nr0",
        "net",
    ])
    .ok();
    let _server = serve(&s, "aa", &["--network", "net", "-p", "8080:80"]);
    let from = hosts.neighbour();
    let works = || ask(&from, "10.77.0.1:8080");
    assert_eq!(works(), hello("10.77.0.2"));
    let device = "$(ip -o link show master nr0 | sed 's/^[0-9]*: //; s/@.*//')";
    for damage in [
        "nft flush ruleset",
        "ip link del nr0",
        &format!("ip link del {device}"),
        "ip addr flush dev nr0",
        "echo 0 > /proc/sys/net/ipv4/ip_forward",
        "ip rule del pref 102 && nft delete table inet berth-nr0",
    ] {
        hosts.shell(&hosts.host(), damage).ok();
        // Who asks earlier may get to the socket that holds the port, and wait there.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(works(), hello("10.77.0.2"), "{damage}");
    }
    // So is what the host's firewall says of what comes in.
    for (change, expected) in [
        (
            "nft add table inet f && nft add chain inet f in '{ type filter hook input priority 0; policy drop; }'",
            None,
        ),
        (
            "nft add rule inet f in tcp dport 8080 accept",
            hello("10.77.0.2"),
        ),
        ("nft delete table inet f", hello("10.77.0.2")),
    ] {
        hosts.shell(&hosts.host(), change).ok();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(works(), expected, "{change}");
    }
    let rules = hosts.shell(&hosts.host(), "ip rule").ok().to_owned();
    assert!(rules.contains("102:"), "{rules}");
    s.berth(&["rm", "-f", "aa"]).ok();
    s.berth(&["network", "rm", "net"]).ok();
}
