//! Namespaces that are shared: with the host, and between containers.

use std::fs;

use testkit::Sandbox;

/// The namespace of a running container's init, as the host sees it.
fn namespace(s: &Sandbox, name: &str, kind: &str) -> String {
    let pid = s
        .berth(&["inspect", "-f", "{{.State.Pid}}", name])
        .ok()
        .to_owned();
    let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    link.to_str().unwrap().to_owned()
}

fn host(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    link.to_str().unwrap().to_owned()
}

fn sleeping(s: &Sandbox, name: &str, flags: &[&str]) {
    let words = [
        &["run", "-d", "--name", name],
        flags,
        &["busybox", "sleep", "100"],
    ]
    .concat();
    s.berth(&words).ok();
}

both! {
    fn the_hosts_namespaces_are_shared_on_request(s) {
        for (flags, kinds) in [
            (["--ipc", "host"], ["ipc"]),
            (["--pid", "host"], ["pid"]),
            (["--uts", "host"], ["uts"]),
            (["--cgroupns", "host"], ["cgroup"]),
        ] {
            for kind in kinds {
                let path = format!("/proc/self/ns/{kind}");
                let words = ["run", "--rm", flags[0], flags[1], "busybox", "readlink", &path];
                assert_eq!(s.berth(&words).ok(), host(kind), "{flags:?}");
            }
        }
        let name = s.berth(&["run", "--rm", "--uts", "host", "busybox", "hostname"]).ok().to_owned();
        assert_eq!(name, rustix::system::uname().nodename().to_str().unwrap());
        s.berth(&["run", "--rm", "--uts", "host", "-h", "web", "busybox", "true"]).fails(125);
    }
}

/// Its end is that of all that it holds, although no process namespace ends with its init.
#[test]
fn with_the_hosts_processes_it_still_ends_whole() {
    let s = Sandbox::root().with_busybox();
    let script = "sleep 100 & sleep 100 & exec sleep 0.2";
    s.berth(&[
        "run", "--rm", "--pid", "host", "busybox", "sh", "-c", script,
    ])
    .ok();
    assert_eq!(s.processes(), Vec::<i32>::new());
    sleeping(&s, "one", &["--pid", "host"]);
    s.berth(&["exec", "-d", "one", "sleep", "100"]).ok();
    s.berth(&["stop", "-t", "0", "one"]).ok();
    testkit::eventually("all of it ends", || s.processes().is_empty().then_some(()));
}

#[test]
fn containers_share_ipc_and_what_is_mounted_there() {
    let s = Sandbox::root().with_busybox();
    sleeping(&s, "donor", &["--ipc", "shareable", "--shm-size", "1m"]);
    sleeping(&s, "guest", &["--ipc", "container:donor"]);
    assert_eq!(namespace(&s, "donor", "ipc"), namespace(&s, "guest", "ipc"));
    s.berth(&["exec", "donor", "sh", "-c", "echo hello > /dev/shm/f"])
        .ok();
    assert_eq!(
        s.berth(&["exec", "guest", "cat", "/dev/shm/f"]).ok(),
        "hello"
    );
    let size = s
        .berth(&["exec", "guest", "sh", "-c", "df -k /dev/shm | tail -1"])
        .ok()
        .to_owned();
    assert!(size.split_whitespace().nth(1) == Some("1024"), "{size}");
    // A guest of a guest has the same.
    sleeping(&s, "second", &["--ipc", "container:guest"]);
    assert_eq!(
        s.berth(&["exec", "second", "cat", "/dev/shm/f"]).ok(),
        "hello"
    );
    // The guests keep it when the donor is gone, and nothing of it stays behind (the sandbox looks).
    s.berth(&["rm", "-f", "donor"]).ok();
    assert_eq!(
        s.berth(&["exec", "guest", "cat", "/dev/shm/f"]).ok(),
        "hello"
    );
}

#[test]
fn containers_share_processes_and_networks() {
    let s = Sandbox::root().with_busybox();
    sleeping(&s, "donor", &["--network", "none", "-h", "thedonor"]);
    sleeping(
        &s,
        "guest",
        &["--pid", "container:donor", "--network", "container:donor"],
    );
    for kind in ["pid", "net"] {
        assert_eq!(
            namespace(&s, "donor", kind),
            namespace(&s, "guest", kind),
            "{kind}"
        );
        assert_ne!(namespace(&s, "donor", kind), host(kind), "{kind}");
    }
    for kind in ["ipc", "uts", "mnt", "cgroup"] {
        assert_ne!(
            namespace(&s, "donor", kind),
            namespace(&s, "guest", kind),
            "{kind}"
        );
    }
    // The name and the files of the network are the donor's.
    assert_eq!(s.berth(&["exec", "guest", "hostname"]).ok(), "thedonor");
    s.berth(&[
        "exec",
        "donor",
        "sh",
        "-c",
        "echo 10.9.8.7 db >> /etc/hosts",
    ])
    .ok();
    let hosts = s
        .berth(&["exec", "guest", "cat", "/etc/hosts"])
        .ok()
        .to_owned();
    assert!(hosts.contains("10.9.8.7 db"), "{hosts}");
    let seen = s.berth(&["exec", "guest", "ps"]).ok().to_owned();
    assert_eq!(seen.matches("sleep 100").count(), 2, "{seen}");
    // The namespace ends with the process that made it.
    s.berth(&["stop", "-t", "0", "donor"]).ok();
    s.berth(&["wait", "guest"]).ok();
    let text = s.berth(&["start", "guest"]).fails(1).to_owned();
    assert!(text.contains("cannot join the namespaces"), "{text}");
}

#[test]
fn what_cannot_be_joined_is_told() {
    let s = Sandbox::root().with_busybox();
    let join = |flags: &[&str]| {
        let words = [&["run", "--rm"], flags, &["busybox", "true"]].concat();
        s.berth(&words).fails(125).to_owned()
    };
    sleeping(&s, "private", &[]);
    let text = join(&["--ipc", "container:private"]);
    assert!(text.contains("--ipc shareable"), "{text}");
    let text = join(&["--pid", "container:nobody"]);
    assert!(text.contains("no such container"), "{text}");
    s.berth(&["create", "--name", "idle", "busybox", "true"])
        .ok();
    for flag in ["--pid", "--network"] {
        let text = join(&[flag, "container:idle"]);
        assert!(
            text.contains("it is not running") && text.contains("berth start"),
            "{text}"
        );
    }
    join(&["--network", "container:private", "-h", "other"]);
    join(&["--ipc", "host", "--shm-size", "1m"]);
    let s = Sandbox::rootless().with_busybox();
    sleeping(&s, "one", &[]);
    let done = s.berth(&["run", "--rm", "--pid", "container:one", "busybox", "true"]);
    assert!(done.fails(125).contains("ordinary user"), "{done}");
}

#[test]
fn without_shared_memory() {
    let s = Sandbox::root().with_busybox();
    let list = ["run", "--rm", "--ipc", "none", "busybox", "ls", "/dev"];
    let text = s.berth(&list).ok().to_owned();
    assert!(!text.split_whitespace().any(|name| name == "shm"), "{text}");
}
