//! What is written reads back as the same.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::node::{Place, Tag};

fn read(text: &str) -> Node {
    let mut left = limits::NODES;
    let mut documents =
        yaml::parse(text, 0, &mut left).unwrap_or_else(|e| panic!("{e:?}:\n{text}"));
    documents.remove(0)
}

fn text_node(text: &str) -> Node {
    Node::text(Place::default(), text)
}

#[test]
fn texts_are_quoted_where_needed() {
    for (text, want) in [
        ("plain", "plain"),
        ("two words", "two words"),
        ("", "\"\""),
        ("8080", "\"8080\""),
        ("1.5", "\"1.5\""),
        ("0440", "\"0440\""),
        ("true", "\"true\""),
        ("yes", "\"yes\""),
        ("No", "\"No\""),
        ("null", "\"null\""),
        ("~", "\"~\""),
        ("22:22", "\"22:22\""),
        ("2001-01-01", "\"2001-01-01\""),
        ("1.2.3", "1.2.3"),
        ("10.0.0.1", "10.0.0.1"),
        ("1m30s", "1m30s"),
        ("- a", "'- a'"),
        ("-a", "-a"),
        ("a: b", "'a: b'"),
        ("a:b", "a:b"),
        ("a #b", "'a #b'"),
        ("it's", "it's"),
        ("'q'", "'''q'''"),
        ("*", "'*'"),
        (" a", "' a'"),
        ("a\u{1}", "\"a\\x01\""),
        ("$$x", "$$x"),
    ] {
        let mut out = String::new();
        scalar_text(&mut out, text, 0, true);
        assert_eq!(out, want, "{text:?}");
        assert_eq!(read(&format!("k: {out}\n")).get_text("k"), Some(text));
    }
}

#[test]
fn blocks_are_indented_as_docker_does() {
    let text = "a:\n  - b: 1\n    c:\n      - x\n      - - z\n  - {}\nd: |\n  one\n\n  two\ne: |-\n  one\n  two\nf: []\ng: null\nh: |+\n  one\n\nz: 0.5\n";
    let node = read(text);
    assert_eq!(to_yaml(&node), text);
}

fn anything() -> impl Strategy<Value = Node> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n\t]{0,12}",
        "[-:#?!&*'\"0-9a-eE._+ \n]{0,8}",
        "[0-9_.:eE+-]{1,8}",
        Just("2001-12-14t21:59:43".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e9..1e9_f64).prop_map(Value::Float),
        text.clone().prop_map(Value::Text),
    ];
    let leaf = leaf.prop_map(|value| Node::new(Place::default(), value));
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| Node::new(Place::default(), Value::List(list))),
            prop::collection::vec((text.clone(), inner), 0..4).prop_map(|entries| {
                let mut node = Node::map(Place::default());
                // `<<` is no key that could come back.
                entries
                    .into_iter()
                    .for_each(|(key, value)| node.set(&key, value));
                node
            }),
        ]
    })
}

proptest! {
    #[test]
    fn yaml_reads_back(node in anything()) {
        let mut file = Node::map(Place::default());
        file.set("x-it", node);
        let text = to_yaml(&file);
        let mut left = limits::NODES;
        let back = yaml::parse(&text, 0, &mut left);
        prop_assert!(back.is_ok(), "{:?}\n{}", back, text);
        prop_assert_eq!(json(&back.unwrap()[0]), json(&file), "{}", text);
    }
}

#[test]
fn keys_come_in_the_order_of_the_schema() {
    let mut node = read(
        "x-a: 1\nservices: {web: {image: a, x-z: 1, command: [b], build: {target: t, context: c}}}\nname: m\n",
    );
    node.tag = Tag::None;
    assert_eq!(
        to_yaml(&node),
        "name: m\nservices:\n  web:\n    build:\n      context: c\n      target: t\n    command:\n      - b\n    image: a\n    x-z: 1\nx-a: 1\n"
    );
    assert!(to_json(&node).starts_with("{\n  \"name\": \"m\",\n  \"services\": {\n    \"web\": {\n      \"build\": {\n        \"context\""));
    assert_eq!(text_node("a"), text_node("a"));
}
