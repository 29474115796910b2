//! The compiled form against the plain meaning of the rules, by an interpreter of our own.

use std::time::Instant;

use berth_oci::spec::{Seccomp, SeccompArg, SeccompRule};
use proptest::prelude::*;

use super::*;
use crate::compare::is_narrow;
use crate::compile::{architectures, understand};

/// `struct seccomp_data`.
#[derive(Debug, Clone, Copy)]
struct Call {
    audit: u32,
    number: u32,
    args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.audit,
            16.. => {
                let arg = self.args[(offset as usize - 16) / 8];
                if offset.is_multiple_of(8) {
                    arg as u32
                } else {
                    (arg >> 32) as u32
                }
            }
            _ => panic!("the program reads offset {offset}"),
        }
    }
}

/// Runs a program as the kernel does; also counts the steps.
fn run(program: &Program, call: &Call) -> (u32, usize) {
    let code = &program.instructions;
    let (mut at, mut acc, mut steps) = (0usize, 0u32, 0usize);
    loop {
        let Insn {
            code: op,
            jt,
            jf,
            k,
        } = code[at];
        steps += 1;
        at += 1;
        let taken = match op {
            0x20 => {
                acc = call.word(k);
                continue;
            }
            0x54 => {
                acc &= k;
                continue;
            }
            0x05 => {
                at += k as usize;
                continue;
            }
            0x06 => return (k, steps),
            0x15 => acc == k,
            0x25 => acc > k,
            0x35 => acc >= k,
            other => panic!("operation {other:#x}"),
        };
        at += usize::from(if taken { jt } else { jf });
    }
}

/// What the rules mean, said plainly.
fn reference(profile: &Seccomp, call: &Call) -> u32 {
    let default = Action::parse(&profile.default_action, profile.default_errno_ret).unwrap();
    let archs = architectures(profile).unwrap();
    let x32 = call.audit == Arch::X86_64.audit() && call.number >= X32_BIT;
    if call.audit == Arch::X86_64.audit()
        && call.number == u32::MAX
        && archs.iter().any(|a| a.audit() == call.audit)
    {
        return default.value();
    }
    let arch = archs
        .iter()
        .find(|a| a.audit() == call.audit && (**a == Arch::X32) == x32);
    let Some(arch) = arch else {
        return Action::KILL_PROCESS.value();
    };
    let plain = call.number - if x32 { X32_BIT } else { 0 };
    let rules = understand(profile, default).unwrap();
    let mut decided: Option<Action> = None;
    let mut greatest = None;
    for rule in &rules {
        for (name, _) in rule.calls.iter() {
            let Some(number) = number(name, *arch) else {
                continue;
            };
            greatest = greatest.max(Some(number));
            let holds = |c: &crate::compare::Condition| {
                c.holds(&call.args, is_narrow(name, c.index, *arch))
            };
            if number == plain
                && rule.conditions.iter().all(holds)
                && decided.is_none_or(|d| rule.action.leniency() < d.leniency())
            {
                decided = Some(rule.action);
            }
        }
    }
    match decided {
        Some(action) => action.value(),
        None if greatest.is_none_or(|g| plain > g) => newer(default),
        None => default.value(),
    }
}

fn newer(default: Action) -> u32 {
    if default.is_errno() {
        Action::errno(38).value()
    } else {
        default.value()
    }
}

fn default_for(caps: &[&str]) -> Seccomp {
    let caps: Vec<String> = caps.iter().map(|c| (*c).to_owned()).collect();
    let target = Target {
        arch: Arch::X86_64,
        caps: &caps,
        kernel: (6, 18),
    };
    resolve_profile(DEFAULT_PROFILE, &target).unwrap()
}

fn ask(program: &Program, arch: Arch, name: &str, args: [u64; 6]) -> u32 {
    let number = number(name, arch).unwrap() | if arch == Arch::X32 { X32_BIT } else { 0 };
    run(
        program,
        &Call {
            audit: arch.audit(),
            number,
            args,
        },
    )
    .0
}

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const KILL: u32 = 0x8000_0000;

#[test]
fn k6_the_default_profile_refuses_the_dangerous_calls() {
    let program = compile(&default_for(&["CAP_CHOWN", "CAP_SYS_CHROOT"])).unwrap();
    let none = [0; 6];
    for name in [
        "mount",
        "umount2",
        "keyctl",
        "add_key",
        "request_key",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "bpf",
        "userfaultfd",
        "perf_event_open",
        "open_by_handle_at",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "setns",
        "unshare",
        "fsopen",
        "fsconfig",
        "fsmount",
        "move_mount",
        "open_tree",
        "pivot_root",
        "reboot",
        "swapon",
        "acct",
        "quotactl",
        "settimeofday",
        "clock_settime",
        "iopl",
        "ioperm",
        "syslog",
        "nfsservctl",
        "move_pages",
        "mbind",
    ] {
        assert_eq!(ask(&program, Arch::X86_64, name, none), EPERM, "{name}");
    }
    for name in [
        "read",
        "write",
        "execve",
        "openat",
        "futex",
        "ptrace",
        "chroot",
        "clone",
        "exit_group",
    ] {
        assert_eq!(ask(&program, Arch::X86_64, name, none), ALLOW, "{name}");
    }
    let newuser = 0x1000_0000;
    assert_eq!(
        ask(&program, Arch::X86_64, "clone", [newuser, 0, 0, 0, 0, 0]),
        EPERM
    );
    assert_eq!(
        ask(&program, Arch::X86_64, "clone", [0x11, 0, 0, 0, 0, 0]),
        ALLOW
    );
    assert_eq!(
        ask(&program, Arch::X86_64, "clone3", none),
        ENOSYS,
        "glibc must fall back to clone"
    );
    assert_eq!(
        run(
            &program,
            &Call {
                audit: Arch::X86_64.audit(),
                number: 900,
                args: none
            }
        )
        .0,
        ENOSYS
    );
}

#[test]
fn k6_capabilities_open_what_belongs_to_them() {
    let program = compile(&default_for(&["CAP_SYS_ADMIN", "CAP_SYS_TIME"])).unwrap();
    for name in [
        "mount",
        "unshare",
        "clone3",
        "setns",
        "bpf",
        "clock_settime",
    ] {
        assert_eq!(ask(&program, Arch::X86_64, name, [0; 6]), ALLOW, "{name}");
    }
    assert_eq!(
        ask(
            &program,
            Arch::X86_64,
            "clone",
            [0x1000_0000, 0, 0, 0, 0, 0]
        ),
        ALLOW
    );
    assert_eq!(ask(&program, Arch::X86_64, "reboot", [0; 6]), EPERM);
}

#[test]
fn k7_sockets_of_af_alg_and_af_vsock_are_refused() {
    let program = compile(&default_for(&[])).unwrap();
    for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
        for family in 0..64u64 {
            let expected = if family == 38 || family == 40 {
                EPERM
            } else {
                ALLOW
            };
            assert_eq!(
                ask(&program, arch, "socket", [family, 0, 0, 0, 0, 0]),
                expected,
                "{arch:?} {family}"
            );
        }
        // The kernel takes an int: what stands above it must not turn 38 into "more than 40".
        assert_eq!(
            ask(&program, arch, "socket", [1 << 32 | 38, 0, 0, 0, 0, 0]),
            EPERM,
            "{arch:?}"
        );
    }
    assert_eq!(
        ask(&program, Arch::X86, "socketcall", [1, 0, 0, 0, 0, 0]),
        EPERM
    );
}

#[test]
fn r25_foreign_calls_are_killed_and_x32_only_goes_where_it_is_named() {
    let mut profile = default_for(&[]);
    let none = [0; 6];
    let program = compile(&profile).unwrap();
    assert_eq!(ask(&program, Arch::X32, "read", none), ALLOW);
    assert_eq!(ask(&program, Arch::X86, "read", none), ALLOW);
    assert_eq!(ask(&program, Arch::Aarch64, "read", none), KILL);
    profile.architectures = vec!["SCMP_ARCH_X86_64".into()];
    let program = compile(&profile).unwrap();
    assert_eq!(ask(&program, Arch::X86_64, "read", none), ALLOW);
    assert_eq!(ask(&program, Arch::X32, "read", none), KILL);
    assert_eq!(ask(&program, Arch::X86, "read", none), KILL);
    let skipped = Call {
        audit: Arch::X86_64.audit(),
        number: u32::MAX,
        args: none,
    };
    assert_eq!(
        run(&program, &skipped).0,
        EPERM,
        "a call that a tracer took away is no x32 call"
    );
}

#[test]
fn r25_what_is_not_understood_is_refused() {
    let target = Target {
        arch: Arch::X86_64,
        caps: &[],
        kernel: (6, 18),
    };
    let bad = [
        "",
        "{}",
        "null",
        r#"{"defaultAction": ""}"#,
        r#"{"defaultAction": "SCMP_ACT_ALOW"}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscals": []}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X87"]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_YES"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["moun"], "action": "SCMP_ACT_ERRNO"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_LIKE"}]}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 5}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}"#,
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}}]}"#,
    ];
    for json in bad {
        let refused = resolve_profile(json, &target).and_then(|p| compile(&p));
        assert!(refused.is_err(), "{json}");
    }
    let newer = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "call_of_2040"], "action": "SCMP_ACT_ALLOW"}]}"#;
    resolve_profile(newer, &target)
        .and_then(|p| compile(&p))
        .expect("an unknown allowed call stays forbidden");
}

#[test]
fn conditions_on_kernel_and_architecture() {
    let caps = [];
    let old = Target {
        arch: Arch::X86_64,
        caps: &caps,
        kernel: (4, 7),
    };
    let program = compile(&resolve_profile(DEFAULT_PROFILE, &old).unwrap()).unwrap();
    assert_eq!(ask(&program, Arch::X86_64, "ptrace", [0; 6]), EPERM);
    let arm = Target {
        arch: Arch::Aarch64,
        caps: &caps,
        kernel: (6, 1),
    };
    let profile = resolve_profile(DEFAULT_PROFILE, &arm).unwrap();
    assert_eq!(
        profile.architectures,
        ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    );
    let program = compile(&profile).unwrap();
    assert_eq!(ask(&program, Arch::Arm, "set_tls", [0; 6]), ALLOW);
    assert_eq!(ask(&program, Arch::Aarch64, "mount", [0; 6]), EPERM);
    assert_eq!(ask(&program, Arch::X86_64, "read", [0; 6]), KILL);
}

#[test]
fn the_strictest_matching_rule_decides() {
    let rule = |action: &str, args: Vec<SeccompArg>| SeccompRule {
        names: vec!["socket".into()],
        action: action.into(),
        errno_ret: None,
        args,
    };
    let is = |value| {
        vec![SeccompArg {
            index: 0,
            value,
            value_two: None,
            op: "SCMP_CMP_EQ".into(),
        }]
    };
    let profile = Seccomp {
        default_action: "SCMP_ACT_ERRNO".into(),
        syscalls: vec![
            rule("SCMP_ACT_ALLOW", vec![]),
            rule("SCMP_ACT_KILL_PROCESS", is(40)),
            rule("SCMP_ACT_LOG", is(2)),
        ],
        ..Seccomp::default()
    };
    let program = compile(&profile).unwrap();
    assert_eq!(
        ask(&program, Arch::X86_64, "socket", [40, 0, 0, 0, 0, 0]),
        KILL
    );
    assert_eq!(
        ask(&program, Arch::X86_64, "socket", [2, 0, 0, 0, 0, 0]),
        0x7ffc_0000
    );
    assert_eq!(
        ask(&program, Arch::X86_64, "socket", [1, 0, 0, 0, 0, 0]),
        ALLOW
    );
}

#[test]
fn every_number_of_the_default_profile_agrees_with_the_reference() {
    for caps in [&[][..], &["CAP_SYS_ADMIN"], &["CAP_SYS_PTRACE", "CAP_BPF"]] {
        let profile = default_for(caps);
        let program = compile(&profile).unwrap();
        for audit in [Arch::X86_64, Arch::X86, Arch::Arm].map(Arch::audit) {
            for base in [0, X32_BIT] {
                for number in (0..600).map(|n| base | n).chain([u32::MAX, u32::MAX - 1]) {
                    for arg in [0, 8, 38, 39, 40, 41, 0x1000_0000, 0xffff_ffff, 1 << 40] {
                        let call = Call {
                            audit,
                            number,
                            args: [arg; 6],
                        };
                        assert_eq!(
                            run(&program, &call).0,
                            reference(&profile, &call),
                            "{call:x?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_default_program_is_small_and_its_paths_short() {
    let program = compile(&default_for(&[])).unwrap();
    let longest = (0..600)
        .map(|number| {
            run(
                &program,
                &Call {
                    audit: Arch::X86_64.audit(),
                    number,
                    args: [u64::MAX; 6],
                },
            )
            .1
        })
        .max();
    assert!(
        program.instructions.len() < 900,
        "{} instructions",
        program.instructions.len()
    );
    assert!(longest < Some(40), "{longest:?} steps");
}

/// Not a benchmark, a tripwire: the profile is compiled on each container's way to its start.
#[test]
fn compiling_the_default_profile_takes_well_under_a_millisecond() {
    let profile = default_for(&[]);
    let rounds = 50;
    let mut best = u128::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        std::hint::black_box(compile(&profile).unwrap());
        best = best.min(start.elapsed().as_micros());
    }
    let bound = if cfg!(debug_assertions) { 3_000 } else { 300 };
    eprintln!("compile: best of {rounds}: {best} µs");
    assert!(best < bound, "{best} µs");
}

#[test]
fn resolving_is_quick_too() {
    let mut best = u128::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        std::hint::black_box(default_for(&[]));
        best = best.min(start.elapsed().as_micros());
    }
    eprintln!("resolve: best of 50: {best} µs");
}

fn any_value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..64,
        Just(u64::MAX),
        Just(0xffff_ffff),
        Just(1 << 32),
        any::<u64>()
    ]
}

fn any_arg() -> impl Strategy<Value = SeccompArg> {
    let op = prop::sample::select(vec![
        "SCMP_CMP_NE",
        "SCMP_CMP_LT",
        "SCMP_CMP_LE",
        "SCMP_CMP_EQ",
        "SCMP_CMP_GE",
        "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ",
    ]);
    (0u32..6, any_value(), proptest::option::of(any_value()), op).prop_map(
        |(index, value, value_two, op)| SeccompArg {
            index,
            value,
            value_two,
            op: op.into(),
        },
    )
}

fn any_rule() -> impl Strategy<Value = SeccompRule> {
    let names: Vec<&str> = crate::table::ROWS.iter().map(|(name, _)| *name).collect();
    let action = prop::sample::select(vec![
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_TRAP",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_LOG",
    ]);
    (
        prop::collection::vec(prop::sample::select(names), 1..10),
        action,
        prop::collection::vec(any_arg(), 0..4),
    )
        .prop_map(|(names, action, args)| SeccompRule {
            names: names.into_iter().map(str::to_owned).collect(),
            action: action.into(),
            errno_ret: None,
            args,
        })
}

fn any_profile() -> impl Strategy<Value = Seccomp> {
    let default = prop::sample::select(vec![
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_LOG",
    ]);
    let archs = prop::sample::subsequence(
        vec![
            "SCMP_ARCH_X86_64",
            "SCMP_ARCH_X86",
            "SCMP_ARCH_X32",
            "SCMP_ARCH_AARCH64",
            "SCMP_ARCH_ARM",
        ],
        0..=5,
    );
    (default, archs, prop::collection::vec(any_rule(), 0..10)).prop_map(
        |(default, archs, syscalls)| Seccomp {
            default_action: default.into(),
            architectures: archs.into_iter().map(str::to_owned).collect(),
            syscalls,
            ..Seccomp::default()
        },
    )
}

fn any_call() -> impl Strategy<Value = Call> {
    let audit = prop::sample::select(vec![0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0]);
    let number = prop_oneof![
        0u32..600,
        (0u32..600).prop_map(|n| n | X32_BIT),
        any::<u32>()
    ];
    (audit, number, prop::array::uniform6(any_value())).prop_map(|(audit, number, args)| Call {
        audit,
        number,
        args,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn compiled_and_plain_meaning_agree(profile in any_profile(), calls in prop::collection::vec(any_call(), 50)) {
        let program = compile(&profile).unwrap();
        let mut calls = calls;
        // Calls that rules are about, too: random numbers seldom hit them.
        for rule in &profile.syscalls {
            for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm] {
                if let Some(number) = number(&rule.names[0], arch) {
                    let number = number | if arch == Arch::X32 { X32_BIT } else { 0 };
                    let mut args = [0; 6];
                    for arg in &rule.args {
                        args[arg.index as usize] = arg.value_two.unwrap_or(arg.value);
                    }
                    calls.push(Call { audit: arch.audit(), number, args });
                }
            }
        }
        for call in calls {
            prop_assert_eq!(run(&program, &call).0, reference(&profile, &call), "{:x?}", call);
        }
    }
}
