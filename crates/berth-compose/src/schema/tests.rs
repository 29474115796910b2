//! The tables against the specification's own JSON schema.
//!
//! `compose-spec.json` is the schema without its words; Source: the Compose Specification, schema/compose-spec.json.
//! What it allows, the tables take; what it refuses, they refuse: on documents that are made from the schema, and on
//! the same with something in them changed. Only types, keys and lists are compared, since texts mean more to us.

mod generate;
mod judge;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::FILE;
use crate::error::Problem;
use crate::limits;
use crate::node::{Node, Path};
use crate::settle::Settle;
use crate::shape::{Shape, Struct};

fn schema() -> Json {
    serde_json::from_str(include_str!("tests/compose-spec.json")).unwrap()
}

fn problems(document: &Json) -> Vec<Problem> {
    let mut left = limits::NODES;
    let text = serde_json::to_string(document).unwrap();
    let mut node = crate::yaml::parse(&text, 0, &mut left).unwrap().remove(0);
    settle(&mut node)
}

fn settle(node: &mut Node) -> Vec<Problem> {
    let mut settle = Settle {
        files: &["it".to_owned()],
        base: "/p",
        home: None,
        verbatim: false,
        problems: Vec::new(),
    };
    settle.value(node, &FILE, &Path::Root);
    settle.problems
}

/// Problems that the schema knows, too.
fn of_schema(problem: &Problem) -> bool {
    let text = problem.text.as_str();
    text == "unknown key"
        || text.starts_with("expected ")
        || text.contains("stands in the list twice")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_schema_allows_is_taken(seed in any::<u64>()) {
        let schema = schema();
        let document = generate::document(&schema, seed);
        prop_assert!(judge::valid(&schema, &schema, &document), "the generator is wrong: {document}");
        let wrong: Vec<String> = problems(&document).iter().filter(|p| of_schema(p)).map(|p| p.to_string()).collect();
        prop_assert!(wrong.is_empty(), "{wrong:#?}\n{document}");
    }

    #[test]
    fn what_the_schema_refuses_is_refused(seed in any::<u64>(), changes in any::<u64>()) {
        let schema = schema();
        let mut document = generate::document(&schema, seed);
        generate::spoil(&mut document, changes);
        // A third of the changes changes nothing that counts.
        let is_valid = judge::valid(&schema, &schema, &document);
        prop_assert!(is_valid || !problems(&document).is_empty(), "{document}");
    }
}

/// Each known key by its path, as `service.build.args`: from the schema and from the tables.
#[test]
fn every_key_of_the_schema_is_in_the_tables_and_no_other() {
    let (mut theirs, mut ours) = (BTreeSet::new(), BTreeSet::new());
    let schema = schema();
    keys_of_schema(&schema, &schema, "", &mut theirs);
    keys_of_shape(&FILE, "", &mut ours);
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing: {missing:#?}\nextra: {extra:#?}"
    );
    assert!(ours.len() > 300, "{}", ours.len());
}

fn keys_of_schema(root: &Json, schema: &Json, path: &str, out: &mut BTreeSet<String>) {
    let schema = judge::resolve(root, schema);
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        out.insert(path.clone());
        keys_of_schema(root, inner, &path, out);
    }
    for (pattern, inner) in schema["patternProperties"]
        .as_object()
        .into_iter()
        .flatten()
    {
        if pattern != "^x-" {
            keys_of_schema(root, inner, &format!("{path}.*"), out);
        }
    }
    if schema["items"].is_object() {
        keys_of_schema(root, &schema["items"], &format!("{path}[]"), out);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        keys_of_schema(root, one, path, out);
    }
}

fn keys_of_shape(shape: &Shape, path: &str, out: &mut BTreeSet<String>) {
    match shape {
        Shape::Anything | Shape::Scalar(_) | Shape::Pairs(_) => {}
        Shape::List(list) => keys_of_shape(list.item, &format!("{path}[]"), out),
        Shape::Map(_, inner) => keys_of_shape(inner, &format!("{path}.*"), out),
        Shape::Struct(known) => keys_of_struct(known, path, out),
        Shape::Union(union) => {
            for inner in [union.scalar, union.list, union.map].into_iter().flatten() {
                keys_of_shape(inner, path, out);
            }
        }
    }
}

fn keys_of_struct(known: &Struct, path: &str, out: &mut BTreeSet<String>) {
    for field in known.fields {
        let path = format!("{path}.{}", field.name);
        out.insert(path.clone());
        keys_of_shape(field.shape, &path, out);
    }
}
