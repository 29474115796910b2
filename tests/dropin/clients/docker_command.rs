//! Docker's own command: a web server that is restarted, copied into, committed and pushed.

use std::path::Path;

use testkit::{Registry, Sandbox, eventually};

use super::Berth;

/// A newer one than Debian's, where there is one: with the same steps.
const NEWER: &str = "/usr/local/bin/docker";

#[test]
fn the_docker_command_runs_a_web_server() {
    run_a_web_server("/usr/bin/docker");
}

#[test]
fn so_does_a_newer_one() {
    match Path::new(NEWER).exists() {
        true => run_a_web_server(NEWER),
        false => eprintln!("no {NEWER}: only Debian's is there to be tried"),
    }
}

fn run_a_web_server(program: &str) {
    let berth = Berth::start(Sandbox::root().with_busybox());
    let docker = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        berth.docker(program, &words).ok().to_owned()
    };
    let page = |name: &str| {
        let address = docker(&format!("port {name} 80/tcp"));
        let url = format!("http://{}/", address.lines().next().unwrap());
        eventually("the page", || {
            let mut curl = berth.sandbox.command("curl");
            let got = berth.client(curl.args(["-sSf", "--max-time", "5", &url]));
            got.status.success().then(|| got.ok().to_owned())
        })
    };
    berth.sandbox.folder("www");
    berth.sandbox.file("www/index.html", "first\n");
    let serve = "busybox httpd -f -h /www";
    let publish = "-p 127.0.0.1::80";
    docker(&format!("create --name web {publish} -w / {serve}"));
    docker("cp www web:/www");
    docker("start web");
    assert_eq!(page("web"), "first");

    // Copied into while it runs, and out of; restarted.
    berth.sandbox.file("index.html", "second\n");
    docker("cp index.html web:/www/index.html");
    assert_eq!(page("web"), "second");
    docker("restart -t 0 web");
    assert_eq!(page("web"), "second");
    docker("cp web:/www/index.html copied.html");
    let copied = berth.sandbox.home().join("copied.html");
    assert_eq!(std::fs::read_to_string(copied).unwrap(), "second\n");
    assert!(docker("diff web").contains("A /www/index.html"));
    let format = "{{.Names}} {{.Image}} {{.State}}";
    let listed = berth.docker(program, &["ps", "--format", format]);
    assert_eq!(listed.ok(), "web busybox running");
    assert!(docker("exec web ps").contains("httpd"));
    assert!(docker("stats --no-stream web").contains("web"));
    assert!(docker("top web").contains("httpd"));

    // Committed, pushed, pulled, and run again.
    let registry = Registry::start(testkit::registry::Options::default());
    let name = format!("{}/web:2", registry.host());
    docker(&format!("commit -m changed web {name}"));
    assert!(docker(&format!("history {name}")).contains("changed"));
    docker(&format!("push {name}"));
    docker("rm -f web");
    docker(&format!("rmi {name}"));
    docker(&format!("pull {name}"));
    docker(&format!("run -d --name again {publish} {name}"));
    assert_eq!(page("again"), "second");
    docker("stop -t 1 again");
    docker("rm again");
    docker(&format!("rmi {name}"));
    assert_eq!(docker("ps -aq"), "");
}
