//! `berth explain`: the kernel's value of each setting, and its cause.

use testkit::Sandbox;

#[test]
fn each_setting_has_the_kernels_value_and_its_cause() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run",
        "-d",
        "--name",
        "cc",
        "--memory",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "100",
        "--network",
        "host",
        "--cap-drop",
        "NET_RAW",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    let text = s.berth(&["explain", "cc"]).ok().to_owned();
    let line = |word: &str| {
        text.lines()
            .find(|l| l.to_lowercase().contains(word))
            .unwrap_or_else(|| panic!("{word} in {text}"))
            .to_owned()
    };
    assert!(line("--memory 64m").contains("64"), "{text}");
    assert!(
        text.contains("--cpus 0.5") && text.contains("--pids-limit 100"),
        "{text}"
    );
    assert!(
        text.contains("--network host") && text.contains("host"),
        "{text}"
    );
    assert!(text.contains("--cap-drop NET_RAW"), "{text}");
    assert!(text.contains("--tmpfs /tmp"), "{text}");
    assert!(line("seccomp").contains("default"), "{text}");
    for namespace in ["pid", "mnt", "ipc", "uts", "net", "cgroup", "user"] {
        assert!(
            text.lines()
                .any(|l| l.split_whitespace().next() == Some(namespace)),
            "{namespace} in {text}"
        );
    }
}

#[test]
fn it_tells_the_truth_when_the_kernel_differs() {
    let s = Sandbox::root().with_busybox();
    let id = s
        .berth(&[
            "run",
            "-d",
            "--name",
            "cc",
            "--pids-limit",
            "100",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok()
        .to_owned();
    let leaf = format!("{}/{id}/pids.max", s.cgroup_parent());
    let file = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .iter()
        .map(|h| format!("{h}/{leaf}"))
        .find(|f| std::path::Path::new(f).exists());
    std::fs::write(file.unwrap(), "55").unwrap();
    let text = s.berth(&["explain", "cc"]).ok().to_owned();
    assert!(
        text.lines().any(|l| l.contains("pids") && l.contains("55")),
        "{text}"
    );
}

both! {
    fn it_works_for_what_does_not_run_and_fails_for_what_is_not(s) {
        s.berth(&["create", "--name", "cc", "busybox"]).ok();
        let done = s.berth(&["explain", "cc"]);
        assert!(done.ok().contains("not running") || done.ok().contains("created"), "{done}");
        s.berth(&["explain", "no-such"]).fails(1);
    }
}

both! {
    fn rootless_and_root_are_told_apart(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"]).ok();
        let text = s.berth(&["explain", "cc"]).ok().to_owned();
        let user = text.lines().find(|l| l.split_whitespace().next() == Some("user")).unwrap_or_default();
        assert_eq!(user.contains("host"), !s.is_rootless(), "{text}");
    }
}
