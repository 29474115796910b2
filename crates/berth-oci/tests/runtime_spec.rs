//! The runtime configuration's structs against the examples of the specification (tests/data, from
//! opencontainers/runtime-spec, schema/test; Apache-2.0).

#![allow(clippy::unwrap_used)] // a test

use berth_oci::spec::{Spec, State};
use serde_json::Value;

fn data(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn files(dir: &str) -> Vec<String> {
    let path = format!("{}/tests/data/{dir}", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| format!("{dir}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

#[test]
fn good_configurations_are_read_and_written_alike() {
    for file in files("runtime-config/good") {
        let spec: Spec = serde_json::from_slice(&data(&file)).unwrap();
        assert!(!spec.oci_version.is_empty(), "{file}");
        let again: Spec = serde_json::from_slice(&serde_json::to_vec(&spec).unwrap()).unwrap();
        assert_eq!(again, spec, "{file}");
    }
    for file in files("runtime-state/good") {
        let state: State = serde_json::from_slice(&data(&file)).unwrap();
        assert_eq!(state.status, "running", "{file}");
        let again: State = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert_eq!(again, state, "{file}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let bytes = data("runtime-config/bad/invalid-json.json");
    assert!(serde_json::from_slice::<Spec>(&bytes).is_err());
    let bytes = data("runtime-state/bad/invalid-json.json");
    assert!(serde_json::from_slice::<State>(&bytes).is_err());
}

/// The example uses every field. What is lost on the way through our structs is what berth does not
/// read; a field that vanishes by a typing error shows here.
#[test]
fn the_full_example_loses_only_what_is_known() {
    let original: Value =
        serde_json::from_slice(&data("runtime-config/good/spec-example.json")).unwrap();
    let spec: Spec = serde_json::from_value(original.clone()).unwrap();
    let ours = serde_json::to_value(&spec).unwrap();
    let mut lost = Vec::new();
    compare(&original, &ours, "", &mut lost);
    assert_eq!(lost, LOST);
}

/// Not in the specification's schema any more: it is the process's.
const LOST: &[&str] = &["/linux/resources/oomScoreAdj"];

fn compare(original: &Value, ours: &Value, path: &str, lost: &mut Vec<String>) {
    match (original, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let path = format!("{path}/{key}");
                match b.get(key) {
                    Some(other) => compare(value, other, &path, lost),
                    // Defaults are not written.
                    None if *value == Value::Bool(false) => {}
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(a, b, &format!("{path}/{i}"), lost);
            }
        }
        (a, b) if a == b => {}
        _ => lost.push(format!("{path} changed")),
    }
}
