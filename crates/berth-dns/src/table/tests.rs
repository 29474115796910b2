//! Who sees which names.

use super::*;
use crate::message::Query;

fn joined(name: &str) -> Joined {
    Joined {
        id: format!("id-{name}"),
        name: name.to_owned(),
        links: [].into(),
    }
}

fn names(names: &[&str], addresses: &[&str]) -> Names {
    Names {
        schema: 1,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn table() -> Table {
    let mut table = Table::default();
    table.set(
        "id-front",
        "c1",
        names(&["web", "Both", "c1c1"], &["10.1.0.2", "fd01::2"]),
    );
    table.set("id-front", "c2", names(&["db", "both"], &["10.1.0.3"]));
    table.set(
        "id-back",
        "c2",
        names(&["db", "store.one"], &["10.2.0.2", "fd02::2"]),
    );
    table
}

/// The answer, as text; `-`: nobody has the name.
fn ask(table: &Table, networks: &[Joined], name: &str, kind: u16, turn: usize) -> String {
    let bytes = crate::message::tests::ask(name, kind, None);
    let question = Query::parse(&bytes).unwrap().question;
    let Some(answers) = table.answer(networks, &question, turn) else {
        return "-".to_owned();
    };
    let text = |answer: &Answer| match answer {
        Answer::Address(address) => address.to_string(),
        Answer::Name(name) => name.text().unwrap(),
    };
    answers.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn names_in_ones_own_networks() {
    let table = table();
    let both = [joined("front"), joined("back")];
    let (front, back) = (&both[..1], &both[1..]);
    let cases: [(&[Joined], &str, u16, &str); 19] = [
        (front, "web", kind::A, "10.1.0.2"),
        (front, "WEB", kind::A, "10.1.0.2"),
        (front, "c1c1", kind::A, "10.1.0.2"),
        (front, "web", kind::AAAA, "fd01::2"),
        (front, "web", kind::ANY, "10.1.0.2 fd01::2"),
        (front, "web.front", kind::A, "10.1.0.2"),
        (front, "web.back", kind::A, "-"),
        (front, "web.front.example", kind::A, "-"),
        (back, "web", kind::A, "-"),
        (back, "web.front", kind::A, "-"),
        (back, "store.one", kind::A, "10.2.0.2"),
        (back, "store.one.back", kind::A, "10.2.0.2"),
        (front, "both", kind::A, "10.1.0.2 10.1.0.3"),
        // Of a type that it has nowhere: nothing, which nobody is asked for.
        (front, "db", kind::AAAA, ""),
        (front, "db", 15, ""),
        // In another network it has one.
        (&both, "db", kind::AAAA, "fd02::2"),
        (&both, "db", kind::A, "10.1.0.3"),
        (&both, "db.back", kind::A, "10.2.0.2"),
        (&[], "web", kind::A, "-"),
    ];
    for (networks, name, kind, expected) in cases {
        assert_eq!(
            ask(&table, networks, name, kind, 0),
            expected,
            "{name} {kind}"
        );
    }
    assert_eq!(
        ask(&table, front, "both", kind::A, 3),
        "10.1.0.3 10.1.0.2",
        "in turn"
    );
}

#[test]
fn names_of_addresses_in_ones_own_networks() {
    let table = table();
    let (front, back) = ([joined("front")], [joined("back")]);
    let ask = |networks: &[Joined], name: &str| ask(&table, networks, name, kind::PTR, 0);
    assert_eq!(ask(&front, "2.0.1.10.in-addr.arpa"), "web.front");
    assert_eq!(ask(&back, "2.0.1.10.in-addr.arpa"), "-");
    assert_eq!(ask(&front, "9.0.1.10.in-addr.arpa"), "-");
    let six = format!("2.{}2.0.d.f.ip6.arpa", "0.".repeat(27));
    assert_eq!(ask(&back, &six), "db.back");
}

#[test]
fn links_are_ones_own() {
    let table = table();
    let mut front = joined("front");
    front.links = [
        ("Store".to_owned(), "db".to_owned()),
        ("web".to_owned(), "db".to_owned()),
    ]
    .into();
    let linked = [front];
    assert_eq!(ask(&table, &linked, "store", kind::A, 0), "10.1.0.3");
    assert_eq!(
        ask(&table, &linked, "web", kind::A, 0),
        "10.1.0.3",
        "before the other's name"
    );
    assert_eq!(ask(&table, &[joined("front")], "store", kind::A, 0), "-");
}

#[test]
fn what_ends_is_gone() {
    let mut table = table();
    let front = [joined("front")];
    table.set("id-front", "c1", names(&["new"], &["10.1.0.9"]));
    assert_eq!(ask(&table, &front, "web", kind::A, 0), "-");
    assert_eq!(ask(&table, &front, "new", kind::A, 0), "10.1.0.9");
    assert_eq!(
        ask(&table, &front, "2.0.1.10.in-addr.arpa", kind::PTR, 0),
        "-"
    );
    // Its address is another's before its own end is known.
    table.set("id-front", "c3", names(&["next"], &["10.1.0.9"]));
    table.remove("id-front", "c1");
    assert_eq!(
        ask(&table, &front, "9.0.1.10.in-addr.arpa", kind::PTR, 0),
        "next.front"
    );
    table.remove("id-front", "c2");
    assert_eq!(ask(&table, &front, "both", kind::A, 0), "-");
    table.forget("id-front");
    assert_eq!(ask(&table, &front, "next", kind::A, 0), "-");
}
