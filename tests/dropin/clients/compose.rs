//! docker-compose 1.29, Debian's: a Redis, who writes to it, and a web server, up, scaled, restarted and down.

use testkit::{Finished, eventually};

use super::Berth;

/// A project of this file, with a page.
fn project(berth: &Berth, file: &str) {
    berth.sandbox.file("docker-compose.yml", file);
    berth.sandbox.folder("www");
    berth.sandbox.file("www/index.html", "the shop\n");
}

/// The page, as a service's port 80 of the host has it.
fn page(berth: &Berth, service: &str) -> Finished {
    let address = compose(berth, &format!("port {service} 80"))
        .ok()
        .to_owned();
    let mut curl = berth.sandbox.command("curl");
    berth.client(curl.args(["-sSf", &format!("http://{address}/")]))
}

fn compose(berth: &Berth, line: &str) -> Finished {
    let mut command = berth.sandbox.command("/usr/bin/docker-compose");
    command.args(["--no-ansi", "-p", "shop"]);
    berth.client(command.args(line.split(' ')))
}

fn docker(berth: &Berth, line: &str) -> Finished {
    let words: Vec<&str> = line.split(' ').collect();
    berth.docker("/usr/bin/docker", &words)
}

#[test]
fn docker_compose_brings_services_up_and_down() {
    let berth = Berth::with_services();
    project(&berth, include_str!("docker-compose.yml"));
    let (compose, docker) = (
        |line: &str| compose(&berth, line),
        |line: &str| docker(&berth, line),
    );
    compose("up -d").ok();
    let hits = |count: &str| {
        eventually("the writer", || {
            let got = compose("exec -T redis redis-cli get hits");
            (got.status.success() && got.ok() == count).then_some(())
        });
    };
    hits("3");
    assert!(compose("ps redis").ok().contains("Up (healthy)"));
    assert_eq!(page(&berth, "web").ok(), "the shop");
    let logs = compose("logs redis");
    assert!(logs.ok().contains("Ready to accept connections"), "{logs}");
    let listed = compose("ps -q");
    assert_eq!(listed.ok().lines().count(), 3, "{listed}");

    // Nothing has changed: nothing is made anew. A restart keeps what is on the volume.
    compose("up -d").ok();
    assert_eq!(compose("ps -q").ok(), listed.ok());
    compose("restart -t 5 redis").ok();
    hits("3");
    compose("stop -t 1 writer").ok();
    compose("start writer").ok();
    hits("6");
    // A container for one command is linked to its service's own.
    let once = compose("run -T --rm --no-deps redis redis-cli -h redis get hits");
    assert_eq!(once.ok(), "6");
    compose("kill web").ok();
    assert!(compose("ps").ok().contains("Exit 137"));

    compose("down -t 1 -v").ok();
    assert_eq!(docker("ps -aq").ok(), "");
    assert_eq!(docker("volume ls -q").ok(), "");
}

/// A network that is open and an internal one, with a service in both.
#[test]
fn docker_compose_has_several_networks() {
    let berth = Berth::with_services();
    let part = |which| {
        berth
            .sandbox
            .other_subnet(which)
            .trim_end_matches(".0/24")
            .to_owned()
    };
    let file = include_str!("docker-compose-networks.yml");
    let file = file.replace("FRONT", &part(1)).replace("BACK", &part(2));
    project(&berth, &file);
    let (compose, docker) = (
        |line: &str| compose(&berth, line),
        |line: &str| docker(&berth, line),
    );
    compose("up -d").ok();
    eventually("the visitor", || {
        let logs = compose("logs visitor");
        logs.ok().contains("the shop").then_some(())
    });
    let got = compose("exec -T app redis-cli -h store get greeting");
    assert_eq!(got.ok(), "hello");
    // Who is only in front does not know the store, nor reach it.
    let unknown = compose("exec -T visitor redis-cli -h store get greeting");
    assert!(!unknown.status.success(), "{unknown}");
    let line = format!(
        "exec -T visitor timeout 2 redis-cli -h {}.99 get greeting",
        part(2)
    );
    let cut = compose(&line);
    assert!(!cut.stdout.contains("hello"), "{cut}");
    assert_eq!(page(&berth, "app").ok(), "the shop");
    // Nothing has changed: nothing is made anew.
    let listed = compose("ps -q").ok().to_owned();
    compose("up -d").ok();
    assert_eq!(compose("ps -q").ok(), listed);
    let busy = docker("network rm shop_back");
    assert!(!busy.status.success(), "{busy}");
    compose("up -d --scale visitor=2").ok();
    compose("down -t 1").ok();
    assert_eq!(docker("ps -aq").ok(), "");
    assert_eq!(docker("network ls -q -f type=custom").ok(), "");
}
