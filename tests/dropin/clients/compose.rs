//! docker-compose 1.29, Debian's: a Redis, who writes to it, and a web server, up, scaled, restarted and down.

use testkit::eventually;

use super::Berth;

#[test]
fn docker_compose_brings_services_up_and_down() {
    let berth = Berth::with_services();
    let file = include_str!("docker-compose.yml");
    berth.sandbox.file("docker-compose.yml", file);
    berth.sandbox.folder("www");
    berth.sandbox.file("www/index.html", "the shop\n");
    let compose = |line: &str| {
        let mut command = berth.sandbox.command("/usr/bin/docker-compose");
        command.args(["--no-ansi", "-p", "shop"]);
        berth.client(command.args(line.split(' ')))
    };
    let docker = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        berth.docker("/usr/bin/docker", &words)
    };
    compose("up -d").ok();
    let hits = |count: &str| {
        eventually("the writer", || {
            let got = compose("exec -T redis redis-cli get hits");
            (got.status.success() && got.ok() == count).then_some(())
        });
    };
    hits("3");
    assert!(compose("ps redis").ok().contains("Up (healthy)"));
    let address = compose("port web 80").ok().to_owned();
    let mut curl = berth.sandbox.command("curl");
    let url = format!("http://{address}/");
    assert_eq!(berth.client(curl.args(["-sSf", &url])).ok(), "the shop");
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
