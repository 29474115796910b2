//! testcontainers for Python, from PyPI, its reaper disabled: a program on the host with a PostgreSQL and a Redis of its
//! own, reached by published ports; and a network of its own.

use super::{Berth, made};

/// What a script prints; nothing that it made is left.
#[track_caller]
fn run(script: &str) -> String {
    let berth = Berth::with_services();
    let script = berth.sandbox.file("test.py", script);
    let clients = made("clients", "tools/clients");
    let python = clients.join("python/bin/python");
    let mut python = berth.sandbox.command(python.to_str().unwrap());
    python
        .env("TESTCONTAINERS_RYUK_DISABLED", "true")
        .env("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1");
    let ran = berth.client(python.arg(script));
    let said = ran.ok().to_owned();
    for left in ["ps -aq", "network ls -q -f type=custom"] {
        let words: Vec<&str> = left.split(' ').collect();
        assert_eq!(berth.docker("/usr/bin/docker", &words).ok(), "", "{left}");
    }
    said
}

#[test]
fn testcontainers_give_a_test_its_databases() {
    let said = run(include_str!("testcontainers.py"));
    assert_eq!(said, "postgres 500500\nredis 1000");
}

#[test]
fn testcontainers_give_a_test_its_network() {
    let said = run(include_str!("testcontainers_network.py"));
    assert_eq!(said, "hits 3\nPONG");
}
