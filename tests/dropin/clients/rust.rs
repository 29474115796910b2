//! bollard and testcontainers for Rust: a web server of busybox, from a registry.

use testkit::{Registry, Sandbox, registry};

use super::{Berth, made};

/// Runs a program with the name of an image in a registry, and of one that is not there yet.
#[track_caller]
fn run(program: &str) {
    let berth = Berth::start(Sandbox::root().with_busybox());
    let registry = Registry::start(registry::Options::default());
    let [image, pushed] =
        ["web:1", "copy:1"].map(|name| format!("{}/team/{name}", registry.host()));
    let s = &berth.sandbox;
    s.berth(&["tag", "busybox", &image]).ok();
    s.berth(&["push", "-q", &image]).ok();
    s.berth(&["rmi", &image, "busybox"]).ok();
    let clients = made("clients-rust", "tools/clients-rust");
    let program = clients.join("debug").join(program);
    berth
        .client(s.command(program.to_str().unwrap()).args([&image, &pushed]))
        .ok();
    assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
}

#[test]
fn bollard_serves_and_shares_a_web_server() {
    run("bollard");
}

#[test]
fn testcontainers_for_rust_give_a_test_its_web_server() {
    run("testcontainers");
}
