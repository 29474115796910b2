//! `--network`: none, host, the bridge that a container gets by default, and that of another container.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use testkit::network::{Server, ask, here, inside};
use testkit::{Sandbox, eventually};

mod hosts;
mod names;
mod options;
mod own;
mod repair;

both! {
    fn none_has_only_a_loopback_that_is_up(s) {
        let script = "ls /sys/class/net; cat /sys/class/net/lo/flags; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo ping";
        let done = s.berth(&["run", "--rm", "--network", "none", "busybox", "sh", "-c", script]);
        let lines: Vec<&str> = done.ok().lines().collect();
        assert_eq!((lines[0], lines[1]), ("lo", "0x9"), "{done}");
    }
}

both! {
    fn host_shares_the_hosts(s) {
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        let namespace = |network: &str| {
            let line = ["run", "--rm", "--network", network, "busybox", "readlink", "/proc/self/ns/net"];
            s.berth(&line).ok().to_owned()
        };
        assert_eq!(namespace("host"), ours.to_str().unwrap());
        assert_ne!(namespace("none"), ours.to_str().unwrap());
    }
}

both! {
    fn other_networks_are_refused_with_a_hint(s) {
        for network in ["no-such-network", "container:x"] {
            let done = s.berth(&["run", "--rm", "--network", network, "busybox", "true"]);
            assert!(done.fails(125).starts_with("error: "), "{done}");
        }
        if s.is_rootless() {
            let done = s.berth(&["run", "--rm", "--network", "bridge", "busybox", "true"]);
            assert!(done.fails(125).contains("hint: "), "{done}");
        }
    }
}

/// Its address as `inspect` has it.
fn address(s: &Sandbox, name: &str) -> String {
    s.berth(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name])
        .ok()
        .to_owned()
}

/// The bridge's address.
fn gateway(s: &Sandbox) -> String {
    s.subnet().replace(".0/24", ".1")
}

/// A container whose port 80 says `hello` and the client's address.
fn serve(s: &Sandbox, name: &str, options: &[&str]) -> Server {
    let head = ["run", "-d", "--name", name, "-h", name];
    let line = [&head[..], options, &["busybox", "sleep", "1000"]].concat();
    s.berth(&line).ok();
    Server::start(&s.namespace(name), "0.0.0.0:80", "hello")
}

fn hello(from: &str) -> Option<String> {
    Some(format!("hello {from}"))
}

/// D20.
#[test]
fn by_default_it_has_an_address_and_a_route() {
    let s = Sandbox::root().with_busybox();
    let script = "ip -4 -o addr show eth0; ip route; ip -6 addr; cat /sys/class/net/eth0/address /sys/class/net/lo/flags";
    let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", script]);
    let seen = done.ok();
    let mine = s.subnet().replace(".0/24", ".2");
    assert!(seen.contains(&format!("inet {mine}/24")), "{done}");
    assert!(
        seen.contains(&format!("default via {} dev eth0", gateway(&s))),
        "{done}"
    );
    assert!(!seen.contains("inet6"), "{done}");
    let bytes = mine.parse::<Ipv4Addr>().unwrap().octets();
    let mac = format!(
        "02:42:{:02x}:{:02x}:{:02x}:{:02x}",
        bytes[0], bytes[1], bytes[2], bytes[3]
    );
    assert!(seen.contains(&mac) && seen.ends_with("0x9"), "{mac} {done}");
}

#[test]
fn containers_speak_to_each_other_and_to_the_host() {
    let s = Sandbox::root().with_busybox();
    let _server = serve(&s, "aa", &[]);
    s.berth(&["run", "-d", "--name", "bb", "busybox", "sleep", "1000"])
        .ok();
    let aa = format!("{}:80", address(&s, "aa"));
    assert_eq!(ask(&here(), &aa), hello(&gateway(&s)));
    assert_eq!(ask(&s.namespace("bb"), &aa), hello(&address(&s, "bb")));
    let page = "echo page > /index.html; httpd -p 81 -h /";
    s.berth(&["exec", "aa", "sh", "-c", page]).ok();
    let fetch = format!("wget -q -O - http://{}:81/", address(&s, "aa"));
    assert_eq!(s.berth(&["exec", "bb", "sh", "-c", &fetch]).ok(), "page");
    assert_eq!(
        s.shell(&format!("curl -s http://{}:81/", address(&s, "aa")))
            .ok(),
        "page"
    );
    let inspected = s.berth(&[
        "network",
        "inspect",
        "-f",
        "{{range .Containers}}{{.Name}} {{end}}",
        "bridge",
    ]);
    let mut names: Vec<&str> = inspected.ok().split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["aa", "bb"]);
}

#[test]
fn published_ports_lead_to_it() {
    let s = Sandbox::root().with_busybox();
    let server = serve(&s, "aa", &["-p", "80", "-p", "127.0.0.1::80"]);
    s.berth(&["run", "-d", "--name", "bb", "busybox", "sleep", "1000"])
        .ok();
    let port = |host: &str| {
        let all = s.berth(&["port", "aa", "80"]).ok().to_owned();
        let line = all
            .lines()
            .find(|line| line.starts_with(host))
            .unwrap_or_else(|| panic!("{all}"));
        line.rsplit(':').next().unwrap().to_owned()
    };
    let (any, local) = (port("0.0.0.0"), port("127.0.0.1"));
    let (aa, bb) = (s.namespace("aa"), s.namespace("bb"));
    let gateway = gateway(&s);
    for address in ["127.0.0.1", "127.0.0.2", &gateway] {
        assert_eq!(
            ask(&here(), &format!("{address}:{any}")),
            hello(&gateway),
            "{address}"
        );
    }
    assert_eq!(ask(&here(), &format!("127.0.0.1:{local}")), hello(&gateway));
    assert_eq!(ask(&here(), &format!("127.0.0.2:{local}")), None);
    // Hairpin: by the host's address, from the same bridge and from itself.
    for from in [&aa, &bb] {
        assert_eq!(
            ask(from, &format!("{gateway}:{any}")),
            hello(&gateway),
            "{}",
            from.display()
        );
    }
    // D12: what is published at the loopback is not there for containers.
    assert_eq!(ask(&bb, &format!("{gateway}:{local}")), None);
    // It is seen as taken by others, and free again afterwards.
    let taken = s.berth(&["run", "--rm", "-p", &format!("{any}:80"), "busybox", "true"]);
    assert!(
        taken.fails(125).contains("port is already allocated"),
        "{taken}"
    );
    assert!(std::net::TcpListener::bind(("0.0.0.0", any.parse().unwrap())).is_err());
    drop(server);
    s.berth(&["rm", "-f", "aa"]).ok();
    assert_eq!(ask(&here(), &format!("127.0.0.1:{any}")), None);
    s.berth(&["run", "--rm", "-p", &format!("{any}:80"), "busybox", "true"])
        .ok();
}

#[test]
fn udp_and_ranges_and_all_exposed_ports() {
    let s = Sandbox::root().with_busybox();
    let line = [
        "run", "-d", "--name", "aa", "-p", "0:53/udp", "--expose", "70-71", "-P", "busybox",
        "sleep", "1000",
    ];
    s.berth(&line).ok();
    let ports = s.berth(&["port", "aa"]).ok().to_owned();
    let of: Vec<&str> = ports
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(of, ["53/udp", "70/tcp", "71/tcp"], "{ports}");
    let port = ports.lines().next().unwrap().rsplit(':').next().unwrap();
    let server = inside(&s.namespace("aa"), || UdpSocket::bind("0.0.0.0:53")).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for socket in [&server, &client] {
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
    }
    let mut bytes = [0; 9];
    client
        .send_to(b"ping", format!("127.0.0.1:{port}"))
        .unwrap();
    let (_, peer) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(peer.ip().to_string(), gateway(&s));
    server.send_to(b"pong", peer).unwrap();
    let (_, from) = client.recv_from(&mut bytes).unwrap();
    assert_eq!(
        (&bytes[..4], from.to_string()),
        (&b"pong"[..], format!("127.0.0.1:{port}"))
    );
    let json = s
        .berth(&["inspect", "-f", "{{json .NetworkSettings.Ports}}", "aa"])
        .ok()
        .to_owned();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["53/udp"][0]["HostPort"], port, "{json}");
    assert!(
        s.berth(&["port", "aa", "99"])
            .fails(1)
            .contains("no public port '99'")
    );
    let shown = s.berth(&["inspect", "-f", "{{json .Config.ExposedPorts}}", "aa"]);
    for one in of {
        assert!(shown.ok().contains(one), "{shown}");
    }
}

#[test]
fn a_restart_keeps_the_address_and_a_freed_one_comes_last() {
    let s = Sandbox::root().with_busybox();
    let run = |name: &str| {
        drop(
            s.berth(&["run", "-d", "--name", name, "busybox", "sleep", "1000"])
                .ok()
                .to_owned(),
        )
    };
    run("aa");
    let first = address(&s, "aa");
    s.berth(&["restart", "-t", "0", "aa"]).ok();
    assert_eq!(address(&s, "aa"), first);
    s.berth(&["stop", "-t", "0", "aa"]).ok();
    assert_eq!(address(&s, "aa"), "");
    run("bb");
    assert_ne!(address(&s, "bb"), first);
    s.berth(&["start", "aa"]).ok();
    assert_eq!(address(&s, "aa"), first);
    let ping = format!("ping -c 1 -W 5 {first}");
    s.berth(&["exec", "bb", "sh", "-c", &ping]).ok();
}

#[test]
fn another_containers_network() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run", "-d", "--name", "aa", "-h", "aa", "busybox", "httpd", "-f",
    ])
    .ok();
    let joined = |what: &str| {
        s.berth(&[
            "run",
            "--rm",
            "--network",
            "container:aa",
            "busybox",
            "sh",
            "-c",
            what,
        ])
    };
    let fetch = "wget -q -O - http://127.0.0.1/etc/hosts | tail -n 1";
    eventually("by the loopback", || {
        joined(fetch).stdout.trim().ends_with("\taa").then_some(())
    });
    assert!(joined("cat /etc/hosts").ok().ends_with("\taa"));
    s.berth(&["stop", "-t", "0", "aa"]).ok();
    assert!(joined("true").fails(125).contains("not running"));
    for (options, what) in [
        (["-p", "1:1"], "port publishing"),
        (["-h", "x"], "hostname"),
        (["--dns", "1.1.1.1"], "dns"),
    ] {
        let line = [
            &["run", "--rm", "--network", "container:aa"][..],
            &options,
            &["busybox", "true"],
        ]
        .concat();
        let done = s.berth(&line);
        let expected = format!("conflicting options: {what} and the container type network mode");
        assert!(done.fails(125).contains(&expected), "{done}");
    }
}

/// N1, and starts side by side.
#[test]
fn eight_at_once_and_removed_while_they_start() {
    let s = Sandbox::root().with_busybox();
    let names: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            s.spawn(&[
                "run", "-d", "--name", name, "-p", "80", "busybox", "sleep", "1000",
            ])
        })
        .collect();
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    let mut addresses: Vec<String> = names.iter().map(|name| address(&s, name)).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 8, "{addresses:?}");
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    s.berth(&[&["rm", "-f"], &all[..]].concat()).ok();
    for round in 0..6 {
        let mut starting = s.spawn(&[
            "run", "-d", "--name", "cc", "-p", "80", "busybox", "sleep", "1000",
        ]);
        std::thread::sleep(std::time::Duration::from_millis(8 * round));
        let _ = s.berth(&["rm", "-f", "cc"]);
        starting.wait().unwrap();
        let _ = s.berth(&["rm", "-f", "cc"]);
    }
    let reserved = fs::read_dir(s.run_dir().join("networks/bridge/addr"))
        .unwrap()
        .count();
    assert_eq!(reserved, 0);
}

#[test]
fn the_predefined_networks_are_listed() {
    let s = Sandbox::root().with_busybox();
    let list = s.berth(&[
        "network",
        "ls",
        "--format",
        "{{.Name}} {{.Driver}} {{.Scope}}",
    ]);
    assert_eq!(
        list.ok(),
        "bridge bridge local\nhost host local\nnone null local"
    );
    let line = [
        "network",
        "inspect",
        "-f",
        "{{(index .IPAM.Config 0).Subnet}} {{index .Options \"com.docker.network.bridge.name\"}}",
        "bridge",
    ];
    assert_eq!(
        s.berth(&line).ok(),
        format!("{} {}", s.subnet(), s.bridge())
    );
    assert!(
        s.berth(&["network", "rm", "bridge"])
            .fails(1)
            .contains("bridge is a pre-defined network and cannot be removed")
    );
    assert!(
        s.berth(&["network", "create", "host"])
            .fails(1)
            .contains("operation is not permitted on predefined host network")
    );
    assert!(
        s.berth(&["network", "inspect", "nope"])
            .fails(1)
            .contains("no such network: nope")
    );
}
