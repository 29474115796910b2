//! What networks of one's own are told when they are made: the host's address of ports, families, others' settings.

use serde_json::Value;
use testkit::Sandbox;
use testkit::network::{Server, ask, here};

/// Makes a network, with this subnet where it has IPv4.
fn make(s: &Sandbox, name: &str, options: &[&str]) {
    s.berth(&[&["network", "create"][..], options, &[name]].concat())
        .ok();
}

fn run(s: &Sandbox, name: &str, options: &[&str]) {
    let head = ["run", "-d", "--name", name];
    s.berth(&[&head[..], options, &["busybox", "sleep", "1000"]].concat())
        .ok();
}

/// Where a published port is, without its number.
fn published(s: &Sandbox, name: &str) -> Vec<String> {
    let ports = s.berth(&["port", name, "80"]).ok().to_owned();
    let host = |line: &str| line.rsplit_once(':').unwrap().0.to_owned();
    ports.lines().map(host).collect()
}

fn network(s: &Sandbox, name: &str) -> Value {
    let told = s.berth(&["network", "inspect", name]).ok().to_owned();
    let told: Value = serde_json::from_str(&told).unwrap();
    told[0].clone()
}

#[test]
fn a_network_says_where_its_ports_are() {
    let s = Sandbox::root().with_busybox();
    let [one, two] = [1, 2].map(|which| s.other_subnet(which));
    let at = "com.docker.network.bridge.host_binding_ipv4=127.0.0.1";
    make(&s, "near", &["--subnet", &one, "-o", at]);
    make(&s, "far", &["--subnet", &two]);
    run(&s, "aa", &["--network", "near", "-p", "80"]);
    run(&s, "bb", &["--network", "near", "-p", "0.0.0.0::80"]);
    run(&s, "cc", &["--network", "far", "-p", "80"]);
    assert_eq!(published(&s, "aa"), ["127.0.0.1"]);
    assert_eq!(published(&s, "bb"), ["0.0.0.0"]);
    assert_eq!(published(&s, "cc"), ["0.0.0.0"]);
    let _server = Server::start(&s.namespace("aa"), "0.0.0.0:80", "hello");
    let port = s.berth(&["port", "aa", "80"]).ok().to_owned();
    assert!(ask(&here(), &port).is_some());
    let gateway = one.replace(".0/24", ".1");
    let elsewhere = port.replace("127.0.0.1", &gateway);
    assert_eq!(ask(&here(), &elsewhere), None);
    let bad = "com.docker.network.bridge.host_binding_ipv4=x";
    let refused = s.berth(&["network", "create", "-o", bad, "bad"]);
    let words = "failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)";
    assert!(refused.fails(1).contains(words), "{refused}");
}

#[test]
fn a_network_without_ipv4() {
    let s = Sandbox::root().with_busybox();
    let number = s.other_subnet(1).split('.').nth(2).unwrap().to_owned();
    let six = format!("fd00:bf:{number}");
    let subnet = format!("{six}::/64");
    make(&s, "six", &["--ipv4=false", "--ipv6", "--subnet", &subnet]);
    let told = network(&s, "six");
    assert_eq!(
        (&told["EnableIPv4"], &told["EnableIPv6"]),
        (&false.into(), &true.into())
    );
    assert_eq!(told["IPAM"]["Config"][0]["Subnet"], subnet);
    assert_eq!(told["IPAM"]["Config"][1], Value::Null);
    run(&s, "aa", &["--network", "six", "-p", "80"]);
    run(&s, "bb", &["--network", "six"]);
    let address = |name: &str, what: &str| {
        let form = format!("{{{{.NetworkSettings.Networks.six.{what}}}}}");
        s.berth(&["inspect", "-f", &form, name]).ok().to_owned()
    };
    assert_eq!(address("aa", "IPAddress"), "");
    let inside = s.berth(&["exec", "aa", "ip", "-4", "address"]);
    assert!(!inside.ok().contains("eth0"), "{inside}");
    let _server = Server::start(&s.namespace("aa"), "[::]:80", "hello");
    let aa = format!("[{}]:80", address("aa", "GlobalIPv6Address"));
    let bb = address("bb", "GlobalIPv6Address");
    assert_eq!(ask(&s.namespace("bb"), &aa), Some(format!("hello {bb}")));
    assert_eq!(published(&s, "aa"), ["[::]"]);
    let port = s
        .berth(&["port", "aa", "80"])
        .ok()
        .replace("[::]", &format!("[{six}::1]"));
    assert!(ask(&here(), &port).is_some_and(|said| said.starts_with("hello")));

    // What is of the other family is refused.
    let four = s.other_subnet(2);
    for (options, words) in [
        (&["--ipv4=false"][..], "IPv4 or IPv6 must be enabled"),
        (
            &["--ipv4=false", "--ipv6", "--subnet", &four],
            "is a subnet of IPv4",
        ),
    ] {
        let refused = s.berth(&[&["network", "create"], options, &["bad"]].concat());
        assert!(refused.fails(1).contains(words), "{refused}");
    }
    let refused = s.berth(&[
        "run",
        "--rm",
        "--network",
        "six",
        "-p",
        "127.0.0.1::80",
        "busybox",
        "true",
    ]);
    assert!(refused.fails(125).contains("has no IPv4"), "{refused}");
    s.berth(&["fsck"]).ok();
}

#[test]
fn a_configuration_is_had_by_others() {
    let s = Sandbox::root().with_busybox();
    let subnet = s.other_subnet(1);
    let mtu = "com.docker.network.driver.mtu=1400";
    let options = [
        "--config-only",
        "--subnet",
        &subnet,
        "-o",
        mtu,
        "--label",
        "a=b",
    ];
    make(&s, "settings", &options);
    let told = network(&s, "settings");
    assert_eq!(
        (&told["ConfigOnly"], &told["Driver"]),
        (&true.into(), &"null".into())
    );
    assert_eq!(told["IPAM"]["Config"][0]["Subnet"], subnet);
    let id = told["Id"].as_str().unwrap()[..12].to_owned();
    assert!(
        !here_is(&format!("br-{id}")),
        "there is nothing on the host"
    );

    make(&s, "lan", &["--config-from", "settings", "--internal"]);
    let told = network(&s, "lan");
    for (what, value) in [
        ("/ConfigFrom/Network", Value::from("settings")),
        ("/ConfigOnly", false.into()),
        ("/Driver", "bridge".into()),
        ("/Internal", true.into()),
        ("/IPAM/Config/0/Subnet", subnet.clone().into()),
        ("/Options/com.docker.network.driver.mtu", "1400".into()),
        ("/Labels/a", "b".into()),
    ] {
        assert_eq!(told.pointer(what), Some(&value), "{told:#}");
    }
    let line = [
        "run",
        "--rm",
        "--network",
        "lan",
        "busybox",
        "cat",
        "/sys/class/net/eth0/mtu",
    ];
    assert_eq!(s.berth(&line).ok(), "1400");

    for (line, code, words) in [
        (
            "network create --config-from settings again",
            1,
            "Pool overlaps with other one on this address space",
        ),
        (
            "network create --config-from settings --ipv6 again",
            1,
            "user specified configurations are not supported if the network depends on a configuration network",
        ),
        (
            "network create --config-from lan again",
            1,
            "configuration network \"lan\" does not exist",
        ),
        (
            "network create --config-only --subnet x again",
            1,
            "invalid CIDR address: x",
        ),
        (
            "network rm settings",
            1,
            "configuration network \"settings\" is in use",
        ),
        (
            "run --rm --network settings busybox true",
            125,
            "cannot create endpoint on configuration-only network",
        ),
    ] {
        let words_of: Vec<&str> = line.split(' ').collect();
        let refused = s.berth(&words_of);
        assert!(refused.fails(code).contains(words), "{refused}");
    }
    s.berth(&["fsck"]).ok();
    // It is not what nobody needs, and goes when nobody has it.
    s.berth(&["network", "prune", "-f"]).ok();
    let left = [
        "network",
        "ls",
        "-f",
        "type=custom",
        "--format",
        "{{.Name}}",
    ];
    assert_eq!(s.berth(&left).ok(), "settings");
    s.berth(&["network", "rm", "settings"]).ok();
    assert_eq!(s.berth(&left).ok(), "");
}

fn here_is(device: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(device).exists()
}
