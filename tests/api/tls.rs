//! TCP with mutual TLS.

use testkit::registry::certify;
use testkit::{Finished, Sandbox};

use crate::Api;

/// D13: who has no certificate gets nothing, and there is no TCP without TLS.
#[test]
fn tcp_needs_a_certificate_of_both_sides() {
    let sandbox = Sandbox::root();
    let home = sandbox.home();
    certify(&home);
    let at = |name: &str| home.join(name).display().to_string();
    let (ca, cert, key) = (at("ca.pem"), at("server.pem"), at("server.key"));
    let plain = sandbox.berth(&["daemon", "-H", "tcp://127.0.0.1:0"]);
    assert!(plain.fails(1).contains("without TLS"), "{plain}");
    let options = [
        "-H",
        "tcp://127.0.0.1:0",
        "--tlsverify",
        "--tlscacert",
        &ca,
        "--tlscert",
        &cert,
        "--tlskey",
        &key,
    ];
    let api = Api::over(sandbox, &options);
    let said = api.daemon.said();
    let address = said
        .split_whitespace()
        .find(|word| word.starts_with("tcp://"))
        .unwrap();
    let docker = |options: &[&str]| {
        let mut command = api.sandbox.command("/usr/bin/docker");
        command.args(["-H", address]).args(options).arg("version");
        Finished::run(&mut command, b"", testkit::wait::PATIENCE)
    };
    let (client, client_key) = (at("client.pem"), at("client.key"));
    let ours = docker(&[
        "--tlsverify",
        "--tlscacert",
        &ca,
        "--tlscert",
        &client,
        "--tlskey",
        &client_key,
    ]);
    assert!(ours.ok().contains("Server: berth"), "{ours}");
    assert!(!docker(&[]).status.success());
    assert!(!docker(&["--tls"]).status.success());
    // Another authority's certificate is none.
    let other = api.sandbox.folder("other");
    certify(&other);
    let (client, client_key) = (other.join("client.pem"), other.join("client.key"));
    let theirs = docker(&[
        "--tlsverify",
        "--tlscacert",
        &ca,
        "--tlscert",
        &client.display().to_string(),
        "--tlskey",
        &client_key.display().to_string(),
    ]);
    assert!(!theirs.status.success(), "{theirs}");
}
