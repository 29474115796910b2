//! Names in networks of one's own, asked by programs in containers.

use testkit::{Finished, Sandbox, eventually};

fn sandbox() -> Sandbox {
    Sandbox::root().with_busybox()
}

/// A network in a subnet of its own, and containers of these names in it.
fn network(s: &Sandbox, name: &str, which: u8, options: &[&str], members: &[&str]) {
    let subnet = s.other_subnet(which);
    let head = ["network", "create", "--subnet", &subnet];
    s.berth(&[&head[..], options, &[name]].concat()).ok();
    for member in members {
        start(s, member, &["--network", name]);
    }
}

fn start(s: &Sandbox, name: &str, options: &[&str]) {
    let head = ["run", "-d", "--name", name];
    s.berth(&[&head[..], options, &["busybox", "sleep", "1000"]].concat())
        .ok();
}

/// What `dig` says from inside a container, in short.
fn dig(s: &Sandbox, container: &str, question: &str) -> String {
    let namespace = s.namespace(container);
    let line = format!(
        "nsenter --net={} dig @127.0.0.11 +tries=1 +time=5 +short {question}",
        namespace.display()
    );
    s.shell_as_root(&line).stdout.trim().to_owned()
}

fn address(s: &Sandbox, container: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    s.berth(&["inspect", "-f", &template, container])
        .ok()
        .to_owned()
}

/// By the program's own library, in the container.
fn look_up(s: &Sandbox, container: &str, name: &str) -> Finished {
    s.berth(&["exec", container, "ping", "-c", "1", "-W", "2", name])
}

#[test]
fn containers_find_each_other_by_name_alias_and_address() {
    let s = sandbox();
    network(&s, "front", 1, &[], &["asks"]);
    start(&s, "web", &["--network", "front", "--network-alias", "www"]);
    let web = address(&s, "web", "front");
    for name in ["web", "www", "WWW", "web.front"] {
        assert_eq!(dig(&s, "asks", name), web, "{name}");
    }
    look_up(&s, "asks", "www").ok();
    assert_eq!(dig(&s, "asks", &format!("-x {web}")), "web.front.");
    // What is started is known at once, what has ended no more.
    for number in 0..5 {
        let name = format!("n{number}");
        start(&s, &name, &["--network", "front"]);
        assert_eq!(dig(&s, "asks", &name), address(&s, &name, "front"));
        s.berth(&["rm", "-f", &name]).ok();
        assert_eq!(dig(&s, "asks", &name), "");
    }
    // By its first own question, too.
    let script = "ping -c 1 -W 2 web && ping -c 1 -W 2 asks";
    s.berth(&[
        "run",
        "--rm",
        "--network",
        "front",
        "busybox",
        "sh",
        "-c",
        script,
    ])
    .ok();
}

#[test]
fn who_is_in_no_common_network_is_not_known() {
    let s = sandbox();
    network(&s, "front", 1, &[], &["web"]);
    network(&s, "back", 2, &[], &["db"]);
    assert_eq!(dig(&s, "web", "db"), "");
    s.berth(&["network", "connect", "--alias", "store", "back", "web"])
        .ok();
    let there = address(&s, "web", "back");
    assert_eq!(dig(&s, "web", "db"), address(&s, "db", "back"));
    assert_eq!(
        (dig(&s, "db", "web"), dig(&s, "db", "store")),
        (there.clone(), there)
    );
    s.berth(&["network", "disconnect", "back", "web"]).ok();
    assert_eq!(
        (dig(&s, "web", "db"), dig(&s, "db", "web")),
        (String::new(), String::new())
    );
}

/// D11.
#[test]
fn d11_from_an_internal_network_nothing_is_asked() {
    let s = sandbox();
    network(&s, "inner", 1, &["--internal"], &["one", "two"]);
    assert_eq!(dig(&s, "one", "two"), address(&s, "two", "inner"));
    let namespace = s.namespace("one");
    let line = format!(
        "nsenter --net={} dig @127.0.0.11 +tries=1 secret.example",
        namespace.display()
    );
    let said = s.shell_as_root(&line).stdout;
    assert!(said.contains("SERVFAIL"), "{said}");
    let recorded = s.shell_as_root(&format!("cat {}/tasks/*/dns.json", s.run_dir().display()));
    assert_eq!(
        recorded.ok().matches("\"forward\":false").count(),
        2,
        "{recorded}"
    );
}

/// The resolver is killed: the next verb starts it again, and all are served.
#[test]
fn a_resolver_that_is_killed_is_started_again() {
    let s = sandbox();
    network(&s, "front", 1, &[], &["aa", "bb"]);
    let resolvers = || {
        let line = format!(
            "pgrep -f -- '--run-dir {}.* internal network$'",
            s.run_dir().display()
        );
        s.shell_as_root(&line).stdout.trim().to_owned()
    };
    let first = resolvers();
    assert_eq!(first.lines().count(), 1, "{first}");
    s.shell_as_root(&format!("kill -9 {first}")).ok();
    s.berth(&["ps"]).ok();
    let bb = address(&s, "bb", "front");
    assert_eq!(dig(&s, "aa", "bb"), bb);
    let second = resolvers();
    assert!(
        second.lines().count() == 1 && second != first,
        "{first} {second}"
    );
    // With a daemon nobody has to ask for it.
    let mut daemon = s.spawn(&[
        "daemon",
        "-H",
        &format!("unix://{}/sock", s.run_dir().display()),
    ]);
    eventually("it listens", || {
        s.run_dir().join("sock").exists().then_some(())
    });
    s.shell_as_root(&format!("kill -9 {second}")).ok();
    eventually("it is there again", || {
        (dig(&s, "aa", "bb") == bb).then_some(())
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    s.berth(&["rm", "-f", "aa", "bb"]).ok();
    eventually("it ends", || resolvers().is_empty().then_some(()));
}
