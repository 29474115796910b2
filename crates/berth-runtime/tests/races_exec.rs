//! Races between an exec and the container that it enters: one that traces whoever comes, one that ends, one
//! whose number is somebody else's. Short by default, long when BERTH_TEST_FULL is set. Needs root and
//! busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod ns_rig;
mod rig;

use std::process::{Command, Stdio};
use std::time::Duration;

use ns_rig::{KINDS, Kind, Way, all_new, ids_of, set_namespaces, spec_of};
use rig::Bundle;
use serde_json::{Value, json};
use testkit::eventually;

fn rounds(short: u64, full: u64) -> u64 {
    match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => full,
        None => short,
    }
}

fn start(bundle: &Bundle, args: &[&str]) -> std::process::Child {
    bundle
        .command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// R7: a container that may trace finds nothing of the host in whoever enters. Opening `mem` is the kernel's
/// own check for ptrace(2): root of the host's user namespace with CAP_SYS_PTRACE passes it, as it may trace
/// whom it sees; root of another user namespace meets nobody but programs of the image.
#[test]
fn r7_who_enters_brings_nothing_of_the_host() {
    let spy = r#"
        while ! test -e /tmp/stop; do
            for p in /proc/[0-9]*; do
                case $p in /proc/1|/proc/$$) continue;; esac
                for f in $p/fd/* $p/cwd $p/root; do
                    test -e $f/canary-of-the-host && echo LEAK $f >> /tmp/log
                done
                (exec 3< $p/mem) 2>/dev/null || { test -d $p && echo hidden >> /tmp/log; continue; }
                case "$(readlink $p/exe)" in
                    /bin/busybox) echo program >> /tmp/log;;
                    '') ;;
                    *) echo runtime >> /tmp/log;;
                esac
            done
        done"#;
    let target = Bundle::new("sleep 1000");
    target.start();
    let pid = target.state()["pid"].as_i64().unwrap() as i32;
    for (user, joined) in [(false, false), (false, true), (true, false)] {
        let mut bundle = Bundle::writable(spy);
        bundle.caps(&[
            "CAP_SYS_PTRACE",
            "CAP_DAC_OVERRIDE",
            "CAP_KILL",
            "CAP_SYS_ADMIN",
        ]);
        let mut list = KINDS.map(|k| (k, Way::New))[usize::from(!user)..].to_vec();
        if joined {
            // The pid namespace of another container: its processes see init being made.
            list.retain(|(kind, _)| *kind != Kind::Pid);
            list.push((Kind::Pid, Way::Join(spec_of(pid, Kind::Pid))));
        }
        set_namespaces(&mut bundle, &list);
        if user {
            bundle.map_ids();
            bundle.mount(json!({"destination": "/tmp", "source": "log", "options": ["bind"]}));
        }
        let log = if user { "log" } else { "rootfs/tmp" };
        let log = bundle.path().join(log);
        std::fs::create_dir_all(&log).unwrap();
        std::fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
        bundle.start();
        std::fs::write(bundle.path().join("canary-of-the-host"), "").unwrap();
        for _ in 0..rounds(30, 500) {
            assert!(
                start(&bundle, &["exec", "c", "true"])
                    .wait()
                    .unwrap()
                    .success()
            );
        }
        std::fs::write(log.join("stop"), "").unwrap();
        bundle.call(&["delete", "-f", "c"]).ok();
        let log = std::fs::read_to_string(log.join("log")).unwrap_or_default();
        assert!(!log.contains("LEAK"), "{log}");
        let seen = if user { "hidden" } else { "runtime" };
        assert!(
            log.contains(seen),
            "nobody was seen to enter: this shows nothing"
        );
        assert!(!user || !log.contains("runtime"), "{log}");
    }
    target.call(&["delete", "-f", "c"]).ok();
}

/// R28: init is gone and its number is another process's, whose start is not what was recorded.
#[test]
fn r28_a_process_with_the_same_number_is_left_alone() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let pid = bundle.state()["pid"].as_i64().unwrap();
    bundle.call(&["kill", "c", "KILL"]).ok();
    eventually("the end", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
    // The next process gets the number after this one, unless somebody else is faster.
    let mut decoy = eventually("a process of that number", || {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        if i64::from(child.id()) == pid {
            return Some(child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        None
    });
    assert_eq!(bundle.state()["status"], "stopped");
    for args in [
        &["kill", "c", "KILL"][..],
        &["exec", "c", "true"],
        &["pause", "c"],
        &["ps", "c"],
    ] {
        let _ = bundle.call(args);
    }
    bundle.call(&["delete", "-f", "c"]).ok();
    assert!(decoy.try_wait().unwrap().is_none(), "the decoy was hit");
    decoy.kill().unwrap();
    decoy.wait().unwrap();
}

/// R29: init ends at any moment of an exec: it lands in the container's own namespaces, or nowhere. With and
/// without a user namespace; the namespaces are compared by inode with what they were.
#[test]
fn r29_an_exec_lands_in_the_container_or_nowhere() {
    let host = ids_of(std::process::id() as i32);
    let mut landed = 0;
    for user in [false, true] {
        let mut bundle = Bundle::new("sleep 1000");
        let script = "exec 2>/dev/null; for n in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done; hostname";
        all_new(&mut bundle, user);
        let rounds = rounds(20, 500);
        for round in 0..rounds {
            bundle.start();
            let real = ids_of(bundle.state()["pid"].as_i64().unwrap() as i32);
            let exec = start(&bundle, &["exec", "c", "sh", "-c", script]);
            // From at once to after it is over: about 20 ms on a slow machine.
            std::thread::sleep(Duration::from_micros(20_000 * round / rounds));
            bundle.call(&["kill", "c", "KILL"]).ok();
            let output = exec.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            for line in said.lines().filter(|line| line.contains(":[")) {
                let known = |ids: &std::collections::BTreeMap<Kind, String>| {
                    ids.values().any(|id| id == line)
                };
                assert!(known(&real), "round {round}: {line} is not of {real:?}");
                assert!(
                    !known(&host) || (!user && line.starts_with("user:")),
                    "{line}"
                );
                landed += 1;
            }
            let name = said
                .lines()
                .find(|line| !line.contains(":["))
                .unwrap_or("berth");
            assert_eq!(name, "berth", "round {round}");
            bundle.stopped();
            bundle.call(&["delete", "c"]).ok();
        }
    }
    assert!(landed > 0, "no exec was in time: this shows nothing");
}

/// R29: a record that names a process of the host enters nothing: the container's namespaces are not its.
#[test]
fn r29_a_process_in_the_hosts_namespaces_is_not_entered() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let path = bundle.path().join("state/c/state.json");
    let real = std::fs::read_to_string(&path).unwrap();
    let mut record: Value = serde_json::from_str(&real).unwrap();
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", stranger.id())).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let start_time: u64 = after.split_whitespace().nth(19).unwrap().parse().unwrap();
    record["pid"] = json!(stranger.id());
    record["start_time"] = json!(start_time);
    std::fs::write(&path, record.to_string()).unwrap();
    let exec = bundle.call(&["exec", "c", "hostname"]);
    assert!(
        exec.fails(125).contains("not its own any more"),
        "{}",
        exec.stderr
    );
    assert_eq!(exec.stdout, "");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    std::fs::write(&path, real).unwrap();
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// A runtime that is killed while the maker of init is at work leaves neither. Killed by strace, at one
/// system call after another.
#[test]
fn a_killed_runtime_takes_the_maker_along() {
    let mut bundle = Bundle::new("sleep 1000");
    all_new(&mut bundle, true);
    ns_rig::offsets(&mut bundle, json!({"secs": 1}), Value::Null);
    let traced = |options: &[&str]| {
        bundle.traced(options, &["create", "c"]);
        bundle.call(&["delete", "--force", "c"]).ok();
    };
    traced(&[]);
    let calls = std::fs::read_to_string(bundle.path().join("trace")).unwrap();
    let born = calls
        .lines()
        .position(|line| line.starts_with("clone3"))
        .unwrap();
    let all = calls.lines().count();
    let step = ((all - born) as u64 / rounds(12, 10_000)).max(1) as usize;
    for at in (born + 1..=all).step_by(step) {
        traced(&["-e", &format!("inject=all:signal=KILL:when={at}")]);
        let leaks = bundle.leaks();
        assert!(leaks.is_empty(), "killed at call {at}: {leaks:#?}");
    }
}

/// R30: whoever listens at the console socket may send what he likes: none of it is kept.
#[test]
fn r30_what_a_console_socket_sends_is_closed() {
    use std::os::fd::AsFd as _;

    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["process"]["terminal"] = json!(true);
    let path = bundle.path().join("console");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut create = start(
        &bundle,
        &["create", "--console-socket", path.to_str().unwrap(), "c"],
    );
    let (socket, _) = listener.accept().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    match berth_sys::fdpass::send(&socket, b"x", &[writer.as_fd(); 200]) {
        // The runtime had sent what it has to, and was gone.
        Ok(_) | Err(rustix::io::Errno::PIPE) => {}
        Err(other) => panic!("{other}"),
    }
    let got = berth_sys::fdpass::receive(&socket, &mut [0; 1024], 1).unwrap();
    assert_eq!((got.fds.len(), got.extra), (1, false), "the master");
    assert!(create.wait().unwrap().success());
    drop((socket, writer));
    // The container lives; nobody can write to the pipe any more.
    assert_eq!(bundle.state()["status"], "created");
    assert_eq!(std::io::Read::read(&mut reader, &mut [0; 1]).unwrap(), 0);
    bundle.call(&["delete", "-f", "c"]).ok();
}
