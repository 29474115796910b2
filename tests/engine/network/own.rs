//! Networks of one's own: a container in one, in several, and on its way in and out.

use std::fs;

use serde_json::Value;
use testkit::Sandbox;
use testkit::network::{Server, ask};

use super::hello;

/// Makes a network; its subnet without the last number: `10.201.7`.
fn make(s: &Sandbox, name: &str, which: u8, options: &[&str]) -> String {
    let subnet = s.other_subnet(which);
    let line = [
        &["network", "create", "--subnet", &subnet],
        options,
        &[name],
    ]
    .concat();
    s.berth(&line).ok();
    subnet.trim_end_matches(".0/24").to_owned()
}

fn run(s: &Sandbox, name: &str, options: &[&str]) {
    let head = ["run", "-d", "--name", name, "-h", name];
    s.berth(&[&head[..], options, &["busybox", "sleep", "1000"]].concat())
        .ok();
}

fn place(s: &Sandbox, name: &str, network: &str) -> Value {
    let format = format!("{{{{json (index .NetworkSettings.Networks \"{network}\")}}}}");
    let text = s.berth(&["inspect", "-f", &format, name]).ok().to_owned();
    serde_json::from_str(&text).unwrap()
}

fn address(s: &Sandbox, name: &str, network: &str) -> String {
    place(s, name, network)["IPAddress"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn inside(s: &Sandbox, name: &str, line: &str) -> String {
    let done = s.berth(&["exec", name, "sh", "-c", line]);
    done.ok().trim().to_owned()
}

/// D13: what is in another network is not reached, by any address.
#[test]
fn containers_of_one_network_reach_each_other_and_no_others() {
    let s = Sandbox::root().with_busybox();
    let one = make(&s, "one", 1, &[]);
    make(&s, "two", 2, &[]);
    run(
        &s,
        "aa",
        &[
            "--network",
            "one",
            "--network-alias",
            "web",
            "--ip",
            &format!("{one}.77"),
        ],
    );
    run(&s, "bb", &["--network", "one"]);
    run(&s, "cc", &["--network", "two"]);
    run(&s, "dd", &[]);
    let _server = Server::start(&s.namespace("aa"), "0.0.0.0:80", "hello");
    let aa = format!("{one}.77:80");
    assert_eq!(
        place(&s, "aa", "one")["IPAMConfig"]["IPv4Address"],
        format!("{one}.77")
    );
    assert_eq!(
        ask(&s.namespace("bb"), &aa),
        hello(&address(&s, "bb", "one"))
    );
    for other in ["cc", "dd"] {
        assert_eq!(ask(&s.namespace(other), &aa), None, "{other}");
    }
    assert_eq!(
        inside(&s, "bb", "ip route | head -1"),
        format!("default via {one}.1 dev eth0")
    );
    for name in ["aa", "web", "aa.one"] {
        let found = inside(&s, "bb", &format!("nslookup {name}"));
        assert!(found.contains(&format!("{one}.77")), "{name}: {found}");
    }
    assert!(inside(&s, "cc", "nslookup web 2>&1 || echo none").contains("none"));
    // It is in use, and stays.
    let used = s.berth(&["network", "rm", "one"]);
    assert!(used.fails(1).contains("has active endpoints"), "{used}");
    s.berth(&["network", "prune", "-f"]).ok();
    let taken = s.berth(&[
        "run",
        "--rm",
        "--network",
        "one",
        "--ip",
        &format!("{one}.77"),
        "busybox",
        "true",
    ]);
    assert!(
        taken.fails(125).contains("Address already in use"),
        "{taken}"
    );
    assert!(
        s.berth(&[
            "ps",
            "-a",
            "-f",
            "network=one",
            "--format",
            "{{.Names}} {{.Networks}}"
        ])
        .ok()
        .contains("aa one")
    );
}

#[test]
fn a_restart_keeps_the_addresses() {
    let s = Sandbox::root().with_busybox();
    let one = make(
        &s,
        "one",
        1,
        &["--ip-range", &s.other_subnet(1).replace(".0/24", ".128/28")],
    );
    let two = make(&s, "two", 2, &[]);
    run(
        &s,
        "aa",
        &["--network", "one", "--network", "name=two,alias=x"],
    );
    assert_eq!(address(&s, "aa", "one"), format!("{one}.128"));
    assert_eq!(address(&s, "aa", "two"), format!("{two}.2"));
    for _ in 0..2 {
        s.berth(&["restart", "-t", "0", "aa"]).ok();
        assert_eq!(address(&s, "aa", "one"), format!("{one}.128"));
        assert_eq!(address(&s, "aa", "two"), format!("{two}.2"));
    }
    s.berth(&["stop", "-t", "0", "aa"]).ok();
    let stopped = place(&s, "aa", "one");
    assert_eq!(
        (&stopped["IPAddress"], &stopped["EndpointID"]),
        (&"".into(), &"".into())
    );
    // Nobody who runs is in them.
    s.berth(&["network", "rm", "one"]).ok();
    let gone = s.berth(&["start", "aa"]);
    assert!(gone.fails(1).contains("no such network: one"), "{gone}");
    s.berth(&["network", "disconnect", "-f", "one", "aa"]).ok();
    s.berth(&["start", "aa"]).ok();
    assert_eq!(
        inside(&s, "aa", "ls /sys/class/net | tr '\\n' ' '").trim(),
        "eth0 lo"
    );
}

#[test]
fn networks_come_and_go_while_it_runs() {
    let s = Sandbox::root().with_busybox();
    let (one, two) = (make(&s, "one", 1, &[]), make(&s, "two", 2, &[]));
    let inner = make(&s, "inner", 3, &["--internal"]);
    run(&s, "aa", &["--network", "two"]);
    let route = || inside(&s, "aa", "ip route | grep default || true");
    let devices = || inside(&s, "aa", "ls /sys/class/net | tr '\\n' ' '");
    assert_eq!(route(), format!("default via {two}.1 dev eth0"));
    // By name, as docker: the first leads out.
    s.berth(&[
        "network",
        "connect",
        "--alias",
        "other",
        "--ip",
        &format!("{one}.9"),
        "one",
        "aa",
    ])
    .ok();
    assert_eq!(route(), format!("default via {one}.1 dev eth1"));
    let hosts = || inside(&s, "aa", "grep -c aa /etc/hosts");
    assert_eq!((devices().trim(), hosts().as_str()), ("eth0 eth1 lo", "2"));
    let twice = s.berth(&["network", "connect", "one", "aa"]);
    assert!(
        twice
            .fails(1)
            .contains("endpoint with name aa already exists in network one"),
        "{twice}"
    );
    run(&s, "bb", &["--network", "one"]);
    assert!(inside(&s, "bb", "nslookup other").contains(&format!("{one}.9")));
    s.berth(&["network", "disconnect", "two", "aa"]).ok();
    assert_eq!((devices().trim(), hosts().as_str()), ("eth1 lo", "1"));
    let again = s.berth(&["network", "disconnect", "two", "aa"]);
    assert!(
        again.fails(1).contains("is not connected to network two"),
        "{again}"
    );
    // A free number, and no way out by an internal network.
    s.berth(&["network", "connect", "inner", "aa"]).ok();
    assert_eq!(devices().trim(), "eth0 eth1 lo");
    assert_eq!(route(), format!("default via {one}.1 dev eth1"));
    s.berth(&["network", "disconnect", "one", "aa"]).ok();
    assert_eq!(route(), "");
    assert_eq!(address(&s, "aa", "inner"), format!("{inner}.2"));
    let missing = inside(&s, "bb", "nslookup other 2>&1 || echo none");
    assert!(missing.contains("none"), "{missing}");
    s.berth(&["network", "disconnect", "inner", "aa"]).ok();
    assert_eq!(devices().trim(), "lo");
    s.berth(&["network", "connect", "--gw-priority", "5", "two", "aa"])
        .ok();
    s.berth(&["network", "connect", "one", "aa"]).ok();
    assert!(route().contains(&format!("{two}.1")), "{}", route());
    // Addresses that it has no more are free.
    let kept = fs::read_dir(s.run_dir().join("networks"))
        .unwrap()
        .flatten();
    let kept = kept.map(|one| fs::read_dir(one.path().join("addr")).map_or(0, Iterator::count));
    assert_eq!(kept.sum::<usize>(), 3, "two of aa, one of bb");
    s.berth(&["restart", "-t", "0", "aa"]).ok();
    assert!(route().contains(&format!("{two}.1")), "{}", route());
    let told = s.berth(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "type=network",
        "--format",
        "{{.Action}} {{.Actor.Attributes.name}}",
    ]);
    let told: Vec<&str> = told.ok().lines().collect();
    assert_eq!(
        told[..5],
        [
            "create one",
            "create two",
            "create inner",
            "connect two",
            "connect one"
        ]
    );
}

#[test]
fn what_is_said_of_a_stopped_one_counts_at_its_start() {
    let s = Sandbox::root().with_busybox();
    let one = make(&s, "one", 1, &[]);
    s.berth(&["create", "--name", "aa", "busybox", "sleep", "1000"])
        .ok();
    s.berth(&[
        "network",
        "connect",
        "--ip",
        &format!("{one}.5"),
        "one",
        "aa",
    ])
    .ok();
    s.berth(&[
        "network",
        "connect",
        "--ip",
        &format!("{one}.6"),
        "one",
        "aa",
    ])
    .ok();
    s.berth(&["network", "disconnect", "bridge", "aa"]).ok();
    s.berth(&["start", "aa"]).ok();
    assert_eq!(address(&s, "aa", "one"), format!("{one}.6"));
    assert_eq!(
        inside(&s, "aa", "ls /sys/class/net | tr '\\n' ' '").trim(),
        "eth0 lo"
    );
    s.berth(&["rename", "aa", "bb"]).ok();
    run(&s, "cc", &["--network", "one", "--link", "bb:friend"]);
    for name in ["bb", "friend"] {
        let found = inside(&s, "cc", &format!("nslookup {name}"));
        assert!(found.contains(&format!("{one}.6")), "{name}: {found}");
    }
    for (line, words) in [
        (
            &["network", "connect", "host", "aa"][..],
            "No such container",
        ),
        (&["network", "connect", "host", "bb"], "host network"),
        (&["network", "connect", "none", "bb"], "private (none) mode"),
        (
            &["network", "connect", "nope", "bb"],
            "no such network: nope",
        ),
        (
            &["network", "connect", "--ip", "10.1.1.1", "bridge", "bb"],
            "on user defined networks only",
        ),
        (
            &["network", "disconnect", "nope", "bb"],
            "no such network: nope",
        ),
        (
            &["run", "--network", "one", "--network", "one", "busybox"],
            "specified multiple times",
        ),
        (
            &["run", "--network", "one", "--network", "host", "busybox"],
            "cannot attach both",
        ),
        (
            &["run", "--network", "one", "--ip", "10.1.1.1", "busybox"],
            "does not belong to any of this network's subnets",
        ),
        (
            &["run", "--network-alias", "x", "busybox"],
            "only supported for user-defined networks",
        ),
    ] {
        let done = s.berth(line);
        assert!(!done.status.success(), "{done}");
        assert!(
            done.stderr.to_lowercase().contains(&words.to_lowercase()),
            "{words}: {done}"
        );
    }
}

#[test]
fn published_ports_follow_the_way_out() {
    let s = Sandbox::root().with_busybox();
    make(&s, "one", 1, &[]);
    make(&s, "two", 2, &[]);
    run(&s, "aa", &["--network", "two", "-p", "127.0.0.1::80"]);
    let _server = Server::start(&s.namespace("aa"), "0.0.0.0:80", "hello");
    let port = s.berth(&["port", "aa", "80"]).ok().to_owned();
    let reached = || ask(&testkit::network::here(), &port).is_some();
    assert!(reached(), "{port}");
    s.berth(&["network", "connect", "one", "aa"]).ok();
    assert!(reached(), "by the other network");
    s.berth(&["network", "disconnect", "one", "aa"]).ok();
    assert!(reached(), "back");
    s.berth(&["network", "disconnect", "two", "aa"]).ok();
    assert!(!reached(), "in none");
}

#[test]
fn another_container_may_share_it() {
    let s = Sandbox::root().with_busybox();
    let one = make(&s, "one", 1, &[]);
    run(&s, "aa", &["--network", "one"]);
    s.berth(&[
        "run",
        "-d",
        "--name",
        "bb",
        "--network",
        "container:aa",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    assert!(inside(&s, "bb", "nslookup aa").contains(&format!("{one}.2")));
    let other = s.berth(&["network", "connect", "one", "bb"]);
    assert!(
        other.fails(1).contains("sharing network namespace"),
        "{other}"
    );
}

/// `--ip6`, and both families at once.
#[test]
fn ipv6_addresses_are_given_too() {
    let s = Sandbox::root().with_busybox();
    let number = s.other_subnet(1).split('.').nth(2).unwrap().to_owned();
    let six = format!("fd00:be:{number}");
    make(
        &s,
        "one",
        1,
        &["--ipv6", "--subnet", &format!("{six}::/64")],
    );
    run(
        &s,
        "aa",
        &[
            "--network",
            "one",
            "--ip6",
            &format!("{six}::f00d"),
            "-p",
            "80",
        ],
    );
    run(&s, "bb", &["--network", "one"]);
    // Published in both families at the same port; by each the client's own is what comes.
    let _server = Server::start(&s.namespace("aa"), "[::]:80", "hello");
    let ports = s.berth(&["port", "aa", "80"]).ok().to_owned();
    let port = ports.lines().next().unwrap().rsplit(':').next().unwrap();
    assert_eq!(ports, format!("0.0.0.0:{port}\n[::]:{port}"));
    let gateways = [
        s.other_subnet(1).replace(".0/24", ".1"),
        format!("[{six}::1]"),
    ];
    for gateway in gateways {
        let said = ask(&testkit::network::here(), &format!("{gateway}:{port}"));
        assert!(
            said.is_some_and(|said| said.starts_with("hello")),
            "{gateway}"
        );
    }
    let place = place(&s, "aa", "one");
    assert_eq!(place["GlobalIPv6Address"], format!("{six}::f00d"));
    assert_eq!(
        (&place["IPv6Gateway"], &place["GlobalIPv6PrefixLen"]),
        (&format!("{six}::1").into(), &64.into())
    );
    assert!(
        inside(&s, "bb", &format!("ping -c 1 -W 2 {six}::f00d")).contains("1 packets received")
    );
}

/// N24: what was changed by hand is put right, by the next start or by `fsck`.
#[test]
fn a_network_that_was_taken_apart_is_put_together() {
    let s = Sandbox::root().with_busybox();
    let one = make(&s, "one", 1, &[]);
    let id = s
        .berth(&["network", "inspect", "-f", "{{.Id}}", "one"])
        .ok()
        .to_owned();
    let bridge = format!("br-{}", &id[..12]);
    run(&s, "aa", &["--network", "one", "--ip", &format!("{one}.9")]);
    let _server = Server::start(&s.namespace("aa"), "0.0.0.0:80", "hello");
    let reached = || ask(&testkit::network::here(), &format!("{one}.9:80"));
    assert_eq!(reached(), hello(&format!("{one}.1")));
    s.shell(&format!("nft delete table inet berth-{bridge}"))
        .ok();
    s.berth(&["fsck", "--repair"]).ok();
    s.berth(&["fsck"]).ok();
    assert_eq!(reached(), hello(&format!("{one}.1")));
    let destroy = || {
        s.shell(&format!("ip link delete {bridge}")).ok();
    };
    // A start makes the bridge anew, with all that belong to it.
    destroy();
    let gateway = format!("{one}.1");
    let ping = ["ping", "-c", "1", "-W", "2", &gateway];
    let line = ["run", "--rm", "--network", "one", "busybox"];
    s.berth(&[&line[..], &ping].concat()).ok();
    s.berth(&["fsck"]).ok();
    assert_eq!(reached(), hello(&gateway));
    destroy();
    s.berth(&["fsck", "--repair"]).ok();
    s.berth(&["fsck"]).ok();
    assert_eq!(reached(), hello(&gateway));
}
