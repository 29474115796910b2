//! Seccomp as the kernel enforces it on init and on exec'd processes, and its listener. Needs root and
//! busybox-static; programs of a few instructions are written by the tests (x86-64).
//!
//! Source: config-linux.md "Seccomp".
#![allow(clippy::unwrap_used)] // this whole file is a test
#![cfg(target_arch = "x86_64")]

mod rig;

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use berth_seccomp::{Arch, Target};
use rig::Bundle;
use serde_json::{Value, json};

/// What a shell says of a program that SIGSYS ended.
const SIGSYS: i32 = 128 + 31;

fn with(profile: Value, script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    bundle.config["linux"]["seccomp"] = profile;
    bundle.config["root"]["readonly"] = json!(false);
    bundle
}

fn allowing(rule: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
}

/// A program that is nothing but `code`. Source: elf(5).
fn elf(wide: bool, code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let (header, program) = if wide { (64_u64, 56) } else { (52, 32) };
    let (start, size) = (header + program, header + program + code.len() as u64);
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file[4] = 1 + u8::from(wide);
    file.resize(16, 0);
    let half = |file: &mut Vec<u8>, n: u16| file.extend(n.to_le_bytes());
    let word = |file: &mut Vec<u8>, n: u64| match wide {
        true => file.extend(n.to_le_bytes()),
        false => file.extend((n as u32).to_le_bytes()),
    };
    let int = |file: &mut Vec<u8>, n: u32| file.extend(n.to_le_bytes());
    half(&mut file, 2); // executable
    half(&mut file, if wide { 62 } else { 3 });
    int(&mut file, 1);
    word(&mut file, BASE + start);
    word(&mut file, header);
    word(&mut file, 0);
    int(&mut file, 0);
    for n in [header as u16, program as u16, 1, 0, 0, 0] {
        half(&mut file, n);
    }
    int(&mut file, 1); // load
    if wide {
        int(&mut file, 5);
    }
    word(&mut file, 0);
    word(&mut file, BASE);
    word(&mut file, BASE);
    word(&mut file, size);
    word(&mut file, size);
    if !wide {
        int(&mut file, 5);
    }
    word(&mut file, 0x1000);
    file.extend(code);
    file
}

/// A program that makes one call with three arguments and exits with its errno.
fn caller(number: u32, args: [u32; 3]) -> Vec<u8> {
    let mut code = vec![0xb8];
    code.extend(number.to_le_bytes());
    for (register, value) in [0xbf, 0xbe, 0xba].into_iter().zip(args) {
        code.push(register); // mov edi, esi, edx
        code.extend(value.to_le_bytes());
    }
    code.extend([0x0f, 0x05, 0xf7, 0xd8, 0x89, 0xc7]); // syscall; neg eax; mov edi, eax
    code.extend([0xb8, 60, 0, 0, 0, 0x0f, 0x05]); // exit
    elf(true, &code)
}

/// A program of i386 that exits with 42.
fn narrow() -> Vec<u8> {
    elf(false, &[0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80])
}

/// Source: config-linux.md "Seccomp", `action`, `errnoRet`: EPERM unless another is given.
#[test]
fn actions_do_what_they_say() {
    let names = json!(["mkdir", "mkdirat"]);
    for (action, errno, said, code) in [
        ("SCMP_ACT_ERRNO", None, "Operation not permitted", 1),
        ("SCMP_ACT_ERRNO", Some(28), "No space left", 1),
        ("SCMP_ACT_TRACE", None, "not implemented", 1),
        ("SCMP_ACT_LOG", None, "", 0),
        ("SCMP_ACT_ALLOW", None, "", 0),
        ("SCMP_ACT_KILL", None, "", SIGSYS),
        ("SCMP_ACT_KILL_THREAD", None, "", SIGSYS),
        ("SCMP_ACT_KILL_PROCESS", None, "", SIGSYS),
        ("SCMP_ACT_TRAP", None, "", SIGSYS),
    ] {
        let mut rule = json!({"names": names, "action": action});
        if let Some(errno) = errno {
            rule["errnoRet"] = json!(errno);
        }
        let script = "mkdir /tmp/made; code=$?; echo $code; exit 0";
        let mut bundle = with(allowing(rule.clone()), script);
        let run = bundle.run();
        assert!(
            run.ok().ends_with(&code.to_string()),
            "{rule}: {} {}",
            run.stdout,
            run.stderr
        );
        assert!(run.stderr.contains(said), "{rule}: {}", run.stderr);
        bundle.config["process"]["args"] = json!(["sleep", "1000"]);
        bundle.start();
        let exec = bundle.call(&[
            "exec",
            "c",
            "sh",
            "-c",
            script.replace("made", "more").as_str(),
        ]);
        assert!(
            exec.ok().ends_with(&code.to_string()),
            "exec {rule}: {} {}",
            exec.stdout,
            exec.stderr
        );
        bundle.call(&["delete", "-f", "c"]).ok();
    }
}

/// Source: config-linux.md "Seccomp", `defaultErrnoRet`, and operators.
#[test]
fn defaults_and_arguments_count() {
    let rule = |op: &str, value: u64, two: Option<u64>| {
        let mut arg = json!({"index": 0, "value": value, "op": op});
        if let Some(two) = two {
            arg["valueTwo"] = json!(two);
        }
        allowing(
            json!({"names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [arg]}),
        )
    };
    for (op, value, two, refused) in [
        ("SCMP_CMP_EQ", 0o22, None, true),
        ("SCMP_CMP_EQ", 0o23, None, false),
        ("SCMP_CMP_NE", 0o22, None, false),
        ("SCMP_CMP_LT", 0o22, None, false),
        ("SCMP_CMP_LE", 0o22, None, true),
        ("SCMP_CMP_GE", 0o22, None, true),
        ("SCMP_CMP_GT", 0o22, None, false),
        ("SCMP_CMP_MASKED_EQ", 0o20, Some(0o20), true),
        ("SCMP_CMP_MASKED_EQ", 0o20, Some(0), false),
    ] {
        let mut bundle = with(rule(op, value, two), "");
        bundle.executable("call", caller(95, [0o22, 0, 0]));
        bundle.config["process"]["args"] = json!(["/call"]);
        // Not refused it returns the old mask, 0022: minus that is no errno, but the low byte of it.
        let expected = if refused { 77 } else { 256 - 0o22 };
        assert_eq!(bundle.run().code(), expected, "{op} {value} {two:?}");
    }
    let all = json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 99, "syscalls": [
        {"names": ["execve", "exit", "prctl", "sendmsg", "rt_sigaction", "rt_sigprocmask", "write"], "action": "SCMP_ACT_ALLOW"}]});
    let mut bundle = with(all, "");
    bundle.executable("call", caller(83, [0, 0, 0]));
    bundle.config["process"]["args"] = json!(["/call"]);
    assert_eq!(bundle.run().code(), 99);
}

/// Source: config-linux.md "Seccomp", `flags`; seccomp(2).
#[test]
fn flags_are_accepted_alone_and_together() {
    let mut all = vec![
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ];
    let mut profile = allowing(json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}));
    for flags in all
        .clone()
        .into_iter()
        .map(|f| vec![f])
        .chain([all.clone()])
    {
        profile["flags"] = json!(flags);
        let run = with(
            profile.clone(),
            "mkdir /tmp/x; grep ^Seccomp: /proc/self/status | cut -f2",
        )
        .run();
        assert_eq!(run.ok(), "2", "{flags:?}");
        assert!(run.stderr.contains("not permitted"), "{flags:?}");
    }
    all.push("SECCOMP_FILTER_FLAG_OF_TOMORROW");
    profile["flags"] = json!(all);
    assert!(
        with(profile, "true")
            .run()
            .fails(125)
            .contains("FLAG_OF_TOMORROW")
    );
}

/// Source: config-linux.md "Seccomp". R25: what is not understood is refused before anything runs; calls of
/// architectures that are not named are killed.
#[test]
fn r25_a_profile_is_whole_or_refused() {
    let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"});
    let bad = |field: &str, value: Value| {
        let mut profile = allowing(rule.clone());
        profile[field] = value;
        let run = with(profile.clone(), "echo ran").run();
        assert_eq!((run.code(), run.stdout.as_str()), (125, ""), "{profile}");
    };
    bad("defaultAction", json!(""));
    bad("defaultAction", json!("SCMP_ACT_ALOW"));
    bad("defaultAction", json!("SCMP_ACT_NOTIFY"));
    bad("architectures", json!(["SCMP_ARCH_X87"]));
    bad(
        "architectures",
        json!(["SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS"]),
    );
    bad("flags", json!(["LOG"]));
    // MUST NOT be set without a path.
    bad("listenerMetadata", json!("x"));
    // MUST fail: this action returns no errno.
    bad("defaultErrnoRet", json!(1));
    for (field, value) in [
        ("names", json!([])),
        ("names", json!(["mkdirr"])),
        ("action", json!("ERRNO")),
        ("action", json!("SCMP_ACT_NOTIFY")),
        ("errnoRet", json!(5000)),
        (
            "args",
            json!([{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]),
        ),
        ("args", json!([{"index": 0, "value": 0, "op": "=="}])),
    ] {
        let mut odd = rule.clone();
        odd[field] = value;
        bad("syscalls", json!([odd]));
    }
    bad(
        "syscalls",
        json!([{"names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]),
    );
}

#[test]
fn r25_other_architectures_are_killed_unless_named() {
    let run = |archs: Value, program: Vec<u8>| {
        let mut profile = allowing(json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}));
        profile["architectures"] = archs;
        let mut bundle = with(profile, "/odd; echo $?");
        bundle.config["process"]["args"] = json!(["sh", "-c", "/odd; echo $?"]);
        bundle.executable("odd", &program);
        bundle.run().ok().parse::<i32>().unwrap()
    };
    const X32: u32 = 0x4000_0000;
    let (own, i386, x32) = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
    assert_eq!(run(json!([own]), narrow()), SIGSYS);
    assert_eq!(run(json!([own, i386]), narrow()), 42);
    assert_eq!(run(json!([own, i386]), caller(X32 | 39, [0; 3])), SIGSYS);
    // The kernel knows none of x32's calls, but the filter lets them pass.
    assert_ne!(run(json!([own, x32]), caller(X32 | 39, [0; 3])), SIGSYS);
    // The machine's own is there, named or not; those of other machines are not missed.
    assert_eq!(
        run(
            json!([i386, "SCMP_ARCH_ARM", "SCMP_ARCH_RISCV64"]),
            narrow()
        ),
        42
    );
    assert_eq!(run(json!([]), narrow()), SIGSYS);
}

/// K6, K7, K10: Docker's profile keeps these calls from the kernel.
#[test]
fn k6_k7_k10_the_default_profile_holds() {
    const EPERM: i32 = 1;
    const ENOSYS: i32 = 38;
    let new_user = 0x1000_0000;
    let calls = [
        ("keyctl", 250, [0; 3], EPERM),
        ("add_key", 248, [0; 3], EPERM),
        ("request_key", 249, [0; 3], EPERM),
        ("io_uring_setup", 425, [1, 0, 0], EPERM),
        ("io_uring_enter", 426, [0; 3], EPERM),
        ("io_uring_register", 427, [0; 3], EPERM),
        ("bpf", 321, [0; 3], EPERM),
        ("userfaultfd", 323, [0; 3], EPERM),
        ("perf_event_open", 298, [0; 3], EPERM),
        ("open_by_handle_at", 304, [0; 3], EPERM),
        ("kexec_load", 246, [0; 3], EPERM),
        ("init_module", 175, [0; 3], EPERM),
        ("finit_module", 313, [0; 3], EPERM),
        ("delete_module", 176, [0; 3], EPERM),
        ("mount", 165, [0; 3], EPERM),
        ("unshare", 272, [new_user, 0, 0], EPERM),
        ("clone", 56, [new_user, 0, 0], EPERM),
        ("setns", 308, [0; 3], EPERM),
        ("clone3", 435, [0; 3], ENOSYS),
        ("af_alg", 41, [38, 5, 0], EPERM),
        ("af_vsock", 41, [40, 1, 0], EPERM),
    ];
    let caps: Vec<String> = ["CAP_CHOWN", "CAP_NET_RAW"].map(String::from).to_vec();
    let target = Target {
        arch: Arch::X86_64,
        caps: &caps,
        kernel: (6, 1),
    };
    let profile = berth_seccomp::resolve_profile(berth_seccomp::DEFAULT_PROFILE, &target).unwrap();
    let bundle = with(
        json!(profile),
        "for k in /k/*; do $k; echo ${k##*/} $?; done",
    );
    std::fs::create_dir(bundle.rootfs("k")).unwrap();
    for (name, number, args, _) in calls {
        bundle.executable(&format!("k/{name}"), caller(number, args));
    }
    let mut expected: Vec<String> = calls
        .map(|(name, _, _, errno)| format!("{name} {errno}"))
        .to_vec();
    expected.sort();
    assert_eq!(bundle.run().ok().lines().collect::<Vec<_>>(), expected);
}

/// Whoever takes listeners.
struct Agent(UnixListener);

impl Agent {
    fn new(path: &Path) -> Agent {
        Agent(UnixListener::bind(path).unwrap())
    }

    /// The next one: its state and the listener.
    fn take(&self) -> (Value, OwnedFd) {
        let (socket, _) = self.0.accept().unwrap();
        let mut text = Vec::new();
        let mut fds = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let got = berth_sys::fdpass::receive(&socket, &mut buffer, 8).unwrap();
            if got.bytes == 0 {
                break;
            }
            // Descriptors MUST come with the first part only.
            assert!(text.is_empty() || got.fds.is_empty());
            text.extend_from_slice(&buffer[..got.bytes]);
            fds.extend(got.fds);
        }
        assert_eq!(fds.len(), 1);
        let listener = fds.pop().unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        assert_eq!(link, Path::new("anon_inode:seccomp notify"));
        (serde_json::from_slice(&text).unwrap(), listener)
    }
}

/// Waits for a question, then goes without an answer: the call fails with ENOSYS.
fn be_asked(listener: OwnedFd) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let mut wanted = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    assert_eq!(poll(&mut wanted, Some(&limit)), Ok(1), "nobody asks");
}

/// Source: config-linux.md "Seccomp", "The Container Process State": the state is one regular payload, the descriptor
/// comes with its first message, and the connection is closed after it.
#[test]
fn a_listener_is_handed_over_with_the_state() {
    // The very call by which a listener is sent may be asked about, too.
    for calls in [
        json!(["mkdir", "mkdirat"]),
        json!(["mkdir", "mkdirat", "sendmsg"]),
    ] {
        for metadata in [Some("MKNOD=/dev/null"), None] {
            let mut bundle = with(Value::Null, "mkdir /tmp/made");
            let agent = Agent::new(&bundle.path().join("agent"));
            let mut profile = allowing(json!({"names": calls, "action": "SCMP_ACT_NOTIFY"}));
            profile["listenerPath"] = json!(bundle.path().join("agent"));
            profile["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
            if let Some(metadata) = metadata {
                profile["listenerMetadata"] = json!(metadata);
            }
            bundle.config["linux"]["seccomp"] = profile;
            bundle.config["annotations"] = json!({"a": "b"});
            let mut create = bundle.command(&["create", "c"]);
            let error = bundle.path().join("error");
            create
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(&error).unwrap());
            let mut create = create.spawn().unwrap();
            let (state, listener) = agent.take();
            assert!(create.wait().unwrap().success());
            let bundle_path = bundle.path().canonicalize().unwrap();
            let now = bundle.state();
            let inner = json!({"ociVersion": now["ociVersion"], "id": "c", "status": "creating", "pid": now["pid"],
                "bundle": bundle_path, "annotations": {"a": "b"}});
            assert_eq!(
                state,
                json!({"ociVersion": now["ociVersion"], "fds": ["seccompFd"], "pid": now["pid"],
                    "metadata": metadata.unwrap_or_default(), "state": inner})
            );
            bundle.call(&["start", "c"]).ok();
            be_asked(listener);
            bundle.stopped();
            assert!(
                std::fs::read_to_string(&error)
                    .unwrap()
                    .contains("not implemented")
            );
            bundle.call(&["delete", "c"]).ok();
        }
    }
}

/// An exec'd process has a listener of its own, with its own pid and the container's state.
#[test]
fn an_execd_process_has_a_listener_of_its_own() {
    for calls in [
        json!(["mkdir", "mkdirat"]),
        json!(["mkdir", "mkdirat", "sendmsg"]),
    ] {
        let mut bundle = with(Value::Null, "sleep 1000");
        let agent = Agent::new(&bundle.path().join("agent"));
        let mut profile = allowing(json!({"names": calls, "action": "SCMP_ACT_NOTIFY"}));
        profile["listenerPath"] = json!(bundle.path().join("agent"));
        bundle.config["linux"]["seccomp"] = profile;
        let mut run = bundle.command(&["run", "-d", "c"]);
        let mut run = run
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (first, _kept) = agent.take();
        assert!(run.wait().unwrap().success());
        let mut exec = bundle.command(&["exec", "c", "mkdir", "/tmp/made"]);
        let exec = exec.stderr(Stdio::piped()).spawn().unwrap();
        let (state, listener) = agent.take();
        assert_ne!(state["pid"], first["pid"]);
        assert!(Path::new(&format!("/proc/{}", state["pid"])).exists());
        assert_eq!(
            (&state["state"]["status"], &state["state"]["pid"]),
            (&json!("running"), &first["pid"])
        );
        be_asked(listener);
        let output = exec.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("not implemented"));
        bundle.call(&["delete", "-f", "c"]).ok();
    }
}

/// Source: config-linux.md "Seccomp", `listenerPath`: a failure to send MUST be an error; without
/// `SCMP_ACT_NOTIFY` the path is ignored.
#[test]
fn a_listener_that_nobody_takes_is_an_error() {
    let mut bundle = with(
        allowing(json!({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})),
        "true",
    );
    bundle.config["linux"]["seccomp"]["listenerPath"] = json!(bundle.path().join("nobody"));
    let run = bundle.run();
    assert!(
        run.fails(125).contains("hand over the seccomp listener"),
        "{}",
        run.stderr
    );
    assert_eq!(bundle.leaks(), [""; 0]);
    bundle.config["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_LOG");
    bundle.run().ok();
    bundle.config["linux"]["seccomp"]["syscalls"][0] =
        json!({"names": ["sendmsg", "write"], "action": "SCMP_ACT_NOTIFY"});
    let run = bundle.run();
    assert!(
        run.fails(125).contains("would stop the runtime itself"),
        "{}",
        run.stderr
    );
}
