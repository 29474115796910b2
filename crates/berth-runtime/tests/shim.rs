//! The shim with real containers and the real monitor: starting, failing, serving and ending.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod shim_rig;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use berth_model::task::{Pid, ShimReport};
use berth_monitor::packet;
use serde_json::json;
use shim_rig::{Task, busybox, cgroups, is_alive, kill, remove_cgroups};
use testkit::attach::{ALL, Client, Packet};
use testkit::eventually;
use testkit::programs::{monitor, private_kib};

/// Nothing of a task that failed to start may be left.
fn assert_nothing_left(task: &Task) {
    let mut left: Vec<_> = fs::read_dir(task.path("task"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["bundle", "shim.lock", "task.json"]);
    assert_eq!(cgroups(&task.id), Vec::<std::path::PathBuf>::new());
    assert!(!task.request.exit_file.exists());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(task.dir.path().to_str().unwrap()));
}

#[test]
fn a_container_from_start_to_end() {
    let mut running = Task::new("echo out; echo err >&2; sleep 0.3; exit 7").start();
    let recorded: Pid =
        serde_json::from_slice(&fs::read(running.task.path("task/pid.json")).unwrap()).unwrap();
    assert_eq!(&recorded, running.pid());
    assert_eq!(recorded.shim_pid, running.shim.id() as i32);
    assert!(is_alive(recorded.pid));
    assert!(!recorded.cgroups.is_empty());
    assert!(running.is_locked());
    let exe = fs::read_link(format!("/proc/{}/exe", recorded.shim_pid)).unwrap();
    assert!(exe.ends_with("berth-monitor"), "{exe:?}");
    running.wait();
    let exit = running.exit();
    assert_eq!(
        (&exit["code"], &exit["oom_killed"]),
        (&json!(7), &json!(false))
    );
    assert_eq!(
        (running.logged("stdout"), running.logged("stderr")),
        ("out\n".into(), "err\n".into())
    );
    assert!(running.is_reaped());
    assert!(!running.is_locked());
}

#[test]
fn the_monitor_holds_few_descriptors_and_nobody_elses_streams() {
    let running = Task::new("sleep 30").stdin().start();
    let fds = format!("/proc/{}/fd", running.pid().shim_pid);
    let targets: Vec<_> = fs::read_dir(fds)
        .unwrap()
        .map(|fd| fs::read_link(fd.unwrap().path()).unwrap())
        .collect();
    assert!(targets.len() <= 10, "{targets:?}");
    let null = targets
        .iter()
        .filter(|target| *target == Path::new("/dev/null"));
    assert_eq!(null.count(), 3, "standard streams of its own: {targets:?}");
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid().shim_pid)).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(
        session,
        running.pid().shim_pid.to_string(),
        "a session of its own"
    );
}

#[test]
fn the_socket_and_the_lock_are_private() {
    let running = Task::new("sleep 30").start();
    for name in ["shim.sock", "shim.lock", "pid.json"] {
        let mode = fs::metadata(running.task.path("task").join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(
        !sockets
            .lines()
            .any(|line| line.contains(" @") && line.contains("berth"))
    );
}

#[test]
fn programs_that_cannot_run() {
    let mut missing = Task::with_args(&["/no/such/program"]).start();
    let (code, message) = missing.failure();
    assert_eq!(code, 127, "{message}");
    assert!(message.contains("/no/such/program"), "{message}");
    assert_nothing_left(&missing.task);

    let mut directory = Task::with_args(&["/etc"]).start();
    let (code, message) = directory.failure();
    assert_eq!(code, 126, "{message}");
    assert_nothing_left(&directory.task);
}

#[test]
fn other_failures_leave_nothing_either() {
    let no_monitor = {
        let mut task = Task::new("true");
        task.request.monitor = "/no/such/monitor".into();
        task
    };
    let bad_monitor = {
        let mut task = Task::new("sleep 60");
        // It may be executed, but is no program: known only once the container runs.
        let path = task.path("monitor");
        fs::write(&path, "\x7fELF nonsense").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        task.request.monitor = path;
        task
    };
    let no_log = {
        let mut task = Task::new("true");
        task.request.log.as_mut().unwrap().path = "/no/such/directory/log".into();
        task
    };
    let bad_mount = {
        let mut task = Task::new("true");
        task.spec["mounts"]
            .as_array_mut()
            .unwrap()
            .push(json!({"destination": "/x", "type": "no-such-fs"}));
        task
    };
    for (what, task) in [
        ("no monitor", no_monitor),
        ("bad monitor", bad_monitor),
        ("no log", no_log),
        ("bad mount", bad_mount),
    ] {
        let mut failed = task.start();
        let (code, message) = failed.failure();
        assert_eq!(code, 125, "{what}: {message}");
        assert_nothing_left(&failed.task);
    }
}

#[test]
fn a_task_that_makes_no_sense() {
    let task = Task::new("true");
    let mut child = task.spawn(None);
    child.wait().unwrap();
    for (file, text) in [("task/task.json", "{"), ("task/bundle/config.json", "{}")] {
        let task = Task::new("true");
        // `spawn` writes both; then one is spoilt, and the shim started again.
        let mut child = task.spawn(None);
        child.wait().unwrap();
        remove_cgroups(&task.id);
        fs::write(task.path(file), text).unwrap();
        let output = std::process::Command::new("bash")
            .args([
                "-c",
                r#"exec "$0" shim "$1" 3>&1"#,
                env!("CARGO_BIN_EXE_berth-runtime"),
            ])
            .arg(task.path("task"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125));
        let ShimReport::Failed(failure) = serde_json::from_slice(&output.stdout).unwrap() else {
            panic!("{output:?}")
        };
        assert_eq!(failure.exit_code, 125);
    }
    remove_cgroups(&task.id);
}

#[test]
fn a_task_has_one_shim() {
    let running = Task::new("sleep 30").start();
    let mut again = Task::new("true");
    again.dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            r#"exec "$0" shim "$1" 3>&1"#,
            env!("CARGO_BIN_EXE_berth-runtime"),
        ])
        .arg(running.task.path("task"))
        .output()
        .unwrap();
    let report: ShimReport = serde_json::from_slice(&output.stdout).unwrap();
    let ShimReport::Failed(failure) = report else {
        panic!("{report:?}")
    };
    assert_eq!(failure.kind, berth_model::ErrorKind::Conflict);
    assert!(is_alive(running.pid().pid));
    assert!(running.task.path("task/shim.sock").exists());
    assert!(running.task.path("task/pid.json").exists());
}

#[test]
fn a_foreground_client_sees_all_and_cleans_up() {
    let (mut running, client) = Task::new("echo out; echo err >&2; exit 3").run();
    assert_eq!(client.drain(), (b"out\n".into(), b"err\n".into(), 3));
    client.send(&[packet::DONE]);
    assert_eq!(client.receive(), Packet::End);
    running.wait();
    assert!(!running.is_reaped());
}

#[test]
fn input_and_its_end() {
    let (mut running, client) = Task::new("cat; echo end").stdin().run();
    client.send_data(b"hello\n");
    client.read_until("hello\n");
    client.send(&[packet::STDIN_END]);
    assert_eq!(client.drain().0, b"end\n");
    client.send(&[packet::DONE]);
    running.wait();
}

#[test]
fn a_terminal_of_the_containers_own() {
    let script =
        r#"tty; stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"#;
    let (running, client) = Task::new(script).terminal().run();
    let start = client.read_until("ready");
    assert!(start.starts_with("/dev/pts/0\r\n24 80\r\n"), "{start:?}");
    client.send(&packet::resize(50, 132));
    client.read_until("50 132");
    client.send_data(b"\x03");
    let (_, _, code) = client.drain();
    assert_eq!(code, 130, "ctrl-c is the terminal's");
    client.send(&[packet::DONE]);
    assert_eq!(running.exit()["code"], 130);
}

#[test]
fn two_hundred_megabytes_and_three_clients() {
    const BYTES: usize = 200_000_000;
    let script = format!("read go; yes 0123456789abcdef | head -c {BYTES}");
    let (running, client) = Task::new(&script).stdin().run();
    let others = [running.attach(), running.attach()];
    others
        .iter()
        .for_each(|other| assert_eq!(other.receive(), Packet::Attached));
    client.send_data(b"\n");
    let check = |client: &Client| {
        let (out, _, code) = client.drain();
        assert_eq!((out.len(), code), (BYTES, 0));
        assert!(
            out.chunks(17)
                .all(|line| b"0123456789abcdef\n".starts_with(line))
        );
    };
    std::thread::scope(|scope| {
        others
            .iter()
            .for_each(|other| drop(scope.spawn(|| check(other))));
        check(&client);
    });
}

#[test]
fn the_oom_killer_is_told() {
    let mut task = Task::new("head -c 100000000 /dev/zero | tail");
    task.spec["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    task.spec["process"]["args"] = json!(["/bin/tail", "/dev/zero"]);
    let mut running = task.start();
    running.wait();
    let exit = running.exit();
    assert_eq!(
        (&exit["code"], &exit["oom_killed"]),
        (&json!(137), &json!(true))
    );
}

#[test]
fn a_killed_monitor_frees_the_lock_and_the_container_runs_on() {
    let mut running = Task::new("while :; do echo tick; sleep 0.05; done").start();
    eventually("output", || {
        running.logged("stdout").contains("tick").then_some(())
    });
    kill(running.pid().shim_pid);
    running.wait();
    assert!(!running.is_locked());
    assert!(!running.task.request.exit_file.exists());
    assert!(!running.is_reaped());
    running.kill_container();
}

/// Whenever the shim is killed, what runs is recorded: a container without a record must not live.
#[test]
fn a_shim_killed_at_any_point_leaves_no_unrecorded_container() {
    let mut recorded = 0;
    for step in 0..60 {
        let mut task = Task::new("sleep 60");
        task.request.durable = false;
        let mut shim = task.spawn(None);
        std::thread::sleep(Duration::from_micros(1000 + step * 400));
        shim.kill().unwrap();
        shim.wait().unwrap();
        let pid: Option<Pid> = fs::read(task.path("task/pid.json"))
            .ok()
            .map(|text| serde_json::from_slice(&text).expect("whole or not there"));
        match pid {
            Some(pid) => {
                recorded += 1;
                kill(pid.pid);
            }
            None => eventually("no process is left", || {
                let procs = cgroups(&task.id).into_iter();
                let mut pids = procs.map(|cgroup| {
                    fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default()
                });
                pids.all(|pids| pids.is_empty()).then_some(())
            }),
        }
        remove_cgroups(&task.id);
    }
    assert!(recorded > 0, "the last ones were killed late enough to run");
    assert!(recorded < 60, "the first ones early enough not to");
}

#[test]
fn rootless_as_an_ordinary_user() {
    let user = testkit::TestUser::get();
    let mut task = Task::new(
        "id -u; cat /proc/self/uid_map | wc -l; echo x > /file; chown 1000 /file; exit 4",
    );
    task.user = Some((user.uid, user.gid));
    task.request.rootless = true;
    task.spec["linux"]
        .as_object_mut()
        .unwrap()
        .remove("cgroupsPath");
    task.spec["linux"]["resources"] = json!({});
    let chown =
        ["bounding", "effective", "permitted"].map(|set| (set.to_owned(), json!(["CAP_CHOWN"])));
    task.spec["process"]["capabilities"] =
        chown.into_iter().collect::<serde_json::Map<_, _>>().into();
    if let Some(berth_model::task::RootfsMount::Overlay { userxattr, .. }) =
        &mut task.request.rootfs
    {
        *userxattr = true;
    }
    for name in [
        "",
        "task",
        "task/bundle",
        "container",
        "container/upper",
        "container/work",
        "log",
    ] {
        let owner = (
            rustix::fs::Uid::from_raw(user.uid),
            rustix::fs::Gid::from_raw(user.gid),
        );
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(
            rustix::fs::CWD,
            task.path(name),
            Some(owner.0),
            Some(owner.1),
            flags,
        )
        .unwrap();
    }
    let mut path = busybox();
    while let Some(parent) = path.parent() {
        let mode = fs::metadata(parent).unwrap().permissions().mode();
        assert!(
            mode & 0o001 != 0,
            "{} must be open to other users",
            parent.display()
        );
        path = parent;
    }
    let mut running = task.start();
    assert_eq!(running.pid().shim_pid, running.shim.id() as i32);
    running.wait();
    assert_eq!(running.exit()["code"], 4);
    assert_eq!(running.logged("stdout"), "0\n2\n");
    let made = fs::metadata(running.task.path("container/upper/file")).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&made);
    assert!(
        owner >= 100_000,
        "a subordinate id owns it: {owner}; {}",
        running.logged("stderr")
    );
    assert!(running.is_reaped());
}

/// The figure of SPEC.md: private memory of all that stays with an idle container but its own process.
#[test]
fn forty_idle_containers() {
    monitor();
    rustix::fs::sync();
    let all: Vec<_> = (0..40)
        .map(|_| Task::new("seq 1 5000; exec sleep 60").start())
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    let mut total = 0;
    for running in &all {
        let kib = private_kib(running.shim.id());
        assert!(kib <= 64, "{kib} KiB");
        total += kib;
    }
    println!(
        "mean private memory beside an idle container: {:.1} KiB",
        total as f64 / all.len() as f64
    );
    let client = all[0].attach();
    client.send(&packet::attach(ALL));
    drop(client);
}
