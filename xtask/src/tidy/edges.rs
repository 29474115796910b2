//! Dependencies point down only: which crate of the workspace may use which, and who may reach tokio.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Problem;

/// Each crate, and the crates of the workspace that it may use. Tests (dev-dependencies) are free.
const MAY_USE: &[(&str, &[&str])] = &[
    // words (no I/O)
    ("berth-oci", &[]),
    ("berth-model", &["berth-oci"]),
    // signatures and policies (no I/O either)
    ("berth-trust", &["berth-oci", "berth-model"]),
    // kernel and disk
    ("berth-sys", &[]),
    ("berth-fs", &["berth-sys", "berth-model"]),
    ("berth-seccomp", &["berth-oci", "berth-model"]),
    (
        "berth-cgroup",
        &["berth-fs", "berth-sys", "berth-oci", "berth-model"],
    ),
    (
        "berth-store",
        &["berth-fs", "berth-sys", "berth-oci", "berth-model"],
    ),
    (
        "berth-layer",
        &["berth-fs", "berth-sys", "berth-oci", "berth-model"],
    ),
    (
        "berth-snapshot",
        &[
            "berth-layer",
            "berth-fs",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    ("berth-net", &["berth-sys", "berth-model"]),
    (
        "berth-dns",
        &["berth-net", "berth-fs", "berth-sys", "berth-model"],
    ),
    // programs that live with a container: the engine starts them, and links only the monitor's words
    ("berth-monitor", &[]),
    (
        "berth-runtime",
        &[
            "berth-monitor",
            "berth-cgroup",
            "berth-seccomp",
            "berth-fs",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    // engine
    (
        "berth-registry",
        &["berth-store", "berth-fs", "berth-oci", "berth-model"],
    ),
    (
        "berth-engine",
        &[
            "berth-monitor",
            "berth-registry",
            "berth-trust",
            "berth-store",
            "berth-snapshot",
            "berth-layer",
            "berth-cgroup",
            "berth-seccomp",
            "berth-dns",
            "berth-net",
            "berth-fs",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    // compose files (no I/O either)
    ("berth-compose", &["berth-model"]),
    // servers
    ("berth-serve", &["berth-model"]),
    // faces
    (
        "berth-registry-server",
        &[
            "berth-serve",
            "berth-registry",
            "berth-fs",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    (
        "berth-docker",
        &[
            "berth-engine",
            "berth-serve",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    (
        "berth-daemon",
        &["berth-engine", "berth-fs", "berth-sys", "berth-model"],
    ),
    (
        "berth",
        &[
            "berth-compose",
            "berth-daemon",
            "berth-docker",
            "berth-dns",
            "berth-engine",
            "berth-registry-server",
            "berth-serve",
            "berth-sys",
            "berth-oci",
            "berth-model",
        ],
    ),
    // for those who work on it
    ("testkit", &["berth-monitor"]),
    ("engine-tests", &["testkit", "berth-oci", "berth-model"]),
    ("api-tests", &["testkit"]),
    ("crash-tests", &["testkit"]),
    ("dropin-tests", &["testkit"]),
    ("vm-tests", &["testkit"]),
    ("berth-oci-fuzz", &["berth-oci"]),
    ("berth-dns-fuzz", &["berth-dns"]),
    ("berth-registry-server-fuzz", &["berth-registry-server"]),
    ("berth-layer-fuzz", &["berth-layer"]),
    ("berth-trust-fuzz", &["berth-trust", "berth-oci"]),
    ("xtask", &[]),
];

/// Async begins here: nothing below may reach it, not even through others.
const MAY_AWAIT: &[&str] = &[
    "berth-registry",
    "berth-serve",
    "berth-registry-server",
    "berth-registry-server-fuzz",
    "berth-engine",
    "berth-daemon",
    "berth-docker",
    "berth",
];

/// Checks cargo's metadata.
pub fn check(metadata: &Value) -> Vec<Problem> {
    let graph = graph(metadata);
    let ours: BTreeSet<&str> = graph
        .keys()
        .copied()
        .filter(|name| is_ours(metadata, name))
        .collect();
    let mut problems = Vec::new();
    for name in &ours {
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| of == name) else {
            problems.push(Problem::error(
                name,
                0,
                "not in the table of xtask/src/tidy/edges.rs: add it",
            ));
            continue;
        };
        for used in graph[name]
            .iter()
            .filter(|used| ours.contains(**used) && !allowed.contains(used))
        {
            problems.push(Problem::error(
                name,
                0,
                format!("may not depend on {used} (ARCHITECTURE.md)"),
            ));
        }
        if !MAY_AWAIT.contains(name) && reaches(&graph, name, "tokio") {
            problems.push(Problem::error(
                name,
                0,
                "reaches tokio; it is below the engine",
            ));
        }
    }
    problems
}

/// By name: the packages used in normal and build dependencies.
fn graph(metadata: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in array(&metadata["packages"]) {
        let dependencies = array(&package["dependencies"]).filter(|d| d["kind"] != "dev");
        let resolved = dependencies.filter(|d| d["optional"] != true);
        let names = resolved.filter_map(|d| d["name"].as_str());
        graph
            .entry(package["name"].as_str().unwrap_or_default())
            .or_default()
            .extend(names);
    }
    graph
}

fn is_ours(metadata: &Value, name: &str) -> bool {
    array(&metadata["packages"]).any(|p| p["name"] == name && p["source"].is_null())
}

fn reaches<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(graph.get(name).into_iter().flatten().copied());
        }
    }
    false
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, ours: bool, uses: &[(&str, Option<&str>)]) -> Value {
        let source = if ours { Value::Null } else { json!("registry") };
        let dependencies: Vec<Value> = uses
            .iter()
            .map(|(name, kind)| json!({ "name": name, "kind": kind, "optional": false }))
            .collect();
        json!({ "name": name, "source": source, "dependencies": dependencies })
    }

    fn problems(packages: &[Value]) -> Vec<String> {
        check(&json!({ "packages": packages }))
            .into_iter()
            .map(|p| p.text)
            .collect()
    }

    #[test]
    fn down_is_allowed_and_up_is_not() {
        let sys = package("berth-sys", true, &[]);
        let fs = package("berth-fs", true, &[("berth-sys", None)]);
        assert_eq!(problems(&[sys, fs.clone()]), Vec::<String>::new());
        let upward = package("berth-sys", true, &[("berth-fs", None)]);
        assert_eq!(problems(&[upward, fs.clone()]).len(), 1);
        let in_tests = package("berth-sys", true, &[("berth-fs", Some("dev"))]);
        assert_eq!(problems(&[in_tests, fs]).len(), 0);
    }

    #[test]
    fn tokio_is_found_through_others() {
        let tokio = package("tokio", false, &[]);
        let http = package("http-thing", false, &[("tokio", None)]);
        let layer = package("berth-layer", true, &[("http-thing", None)]);
        let registry = package("berth-registry", true, &[("tokio", None)]);
        let found = problems(&[tokio, http, layer, registry]);
        assert_eq!(found, ["reaches tokio; it is below the engine"]);
    }

    #[test]
    fn a_new_crate_has_to_be_placed() {
        assert_eq!(problems(&[package("berth-new", true, &[])]).len(), 1);
    }
}
