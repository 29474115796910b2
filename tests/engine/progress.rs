//! How a pull shows what it does, on a terminal and off it.

use testkit::registry::Options;
use testkit::{Registry, Sandbox};

/// A registry with `bench/busybox:1`.
fn registry() -> Registry {
    let source = Sandbox::root().with_busybox();
    let registry = Registry::start(Options::default());
    let image = format!("oci:{}", source.stored_image());
    registry.push(&image, "bench/busybox:1", &[]);
    registry
}

#[test]
fn off_a_terminal_each_style_is_what_it_says() {
    let s = Sandbox::root();
    let registry = registry();
    let image = format!("{}/bench/busybox:1", registry.host());
    let pull = |style: &[&str]| {
        let done = s.berth(&[&["pull"], style, &[&image]].concat());
        assert_eq!(done.ok(), image);
        s.berth(&["rmi", &image]).ok();
        done.stderr
    };
    let plain = pull(&[]);
    assert!(
        plain.contains(": Pull complete") && !plain.contains('\x1b'),
        "{plain}"
    );
    assert_eq!(pull(&["--progress=plain"]), plain);
    assert_eq!(pull(&["--progress=quiet"]), "");
    assert_eq!(pull(&["-q", "--progress=json"]), "");
    assert!(pull(&["--progress=tty"]).contains("\x1b["));
    let lines: Vec<serde_json::Value> = pull(&["--progress=json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let layer: Vec<_> = lines.iter().filter(|line| line["id"].is_string()).collect();
    assert!(layer.len() >= 2, "{lines:?}");
    assert!(
        layer
            .iter()
            .all(|line| line["total"].is_u64() && line["status"].is_string())
    );
    assert_eq!(layer.last().unwrap()["status"], "Pull complete");
    assert!(
        lines.iter().all(|line| line["status"].is_string()),
        "{lines:?}"
    );
}

/// Lines stay within the terminal.
#[test]
fn a_terminal_may_be_narrow() {
    let s = Sandbox::root();
    let registry = registry();
    let image = format!("{}/bench/busybox:1", registry.host());
    let berth = s.path().join("bin/berth").display().to_string();
    let mut shell = s.command("/bin/sh");
    let script = format!("stty cols 30; {berth} pull {image} > out; echo code $?");
    shell.args(["-c", &script]);
    let mut session = testkit::Session::start(&shell);
    let shown = session.expect("code 0");
    let layers = shown.split("\x1b[J").flat_map(str::lines);
    let layers: Vec<&str> = layers
        .filter(|line| line.contains(": Download") && !line.starts_with("Status"))
        .collect();
    assert!(!layers.is_empty(), "{shown}");
    assert!(
        layers.iter().all(|line| line.chars().count() < 30),
        "{layers:?}"
    );
    assert!(
        shown.contains("Pull complete") && !shown.contains("\x1b[3"),
        "{shown}"
    );
    session.wait();
    s.berth(&["rmi", &image]).ok();
    let mut dumb = s.command("/bin/sh");
    dumb.args(["-c", &format!("{berth} pull {image}; echo code $?")]);
    dumb.env("TERM", "dumb");
    let mut session = testkit::Session::start(&dumb);
    let shown = session.expect("code 0");
    assert!(!shown.contains('\x1b'), "{shown}");
    session.wait();
}
