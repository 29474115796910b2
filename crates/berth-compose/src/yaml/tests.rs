//! Scalars, anchors, tags and what is refused.

use super::*;

fn one(text: &str) -> Node {
    let mut left = limits::NODES;
    parse(text, 0, &mut left).unwrap().remove(0)
}

fn wrong(text: &str) -> Fault {
    parse(text, 0, &mut 1000).unwrap_err()
}

#[test]
fn scalars_are_yaml_1_2() {
    use Value::{Bool, Float, Int, Null};
    for (text, want) in [
        ("~", Null),
        ("null", Null),
        ("true", Bool(true)),
        ("False", Bool(false)),
        ("12", Int(12)),
        ("-3", Int(-3)),
        ("0", Int(0)),
        ("0x1f", Int(31)),
        ("0o17", Int(15)),
        ("0444", Int(0o444)),
        ("1.5", Float(1.5)),
        ("1e3", Float(1000.0)),
        (".5", Float(0.5)),
    ] {
        assert_eq!(one(text).value, want, "{text}");
    }
    for text in [
        "yes",
        "on",
        "22:22",
        "08:00",
        "1.2.3",
        "-",
        "0x",
        "1_000",
        "-a",
        "+",
        "e1",
        "99999999999999999999x",
    ] {
        assert_eq!(resolve(text), None, "{text}");
    }
    for text in ["'1'", "\"true\"", "!!str 1", "! 1"] {
        assert!(one(text).as_text().is_some(), "{text}");
    }
}

#[test]
fn values_know_their_place() {
    let node = one("a:\n  - b\n  - c: 1\n");
    let c = node.get("a").unwrap().items()[1].get("c").unwrap();
    assert_eq!((c.at.line, c.at.column), (3, 8));
    let entry = node.as_map().unwrap().get("a").unwrap();
    assert_eq!((entry.at.line, entry.at.column), (1, 1));
}

#[test]
fn merge_keys_lie_below() {
    let text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\nw:\n  a: 9\n  <<: *x\n";
    let node = one(text);
    let value = |of: &str, key: &str| {
        node.get(of)
            .and_then(|n| n.get(key))
            .map(|n| n.value.clone())
    };
    for (of, key, want) in [
        ("z", "a", 0),
        ("z", "b", 1),
        ("z", "c", 2),
        ("w", "a", 9),
        ("w", "b", 1),
    ] {
        assert_eq!(value(of, key), Some(Value::Int(want)), "{of}.{key}");
    }
}

#[test]
fn tags_are_kept() {
    let node = one("a: !reset null\nb: !override [1]\nc: !reset\nd: !override {e: f}\n");
    let tag = |key: &str| node.get(key).unwrap().tag;
    assert_eq!(
        [tag("a"), tag("b"), tag("c"), tag("d")],
        [Tag::Reset, Tag::Override, Tag::Reset, Tag::Override]
    );
}

#[test]
fn what_is_no_yaml_of_ours_is_told_with_its_place() {
    for (text, line, column, says) in [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "`a` stands here twice"),
        ("a: !what x\n", 1, 4, "unknown tag"),
        ("a: &a [*a]\n", 1, 8, "inside of what it stands for"),
        ("<<: 3\n", 1, 1, "`<<` takes a map"),
        ("? [a]\n: b\n", 1, 3, "a key that is no text"),
        ("a: !!int x\n", 1, 4, "`x` is no int"),
        ("a: [\n", 2, 1, "not YAML"),
        ("a: b: c\n", 1, 5, "not YAML"),
    ] {
        let fault = wrong(text);
        assert!(fault.text.contains(says), "{text}: {fault:?}");
        assert_eq!(
            (fault.at.line, fault.at.column),
            (line, column),
            "{text}: {fault:?}"
        );
    }
}

/// Nine anchors of nine aliases each: 3 GB, if somebody followed them.
#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 9].join(",");
        text.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
    }
    let mut left = limits::NODES;
    let fault = parse(&text, 0, &mut left).unwrap_err();
    assert!(fault.text.contains("more than"), "{fault:?}");
}

#[test]
fn depth_has_an_end() {
    let fault = parse(&"[".repeat(100), 0, &mut 100_000).unwrap_err();
    assert!(fault.text.contains("deeper than"), "{fault:?}");
    // The scanner has an end of its own.
    assert!(parse(&"[".repeat(1_000_000), 0, &mut 100_000).is_err());
    assert!(parse(&"{a: ".repeat(1_000_000), 0, &mut 100_000).is_err());
    assert!(parse(&"- ".repeat(1_000_000), 0, &mut 100_000).is_err());
}

#[test]
fn several_documents_are_several() {
    assert_eq!(parse("a: 1\n---\nb: 2\n", 0, &mut 100).unwrap().len(), 2);
    assert_eq!(parse("", 0, &mut 100).unwrap().len(), 0);
    assert_eq!(parse("# only words\n", 0, &mut 100).unwrap().len(), 0);
}
