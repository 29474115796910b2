//! `exec`: a further process in a running container.

use testkit::Sandbox;

fn running(s: &Sandbox, flags: &[&str]) {
    s.berth(
        &[
            &["run", "-d", "--name", "cc"],
            flags,
            &["busybox", "sleep", "1000"],
        ]
        .concat(),
    )
    .ok();
}

both! {
    fn it_joins_all_namespaces_of_the_container(s) {
        running(s, &["--hostname", "inside"]);
        assert_eq!(s.berth(&["exec", "cc", "hostname"]).ok(), "inside");
        for namespace in ["pid", "mnt", "ipc", "uts", "net", "cgroup", "user"] {
            let path = format!("/proc/1/ns/{namespace}");
            let own = format!("/proc/self/ns/{namespace}");
            let done = s.berth(&["exec", "cc", "sh", "-c", &format!("readlink {path}; readlink {own}")]);
            let lines: Vec<&str> = done.ok().lines().collect();
            assert_eq!(lines[0], lines[1], "{namespace}");
        }
    }
}

both! {
    fn options_are_followed(s) {
        running(s, &["-e", "A=container"]);
        assert_eq!(s.berth(&["exec", "-e", "B=exec", "cc", "sh", "-c", "echo $A $B"]).ok(), "container exec");
        assert_eq!(s.berth(&["exec", "-w", "/tmp", "cc", "pwd"]).ok(), "/tmp");
        assert_eq!(s.berth(&["exec", "-u", "1234:99", "cc", "sh", "-c", "id -u; id -g"]).ok(), "1234\n99");
        assert_eq!(s.berth_with_input(&["exec", "-i", "cc", "cat"], "typed\n").ok(), "typed");
        assert_eq!(s.berth_with_input(&["exec", "cc", "cat"], "typed\n").ok(), "");
        assert_eq!(s.berth(&["exec", "-d", "cc", "touch", "/made"]).ok(), "");
        testkit::eventually("it is made", || s.berth(&["exec", "cc", "test", "-e", "/made"]).status.success().then_some(()));
        // Nobody waits for its end, and what it says goes nowhere.
        let began = std::time::Instant::now();
        assert_eq!(s.berth(&["exec", "-d", "cc", "sh", "-c", "echo x; echo y >&2; sleep 50"]).ok(), "");
        assert!(began.elapsed().as_secs() < 30);
    }
}

both! {
    fn exit_codes_are_dockers(s) {
        running(s, &[]);
        s.berth(&["exec", "cc", "sh", "-c", "exit 42"]).fails(42);
        s.berth(&["exec", "cc", "sh", "-c", "kill -9 $$"]).fails(137);
        s.berth(&["exec", "cc", "no-such-program"]).fails(127);
        s.berth(&["exec", "cc", "/etc"]).fails(126);
        s.berth(&["exec", "no-such-container", "true"]).fails(1);
        s.berth(&["stop", "-t", "0", "cc"]).ok();
        let done = s.berth(&["exec", "cc", "true"]);
        assert!(done.fails(1).contains("not running"), "{done}");
    }
}

both! {
    fn it_is_as_confined_as_the_container(s) {
        running(s, &["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]);
        let status = s.berth(&["exec", "cc", "cat", "/proc/self/status"]).ok().to_owned();
        for line in ["CapEff:\t0000000000000000", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000",
            "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line} in {status}");
        }
    }
}

#[test]
fn it_counts_against_the_containers_limits() {
    let s = Sandbox::root().with_busybox();
    running(&s, &["--pids-limit", "10"]);
    let done = s.berth(&[
        "exec",
        "cc",
        "sh",
        "-c",
        "cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9 10 11; do sleep 1 & done; wait",
    ]);
    assert!(
        done.stderr.contains("can't fork") || done.stderr.contains("Resource temporarily"),
        "{done}"
    );
}

both! {
    fn a_terminal_is_given_when_asked_for(s) {
        running(s, &[]);
        let mut session = s.session(&["exec", "-it", "cc", "sh"]);
        session.send("tty; stty size\n");
        session.expect("/dev/pts/");
        session.expect("24 80");
        session.resize(30, 100);
        session.send("sleep 0.2; stty size\n");
        session.expect("30 100");
        session.send("exit 6\n");
        assert_eq!(session.wait().code(), Some(6));
    }
}

both! {
    fn no_descriptor_of_the_host_is_open(s) {
        running(s, &[]);
        assert_eq!(s.berth(&["exec", "cc", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"]).ok().trim(), "0 1 2 3");
        for n in 3..10 {
            let directory = format!("/proc/self/fd/{n}");
            assert_ne!(s.berth(&["exec", "-w", &directory, "cc", "ls", "/root"]).code(), 0);
        }
    }
}

both! {
    fn it_dies_with_the_container(s) {
        running(s, &[]);
        let mut child = s.spawn(&["exec", "cc", "sleep", "1000"]);
        std::thread::sleep(std::time::Duration::from_millis(300));
        s.berth(&["kill", "cc"]).ok();
        let status = testkit::eventually("its end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(137));
    }
}
