//! The runtime's binary from create to delete. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;

use std::path::Path;

use rig::Bundle;
use serde_json::json;
use testkit::eventually;

#[test]
fn exit_codes_output_and_input() {
    let mut bundle = Bundle::new("cat; echo out; echo err >&2; exit 7");
    let run = testkit::Finished::run(&mut bundle.command(&["run", "c"]), b"in\n", rig::LIMIT);
    assert_eq!(
        (run.code(), run.stdout.as_str(), run.stderr.as_str()),
        (7, "in\nout\n", "err\n")
    );
    bundle.config["process"]["args"] = json!(["sh", "-c", "kill -TERM $$"]);
    // Process 1 ignores what it does not handle; a shell below it does not.
    bundle.config["process"]["args"] = json!(["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]);
    assert_eq!(bundle.run().code(), 137);
}

#[test]
fn failures_have_dockers_codes() {
    let mut bundle = Bundle::new("");
    let mut code = |program: &str, says: &str| {
        bundle.config["process"]["args"] = json!([program]);
        let run = bundle.run();
        assert!(run.stderr.contains(says), "{program}: {}", run.stderr);
        run.code()
    };
    assert_eq!(code("nosuch", "not found in $PATH"), 127);
    assert_eq!(code("/no/such", "not found"), 127);
    assert_eq!(code("/etc/passwd", "permission denied"), 126);
    assert_eq!(code("/bin", "permission denied"), 126);
    bundle.executable("script", "#!/no/interpreter\n");
    bundle.executable("binary", "\x7fELF what");
    let mut code = |program: &str| {
        bundle.config["process"]["args"] = json!([program]);
        bundle.run().code()
    };
    assert_eq!(code("/script"), 127);
    assert_eq!(code("/binary"), 126);
    bundle.config["root"]["path"] = json!("missing");
    assert_eq!(bundle.run().code(), 125);
}

#[test]
fn create_start_kill_delete() {
    let bundle = Bundle::new("trap 'exit 3' TERM; echo up > /tmp/up; while :; do sleep 0.05; done");
    let bundle = {
        let mut bundle = bundle;
        bundle.config["root"]["readonly"] = json!(false);
        bundle
    };
    let pid_file = bundle.path().join("pid");
    let create = ["create", "--pid-file", pid_file.to_str().unwrap(), "c"];
    let created = bundle
        .command(&create)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(created.success());
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let state = bundle.state();
    assert_eq!(
        (state["status"].as_str(), state["pid"].to_string()),
        (Some("created"), pid)
    );
    assert!(!bundle.rootfs("tmp/up").exists(), "not before the start");
    bundle.call(&create).fails(125);
    bundle.call(&["exec", "c", "true"]).ok();

    bundle.call(&["start", "c"]).ok();
    bundle.call(&["start", "c"]).fails(125);
    eventually("the program", || {
        bundle.rootfs("tmp/up").exists().then_some(())
    });
    assert_eq!(bundle.state()["status"], "running");
    bundle.call(&["delete", "c"]).fails(125);
    bundle.call(&["pause", "c"]).ok();
    assert_eq!(bundle.state()["status"], "paused");
    bundle.call(&["exec", "c", "true"]).fails(125);
    bundle.call(&["resume", "c"]).ok();
    bundle.call(&["kill", "c", "NOSUCH"]).fails(125);
    bundle.call(&["kill", "c", "SIGTERM"]).ok();
    bundle.stopped();
    bundle.call(&["kill", "c", "9"]).fails(125);
    assert!(bundle.call(&["list", "-q"]).ok() == "c");
    bundle.call(&["delete", "c"]).ok();
    // Callers of other runtimes look for these words.
    let gone = bundle.call(&["state", "c"]);
    assert!(gone.fails(125).contains("does not exist"));
    bundle.call(&["delete", "c", "-f"]).ok();
}

#[test]
fn a_created_container_may_go_unstarted() {
    let bundle = Bundle::new("true");
    assert!(
        bundle
            .command(&["create", "c"])
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    bundle.call(&["delete", "c"]).ok();
}

#[test]
fn a_forced_delete_takes_everything_with_it() {
    let bundle = Bundle::new("sleep 1000 & setsid sleep 1000 & sleep 1000");
    bundle.start();
    bundle.call(&["pause", "c"]).ok();
    bundle.call(&["delete", "-f", "c"]).ok();
    assert_eq!(bundle.leaks(), [""; 0]);
}

#[test]
fn exec_enters_all_namespaces_and_cgroups() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let show = "for n in cgroup ipc mnt net pid uts; do readlink /proc/$P/ns/$n; done; cat /proc/$P/cgroup; hostname";
    let own = bundle.call(&["exec", "-e", "P=1", "c", "sh", "-c", show]);
    let exec = bundle.call(&["exec", "-e", "P=self", "c", "sh", "-c", show]);
    assert_eq!(own.ok(), exec.ok());
    assert!(exec.stdout.ends_with("berth\n"));
    assert_eq!(bundle.call(&["exec", "c", "sh", "-c", "exit 9"]).code(), 9);
    bundle.call(&["exec", "c", "nosuch"]).fails(127);
    bundle.call(&["exec", "c", "/etc/passwd"]).fails(126);
    let dressed = bundle.call(&[
        "exec",
        "--cwd",
        "/tmp",
        "-u",
        "1000:1000",
        "-e",
        "X=y z",
        "c",
        "sh",
        "-c",
        "echo $(id -u) $(id -g) $(pwd) $X",
    ]);
    assert_eq!(dressed.ok(), "1000 1000 /tmp y z");
    bundle.call(&["delete", "-f", "c"]).ok();
    bundle.call(&["exec", "c", "true"]).fails(125);
}

#[test]
fn a_terminal_reaches_the_console_socket() {
    let mut bundle =
        Bundle::new("tty; test -c /dev/console && stty size; read line; echo got $line");
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({"height": 33, "width": 77});
    let path = bundle.path().join("console");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    bundle.call(&["create", "c"]).fails(125);
    bundle
        .call(&["run", "-d", "--console-socket", path.to_str().unwrap(), "c"])
        .ok();
    let (socket, _) = listener.accept().unwrap();
    let master: OwnedFd = berth_sys::fdpass::receive(&socket, &mut [0; 64], 1)
        .unwrap()
        .fds
        .pop()
        .unwrap();
    rustix::io::write(&master, b"hello\n").unwrap();
    let mut said = String::new();
    let mut file = std::fs::File::from(master);
    let mut buffer = [0; 256];
    // The end of the other side is an error to read.
    while let Ok(length) = file.read(&mut buffer) {
        said.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    for expected in ["/dev/pts/0", "33 77", "got hello"] {
        assert!(said.contains(expected), "{said}");
    }
    bundle.stopped();
    bundle.call(&["delete", "c"]).ok();
}

/// The kernel reports a terminal without a program at every look.
#[test]
fn a_terminal_that_nobody_has_open_is_no_work() {
    let mut bundle = Bundle::new(
        "exec </dev/null >/dev/null 2>&1; touch /tmp/quiet; sleep 2; echo again > /dev/console",
    );
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["root"]["readonly"] = json!(false);
    let mut child = bundle
        .command(&["run", "c"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the terminal is closed", || {
        bundle.rootfs("tmp/quiet").exists().then_some(())
    });
    // Fields 14 and 15: time in user and kernel mode, in hundredths of a second.
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11);
        fields
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    let before = used();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ticks = used() - before;
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(ticks <= 10, "{ticks} ticks of a second");
    assert!(said.contains("again"), "it may be opened again: {said:?}");
}

#[test]
fn a_terminal_in_the_foreground_is_relayed() {
    let mut bundle = Bundle::new("tty; read line; echo got $line");
    bundle.config["process"]["terminal"] = json!(true);
    let mut session = testkit::pty::Session::start(&bundle.command(&["run", "c"]));
    session.expect("/dev/pts/0");
    session.send("hello\r");
    session.expect("got hello");
    assert!(session.wait().success());
}

#[test]
fn hooks_run_at_their_points() {
    let mut bundle = Bundle::new("echo program >> /tmp/order; sleep 0.3");
    bundle.config["root"]["readonly"] = json!(false);
    let order = bundle.rootfs("tmp/order");
    let hook = |name: &str| {
        // Inside, the host's path is not there: each writes where it can.
        let script = format!(
            "f={}; test -d ${{f%/*}} || f=/tmp/order; s=$(cat); echo {name} $(echo $s | sed 's/.*\"status\":\"\\([a-z]*\\)\".*/\\1/') >> $f",
            order.display()
        );
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"], "timeout": 20}])
    };
    for name in [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ] {
        bundle.config["hooks"][name] = hook(name);
    }
    bundle.run().ok();
    let text = std::fs::read_to_string(&order).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    // The program and `poststart` run side by side.
    let program = lines.iter().position(|l| *l == "program").unwrap();
    assert!(program >= 4);
    lines.remove(program);
    assert_eq!(
        lines,
        [
            "prestart created",
            "createRuntime creating",
            "createContainer creating",
            "startContainer created",
            "poststart running",
            "poststop stopped"
        ]
    );
}

#[test]
fn a_failed_hook_undoes_the_container() {
    for name in [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
    ] {
        let mut bundle = Bundle::new("sleep 1000");
        bundle.config["hooks"][name] =
            json!([{"path": "/bin/sh", "args": ["sh", "-c", "echo no luck >&2; exit 1"]}]);
        let run = bundle.run();
        assert!(run.fails(125).contains("no luck"), "{name}: {}", run.stderr);
        assert_eq!(bundle.leaks(), [""; 0], "{name}");
    }
}

/// The hooks of `start` itself: `poststart` runs once the program does, and its failure ends that.
#[test]
fn poststart_follows_the_program() {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["/bin/sleep", "1000"]);
    let seen = bundle.path().join("seen");
    let hook = |script: &str| json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    bundle.config["hooks"]["startContainer"] = hook("sleep 0.3");
    for (ends, status) in [("exit 0", "running"), ("exit 1", "stopped")] {
        let script = format!(
            "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); cat /proc/$pid/cmdline > {}; {ends}",
            seen.display()
        );
        bundle.config["hooks"]["poststart"] = hook(&script);
        let create = bundle
            .command(&["create", "c"])
            .stdout(std::process::Stdio::null())
            .status();
        assert!(create.unwrap().success());
        let start = bundle.call(&["start", "c"]);
        assert_eq!(start.code() == 0, status == "running", "{}", start.stderr);
        assert_eq!(
            std::fs::read_to_string(&seen).unwrap(),
            "/bin/sleep\x001000\0"
        );
        assert_eq!(bundle.state()["status"], status);
        bundle.call(&["delete", "-f", "c"]).ok();
    }
}

#[test]
fn limits_are_the_kernels() {
    let mut bundle = Bundle::new(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max; ulimit -n; cat /proc/self/oom_score_adj",
    );
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 67108864});
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 50});
    bundle.config["process"]["oomScoreAdj"] = json!(321);
    if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        bundle.config["process"]["args"][2] = json!(
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; ulimit -n; cat /proc/self/oom_score_adj"
        );
    }
    assert_eq!(bundle.run().ok(), "67108864\n50\n1024\n321");
    bundle.config["process"]["rlimits"] =
        json!([{"type": "RLIMIT_NOFILE", "soft": 1u64 << 40, "hard": 1u64 << 40}]);
    let run = bundle.run();
    assert!(run.fails(125).contains("RLIMIT_NOFILE"), "{}", run.stderr);
}

#[test]
fn signals_are_passed_on_and_the_little_init_reaps() {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!([
        "/docker-init",
        "--",
        "sh",
        "-c",
        "trap 'exit 5' TERM; (sleep 0.1 &); echo up; while :; do sleep 0.05; done"
    ]);
    bundle.mount(
        json!({"destination": "/docker-init", "source": rig::runtime(), "options": ["bind", "ro"]}),
    );
    bundle.with_libraries();
    bundle.config["root"]["readonly"] = json!(false);
    let mut child = bundle
        .command(&["run", "c"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0; 3];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    // The orphan has ended by now or soon; nothing of it may stay.
    eventually("the orphan's end", || {
        let ps = bundle.call(&["exec", "c", "ps", "-o", "stat"]);
        (!ps.stdout.contains('Z')).then_some(())
    });
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn a_killed_runtime_leaves_a_container_that_can_be_deleted() {
    let bundle = Bundle::new("sleep 1000");
    let mut child = bundle.command(&["run", "c"]).spawn().unwrap();
    eventually("the container", || {
        let state = bundle.call(&["state", "c"]);
        state.stdout.contains("running").then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bundle.state()["status"], "running");
    bundle.call(&["delete", "-f", "c"]).ok();
}

#[test]
fn a_user_namespace_of_its_own() {
    let mut bundle =
        Bundle::new("id -u; cat /proc/self/uid_map | tr -s ' '; head -c 1 /dev/zero | wc -c");
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    // The bundle must be within reach of the container's root.
    std::fs::set_permissions(bundle.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["dev/pts", "dev/shm", "dev/mqueue"] {
        std::fs::create_dir_all(bundle.rootfs(directory)).unwrap();
    }
    assert_eq!(bundle.run().ok(), "0\n 0 100000 1000\n1");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    let exec = bundle.call(&[
        "exec",
        "c",
        "sh",
        "-c",
        "id -u; cat /proc/self/uid_map | tr -s ' '",
    ]);
    assert_eq!(exec.ok(), "0\n 0 100000 1000");
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// The namespaces of another container, as those of a pod.
#[test]
fn namespaces_of_another_container() {
    let first = Bundle::new("sleep 1000");
    first.start();
    let pid = first.state()["pid"].to_string();
    let mut second = Bundle::new(
        "for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done; ps | grep -c 'sleep 1000$'",
    );
    for namespace in second.config["linux"]["namespaces"].as_array_mut().unwrap() {
        let file = match namespace["type"].as_str().unwrap() {
            "network" => "net",
            "mount" | "cgroup" => continue,
            same => same,
        };
        namespace["path"] = json!(format!("/proc/{pid}/ns/{file}"));
    }
    second.config.as_object_mut().unwrap().remove("hostname");
    let run = second.run();
    let lines: Vec<&str> = run.ok().lines().collect();
    let of_first = |file: &str| std::fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap();
    for (number, file) in ["pid", "net", "ipc", "uts"].iter().enumerate() {
        assert_eq!(Path::new(lines[number]), of_first(file), "{file}");
    }
    assert_ne!(Path::new(lines[4]), of_first("mnt"));
    assert_eq!(lines[5], "1", "the first container's process is seen");
    first.call(&["delete", "-f", "c"]).ok();
}

/// As an ordinary user: inside `unshare`, and with the user namespace in the configuration.
#[test]
fn rootless() {
    let user = testkit::user::TestUser::get();
    let mut bundle = Bundle::new(
        "id -u; head -c 1 /dev/zero | wc -c; ls /sys/fs/cgroup; cat /proc/self/uid_map | wc -l",
    );
    bundle.config["linux"]
        .as_object_mut()
        .unwrap()
        .remove("resources");
    for directory in ["dev/pts", "dev/shm", "dev/mqueue", "sys/fs"] {
        std::fs::create_dir_all(bundle.rootfs(directory)).unwrap();
    }
    let own = std::process::Command::new("chown")
        .arg("-R")
        .arg(format!("{}:{}", user.uid, user.gid))
        .arg(bundle.path())
        .status();
    assert!(own.unwrap().success());
    // The user may not reach the directory that the build is in.
    let program = bundle.path().join("berth-runtime");
    std::fs::copy(rig::runtime(), &program).unwrap();
    let state = bundle.path().join("state");
    let run = |words: &[&str]| {
        std::fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
        let mut command = std::process::Command::new("setpriv");
        command.args([
            &format!("--reuid={}", user.uid),
            &format!("--regid={}", user.gid),
            "--clear-groups",
        ]);
        command.arg(&program).args(words).current_dir(bundle.path());
        testkit::Finished::run(&mut command, b"", rig::LIMIT)
    };
    let (program_text, state_text) = (program.to_str().unwrap(), state.to_str().unwrap());
    let inside = run(&[
        "unshare",
        "--",
        program_text,
        "--root",
        state_text,
        "run",
        "c",
    ]);
    assert_eq!(inside.ok(), "0\n1\n2");
    std::fs::remove_dir(&state).unwrap();
}
