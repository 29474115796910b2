//! Flags of `run` about the process: environment, directory, user, entrypoint, names, init, exit codes.

use std::fs;

use testkit::Sandbox;

both! {
    fn environment_is_what_was_asked_for(s) {
        let file = s.file("env", "FROM_FILE=1\n# a comment\n\nINHERITED\nBOTH=file\n");
        let run = ["run", "--rm", "--env-file", file.to_str().unwrap(), "-e", "BOTH=flag", "-e", "SET=a b=c",
            "-e", "TAKEN", "-e", "ABSENT", "busybox", "env"];
        let mut command = s.berth_command(&run);
        command.env("TAKEN", "from the caller").env("INHERITED", "too").env("NOT_ASKED_FOR", "x");
        let done = testkit::Finished::run(&mut command, b"", testkit::wait::PATIENCE);
        let mut lines: Vec<&str> = done.ok().lines().collect();
        lines.sort_unstable();
        assert!(lines.contains(&"FROM_FILE=1") && lines.contains(&"INHERITED=too"), "{lines:?}");
        assert!(lines.contains(&"BOTH=flag") && lines.contains(&"SET=a b=c"), "{lines:?}");
        assert!(lines.contains(&"TAKEN=from the caller"), "{lines:?}");
        for absent in ["ABSENT", "NOT_ASKED_FOR", "BERTH_"] {
            assert!(!lines.iter().any(|line| line.starts_with(absent)), "{absent}: {lines:?}");
        }
        // What docker sets without being asked.
        assert!(lines.iter().any(|line| line.starts_with("PATH=")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("HOSTNAME=")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("HOME=")), "{lines:?}");
    }
}

both! {
    fn working_directory_is_made_and_used(s) {
        assert_eq!(s.berth(&["run", "--rm", "-w", "/tmp", "busybox", "pwd"]).ok(), "/tmp");
        assert_eq!(s.berth(&["run", "--rm", "-w", "/new/deep", "busybox", "pwd"]).ok(), "/new/deep");
        assert_eq!(s.berth(&["run", "--rm", "busybox", "pwd"]).ok(), "/");
    }
}

both! {
    fn user_is_numeric_or_of_the_image(s) {
        assert_eq!(s.berth(&["run", "--rm", "-u", "1234", "busybox", "id", "-u"]).ok(), "1234");
        assert_eq!(s.berth(&["run", "--rm", "-u", "1234:5678", "busybox", "id", "-g"]).ok(), "5678");
        assert_eq!(s.berth(&["run", "--rm", "-u", "root", "busybox", "id", "-u"]).ok(), "0");
        // An ordinary user has no capabilities.
        let status = s.berth(&["run", "--rm", "-u", "1000", "busybox", "grep", "CapEff", "/proc/self/status"]);
        assert!(status.ok().ends_with("0000000000000000"), "{status}");
    }
}

both! {
    fn unknown_users_and_overflowing_ids_are_refused(s) {
        for user in ["nobody-knows", "4294967296", "2147483648", "-1", "4294967295:0", "0:nogroup-knows"] {
            let user_flag = format!("--user={user}");
            s.berth(&["run", "--rm", &user_flag, "busybox", "true"]).fails(125);
        }
    }
}

both! {
    fn entrypoint_replaces_and_arguments_follow(s) {
        let done = s.berth(&["run", "--rm", "--entrypoint", "/bin/echo", "busybox", "a", "b c"]);
        assert_eq!(done.ok(), "a b c");
    }
}

both! {
    fn host_name_is_set_and_defaults_to_the_short_id(s) {
        assert_eq!(s.berth(&["run", "--rm", "--hostname", "web.test", "busybox", "hostname"]).ok(), "web.test");
        let hosts = s.berth(&["run", "--rm", "--hostname", "web", "busybox", "cat", "/etc/hostname", "/etc/hosts"]);
        assert!(hosts.ok().starts_with("web\n") && hosts.ok().contains("localhost"), "{hosts}");
        let id = s.berth(&["run", "-d", "busybox", "sleep", "100"]).ok().to_owned();
        assert_eq!(s.berth(&["exec", &id, "hostname"]).ok(), &id[..12]);
    }
}

both! {
    fn exit_codes_are_dockers(s) {
        s.berth(&["run", "--rm", "busybox", "sh", "-c", "exit 42"]).fails(42);
        // Process 1 cannot kill itself.
        s.berth(&["run", "--rm", "--init", "busybox", "sh", "-c", "kill -9 $$"]).fails(137);
        s.berth(&["run", "--rm", "busybox", "no-such-program"]).fails(127);
        s.berth(&["run", "--rm", "busybox", "/etc"]).fails(126);
        s.berth(&["run", "--rm", "--no-such-flag", "busybox", "true"]).fails(125);
        // A failed start leaves no container with --rm, and a `created` one without.
        assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
        s.berth(&["run", "--name", "stays", "busybox", "no-such-program"]).fails(127);
        assert_eq!(s.berth(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "stays");
    }
}

both! {
    fn output_streams_stay_apart_and_are_whole(s) {
        let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"]);
        assert_eq!((done.ok(), done.stderr.as_str()), ("out", "err\n"));
        let many = s.berth(&["run", "--rm", "busybox", "sh", "-c", "yes 0123456789 | head -n 100000"]);
        assert_eq!(many.ok().len() + 1, 11 * 100_000);
    }
}

both! {
    fn standard_input_is_passed_on_only_when_asked_for(s) {
        let run = |flags: &[&str], input: &str| {
            let line = [&["run", "--rm"], flags, &["busybox", "cat"]].concat();
            s.berth_with_input(&line, input).ok().to_owned()
        };
        assert_eq!(run(&["-i"], "a line\n"), "a line");
        assert_eq!(run(&[], "a line\n"), "");
        let big = "0123456789abcde\n".repeat(65536);
        assert_eq!(run(&["-i"], &big).len() + 1, big.len());
    }
}

both! {
    fn init_is_process_one_and_reaps(s) {
        let done = s.berth(&["run", "--rm", "--init", "busybox", "sh", "-c", "echo $$; cat /proc/1/comm; sleep 0.1 & exit 3"]);
        let text = done.fails(3).to_owned() + &done.stdout;
        let lines: Vec<&str> = text.lines().collect();
        assert_ne!(lines[0], "1", "{done}");
        assert_ne!(lines[1], "sh", "{done}");
        // Without it the program is process 1.
        assert_eq!(s.berth(&["run", "--rm", "busybox", "sh", "-c", "echo $$"]).ok(), "1");
    }
}

both! {
    fn init_forwards_signals(s) {
        let script = "trap 'echo got TERM; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
        s.berth(&["run", "-d", "--init", "--name", "cc", "busybox", "sh", "-c", script]).ok();
        testkit::eventually("it is ready", || s.berth(&["logs", "cc"]).ok().contains("ready").then_some(()));
        s.berth(&["stop", "cc"]).ok();
        assert_eq!(s.berth(&["wait", "cc"]).ok(), "9");
        assert!(s.berth(&["logs", "cc"]).ok().contains("got TERM"));
    }
}

both! {
    fn signals_to_the_command_reach_the_container(s) {
        let script = "trap 'exit 21' TERM; trap 'exit 22' INT; echo ready; while :; do sleep 0.05; done";
        for (signal, code) in [("TERM", 21), ("INT", 22)] {
            let mut child = s.spawn(&["run", "--rm", "--name", "cc", "busybox", "sh", "-c", script]);
            testkit::eventually("it is ready", || s.berth(&["logs", "cc"]).stdout.contains("ready").then_some(()));
            // As root the child is berth itself; rootless, setpriv has become berth by exec.
            s.shell(&format!("kill -{signal} {}", child.id())).ok();
            let status = testkit::eventually("its end", || child.try_wait().unwrap());
            assert_eq!(status.code(), Some(code), "{signal}");
        }
    }
}

both! {
    fn names_are_unique_and_short_ids_work(s) {
        let id = s.berth(&["run", "-d", "--name", "web", "busybox", "sleep", "100"]).ok().to_owned();
        assert_eq!(id.len(), 64);
        let error = s.berth(&["run", "-d", "--name", "web", "busybox", "sleep", "100"]).fails(125).to_owned();
        assert!(error.contains("web"), "{error}");
        assert_eq!(s.berth(&["inspect", "--format", "{{.Id}}", &id[..12]]).ok(), id);
        assert_eq!(s.berth(&["inspect", "--format", "{{.Name}}", &id[..4]]).ok().trim_start_matches('/'), "web");
        s.berth(&["rm", "-f", "web"]).ok();
        s.berth(&["run", "--rm", "--name", "web", "busybox", "true"]).ok();
    }
}

both! {
    fn labels_are_kept(s) {
        s.berth(&["create", "--name", "cc", "--label", "a=1", "-l", "b", "busybox"]).ok();
        assert_eq!(s.berth(&["inspect", "-f", "{{json .Config.Labels}}", "cc"]).ok(), r#"{"a":"1","b":""}"#);
    }
}

both! {
    fn stop_signal_is_sent_by_stop(s) {
        let script = "trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done";
        s.berth(&["run", "-d", "--stop-signal", "SIGUSR1", "--name", "cc", "busybox", "sh", "-c", script]).ok();
        testkit::eventually("it is ready", || s.berth(&["logs", "cc"]).ok().contains("ready").then_some(()));
        s.berth(&["stop", "cc"]).ok();
        assert_eq!(s.berth(&["wait", "cc"]).ok(), "7");
    }
}

#[test]
fn cidfile_holds_the_id() {
    let s = Sandbox::root().with_busybox();
    let file = s.home().join("cid");
    let id = s.berth(&[
        "run",
        "-d",
        "--cidfile",
        file.to_str().unwrap(),
        "busybox",
        "sleep",
        "9",
    ]);
    assert_eq!(fs::read_to_string(file).unwrap().trim(), id.ok());
}

both! {
    fn dockers_users_find_their_way(s) {
        let script = "docker run --rm -it=false busybox:latest echo hi && docker run -d --name xx busybox sleep 100 >id \
            && docker ps --filter name=xx --format '{{.Names}} {{.Image}} {{.Status}}' \
            && docker exec xx sh -c 'echo inside' && docker inspect -f '{{.State.Running}}' xx \
            && docker stop -t 0 xx && docker rm xx && docker images --format '{{.Repository}}:{{.Tag}}'";
        let done = s.shell(script);
        let lines: Vec<&str> = done.ok().lines().collect();
        assert_eq!(lines[0], "hi");
        assert!(lines[1].starts_with("xx busybox Up "), "{done}");
        assert_eq!(lines[2..], ["inside", "true", "xx", "xx", "busybox:latest"]);
    }
}
