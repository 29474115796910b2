//! Terminals: `run -it`, `attach`, resizing, detaching.

use testkit::eventually;

both! {
    fn a_terminal_session(s) {
        let mut session = s.session(&["run", "-it", "--rm", "--name", "cc", "busybox", "sh"]);
        session.send("tty; stty size; echo $((40+2))\n");
        session.expect("/dev/");
        session.expect("24 80");
        session.expect("42");
        session.resize(50, 132);
        session.send("sleep 0.2; stty size\n");
        session.expect("50 132");
        // Ctrl-C goes to the program in the container, not to berth.
        session.send("sleep 1000\n");
        std::thread::sleep(std::time::Duration::from_millis(300));
        session.send("\u{3}");
        session.send("echo alive $((1+1))\n");
        session.expect("alive 2");
        session.send("exit 5\n");
        assert_eq!(session.wait().code(), Some(5));
    }
}

both! {
    fn the_terminal_is_as_before_afterwards(s) {
        let bin = s.path().join("bin/berth");
        let script = format!("stty -a >before; {} run -it --rm busybox true; stty -a >after; cmp before after && echo same", bin.display());
        let mut command = s.command("/bin/sh");
        command.args(["-c", &script]);
        let mut session = testkit::Session::start_for(&command, s.user());
        session.expect("same");
        assert_eq!(session.wait().code(), Some(0));
    }
}

both! {
    fn detaching_leaves_it_running_and_attaching_comes_back(s) {
        let mut session = s.session(&["run", "-it", "--name", "cc", "busybox", "sh"]);
        session.send("marker=kept; echo ready $((2*21))\n");
        session.expect("ready 42");
        session.send("\u{10}\u{11}");
        assert_eq!(session.wait().code(), Some(0));
        assert_eq!(s.berth(&["inspect", "-f", "{{.State.Running}}", "cc"]).ok(), "true");
        let mut session = s.session(&["attach", "cc"]);
        session.send("echo $marker\n");
        session.expect("kept");
        session.send("exit 3\n");
        assert_eq!(session.wait().code(), Some(3));
    }
}

both! {
    fn attach_without_a_terminal_sees_output_and_passes_input(s) {
        s.berth(&["run", "-d", "-i", "--name", "cc", "busybox", "sh", "-c", "while read line; do echo got $line; [ $line = end ] && exit 8; done"]).ok();
        let done = s.berth_with_input(&["attach", "cc"], "one\nend\n");
        assert!(done.stdout.contains("got end"), "{done}");
        assert_eq!(done.code(), 8, "{done}");
    }
}

both! {
    fn a_terminal_needs_a_terminal(s) {
        let done = s.berth(&["run", "--rm", "-it", "busybox", "true"]);
        assert!(done.code() != 0 && done.stderr.starts_with("error: "), "{done}");
        // Without -i docker accepts it.
        assert!(s.berth(&["run", "--rm", "-t", "busybox", "tty"]).ok().starts_with("/dev/"));
    }
}

both! {
    fn attaching_to_what_does_not_run_fails(s) {
        s.berth(&["create", "--name", "cc", "busybox"]).ok();
        s.berth(&["attach", "cc"]).fails(1);
        s.berth(&["attach", "no-such"]).fails(1);
    }
}

both! {
    fn two_clients_see_the_same_output(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "sleep 1; echo shared; sleep 0.2"]).ok();
        let clients: Vec<_> = (0..2).map(|_| s.spawn(&["attach", "cc"])).collect();
        for client in clients {
            let output = client.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "shared\n");
        }
        eventually("it ended", || (s.berth(&["wait", "cc"]).ok() == "0").then_some(()));
    }
}
