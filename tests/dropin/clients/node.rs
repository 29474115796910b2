//! dockerode and testcontainers for Node, from npm, the reaper disabled: a web server of busybox, from a registry, and one
//! in a network.

use testkit::{Registry, Sandbox, registry};

use super::{Berth, made};

/// Runs a script with the name of an image in a registry, and of one that is not there yet.
#[track_caller]
fn run_with_registry(script: &str) {
    let berth = Berth::start(Sandbox::root().with_busybox());
    let registry = Registry::start(registry::Options::default());
    let [image, pushed] =
        ["web:1", "copy:1"].map(|name| format!("{}/team/{name}", registry.host()));
    let s = &berth.sandbox;
    s.berth(&["tag", "busybox", &image]).ok();
    s.berth(&["push", "-q", &image]).ok();
    s.berth(&["rmi", &image, "busybox"]).ok();
    run(&berth, script, &[&image, &pushed]);
}

/// Nothing that the script made is left.
#[track_caller]
fn run(berth: &Berth, script: &str, arguments: &[&str]) {
    let s = &berth.sandbox;
    let script = s.file("script.js", script);
    let clients = made("clients-node", "tools/clients-node");
    let mut node = s.command("/usr/bin/node");
    // It leaves a lock among the temporary files.
    node.env("TMPDIR", s.home())
        .env("NODE_PATH", clients.join("node_modules"))
        .env("TESTCONTAINERS_RYUK_DISABLED", "true")
        .env("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1");
    berth.client(node.arg(script).args(arguments)).ok();
    assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
    let networks = s.berth(&["network", "ls", "-q", "-f", "type=custom"]);
    assert_eq!(networks.ok(), "");
}

#[test]
fn dockerode_serves_and_shares_a_web_server() {
    run_with_registry(include_str!("node/dockerode.js"));
}

#[test]
fn testcontainers_for_node_give_a_test_its_web_server() {
    run_with_registry(include_str!("node/testcontainers.js"));
}

#[test]
fn testcontainers_for_node_give_a_test_its_network() {
    let berth = Berth::with_services();
    run(&berth, include_str!("node/network.js"), &["services"]);
}
