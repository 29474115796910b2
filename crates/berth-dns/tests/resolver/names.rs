//! Names of the containers in one's own networks.

use testkit::harness::Test;
use testkit::tests;

use crate::rig::{Rig, task};

pub const TESTS: &[Test] = tests![
    names_and_aliases_are_known_at_once,
    addresses_have_names,
    many_addresses_come_in_turn_and_by_tcp,
    port_53_stays_the_containers,
];

fn names_and_aliases_are_known_at_once() {
    let rig = Rig::new();
    let web = rig.served(task(&["front", "back"]));
    let db = rig.container();
    assert_eq!(
        web.code("db"),
        "SERVFAIL",
        "nobody to ask, yet nobody hangs"
    );
    rig.name(
        "id-back",
        &db,
        &["db", "Store", "c0ffee"],
        &["10.9.0.3", "fd00::3"],
    );
    for name in ["db", "DB", "store", "c0ffee", "db.back", "store.back"] {
        assert_eq!(web.short(name), "10.9.0.3", "{name}");
        assert_eq!(web.short(&format!("{name} AAAA")), "fd00::3", "{name}");
    }
    let said = web.dig("db.BACK");
    assert!(said.contains("db.BACK.\t\t600\tIN\tA\t10.9.0.3"), "{said}");
    assert!(said.contains("flags: qr rd ra;"), "{said}");
    // Of what a name has not nobody else is asked.
    for kind in ["TXT", "MX", "HTTPS"] {
        assert_eq!(
            (
                web.code(&format!("db {kind}")),
                web.short(&format!("db {kind}"))
            ),
            ("NOERROR".into(), String::new())
        );
    }
    // Whoever answers at once knows each change at once.
    for number in 1..=40 {
        let address = format!("10.9.1.{number}");
        rig.name("id-back", &db, &["db"], &[&address]);
        assert_eq!(web.short("db"), address);
    }
    assert_eq!(web.code("store"), "SERVFAIL");
    rig.unname("id-back", &db);
    assert_eq!(web.code("db"), "SERVFAIL");
    // Who is in another network sees nothing of it.
    rig.name("id-back", &db, &["db"], &["10.9.0.3"]);
    let alone = rig.served(task(&["front"]));
    assert_eq!(
        (alone.code("db"), web.short("db")),
        ("SERVFAIL".into(), "10.9.0.3".into())
    );
    // It is connected while it runs.
    rig.serve(&alone, &task(&["front", "back"]));
    assert_eq!(alone.short("db"), "10.9.0.3");
}

fn addresses_have_names() {
    let rig = Rig::new();
    let web = rig.served(task(&["front"]));
    rig.name("id-front", &web, &["web"], &["10.9.0.2", "fd00::2"]);
    assert_eq!(web.short("-x 10.9.0.2"), "web.front.");
    assert_eq!(web.short("-x fd00::2"), "web.front.");
    assert_eq!(web.code("-x 10.9.0.9"), "SERVFAIL");
}

fn many_addresses_come_in_turn_and_by_tcp() {
    let rig = Rig::new();
    let web = rig.served(task(&["front"]));
    let others: Vec<_> = (0..40).map(|_| rig.container()).collect();
    for (number, other) in others.iter().enumerate() {
        rig.name(
            "id-front",
            other,
            &["all"],
            &[&format!("10.9.0.{}", number + 1)],
        );
    }
    let mut first = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let said = web.dig("+short +noedns +ignore all");
        first.insert(said.lines().next().unwrap().to_owned());
        assert_eq!(said.lines().count(), (512 - 21) / 16, "{said}");
    }
    assert!(first.len() > 3, "{first:?}");
    let said = web.dig("+noedns +ignore all");
    assert!(said.contains("flags: qr tc rd ra;"), "{said}");
    for more in ["+noedns", "+bufsize=1232", "+tcp", "+tcp +keepopen"] {
        let said = web.dig(&format!("+short {more} all"));
        assert_eq!(said.lines().count(), 40, "{more}: {said}");
    }
}

/// The container may have a name server of its own.
fn port_53_stays_the_containers() {
    let rig = Rig::new();
    let web = rig.served(task(&["front"]));
    rig.name("id-front", &web, &["web"], &["10.9.0.2"]);
    let _own = crate::server::Server::start(&web.namespace, "0.0.0.0", crate::server::good);
    assert_eq!(web.short("web"), "10.9.0.2");
    let own = web.run("dig +short +tries=1 @127.0.0.1 any.thing");
    assert_eq!(own.ok(), "192.0.2.1");
}
