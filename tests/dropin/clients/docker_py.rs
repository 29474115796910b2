//! docker-py, Debian's: a Redis with four clients, and a PostgreSQL that is filled and restarted.

use super::Berth;

#[test]
fn docker_py_fills_a_redis_and_a_postgresql() {
    let berth = Berth::with_services();
    let script = berth
        .sandbox
        .file("services.py", include_str!("docker_py.py"));
    let mut python = berth.sandbox.command("/usr/bin/python3");
    let ran = berth.client(python.arg(script));
    assert_eq!(ran.ok(), "redis 200\npostgres 500500\nrestarted 500500");
}
