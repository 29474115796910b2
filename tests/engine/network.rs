//! `--network none` and `host`.

use std::fs;

both! {
    fn none_has_only_a_loopback_that_is_up(s) {
        let script = "ls /sys/class/net; cat /sys/class/net/lo/flags; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo ping";
        let done = s.berth(&["run", "--rm", "--network", "none", "busybox", "sh", "-c", script]);
        let lines: Vec<&str> = done.ok().lines().collect();
        assert_eq!((lines[0], lines[1]), ("lo", "0x9"), "{done}");
    }
}

both! {
    fn host_shares_the_hosts(s) {
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        let namespace = |network: &str| {
            let line = ["run", "--rm", "--network", network, "busybox", "readlink", "/proc/self/ns/net"];
            s.berth(&line).ok().to_owned()
        };
        assert_eq!(namespace("host"), ours.to_str().unwrap());
        assert_ne!(namespace("none"), ours.to_str().unwrap());
    }
}

both! {
    fn host_resolves_names_as_the_host_does(s) {
        let done = s.berth(&["run", "--rm", "--network", "host", "busybox", "cat", "/etc/resolv.conf"]);
        assert_eq!(done.stdout, fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    }
}

both! {
    fn other_networks_are_refused_with_a_hint(s) {
        for network in ["bridge", "no-such-network", "container:x"] {
            let done = s.berth(&["run", "--rm", "--network", network, "busybox", "true"]);
            assert!(done.fails(125).starts_with("error: "), "{done}");
        }
    }
}
