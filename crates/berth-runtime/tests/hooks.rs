//! Hooks: when, where, with what, and what their failures mean. Needs root and busybox-static.
//!
//! Source: config.md "POSIX-platform Hooks", runtime.md "Lifecycle".
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::path::Path;

use rig::Bundle;
use serde_json::{Value, json};
use testkit::eventually;

const STAGES: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// A hook that runs a script.
fn hook(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"], "timeout": 20})
}

/// What hooks write, outside and inside, line by line: `say WORDS` in their scripts.
struct Diary {
    outside: std::path::PathBuf,
}

impl Diary {
    fn new(bundle: &mut Bundle) -> Diary {
        let outside = bundle.path().join("diary");
        std::fs::create_dir(&outside).unwrap();
        bundle.config["root"]["readonly"] = json!(false);
        bundle
            .mount(json!({"destination": "/diary", "source": outside, "options": ["bind", "rw"]}));
        Diary { outside }
    }

    fn hook(&self, script: &str) -> Value {
        let place = self.outside.display();
        hook(&format!(
            "d={place}; test -d $d || d=/diary; say() {{ echo \"$@\" >> $d/lines; }}; {script}"
        ))
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.outside.join("lines")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Source: config.md "POSIX-platform Hooks", "Prestart", "CreateRuntime Hooks", "CreateContainer Hooks",
/// "StartContainer Hooks", "Poststart", "Poststop": hooks MUST be called in the listed order, `prestart` before
/// `createRuntime`, `createContainer` after that, each in the runtime's or in the container's namespaces, as part of
/// its operation and before that returns; the state MUST be passed over stdin. runtime.md "State": in the runtime's
/// namespace the pid is as the runtime sees it, in the container's as the container does.
#[test]
fn each_has_its_time_its_place_and_the_state() {
    let mut bundle = Bundle::new("echo program >> /diary/lines; sleep 1000");
    let diary = Diary::new(&mut bundle);
    bundle.config["annotations"] = json!({"a.b": "c"});
    let script = |stage: &str, number: u32| {
        diary.hook(&format!(
            "field() {{ echo \"$s\" | sed -n \"s/.*\\\"$1\\\":\\\"*\\([^,\\\"}}]*\\).*/\\1/p\"; }}; s=$(cat); \
             say {stage} {number} $(field status) $(field id) $(field a.b) pid=$(field pid) net=$(readlink /proc/self/ns/net) \
             root=$(test -d /diary && echo inside || echo outside)"
        ))
    };
    for stage in STAGES {
        bundle.config["hooks"][stage] = json!([script(stage, 1), script(stage, 2)]);
    }
    bundle.create();
    let made = diary.lines();
    assert_eq!(made.len(), 6, "{made:?}");
    let pid = bundle.state()["pid"].to_string();
    let net = |pid: &str| {
        std::fs::read_link(format!("/proc/{pid}/ns/net"))
            .unwrap()
            .display()
            .to_string()
    };
    let (theirs, ours) = (net(&pid), net("self"));
    bundle.call(&["start", "c"]).ok();
    eventually("the program", || {
        diary.lines().contains(&"program".to_owned()).then_some(())
    });
    bundle.call(&["delete", "-f", "c"]).ok();
    let mut all = diary.lines();
    let program = all.iter().position(|line| line == "program").unwrap();
    assert!(program >= 8, "after startContainer: {all:?}");
    all.remove(program);
    let expect = |stage: &str, status: &str, pid: &str, net: &str, root: &str| {
        [1, 2].map(|n| format!("{stage} {n} {status} c c pid={pid} net={net} root={root}"))
    };
    let expected = [
        expect("prestart", "created", &pid, &ours, "outside"),
        expect("createRuntime", "creating", &pid, &ours, "outside"),
        expect("createContainer", "creating", "1", &theirs, "outside"),
        expect("startContainer", "created", "1", &theirs, "inside"),
        expect("poststart", "running", &pid, &ours, "outside"),
        expect("poststop", "stopped", "", &ours, "outside"),
    ]
    .concat();
    assert_eq!(all, expected);
}

/// Source: config.md "CreateRuntime Hooks": namespaces and mounts are there, the root is not entered yet, so it can
/// still be changed.
#[test]
fn a_container_can_be_changed_before_it_is_entered() {
    let mut bundle =
        Bundle::new("cat /proc/sys/net/ipv4/ip_default_ttl; cat /mnt/made; ls /sys/class/net");
    std::fs::create_dir(bundle.rootfs("mnt")).unwrap();
    let ttl = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); nsenter -t $pid -n sh -c 'echo 77 > /proc/sys/net/ipv4/ip_default_ttl; ip link add probe type veth peer name probe2'";
    bundle.config["hooks"]["createRuntime"] = json!([hook(ttl)]);
    // In the container's mount namespace, with the host's root: what is mounted below the container's root stays.
    let mount = format!(
        "test -d {0}/proc/self && mount -t tmpfs none {0}/mnt && echo here > {0}/mnt/made",
        bundle.path().join("rootfs").display()
    );
    bundle.config["hooks"]["createContainer"] = json!([hook(&mount)]);
    let run = bundle.run();
    assert_eq!(
        run.ok().lines().collect::<Vec<_>>(),
        ["77", "here", "lo", "probe", "probe2"]
    );
}

/// Source: runtime.md "Lifecycle", 3 to 5 and 7: a failure MUST be an error, the container is stopped and destroyed,
/// and `poststop` MUST be invoked.
#[test]
fn a_failure_on_the_way_ends_it_and_poststop_follows() {
    for stage in ["prestart", "createRuntime", "createContainer"] {
        let mut bundle = Bundle::new("echo program >> /diary/lines");
        let diary = Diary::new(&mut bundle);
        bundle.config["hooks"][stage] = json!([
            diary.hook("say first"),
            diary.hook("echo no luck >&2; exit 5"),
            diary.hook("say never")
        ]);
        bundle.config["hooks"]["poststop"] = json!([diary.hook("say poststop $(grep -o stopped)")]);
        let call = bundle.call(&["create", "c"]);
        let said = call.fails(125);
        for part in [stage, "/bin/sh", "exit code 5 no luck"] {
            assert!(said.contains(part), "{stage}: {said}");
        }
        assert_eq!(diary.lines(), ["first", "poststop stopped"], "{stage}");
        assert_eq!(bundle.leaks(), [""; 0], "{stage}");
        bundle.call(&["state", "c"]).fails(125);
    }
}

/// Source: runtime.md "Lifecycle", 7 and 9. What `create` made stays for `delete`, which runs `poststop`.
#[test]
fn a_failure_of_start_stops_the_container() {
    for stage in ["startContainer", "poststart"] {
        let mut bundle = Bundle::new("echo program >> /diary/lines; sleep 1000");
        let diary = Diary::new(&mut bundle);
        bundle.config["hooks"][stage] = json!([
            diary.hook("sleep 0.5; echo no luck; exit 5"),
            diary.hook("say never")
        ]);
        bundle.config["hooks"]["poststop"] = json!([diary.hook("say poststop")]);
        bundle.create();
        let start = bundle.call(&["start", "c"]);
        let said = start.fails(125);
        assert!(
            said.contains(stage) && said.contains("exit code 5 no luck"),
            "{stage}: {said}"
        );
        assert_eq!(bundle.state()["status"], "stopped", "{stage}");
        let program = diary.lines().contains(&"program".to_owned());
        assert_eq!(program, stage == "poststart");
        bundle.call(&["delete", "c"]).ok();
        assert_eq!(diary.lines().last().unwrap(), "poststop", "{stage}");
        // In one go all of it is undone at once.
        let run = bundle.run();
        assert!(
            run.fails(125).contains("no luck"),
            "{stage}: {}",
            run.stderr
        );
        assert_eq!(
            diary.lines().iter().filter(|l| *l == "poststop").count(),
            2,
            "{stage}"
        );
        assert!(!diary.lines().contains(&"never".to_owned()));
        assert_eq!(bundle.leaks(), [""; 0], "{stage}");
    }
}

/// A program that cannot be executed is `start`'s error as much as `run`'s.
#[test]
fn start_tells_why_a_program_does_not_run() {
    let mut bundle = Bundle::new("");
    bundle.executable("odd", "\x7fELF what");
    bundle.config["process"]["args"] = json!(["/odd"]);
    bundle.create();
    let start = bundle.call(&["start", "c"]);
    assert!(
        start.fails(126).contains("exec `/odd`: exec format error"),
        "{}",
        start.stderr
    );
    assert_eq!(bundle.state()["status"], "stopped");
    bundle.call(&["delete", "c"]).ok();
}

/// Source: runtime.md "Lifecycle", 13, and runtime.md "Warnings": a failed `poststop` MUST be a warning, and the rest
/// goes on.
#[test]
fn a_failed_poststop_is_a_warning() {
    let mut bundle = Bundle::new("exit 7");
    let diary = Diary::new(&mut bundle);
    bundle.config["hooks"]["poststop"] =
        json!([diary.hook("echo no luck; exit 5"), diary.hook("say second")]);
    let run = bundle.run();
    assert_eq!(run.code(), 7);
    assert!(
        run.stderr
            .starts_with("warning: run the poststop hook /bin/sh: exit code 5 no luck"),
        "{}",
        run.stderr
    );
    assert_eq!(diary.lines(), ["second"]);
    let log = bundle.path().join("log");
    let run = bundle.call(&["--log", log.to_str().unwrap(), "run", "c"]);
    assert_eq!((run.code(), run.stderr.as_str()), (7, ""));
    assert!(
        std::fs::read_to_string(log)
            .unwrap()
            .contains("level=warning msg=\"run the poststop hook")
    );
}

/// A hook that takes too long is killed with its process group, wherever it runs, and the error says which.
#[test]
fn hooks_have_a_timeout() {
    for stage in STAGES {
        let mut bundle = Bundle::new("sleep 1000");
        let diary = Diary::new(&mut bundle);
        let mut slow = diary.hook("sleep 1234 & sleep 1234");
        slow["timeout"] = json!(1);
        bundle.config["hooks"][stage] = json!([slow]);
        if stage == "poststop" {
            bundle.config["process"]["args"] = json!(["true"]);
        }
        let run = bundle.run();
        assert_eq!(
            run.code(),
            if stage == "poststop" { 0 } else { 125 },
            "{stage}: {}",
            run.stderr
        );
        let expected = format!("run the {stage} hook /bin/sh: timeout: no end after 1 s");
        assert!(run.stderr.contains(&expected), "{stage}: {}", run.stderr);
        eventually("their end", || {
            let processes = std::process::Command::new("pgrep")
                .args(["-f", "^sleep 1234$"])
                .output()
                .unwrap();
            processes.stdout.is_empty().then_some(())
        });
    }
}

/// Source: config.md "POSIX-platform Hooks": `path` MUST be absolute, `timeout` MUST be greater than zero.
#[test]
fn hooks_are_checked_before_anything_is_made() {
    for stage in STAGES {
        for (field, bad) in [
            ("path", json!("bin/sh")),
            ("timeout", json!(0)),
            ("timeout", json!(-1)),
        ] {
            let mut bundle = Bundle::new("true");
            let mut odd = hook("exit 0");
            odd[field] = bad.clone();
            bundle.config["hooks"]["prestart"] = json!([hook("touch made")]);
            bundle.config["hooks"][stage] = json!([odd]);
            assert_eq!(bundle.run().code(), 125, "{stage} {field} {bad}");
            assert!(!bundle.path().join("made").exists());
        }
    }
}

/// Source: config.md "CreateContainer Hooks", "StartContainer Hooks": the path MUST resolve in the runtime's
/// namespace, or in the container's. It is looked up where the hook belongs: a program that only the container has
/// can be a `startContainer` hook, and no other. Without an environment it has the process's.
#[test]
fn paths_resolve_where_the_hook_runs() {
    let mut bundle = Bundle::writable("cat /tmp/seen");
    let inside = "/bin/only-inside";
    let script = "#!/bin/sh\necho \"$0 $@ $MARK\" > /tmp/seen\n";
    bundle.executable(&inside[1..], script);
    assert!(!Path::new(inside).exists());
    bundle.config["process"]["env"] = json!(["PATH=/bin", "MARK=of the process"]);
    bundle.config["hooks"]["startContainer"] = json!([{"path": inside, "args": ["x", "one"]}]);
    assert_eq!(bundle.run().ok(), format!("{inside} one of the process"));
    bundle.config["hooks"]["startContainer"] = json!([{"path": inside, "env": ["MARK=own"]}]);
    assert_eq!(bundle.run().ok(), format!("{inside}  own"));
    bundle.config["hooks"] = json!({"createContainer": [{"path": inside}]});
    let run = bundle.run();
    assert!(
        run.fails(125)
            .contains("createContainer hook /bin/only-inside: No such file"),
        "{}",
        run.stderr
    );
}

/// R24, R23: what an image or its annotations say of hooks, properties or programs selects nothing.
#[test]
fn r23_r24_annotations_select_nothing() {
    let mut bundle = Bundle::new("echo fine");
    let canary = bundle.path().join("canary");
    let script = format!("touch {}", canary.display());
    let hooks =
        json!({"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}).to_string();
    bundle.config["annotations"] = json!({
        "org.opencontainers.image.hooks": hooks,
        "io.container.hooks": hooks,
        "hooks": hooks,
        "run.oci.hooks.stdout": canary,
        "run.oci.handler": "/bin/sh",
        "module.wasm.image/variant": "compat",
        "org.systemd.property.ExecStopPost": format!("[('/bin/sh', ['sh', '-c', '{script}'], false)]"),
        "org.criu.config": canary,
        "bundle": "/",
    });
    assert_eq!(bundle.run().ok(), "fine");
    bundle.create();
    assert!(!canary.exists());
    // They are told again, and that is all.
    let state = bundle.state();
    assert_eq!(state["annotations"], bundle.config["annotations"]);
    assert_eq!(
        state["bundle"],
        json!(bundle.path().canonicalize().unwrap())
    );
    bundle.call(&["delete", "c"]).ok();
    assert!(!canary.exists());
}
