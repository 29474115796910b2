//! What a hostile container, bundle or moment does to the runtime and to the host.
#![allow(clippy::unwrap_used)] // tests

mod rig;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rig::Bundle;
use serde_json::json;

/// R13: a file is masked by the host's own node, which the container's root must not change for all.
#[test]
fn r13_a_masks_node_keeps_its_mode() {
    let mut bundle =
        Bundle::new("chmod 0604 /proc/version; chown 1:1 /proc/version; cat /proc/version");
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/version"]);
    bundle.caps(&["CAP_FOWNER", "CAP_CHOWN"]);
    let mode = || std::fs::metadata("/dev/null").unwrap().permissions().mode();
    let before = mode();
    let done = bundle.run();
    let after = mode();
    std::fs::set_permissions("/dev/null", PermissionsExt::from_mode(before)).unwrap();
    assert_eq!(before, after, "{}", done.stderr);
    assert!(
        done.stderr.contains("Read-only file system"),
        "{}",
        done.stderr
    );
}

/// R9: where a user namespace may not have its procfs, a source that looks like a device's does not bring it
/// the host's.
#[test]
fn r9_a_source_does_not_make_the_hosts_procfs() {
    let mut bundle = Bundle::new("ls -d /proc/[0-9]*");
    bundle.user_namespace();
    bundle.mount(json!({"destination": "/proc", "type": "proc", "source": "/dev/proc"}));
    let run = bundle.command(&["run", "c"]);
    // A part of the host's procfs is hidden: no namespace may show it then.
    let mut hidden = Command::new("unshare");
    hidden.args([
        "-m",
        "sh",
        "-c",
        "mount -t tmpfs x /proc/sys && exec \"$@\"",
        "sh",
    ]);
    hidden
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(bundle.path());
    let done = hidden.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && done.stdout.is_empty(), "{said}");
    assert!(said.contains("mount proc at /proc"), "{said}");
}

/// What the typed reader passes over is followed all the same.
#[test]
fn a_deep_configuration_is_refused() {
    let bundle = Bundle::new("true");
    drop(bundle.command(&["list"]));
    let nested = "[".repeat(400_000) + &"]".repeat(400_000);
    let text = format!("{{\"x\":{nested},{}", &bundle.config.to_string()[1..]);
    std::fs::write(bundle.path().join("config.json"), text).unwrap();
    let done = Command::new(&bundle.program)
        .arg("--root")
        .arg(bundle.path().join("state"))
        .args(["run", "c"])
        .current_dir(bundle.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        said.contains("recursion limit exceeded"),
        "{:?} {said}",
        done.status
    );
}

/// The empty cgroup of a container that has ended makes way for another's, who is not to end with it.
#[test]
fn a_cgroup_that_is_anothers_by_now_is_left_alone() {
    let mut bundle = Bundle::new("true");
    bundle.start();
    bundle.stopped();
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.leaving(&["run", "-d", "d"]);
    assert_eq!(bundle.call(&["ps", "-f", "json", "c"]).ok(), "[]");
    bundle.call(&["kill", "--all", "c", "KILL"]).ok();
    bundle.call(&["delete", "c"]).ok();
    let state = bundle.call(&["state", "d"]);
    assert!(state.ok().contains("\"running\""), "{}", state.ok());
    bundle.call(&["delete", "-f", "d"]).ok();
}

/// Longer than the clock goes.
#[test]
fn an_interval_may_be_for_ever() {
    let bundle = Bundle::new("sleep 1");
    bundle.start();
    let done = bundle.call(&["events", "--interval", "5000000000000000h", "c"]);
    done.ok();
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// A service that is not ready yet can be stopped; a relative `--root` is one all the same.
#[test]
fn signals_are_passed_on_before_the_container_is_ready() {
    let script = "trap 'exit 3' TERM; echo up; sleep 1000 & wait";
    let bundle = Bundle::new(script);
    let _manager = std::os::unix::net::UnixDatagram::bind(bundle.path().join("manager")).unwrap();
    drop(bundle.command(&["list"])); // writes config.json
    let mut run = Command::new(&bundle.program)
        .args(["--root", "state", "run", "c"])
        .env("NOTIFY_SOCKET", bundle.path().join("manager"))
        .current_dir(bundle.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(run.stdout.as_mut().unwrap(), &mut up).unwrap();
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = testkit::eventually("the end of run", || run.try_wait().unwrap());
    assert_eq!(ended.code(), Some(3));
}
