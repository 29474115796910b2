//! testcontainers for Python, from PyPI, its reaper disabled: a program on the host with a PostgreSQL and a Redis of its
//! own, reached by published ports.

use super::{Berth, made};

#[test]
fn testcontainers_give_a_test_its_databases() {
    let berth = Berth::with_services();
    let script = include_str!("testcontainers.py");
    let script = berth.sandbox.file("test.py", script);
    let clients = made("clients", "tools/clients");
    let python = clients.join("python/bin/python");
    let mut python = berth.sandbox.command(python.to_str().unwrap());
    python
        .env("TESTCONTAINERS_RYUK_DISABLED", "true")
        .env("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1");
    let ran = berth.client(python.arg(script));
    assert_eq!(ran.ok(), "postgres 500500\nredis 1000");
    let left = berth.docker("/usr/bin/docker", &["ps", "-aq"]);
    assert_eq!(left.ok(), "");
}
