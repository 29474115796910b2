//! The operations and their errors, as runtime.md has them. Needs root and busybox-static. What hooks do on the way
//! is in hooks.rs.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::process::Stdio;

use rig::Bundle;
use serde_json::json;
use testkit::eventually;

/// Source: runtime.md "State", "Query State": what is REQUIRED is there; without an id, or for one that does not exist,
/// an error MUST be generated.
#[test]
fn the_state_is_told() {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["annotations"] = json!({"k": "v"});
    bundle.create();
    let state = bundle.state();
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert_eq!(
        (&state["id"], &state["status"]),
        (&json!("c"), &json!("created"))
    );
    assert!(state["pid"].as_i64().unwrap() > 1);
    assert_eq!(
        state["bundle"],
        json!(bundle.path().canonicalize().unwrap())
    );
    assert_eq!(state["annotations"], json!({"k": "v"}));
    bundle.call(&["state"]).fails(125);
    bundle.call(&["state", "other"]).fails(125);
    bundle.call(&["delete", "c"]).ok();
}

/// Source: runtime.md "Create", "Errors": an id that is taken or invalid MUST be an error and no new container; the
/// program MUST NOT run yet; a change of config.json after that MUST NOT count.
#[test]
fn create_makes_a_container_and_runs_nothing() {
    let mut bundle = Bundle::new("echo first > /tmp/said; sleep 1000");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.create();
    let pid = bundle.state()["pid"].clone();
    bundle.call(&["create"]).fails(125);
    bundle.call(&["create", "c"]).fails(125);
    for bad in ["../c", "", "a/b"] {
        bundle.call(&["create", bad]).fails(125);
    }
    bundle
        .call(&["create", "-b", "/no/such/bundle", "other"])
        .fails(125);
    bundle.call(&["state", "other"]).fails(125);
    assert_eq!(bundle.state()["pid"], pid, "untouched");
    assert!(!bundle.rootfs("tmp/said").exists());
    bundle.config["process"]["args"] = json!(["sh", "-c", "echo second > /tmp/said"]);
    bundle.call(&["start", "c"]).ok();
    let said = || std::fs::read_to_string(bundle.rootfs("tmp/said")).ok();
    eventually("the program", || said().filter(|text| text == "first\n"));
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Source: runtime.md "Operations", "Start", "Kill", "Delete": each is there; an operation that the state does not permit MUST have no effect and
/// be an error; after a deletion the id may be used again.
#[test]
fn operations_need_their_state() {
    let bundle = Bundle::new("sleep 1000");
    for verb in ["start", "kill", "delete"] {
        bundle.call(&[verb]).fails(125);
        bundle.call(&[verb, "c"]).fails(125);
    }
    for _ in 0..2 {
        bundle.create();
        bundle.call(&["start", "c"]).ok();
        let pid = bundle.state()["pid"].clone();
        bundle.call(&["start", "c"]).fails(125);
        bundle.call(&["delete", "c"]).fails(125);
        assert_eq!(
            (&bundle.state()["status"], &bundle.state()["pid"]),
            (&json!("running"), &pid)
        );
        bundle.call(&["kill", "c", "KILL"]).ok();
        bundle.stopped();
        bundle.call(&["kill", "c", "KILL"]).fails(125);
        bundle.call(&["start", "c"]).fails(125);
        bundle.call(&["delete", "c"]).ok();
        assert_eq!(bundle.leaks(), [""; 0]);
    }
}

/// Source: runtime.md "Kill": the signal that is named MUST be sent, to a container that is created or running.
#[test]
fn the_signal_that_is_named_is_sent() {
    let signals = ["HUP", "INT", "USR1", "TERM", "WINCH"];
    let traps = signals.map(|name| format!("trap 'echo {name} >> /tmp/got' {name};"));
    let mut bundle = Bundle::new(&format!(
        "{} echo up > /tmp/got; while :; do sleep 0.02; done",
        traps.concat()
    ));
    bundle.config["root"]["readonly"] = json!(false);
    bundle.create();
    bundle.call(&["start", "c"]).ok();
    let got = || std::fs::read_to_string(bundle.rootfs("tmp/got")).unwrap_or_default();
    let mut expected = "up\n".to_owned();
    eventually("the program", || (got() == expected).then_some(()));
    for name in signals {
        bundle.call(&["kill", "c", name]).ok();
        expected.push_str(&format!("{name}\n"));
        eventually(name, || (got() == expected).then_some(()));
    }
    bundle.call(&["delete", "-f", "c"]).ok();
    bundle.create();
    bundle.call(&["kill", "c", "KILL"]).ok();
    bundle.stopped();
    bundle.call(&["delete", "c"]).ok();
}

/// Source: runtime.md "Scope of a Container", "Delete": who creates a container MUST be able to use the operations on
/// it, from wherever; what was not made by it MUST NOT be deleted with it.
#[test]
fn what_is_anothers_stays() {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.create();
    bundle.call(&["start", "c"]).ok();
    let first = bundle.state();
    // The second one is in namespaces and below a cgroup of the first, with its files.
    let (pid, parent) = (&first["pid"], bundle.config["linux"]["cgroupsPath"].clone());
    let kept = bundle.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("file"), "").unwrap();
    bundle.mount(json!({"destination": "/mnt", "source": kept, "options": ["bind"]}));
    for namespace in bundle.config["linux"]["namespaces"].as_array_mut().unwrap() {
        let file = match namespace["type"].as_str().unwrap() {
            "network" => "net",
            "ipc" => "ipc",
            "uts" => "uts",
            _ => continue,
        };
        namespace["path"] = json!(format!("/proc/{pid}/ns/{file}"));
    }
    bundle.config.as_object_mut().unwrap().remove("hostname");
    bundle.config["linux"]["cgroupsPath"] = json!(parent.as_str().unwrap().replace("/c", "/d"));
    let from_elsewhere = |args: &[&str]| {
        let mut command = bundle.command(args);
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{args:?}");
    };
    from_elsewhere(&["create", "-b", bundle.path().to_str().unwrap(), "d"]);
    for args in [&["state", "d"][..], &["start", "d"], &["kill", "d", "KILL"]] {
        from_elsewhere(args);
    }
    eventually("the end", || {
        bundle
            .call(&["state", "d"])
            .ok()
            .contains("stopped")
            .then_some(())
    });
    from_elsewhere(&["delete", "d"]);
    assert_eq!(bundle.state(), first);
    bundle.call(&["exec", "c", "true"]).ok();
    assert!(kept.join("file").exists() && bundle.rootfs("bin").exists());
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// The session's keyring is a new one, unless it is asked for that of the caller. Seen by a user who possesses it.
#[test]
fn the_keyring_is_new_or_the_callers() {
    let mut bundle = Bundle::new("grep -c berth-of-the-caller /proc/keys; true");
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    // Keyrings belong to threads: the rest of the harness keeps its own.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            berth_sys::keyring::join_new_session(c"berth-of-the-caller").unwrap();
            assert_eq!(bundle.run().ok(), "0");
            assert_eq!(bundle.call(&["run", "--no-new-keyring", "c"]).ok(), "1");
            // What enters it does as it did.
            let look = bundle.config["process"]["args"].clone();
            let exec = ["exec", "c", "sh", "-c", look[2].as_str().unwrap()];
            bundle.config["process"]["args"] = json!(["sleep", "1000"]);
            for (flag, says) in [("--no-new-keyring", "1"), ("--no-new-keyring=false", "0")] {
                bundle.leaving(&["run", "-d", flag, "c"]);
                assert_eq!(bundle.call(&exec).ok(), says, "{flag}");
                bundle.call(&["delete", "-f", "c"]).ok();
            }
        });
    });
}
