//! What a process is beside its program: the fields of `process`, and those of `linux` that are a process's, for a
//! container's init and for an exec'd process, as the kernel shows them. Needs root and busybox-static.
//!
//! Source: config.md "Process", config-linux.md.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::path::Path;

use rig::Bundle;
use serde_json::{Value, json};

/// Runs `script` with the change as init's own and, without it in the container's process, as that of `exec -p`.
fn both(change: impl Fn(&mut Value), script: &str, check: impl Fn(&str, &str)) {
    let mut bundle = Bundle::new(script);
    let mut base = bundle.config["process"].clone();
    base["args"] = json!(["sleep", "1000"]);
    change(&mut bundle.config);
    check("init", bundle.run().ok());
    let process = std::mem::replace(&mut bundle.config["process"], base);
    bundle.start();
    check("exec", exec(&bundle, &process).ok());
    bundle.call(&["delete", "-f", "c"]).ok();
}

fn exec(bundle: &Bundle, process: &Value) -> testkit::Finished {
    let path = bundle.path().join("process.json");
    std::fs::write(&path, process.to_string()).unwrap();
    bundle.call(&["exec", "-p", path.to_str().unwrap(), "c"])
}

/// The error of a container that cannot be made.
fn refusal(change: impl Fn(&mut Value)) -> String {
    let mut bundle = Bundle::new("true");
    change(&mut bundle.config);
    let run = bundle.run();
    assert_eq!(run.code(), 125, "{}{}", run.stdout, run.stderr);
    run.stderr.clone()
}

fn status(field: &str) -> String {
    format!("sed -n 's/^{field}:[[:space:]]*//p' /proc/self/status")
}

/// Whether whoever runs the tests may go above its limits.
fn has_sys_resource() -> bool {
    let sets = rustix::thread::capabilities(None).unwrap();
    sets.effective
        .contains(rustix::thread::CapabilitySet::SYS_RESOURCE)
}

/// Nice value, real-time priority and policy: fields 19, 40 and 41. By the shell itself, for a policy may not be
/// its children's.
const SCHEDULING: &str =
    "read -r line < /proc/self/stat; set -- ${line##*) }; shift 16; n=$1; shift 21; echo $n $1 $2";

/// Source: config.md "Linux Process", `scheduler`.
#[test]
fn schedulers_are_set() {
    let deadline = json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000, "period": 20_000_000});
    // These two leave it as it is with whoever runs the tests.
    let own = rustix::process::getpriority_process(None).unwrap();
    for (scheduler, shown) in [
        (
            json!({"policy": "SCHED_OTHER", "nice": 5}),
            "5 0 0".to_owned(),
        ),
        (
            json!({"policy": "SCHED_BATCH", "nice": -3}),
            "-3 0 3".to_owned(),
        ),
        (json!({"policy": "SCHED_IDLE"}), format!("{own} 0 5")),
        (deadline.clone(), format!("{own} 0 6")),
    ] {
        both(
            |config| config["process"]["scheduler"] = scheduler.clone(),
            SCHEDULING,
            |who, said| assert_eq!(said, shown, "{who} {scheduler}"),
        );
    }
    let reset = json!(["SCHED_FLAG_RESET_ON_FORK"]);
    both(
        |config| {
            config["process"]["scheduler"] = deadline.clone();
            config["process"]["scheduler"]["flags"] = reset.clone();
        },
        &format!("({SCHEDULING}); true"),
        |who, said| assert_eq!(said, "0 0 0", "{who}: the child's"),
    );
}

/// What the kernel refuses is told with what it takes.
#[test]
fn schedulers_that_cannot_be_had_are_refused_by_name() {
    let refused = |scheduler: Value, cpus: &str| {
        refusal(|config| {
            config["process"]["scheduler"] = scheduler.clone();
            if !cpus.is_empty() {
                config["linux"]["resources"]["cpu"]["cpus"] = json!(cpus);
            }
        })
    };
    let deadline = json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000, "period": 20_000_000});
    let said = refused(deadline.clone(), "0");
    assert!(
        said.contains("the scheduling policy SCHED_DEADLINE: operation not permitted"),
        "{said}"
    );
    assert!(said.contains("all CPUs of the machine"), "{said}");
    // It takes more of the CPUs than there is of them.
    let said = refused(
        json!({"policy": "SCHED_DEADLINE", "runtime": 1000, "deadline": 20, "period": 20}),
        "",
    );
    assert!(said.contains("SCHED_DEADLINE: invalid argument"), "{said}");
    let said = refused(json!({"policy": "SCHED_ISO"}), "");
    assert!(said.contains("no Linux has SCHED_ISO"), "{said}");
    // A v1 group has no real-time share of its own.
    if Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        let said = refused(json!({"policy": "SCHED_FIFO", "priority": 1}), "");
        assert!(
            said.contains("SCHED_FIFO") && said.contains("realtimeRuntime"),
            "{said}"
        );
    }
    let said = refused(json!({"policy": "SCHED_FIFO"}), "");
    assert!(said.contains("process.scheduler.priority"), "{said}");
    // No hook could be started by such a process.
    let said = refusal(|config| {
        config["process"]["scheduler"] = deadline.clone();
        config["hooks"]["startContainer"] = json!([{"path": "/bin/true"}]);
    });
    assert!(said.contains("SCHED_FLAG_RESET_ON_FORK"), "{said}");
}

/// Source: config.md "Linux Process", `ioPriority`.
#[test]
fn io_priorities_are_set() {
    for (class, level, shown) in [
        ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
        ("IOPRIO_CLASS_RT", 2, "realtime: prio 2"),
        ("IOPRIO_CLASS_IDLE", 0, "idle"),
    ] {
        both(
            |config| config["process"]["ioPriority"] = json!({"class": class, "priority": level}),
            "ionice",
            |who, said| assert_eq!(said, shown, "{who}"),
        );
    }
    let said = refusal(|config| {
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 8});
    });
    assert!(said.contains("process.ioPriority.priority 8"), "{said}");
}

/// Source: config.md "Linux Process", `execCPUAffinity`: not for the container's init.
#[test]
fn cpus_are_an_execd_processs_own() {
    let cpus = status("Cpus_allowed_list");
    let mut bundle = Bundle::new(&cpus);
    let all = bundle.run().ok().to_owned();
    assert_ne!(all, "0", "with one CPU this shows nothing");
    bundle.config["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "0"});
    assert_eq!(bundle.run().ok(), all);
    let mut process = bundle.config["process"].clone();
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    for (affinity, shown) in [
        (json!({"final": "1"}), "1"),
        (json!({"initial": "0", "final": "0-1"}), "0-1"),
        // What is asked for before the move goes on to hold after it.
        (json!({"initial": "0"}), "0"),
        (json!({"initial": "", "final": ""}), all.as_str()),
    ] {
        process["execCPUAffinity"] = affinity.clone();
        assert_eq!(exec(&bundle, &process).ok(), shown, "{affinity}");
    }
    // Without a file: what the configuration says.
    assert_eq!(bundle.call(&["exec", "c", "sh", "-c", &cpus]).ok(), "0");
    for bad in [
        json!({"final": "7777"}),
        json!({"initial": "0-"}),
        json!({"initial": "x"}),
    ] {
        process["execCPUAffinity"] = bad.clone();
        let said = exec(&bundle, &process);
        assert!(
            said.fails(125).contains("execCPUAffinity"),
            "{bad}: {}",
            said.stderr
        );
    }
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Source: config-linux.md "Memory policy". This machine has one node.
#[test]
fn memory_policies_are_set() {
    let show = "head -1 /proc/self/numa_maps | sed 's/^[^ ]* //; s/ \\(anon\\|file\\|heap\\|stack\\)[ =].*//'";
    for (mode, nodes, flags, shown) in [
        ("MPOL_DEFAULT", "", json!([]), "default"),
        ("MPOL_LOCAL", "", json!([]), "local"),
        ("MPOL_BIND", "0", json!([]), "bind:0"),
        (
            "MPOL_BIND",
            "0",
            json!(["MPOL_F_STATIC_NODES"]),
            "bind=static:0",
        ),
        (
            "MPOL_BIND",
            "0",
            json!(["MPOL_F_RELATIVE_NODES"]),
            "bind=relative:0",
        ),
        ("MPOL_INTERLEAVE", "0-0", json!([]), "interleave:0"),
        (
            "MPOL_WEIGHTED_INTERLEAVE",
            "0",
            json!([]),
            "weighted interleave:0",
        ),
        ("MPOL_PREFERRED", "0", json!([]), "prefer:0"),
        ("MPOL_PREFERRED_MANY", "0", json!([]), "prefer (many):0"),
    ] {
        both(
            |config| {
                config["linux"]["memoryPolicy"] =
                    json!({"mode": mode, "nodes": nodes, "flags": flags})
            },
            show,
            |who, said| assert_eq!(said, shown, "{who} {mode} {flags}"),
        );
    }
    let said = refusal(|config| {
        config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "1"})
    });
    assert!(
        said.contains("the memory policy MPOL_BIND of the nodes 1: invalid argument"),
        "{said}"
    );
    assert!(said.contains("/sys/devices/system/node"), "{said}");
    let said = refusal(|config| config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND"}));
    assert!(said.contains("needs nodes"), "{said}");
}

/// Source: config-linux.md "Personality".
#[test]
fn the_execution_domain_shows_in_uname() {
    for (domain, narrow) in [("LINUX32", true), ("LINUX", false)] {
        both(
            |config| config["linux"]["personality"] = json!({"domain": domain}),
            "uname -m",
            |who, said| assert_eq!(!said.contains("64"), narrow, "{who} {domain}: {said}"),
        );
    }
    let said = refusal(|config| {
        config["linux"]["personality"] = json!({"domain": "LINUX", "flags": ["X"]})
    });
    assert!(said.contains("linux.personality.flags"), "{said}");
    let said = refusal(|config| config["linux"]["personality"] = json!({"domain": "BSD"}));
    assert!(said.contains("linux.personality.domain"), "{said}");
}

/// Source: config.md "POSIX process", `rlimits`: both values MUST match, an unknown type and one that is given twice
/// MUST be errors.
#[test]
fn resource_limits_are_set() {
    let names = [
        ("AS", "Max address space", 1_u64 << 32),
        ("CORE", "Max core file size", 0),
        ("CPU", "Max cpu time", 900),
        ("DATA", "Max data size", 1 << 31),
        ("FSIZE", "Max file size", 1 << 30),
        ("LOCKS", "Max file locks", 100),
        ("MEMLOCK", "Max locked memory", 4096),
        ("MSGQUEUE", "Max msgqueue size", 4096),
        ("NICE", "Max nice priority", 0),
        ("NOFILE", "Max open files", 100),
        ("NPROC", "Max processes", 500),
        ("RSS", "Max resident set", 1 << 31),
        ("RTPRIO", "Max realtime priority", 0),
        ("RTTIME", "Max realtime timeout", 1 << 20),
        ("SIGPENDING", "Max pending signals", 50),
        ("STACK", "Max stack size", 1 << 22),
    ];
    let limits = names.map(|(name, _, value)| {
        json!({"type": format!("RLIMIT_{name}"), "soft": value / 2, "hard": value})
    });
    both(
        |config| config["process"]["rlimits"] = json!(limits),
        "cat /proc/self/limits",
        |who, said| {
            for (name, title, value) in names {
                let line = said.lines().find(|l| l.starts_with(title)).unwrap();
                let shown: Vec<&str> = line[title.len()..].split_whitespace().take(2).collect();
                assert_eq!(
                    shown,
                    [(value / 2).to_string(), value.to_string()],
                    "{who} {name}"
                );
            }
        },
    );
    let unlimited = json!([{"type": "RLIMIT_FSIZE", "soft": u64::MAX, "hard": u64::MAX}]);
    both(
        |config| config["process"]["rlimits"] = unlimited.clone(),
        "grep '^Max file size' /proc/self/limits | tr -s ' '",
        |who, said| {
            assert_eq!(
                said.trim_end(),
                "Max file size unlimited unlimited bytes",
                "{who}"
            )
        },
    );
    let refused = |limits: Value| refusal(|config| config["process"]["rlimits"] = limits.clone());
    let said = refused(
        json!([{"type": "RLIMIT_NICE", "soft": 40, "hard": 40}, {"type": "RLIMIT_NICE", "soft": 1, "hard": 1}]),
    );
    assert!(said.contains("RLIMIT_NICE is given twice"), "{said}");
    let said = refused(json!([{"type": "RLIMIT_COFFEE", "soft": 1, "hard": 1}]));
    assert!(
        said.contains("`RLIMIT_COFFEE` is no resource limit"),
        "{said}"
    );
    let said = refused(json!([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]));
    assert!(
        said.contains("set RLIMIT_CORE to 2:1: invalid argument"),
        "{said}"
    );
    if !has_sys_resource() {
        let said = refused(json!([{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1_048_576}]));
        assert!(
            said.contains("set RLIMIT_NOFILE to 1024:1048576: operation not permitted"),
            "{said}"
        );
        assert!(said.contains("needs CAP_SYS_RESOURCE"), "{said}");
    }
}

/// Source: config.md "Linux Process", `oomScoreAdj`: set, it MUST be set; not set, it MUST NOT be changed.
#[test]
fn the_oom_score_is_set_or_left_alone() {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let show = "cat /proc/self/oom_score_adj";
    both(
        |_| (),
        show,
        |who, said| assert_eq!(said, own.trim(), "{who}"),
    );
    both(
        |config| config["process"]["oomScoreAdj"] = json!(321),
        show,
        |who, said| assert_eq!(said, "321", "{who}"),
    );
    if !has_sys_resource() {
        let said = refusal(|config| config["process"]["oomScoreAdj"] = json!(-500));
        assert!(
            said.contains("set oom_score_adj to -500: permission denied"),
            "{said}"
        );
        assert!(said.contains("needs CAP_SYS_RESOURCE"), "{said}");
    }
}

/// Source: config.md "Linux Process", `noNewPrivileges`.
#[test]
fn no_new_privileges_is_as_asked() {
    for (asked, shown) in [(true, "1"), (false, "0")] {
        both(
            |config| config["process"]["noNewPrivileges"] = json!(asked),
            &status("NoNewPrivs"),
            |who, said| assert_eq!(said, shown, "{who}"),
        );
    }
}

/// Source: config.md "Linux Process", `capabilities`: what is not known or cannot be granted MUST be warned of, and
/// does not stop the container.
#[test]
fn capabilities_that_cannot_be_had_are_warned_of() {
    let mut bundle = Bundle::new("true");
    bundle.caps(&["CAP_CHOWN"]);
    bundle.config["process"]["capabilities"]["ambient"] = json!([]);
    let run = bundle.run();
    assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
    bundle.caps(&["CAP_CHOWN", "CAP_OF_TOMORROW", "chown"]);
    bundle.config["process"]["capabilities"]["ambient"] = json!(["CAP_KILL"]);
    let run = bundle.run();
    run.ok();
    let warnings: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{}", run.stderr);
    assert!(
        warnings[0].starts_with("warning: ") && warnings[0].contains("CAP_OF_TOMORROW chown"),
        "{}",
        run.stderr
    );
    assert!(
        warnings[1].contains("CAP_KILL") && warnings[1].contains("ambient"),
        "{}",
        run.stderr
    );
    if !has_sys_resource() {
        bundle.caps(&["CAP_CHOWN", "CAP_SYS_RESOURCE"]);
        bundle.config["process"]["capabilities"]["ambient"] = json!([]);
        let run = bundle.run();
        run.ok();
        assert!(run.stderr.contains("CAP_SYS_RESOURCE"), "{}", run.stderr);
    }
    // Where the caller keeps a log, that is where it goes.
    bundle.caps(&["CAP_OF_TOMORROW"]);
    let log = bundle.path().join("log");
    let run = bundle.call(&[
        "--log",
        log.to_str().unwrap(),
        "--log-format",
        "json",
        "run",
        "c",
    ]);
    assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
    let line: Value = serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(line["level"], "warning");
    assert!(
        line["msg"].as_str().unwrap().contains("CAP_OF_TOMORROW"),
        "{line}"
    );
}

/// R5: a file with inheritable capabilities gives none of them to another user than root.
#[test]
fn r5_a_files_inheritable_capabilities_are_not_gained() {
    const NET_RAW: u32 = 1 << 13;
    let show = "/bin/busybox-raw grep '^Cap[IPEA]' /proc/self/status | cut -f2";
    let mut bundle = Bundle::new(show);
    std::fs::copy(
        bundle.rootfs("bin/busybox"),
        bundle.rootfs("bin/busybox-raw"),
    )
    .unwrap();
    // Version 2, effective: permitted none, inheritable one. Source: linux/capability.h.
    let words = [0x0200_0001, 0, NET_RAW, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(
        bundle.rootfs("bin/busybox-raw"),
        "security.capability",
        &value,
        flags,
    )
    .unwrap();
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["process"]["capabilities"]["bounding"] = json!(["CAP_NET_RAW"]);
    for set in ["effective", "permitted", "inheritable", "ambient"] {
        bundle.config["process"]["capabilities"][set] = json!([]);
    }
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let none = ["0000000000000000"; 4].join("\n");
    assert_eq!(bundle.run().ok(), none);
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    assert_eq!(bundle.call(&["exec", "c", "sh", "-c", show]).ok(), none);
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// R8: digits are a number, whatever the image's passwd makes of them, and one that is too large is an error.
#[test]
fn r8_a_number_is_never_looked_up_as_a_name() {
    let mut bundle = Bundle::new("sleep 1000");
    std::fs::write(
        bundle.rootfs("etc/passwd"),
        "1000:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n",
    )
    .unwrap();
    bundle.start();
    assert_eq!(
        bundle.call(&["exec", "-u", "1000", "c", "id", "-u"]).ok(),
        "1000"
    );
    for bad in [
        "4294967296",
        "4294967296:0",
        "0:4294967296",
        "-1",
        "+0",
        "root",
        "1000.0",
    ] {
        let exec = bundle.call(&["exec", "-u", bad, "c", "id", "-u"]);
        assert_eq!((exec.code(), exec.stdout.as_str()), (125, ""), "{bad}");
    }
    bundle.call(&["delete", "-f", "c"]).ok();
    bundle.config["process"]["user"] = json!({"uid": "1000", "gid": 0});
    assert_eq!(bundle.run().code(), 125, "a text is no number");
}

/// Source: config.md "POSIX-platform User".
#[test]
fn user_groups_and_umask_are_the_specs() {
    both(
        |config| {
            config["process"]["user"] =
                json!({"uid": 5, "gid": 6, "umask": 0o27, "additionalGids": [7, 8]})
        },
        "id -u; id -G; umask",
        |who, said| assert_eq!(said, "5\n6 7 8\n0027", "{who}"),
    );
    both(
        |_| (),
        "umask",
        |who, said| assert_eq!(said, "0022", "{who}: as other runtimes"),
    );
}

/// Source: config.md "Process": `consoleSize` MUST be ignored without a terminal.
#[test]
fn a_console_size_without_a_terminal_is_ignored() {
    both(
        |config| config["process"]["consoleSize"] = json!({"height": 5, "width": 6}),
        "echo fine",
        |who, said| assert_eq!(said, "fine", "{who}"),
    );
}

/// Source: config.md "Process": `cwd` MUST be absolute, `args` has at least one entry; `process` MUST be there.
#[test]
fn a_process_has_a_program_and_a_place() {
    let said = refusal(|config| config["process"]["cwd"] = json!("tmp"));
    assert!(said.contains("process.cwd `tmp` is not absolute"), "{said}");
    let said = refusal(|config| config["process"]["args"] = json!([]));
    assert!(said.contains("process.args names no program"), "{said}");
    let said = refusal(|config| {
        config.as_object_mut().unwrap().remove("process");
    });
    assert!(said.contains("no process"), "{said}");
    both(
        |config| {
            config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=x=y"]);
            config["process"]["cwd"] = json!("/tmp");
        },
        "env | grep -v '^\\(_\\|SHLVL\\|PWD\\)=' | sort; pwd",
        |who, said| assert_eq!(said, "A=1\nB=x=y\nHOME=/root\nPATH=/bin\n/tmp", "{who}"),
    );
}

/// Source: config.md "Hostname", "Domainname".
#[test]
fn names_are_set() {
    both(
        |config| {
            config["hostname"] = json!("mrsdalloway");
            config["domainname"] = json!("foobarbaz.test");
        },
        "hostname; cat /proc/sys/kernel/domainname",
        |who, said| assert_eq!(said, "mrsdalloway\nfoobarbaz.test", "{who}"),
    );
    for name in ["hostname", "domainname"] {
        let said = refusal(|config| {
            config.as_object_mut().unwrap().remove("hostname");
            config[name] = json!("x");
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|n| n["type"] != "uts");
        });
        assert!(said.contains("uts namespace"), "{name}: {said}");
    }
}

/// A label that the host cannot apply is refused, never forgotten: this kernel runs neither.
#[test]
fn labels_need_the_hosts_support() {
    assert!(
        !Path::new("/sys/fs/selinux/enforce").exists()
            && !Path::new("/sys/kernel/security/apparmor").exists(),
        "with them there is more to test than this"
    );
    for (field, what) in [("apparmorProfile", "AppArmor"), ("selinuxLabel", "SELinux")] {
        let said = refusal(|config| config["process"][field] = json!("some_u:some_r:some_t:s0"));
        assert!(
            said.contains(what) && said.contains("does not run it"),
            "{said}"
        );
        // None, and no confinement: what there is anyway.
        for nothing in ["", "unconfined"] {
            if nothing.is_empty() || what == "AppArmor" {
                let mut bundle = Bundle::new("true");
                bundle.config["process"][field] = json!(nothing);
                bundle.run().ok();
            }
        }
    }
    let said = refusal(|config| config["linux"]["mountLabel"] = json!("some_u:some_r:some_t:s0"));
    assert!(said.contains("SELinux"), "{said}");
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let exec = bundle.call(&["exec", "--apparmor", "some", "c", "true"]);
    assert!(exec.fails(125).contains("AppArmor"), "{}", exec.stderr);
    let exec = bundle.call(&["exec", "--process-label", "a:b:c:s0", "c", "true"]);
    assert!(exec.fails(125).contains("SELinux"), "{}", exec.stderr);
    bundle.call(&["delete", "-f", "c"]).ok();
}
