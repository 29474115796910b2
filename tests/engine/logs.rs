//! `logs`: whole, by stream, followed, since when, with times, rotated.

use testkit::eventually;

both! {
    fn streams_lines_and_partial_lines_are_kept(s) {
        s.berth(&["run", "--name", "cc", "busybox", "sh", "-c", "echo one; echo two >&2; printf three"]).ok();
        let done = s.berth(&["logs", "cc"]);
        assert_eq!((done.ok(), done.stderr.as_str()), ("one\nthree", "two\n"));
    }
}

both! {
    fn tail_and_times(s) {
        s.berth(&["run", "--name", "cc", "busybox", "seq", "100"]).ok();
        assert_eq!(s.berth(&["logs", "--tail", "2", "cc"]).ok(), "99\n100");
        assert_eq!(s.berth(&["logs", "--tail", "0", "cc"]).ok(), "");
        assert_eq!(s.berth(&["logs", "-n", "all", "cc"]).ok().lines().count(), 100);
        let line = s.berth(&["logs", "-t", "--tail", "1", "cc"]).ok().to_owned();
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000000000Z".len(), "{line}");
        assert_eq!(text, "100");
        // The time of a line can be asked for again.
        assert_eq!(s.berth(&["logs", "--since", time, "cc"]).ok().lines().last(), Some("100"));
        assert_eq!(s.berth(&["logs", "--since", "2099-01-01T00:00:00Z", "cc"]).ok(), "");
        assert_eq!(s.berth(&["logs", "--since", "10m", "cc"]).ok().lines().count(), 100);
        s.berth(&["logs", "--since", "yesterday-ish", "cc"]).fails(1);
        s.berth(&["logs", "no-such"]).fails(1);
    }
}

both! {
    fn following_ends_with_the_container(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.2; done"]).ok();
        assert_eq!(s.berth(&["logs", "-f", "cc"]).ok(), "1\n2\n3\n4");
    }
}

both! {
    /// 10 MiB × 3 by default; smaller here.
    fn logs_are_rotated(s) {
        s.berth(&["run", "--name", "cc", "--log-opt", "max-size=20k", "--log-opt", "max-file=3", "busybox", "seq", "5000"]).ok();
        let id = s.berth(&["inspect", "-f", "{{.Id}}", "cc"]).ok().to_owned();
        let entries = std::fs::read_dir(s.state().join("containers").join(id)).unwrap().map(Result::unwrap);
        let logs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("log"));
        let files: Vec<u64> = logs.map(|entry| entry.metadata().unwrap().len()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.iter().all(|bytes| *bytes <= 20 * 1024), "{files:?}");
        let text = s.berth(&["logs", "cc"]).ok().to_owned();
        let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.last(), Some(&5000));
        assert!(numbers.len() > 100 && numbers.windows(2).all(|w| w[1] == w[0] + 1));
        assert_eq!(s.berth(&["logs", "--tail", "1", "cc"]).ok(), "5000");
    }
}

both! {
    fn following_crosses_rotations(s) {
        let script = "i=0; while [ $i -lt 1500 ]; do echo $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.05; done";
        s.berth(&["run", "-d", "--name", "cc", "--log-opt", "max-size=40k", "--log-opt", "max-file=3", "busybox", "sh", "-c", script]).ok();
        let text = s.berth(&["logs", "-f", "cc"]).ok().to_owned();
        let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.last(), Some(&1499));
        assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "a gap");
    }
}

both! {
    fn none_keeps_nothing(s) {
        s.berth(&["run", "--log-driver", "none", "--name", "cc", "busybox", "echo", "shown"]).ok();
        let done = s.berth(&["logs", "cc"]);
        assert_eq!(done.stdout, "", "{done}");
    }
}

both! {
    fn odd_bytes_survive(s) {
        s.berth(&["run", "--name", "cc", "busybox", "printf", "q\"b\\\\t\\tn\\001\\303\\251\\n"]).ok();
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "q\"b\\t\tn\u{1}é");
        let long = s.berth(&["run", "--name", "dd", "busybox", "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x"]).ok().len();
        assert_eq!(long, 100_000);
        assert_eq!(s.berth(&["logs", "dd"]).ok().len(), 100_000);
    }
}

both! {
    fn a_log_can_be_read_while_it_is_written(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.02; done"]).ok();
        let mut last = 0;
        for _ in 0..3 {
            last = eventually("it grows", || {
                let now = s.berth(&["logs", "cc"]).ok().lines().count();
                (now > last).then_some(now)
            });
        }
    }
}

both! {
    /// The options `labels`, `env` and `tag`: with each record, and told by `--details`.
    fn records_carry_attributes(s) {
        s.berth(&["run", "--name", "cc", "-l", "team=red", "-e", "A=1", "--log-opt", "labels=team", "--log-opt",
            "env=A,B", "--log-opt", "tag={{.Name}}", "busybox", "echo", "hello"]).ok();
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "hello");
        assert_eq!(s.berth(&["logs", "--details", "cc"]).ok(), "A=1,tag=cc,team=red hello");
        // Nobody sees them in a command line.
        s.berth(&["run", "-d", "--name", "dd", "-e", "A=secret", "--log-opt", "env=A", "busybox", "sleep", "100"]).ok();
        for pid in s.processes() {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            assert!(!String::from_utf8_lossy(&line).contains("secret"));
        }
        s.berth(&["run", "--log-opt", "tag={{.Nobody}}", "busybox", "true"]).fails(125);
        s.berth(&["run", "--log-driver", "local", "--name", "ee", "busybox", "echo", "hello"]).ok();
        assert_eq!(s.berth(&["logs", "ee"]).ok(), "hello");
    }
}
