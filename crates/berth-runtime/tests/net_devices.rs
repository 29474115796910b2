//! Network devices that are moved into a container; in network namespaces of the tests' own. Needs root and
//! busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod ns_rig;
mod rig;

use ns_rig::{Helper, Kind, Way, all_new, new_but, set_namespaces, spec_of};
use rig::Bundle;
use serde_json::{Value, json};
use testkit::Finished;

/// In a network namespace of the test's own; `script` prepares it and says `@` for the runtime's `run`.
fn in_own_network(bundle: &Bundle, script: &str) -> Finished {
    let run = bundle.command(&["run", "c"]);
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let line: Vec<_> = words.map(|w| w.to_str().unwrap()).collect();
    let mut command = std::process::Command::new("unshare");
    let script = format!(
        "set -e; ip link set lo up; {}",
        script.replace('@', &line.join(" "))
    );
    command
        .args(["--net", "sh", "-c", &script])
        .current_dir(bundle.path());
    Finished::run(&mut command, b"", rig::LIMIT)
}

/// Source: config-linux.md "Network Devices": the device is moved, with its attributes and global addresses,
/// and is up; a name that is taken MUST be an error, one with `%d` is completed by the kernel.
#[test]
fn network_devices_are_moved_into_the_container() {
    const PAIR: &str = "ip link add name one type veth peer name two; ip link set two up;
        ip link set one mtu 1432 address 02:00:00:00:00:07; ip address add 10.9.8.7/24 dev one;
        ip link set one up; ip address add fd00::7/64 dev one;";
    let show = "ip address show | grep -oE '^[0-9]+: [a-z0-9]+|mtu [0-9]+|,UP|ether [0-9:]+|inet6? [0-9a-f.:]+/[0-9]+ .*global'";
    for user in [false, true] {
        let mut bundle = Bundle::new(show);
        all_new(&mut bundle, user);
        for (new, name) in [("", "one"), ("ctr0", "ctr0"), ("eth%d", "eth0")] {
            bundle.config["linux"]["netDevices"] = json!({"one": {"name": new}});
            let run = in_own_network(
                &bundle,
                &format!("{PAIR} @; ip link show two | grep -c 'one@'"),
            );
            let text = &run.stdout;
            for part in [
                &format!(": {name}\n"),
                "mtu 1432\n",
                "ether 02:00:00:00:00:07\n",
                "inet 10.9.8.7/24 scope global\n",
                "inet6 fd00::7/64 scope global\n",
                ",UP\n",
            ] {
                assert!(text.contains(part), "{new} {part}: {run}");
            }
            assert!(!text.contains(": two\n"), "{run}");
        }
    }
}

#[test]
fn network_devices_that_cannot_be_moved_are_an_error() {
    let mut bundle = Bundle::new("true");
    let mut try_it = |devices: Value, prepare: &str, says: &str| {
        bundle.config["linux"]["netDevices"] = devices.clone();
        let run = in_own_network(&bundle, &format!("{prepare} @"));
        assert!(run.fails(125).contains(says), "{devices}: {}", run.stderr);
    };
    let pair = "ip link add name one type veth peer name two;";
    try_it(json!({"gone": {}}), "", "network device gone");
    try_it(json!({"one": {"name": "lo"}}), pair, "network device one");
    try_it(json!({"lo": {}}), "", "network device lo");
    try_it(
        json!({"one": {"name": "a/b"}}),
        pair,
        "names no network device",
    );
    try_it(
        json!({"one": {"name": "x"}, "two": {"name": "x"}}),
        pair,
        "two network devices",
    );
    bundle.without_namespace("network");
    bundle.config["linux"]["netDevices"] = json!({"lo": {}});
    assert!(bundle.run().fails(125).contains("network namespace"));
}

/// Source: config-linux.md "Namespace Lifecycle and Container Termination": a device for a network namespace that is
/// joined stays there, as it is, when the container ends.
#[test]
fn a_network_device_goes_into_a_joined_namespace() {
    let helper = Helper::all();
    let mut bundle = Bundle::new("ip -o link | cut -d: -f2 | cut -d@ -f1 | tr -d '\\n '");
    let list = new_but(
        Kind::Network,
        Some(Way::Join(spec_of(helper.pid(), Kind::Network))),
    );
    set_namespaces(&mut bundle, &list);
    bundle.config["linux"]["netDevices"] = json!({"one": {"name": "eth0"}});
    let pair = "ip link add name one type veth peer name two;";
    let run = in_own_network(
        &bundle,
        &format!(
            "{pair} @; ip link show two > /dev/null; sleep 0.1; echo; \
             nsenter -t {} -n ip -o link show eth0 | grep -o ,UP",
            helper.pid()
        ),
    );
    assert_eq!(run.ok(), "loeth0\n,UP");
}
