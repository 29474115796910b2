//! What nobody here knows is asked elsewhere, or not at all.

use std::time::Duration;

use testkit::harness::Test;
use testkit::tests;

use crate::rig::{OTHER, Rig, SERVER, task};
use crate::server::{self, Server};

pub const TESTS: &[Test] = tests![
    the_hosts_servers_are_asked_from_the_host,
    the_users_servers_are_asked_from_inside,
    d11_from_internal_networks_nothing_leaves,
    names_of_one_label_are_for_the_search_list,
    another_server_is_asked_where_one_fails,
    only_true_answers_count,
    what_is_too_long_for_udp_comes_by_tcp,
    what_is_not_there_is_remembered,
];

fn the_hosts_servers_are_asked_from_the_host() {
    let rig = Rig::new();
    let one = Server::start(&rig.hosts.neighbour(), SERVER, server::good);
    let two = Server::start(&rig.hosts.neighbour(), OTHER, server::other);
    let web = rig.served(task(&["front"]));
    for how in ["", "+tcp", "+noedns", "TXT", "CH TXT"] {
        assert_eq!(web.code(&format!("{how} any.example")), "NOERROR", "{how}");
    }
    assert_eq!(web.short("Some.Example"), "192.0.2.1");
    assert_eq!((one.asked(), two.asked()), (6, 0));
    rig.host_asks(&[OTHER]);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(web.short("some.example"), "192.0.2.2", "it changed");
    rig.host_asks(&[]);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(web.code("some.example"), "SERVFAIL", "there is none");
}

fn the_users_servers_are_asked_from_inside() {
    let rig = Rig::new();
    let hosts = Server::start(&rig.hosts.neighbour(), SERVER, server::good);
    let mut asks = task(&["front"]);
    asks.servers = vec!["127.0.0.54".parse().unwrap()];
    let web = rig.served(asks);
    let _own = Server::start(&web.namespace, "127.0.0.54", server::other);
    for how in ["", "+tcp"] {
        assert_eq!(
            web.short(&format!("{how} any.example")),
            "192.0.2.2",
            "{how}"
        );
    }
    assert_eq!(hosts.asked(), 0);
}

/// D11.
fn d11_from_internal_networks_nothing_leaves() {
    let rig = Rig::new();
    let hosts = Server::start(&rig.hosts.neighbour(), SERVER, server::good);
    let mut inside = task(&["front"]);
    inside.forward = false;
    let mut named = inside.clone();
    named.servers = vec!["127.0.0.54".parse().unwrap()];
    let (web, other) = (rig.served(inside), rig.served(named));
    let own = Server::start(&other.namespace, "127.0.0.54", server::other);
    rig.name("id-front", &web, &["web"], &["10.9.0.2"]);
    for container in [&web, &other] {
        for question in [
            "secret.example",
            "secret.example TXT",
            "+tcp secret.example",
            "-x 10.9.0.77",
            "nobody",
        ] {
            assert_eq!(container.code(question), "SERVFAIL", "{question}");
        }
        assert_eq!(container.short("web"), "10.9.0.2");
    }
    let sent = "awk '/^Udp: [0-9]/ {print $5} /^Tcp: [0-9]/ {print $6}' /proc/net/snmp";
    let sent = rig.hosts.shell(&rig.hosts.host(), sent);
    assert_eq!(
        (hosts.asked(), own.asked(), sent.ok()),
        (0, 0, "0\n0"),
        "asked, and sent"
    );
}

fn names_of_one_label_are_for_the_search_list() {
    let rig = Rig::new();
    let hosts = Server::start(&rig.hosts.neighbour(), SERVER, server::good);
    let mut asks = task(&["front"]);
    asks.ndots = true;
    let web = rig.served(asks);
    assert_eq!(
        (web.code("nobody"), web.short("nobody")),
        ("NOERROR".into(), String::new())
    );
    assert_eq!(hosts.asked(), 0);
    assert_eq!(web.short("nobody.example"), "192.0.2.1");
    let usual = rig.served(task(&["front"]));
    assert_eq!(usual.short("nobody"), "192.0.2.1");
}

fn another_server_is_asked_where_one_fails() {
    for (first, patience) in [
        (None, Duration::ZERO),
        (Some(server::broken as server::Answer), Duration::ZERO),
        (Some(server::dead), WAIT),
        (Some(server::cut), Duration::MAX),
    ] {
        let rig = Rig::new();
        rig.host_asks(&[SERVER, OTHER]);
        let neighbour = rig.hosts.neighbour();
        let _first = first.map(|answer| Server::start(&neighbour, SERVER, answer));
        let _second = Server::start(&neighbour, OTHER, server::other);
        let web = rig.served(task(&["front"]));
        if patience == Duration::MAX {
            // An answer is an answer.
            let said = web.dig("+ignore any.example");
            assert!(said.contains("flags: qr tc"), "{said}");
            continue;
        }
        let took = web.took("any.example", "192.0.2.2");
        assert!(
            took >= patience && took < patience + WAIT,
            "{took:?} {patience:?}"
        );
        // The next one does not wait again.
        assert!(web.took("more.example", "192.0.2.2") < WAIT);
    }
    // Where there is no other one, patience: a slow one is heard, and what a broken one says.
    let rig = Rig::new();
    let web = rig.served(task(&["front"]));
    let slow = Server::start(&rig.hosts.neighbour(), SERVER, server::slow);
    assert_eq!(web.short("any.example"), "192.0.2.1");
    drop(slow);
    let _broken = Server::start(&rig.hosts.neighbour(), SERVER, server::broken);
    assert_eq!(web.code("any.example"), "SERVFAIL");
    rig.host_asks(&[OTHER]);
    let _dead = Server::start(&rig.hosts.neighbour(), OTHER, server::dead);
    std::thread::sleep(Duration::from_millis(250));
    let took = web.took("any.example", "SERVFAIL");
    assert!(took < Duration::from_secs(5), "a client gives up: {took:?}");
}

/// For how long a server is waited for.
const WAIT: Duration = Duration::from_millis(1500);

fn only_true_answers_count() {
    let rig = Rig::new();
    let _lying = Server::start(&rig.hosts.neighbour(), SERVER, server::lying);
    let web = rig.served(task(&["front"]));
    for _ in 0..5 {
        assert_eq!(web.short("any.example"), "192.0.2.1");
    }
}

fn what_is_too_long_for_udp_comes_by_tcp() {
    let rig = Rig::new();
    let _long = Server::start(&rig.hosts.neighbour(), SERVER, server::long);
    let web = rig.served(task(&["front"]));
    let said = web.dig("+ignore any.example");
    assert!(said.contains("flags: qr tc rd ra;"), "{said}");
    assert_eq!(web.dig("+short any.example").lines().count(), 200);
    let half = rig.served(task(&["front"]));
    assert_eq!(
        half.dig("+short +bufsize=4096 any.example").lines().count(),
        200
    );
}

fn what_is_not_there_is_remembered() {
    let rig = Rig::new();
    let server = Server::start(&rig.hosts.neighbour(), SERVER, server::nothing);
    let (web, other) = (rig.served(task(&["front"])), rig.served(task(&["front"])));
    for _ in 0..3 {
        let said = web.dig("gone.example");
        assert!(
            said.contains("status: NXDOMAIN") && said.contains("SOA\tn. . 0 0 0 0 30"),
            "{said}"
        );
    }
    assert_eq!(web.code("+tcp gone.example"), "NXDOMAIN");
    assert_eq!(server.asked(), 1);
    // Another name, another type, another container, somebody who wants signatures: each asks.
    for question in ["more.example", "gone.example AAAA", "gone.example +dnssec"] {
        assert_eq!(web.code(question), "NXDOMAIN");
    }
    assert_eq!(other.code("gone.example"), "NXDOMAIN");
    assert_eq!(server.asked(), 5);
    // A container that starts is known, whatever was said before.
    let new = rig.container();
    rig.name("id-front", &new, &["gone.example"], &["10.9.0.7"]);
    assert_eq!(web.short("gone.example"), "10.9.0.7");
}
