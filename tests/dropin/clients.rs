//! Docker's clients against `berth daemon`, each with services that people run: a web server of busybox, and Redis,
//! PostgreSQL and nginx of Debian's packages.

mod compose;
mod docker_command;
mod docker_networks;
mod docker_py;
mod node;
mod rust;
mod testcontainers;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testkit::daemon::Daemon;
use testkit::{Finished, Sandbox};

/// For what a client does at all: on a busy machine a database takes some seconds to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon of a test's own.
struct Berth {
    // Dropped first: the sandbox looks for what is left.
    daemon: Daemon,
    sandbox: Sandbox,
}

impl Berth {
    fn start(sandbox: Sandbox) -> Berth {
        Berth {
            daemon: Daemon::start(&sandbox, &[]),
            sandbox,
        }
    }

    /// With the image `services`: Redis and PostgreSQL, made by `tools/service-image`.
    fn with_services() -> Berth {
        let berth = Berth::start(Sandbox::root());
        let archive = made("services.tar", "tools/service-image");
        let archive = archive.to_str().unwrap();
        let import = ["import", "-c", "ENV PATH=/usr/bin:/bin", archive];
        berth
            .docker("/usr/bin/docker", &[&import[..], &["services"]].concat())
            .ok();
        berth
    }

    fn docker(&self, program: &str, arguments: &[&str]) -> Finished {
        self.client(self.sandbox.command(program).args(arguments))
    }

    /// Any client, told where the daemon is.
    fn client(&self, command: &mut Command) -> Finished {
        command.env("DOCKER_HOST", self.daemon.address());
        Finished::run(command, b"", PATIENCE)
    }
}

/// What a script has made in `target/`.
fn made(name: &str, script: &str) -> PathBuf {
    let directory = testkit::programs::directory();
    let path = directory.parent().expect("it is in target/").join(name);
    assert!(path.exists(), "no {}: run {script}", path.display());
    path
}
