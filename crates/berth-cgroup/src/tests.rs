//! On the real host, as root: each test works below a parent of its own and leaves nothing.
//! Conversions for v2, whose controllers a hybrid host does not have, are tested as values.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use berth_oci::spec::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, InterfacePriority, Memory, Network, Pids, Rdma,
    Resources, ThrottleDevice,
};

use super::*;

/// A parent cgroup that goes when the test ends, however it ends.
struct Parent(String);

impl Parent {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Parent(format!("/berth-test-{}-{number}", std::process::id()))
    }

    fn leaf(&self) -> String {
        format!("{}/leaf", self.0)
    }

    /// Every directory of this parent that exists in any hierarchy.
    fn dirs(&self) -> Vec<PathBuf> {
        let layout = Layout::detect().unwrap();
        let all = layout.all();
        all.map(|h| h.mount.join(&self.0[1..]))
            .filter(|p| p.exists())
            .collect()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        for dir in self.dirs() {
            let cgroup = Cgroup::open(&[dir]).unwrap();
            let _ = cgroup.kill();
            let _ = cgroup.remove();
        }
    }
}

/// The whole cgroup at once, or nothing.
fn create_in(
    layout: &Layout,
    path: &str,
    resources: &Resources,
    options: &Options,
) -> Result<Cgroup> {
    let (mut cgroup, mut rest) = Cgroup::begin_in(layout, path, resources, options)?;
    match cgroup.complete(&mut rest, resources, options) {
        Ok(()) => Ok(cgroup),
        Err(error) => {
            let _ = cgroup.remove();
            rest.undo();
            Err(error)
        }
    }
}

fn create_at(path: &str, resources: &Resources, options: &Options) -> Result<Cgroup> {
    create_in(&Layout::detect()?, path, resources, options)
}

/// A process that is killed when the test ends.
struct Sleeper(Child);

impl Sleeper {
    fn start(script: &str) -> Self {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Sleeper(child)
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn create(parent: &Parent, resources: &Resources) -> Result<Cgroup> {
    create_at(&parent.leaf(), resources, &Options::default())
}

fn limits() -> Resources {
    Resources {
        memory: Some(Memory {
            limit: Some(64 << 20),
            swap: Some(128 << 20),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: Some(512),
            quota: Some(50_000),
            period: Some(100_000),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: Some(100) }),
        devices: docker_devices(),
        ..Resources::default()
    }
}

fn docker_devices() -> Vec<DeviceRule> {
    let rule = |allow, kind: &str, major, minor, access: &str| DeviceRule {
        allow,
        kind: Some(kind.into()),
        major,
        minor,
        access: Some(access.into()),
    };
    vec![
        rule(false, "a", None, None, "rwm"),
        rule(true, "c", Some(1), Some(3), "rwm"),
        rule(true, "c", Some(1), Some(5), "r"),
    ]
}

fn limit(cgroup: &Cgroup, name: &str) -> Option<u64> {
    cgroup
        .limits()
        .unwrap()
        .into_iter()
        .find(|l| l.name == name)
        .and_then(|l| l.value)
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn limits_are_in_the_kernel_and_go_with_the_cgroup() {
    let parent = Parent::new();
    let cgroup = create(&parent, &limits()).expect("tests run as root");
    assert_eq!(limit(&cgroup, "memory"), Some(64 << 20));
    assert_eq!(limit(&cgroup, "pids"), Some(100));
    let quota = cgroup
        .limits()
        .unwrap()
        .into_iter()
        .find(|l| l.name == "cpu-quota")
        .unwrap();
    assert!(quota.raw.starts_with("50000"), "{quota:?}");
    let paths = cgroup.paths();
    assert!(!paths.is_empty() && paths.iter().all(|p| p.exists()));
    Cgroup::open(&paths).unwrap().remove().unwrap();
    assert!(paths.iter().all(|p| !p.exists()));
    cgroup.remove().expect("removing twice is fine");
    assert!(Cgroup::open(&paths).unwrap().is_empty());
}

#[test]
fn limits_can_be_raised_and_lowered() {
    let parent = Parent::new();
    let cgroup = create(&parent, &limits()).unwrap();
    for mib in [256, 32] {
        let memory = Memory {
            limit: Some(mib << 20),
            swap: Some(mib << 21),
            ..Memory::default()
        };
        let resources = Resources {
            memory: Some(memory),
            ..Resources::default()
        };
        cgroup.update(&resources, &Options::default()).unwrap();
        assert_eq!(limit(&cgroup, "memory"), Some((mib as u64) << 20));
    }
}

#[test]
fn a_refused_value_is_named_and_nothing_stays() {
    let parent = Parent::new();
    let mut resources = limits();
    resources.cpu = Some(Cpu {
        cpus: Some("7777".into()),
        ..Cpu::default()
    });
    let error = create(&parent, &resources).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("7777") && text.contains("cpuset.cpus"),
        "{text}"
    );
    assert_eq!(
        parent.dirs(),
        Vec::<PathBuf>::new(),
        "parents that were made go too"
    );
}

#[test]
fn a_leaf_in_use_is_not_taken_and_an_empty_one_is() {
    let parent = Parent::new();
    let cgroup = create(&parent, &limits()).unwrap();
    let sleeper = Sleeper::start("exec sleep 100");
    cgroup.add(sleeper.pid()).unwrap();
    let error = create(&parent, &limits()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    drop(sleeper);
    // Failing must not have taken the leaves away in the other hierarchies.
    let again = create(&parent, &Resources::default()).unwrap();
    assert_eq!(limit(&again, "pids"), None, "the old limits are gone");
}

#[test]
fn kill_reaches_forks_and_what_is_frozen() {
    for frozen in [false, true] {
        let parent = Parent::new();
        let cgroup = create(&parent, &Resources::default()).unwrap();
        let mut sleeper = Sleeper::start("sleep 0.1; for i in 1 2 3; do sleep 100 & done; wait");
        cgroup.add(sleeper.pid()).unwrap();
        wait_for("three children and their parent", || {
            cgroup.procs().unwrap().len() == 4
        });
        if frozen {
            cgroup.freeze().unwrap();
            assert!(cgroup.is_frozen().unwrap());
        }
        cgroup.kill().unwrap();
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(sleeper.wait().signal(), Some(9));
        cgroup.remove().unwrap();
    }
}

#[test]
fn freezing_stops_and_thawing_resumes() {
    let parent = Parent::new();
    let cgroup = create(&parent, &Resources::default()).unwrap();
    let file = std::env::temp_dir().join(format!("berth-freeze-{}", std::process::id()));
    let sleeper = Sleeper::start(&format!(
        "sleep 0.1; while :; do echo x >> {}; done",
        file.display()
    ));
    cgroup.add(sleeper.pid()).unwrap();
    let size = || std::fs::metadata(&file).map(|m| m.len()).unwrap_or(0);
    wait_for("it writes", || size() > 0);
    cgroup.freeze().unwrap();
    let before = size();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(size(), before);
    cgroup.thaw().unwrap();
    assert!(!cgroup.is_frozen().unwrap());
    wait_for("it writes again", || size() > before);
    cgroup.kill().unwrap();
    drop(sleeper);
    let _ = std::fs::remove_file(&file);
    cgroup.remove().unwrap();
}

/// The v1 way, which a hybrid host takes only here.
#[test]
fn without_v2_the_freezer_kills() {
    let parent = Parent::new();
    let mut layout = Layout::detect().unwrap();
    layout.unified = None;
    if layout.v1.is_empty() {
        // A pure v2 host has no v1 way.
        return;
    }
    let cgroup = create_in(&layout, &parent.leaf(), &limits(), &Options::default()).unwrap();
    assert!(cgroup.unified_fd().is_none());
    let mut sleeper = Sleeper::start("sleep 0.1; for i in 1 2 3; do sleep 100 & done; wait");
    cgroup.add_v1(sleeper.pid()).unwrap();
    wait_for("four processes", || cgroup.procs().unwrap().len() == 4);
    cgroup.freeze().unwrap();
    assert!(cgroup.is_frozen().unwrap());
    cgroup.kill().unwrap();
    sleeper.wait();
    cgroup.remove().unwrap();
}

#[test]
fn nested_cgroups_go_too() {
    let parent = Parent::new();
    let cgroup = create(&parent, &Resources::default()).unwrap();
    for path in cgroup.paths() {
        std::fs::create_dir_all(path.join("a/b")).unwrap();
    }
    cgroup.remove().unwrap();
    assert!(cgroup.paths().iter().all(|p| !p.exists()));
}

#[test]
fn join_v1_moves_the_calling_thread() {
    let parent = Parent::new();
    let layout = Layout::detect().unwrap();
    let Some(pids) = layout.v1_of("pids").cloned() else {
        return;
    };
    let cgroup = create(&parent, &Resources::default()).unwrap();
    let leaf = parent.leaf();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cgroup.join_v1().unwrap();
            let own = std::fs::read_to_string("/proc/thread-self/cgroup").unwrap();
            assert!(
                own.lines()
                    .any(|l| l.contains(":pids:") && l.ends_with(&leaf)),
                "{own}"
            );
        });
    });
    assert!(pids.mount.join(&leaf[1..]).exists());
    cgroup.remove().unwrap();
}

/// Runs a script in a cgroup; exit code 0 is true.
fn succeeds(cgroup: &Cgroup, script: &str) -> bool {
    let script = format!("read x; {script}");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    cgroup.add(child.id() as i32).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap().success()
}

fn devices_are_enforced(cgroup: &Cgroup) {
    assert!(succeeds(cgroup, "echo x > /dev/null"), "1:3 rwm");
    assert!(succeeds(cgroup, "head -c1 /dev/zero"), "1:5 r");
    assert!(!succeeds(cgroup, "echo x > /dev/zero"), "1:5 has no w");
    assert!(
        !succeeds(cgroup, "head -c1 /dev/urandom"),
        "1:9 has no rule"
    );
    let node = std::env::temp_dir().join(format!("berth-node-{}", std::process::id()));
    let node = node.display();
    assert!(succeeds(
        cgroup,
        &format!("mknod {node} c 1 3 && rm {node}")
    ));
    assert!(!succeeds(cgroup, &format!("mknod {node} c 1 5")));
}

#[test]
fn device_rules_hold_whichever_version_keeps_them() {
    let resources = Resources {
        devices: docker_devices(),
        ..Resources::default()
    };
    let parent = Parent::new();
    let cgroup = create(&parent, &resources).unwrap();
    devices_are_enforced(&cgroup);
    cgroup.remove().unwrap();

    // The eBPF program, on the unified hierarchy alone.
    let mut layout = Layout::detect().unwrap();
    layout.v1.clear();
    let parent = Parent::new();
    let cgroup = create_in(&layout, &parent.leaf(), &resources, &Options::default()).unwrap();
    devices_are_enforced(&cgroup);
    let more = DeviceRule {
        allow: true,
        kind: Some("c".into()),
        major: Some(1),
        minor: Some(9),
        access: Some("r".into()),
    };
    let mut devices = docker_devices();
    devices.push(more);
    let update = Resources {
        devices,
        ..Resources::default()
    };
    cgroup.update(&update, &Options::default()).unwrap();
    assert!(
        succeeds(&cgroup, "head -c1 /dev/urandom"),
        "the old program is gone"
    );
    cgroup.remove().unwrap();
}

/// Source: config-linux.md, "Allowed Device list": the runtime MUST apply entries in the listed order.
#[test]
fn a_later_rule_takes_back_what_an_earlier_gave() {
    let mut rules = docker_devices();
    rules.push(DeviceRule {
        allow: false,
        kind: Some("c".into()),
        major: Some(1),
        minor: None,
        access: Some("w".into()),
    });
    let resources = Resources {
        devices: rules,
        ..Resources::default()
    };
    let full = Layout::detect().unwrap();
    let unified = Layout {
        v1: Vec::new(),
        ..full.clone()
    };
    for layout in [full, unified] {
        let parent = Parent::new();
        let cgroup = create_in(&layout, &parent.leaf(), &resources, &Options::default()).unwrap();
        assert!(!succeeds(&cgroup, "echo x > /dev/null"));
        assert!(succeeds(&cgroup, "head -c1 /dev/zero"));
        cgroup.remove().unwrap();
    }
}

#[test]
fn the_pids_limit_holds_and_is_counted() {
    let parent = Parent::new();
    let cgroup = create(
        &parent,
        &Resources {
            pids: Some(Pids { limit: Some(3) }),
            ..Resources::default()
        },
    )
    .unwrap();
    assert!(succeeds(&cgroup, "true"));
    assert!(!succeeds(
        &cgroup,
        "sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & wait"
    ));
    // The sleepers outlive their shell.
    wait_for("nothing runs", || cgroup.stats().unwrap().pids == Some(0));
    let stats = cgroup.stats().unwrap();
    assert!(stats.cpu.is_some_and(|t| t > Duration::ZERO), "{stats:?}");
}

#[test]
fn the_memory_limit_kills_and_is_counted() {
    let parent = Parent::new();
    let memory = Memory {
        limit: Some(16 << 20),
        swap: Some(16 << 20),
        ..Memory::default()
    };
    let cgroup = create(
        &parent,
        &Resources {
            memory: Some(memory),
            ..Resources::default()
        },
    )
    .unwrap();
    assert_eq!(cgroup.oom_kills().unwrap(), Some(0));
    assert!(!succeeds(&cgroup, "head -c 100M /dev/zero | tail"));
    // `tail` is what grew; the shell outlived it.
    assert!(cgroup.oom_kills().unwrap() > Some(0));
    assert!(cgroup.stats().unwrap().memory_peak_bytes > Some(8 << 20));
}

#[test]
fn d35_release_agent_of_the_host_is_empty() {
    // What a container could do with notify_on_release depends on it alone.
    for hierarchy in Layout::detect().unwrap().v1 {
        match std::fs::read_to_string(hierarchy.mount.join("release_agent")) {
            Ok(text) => assert_eq!(text.trim(), "", "{}", hierarchy.mount.display()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
}

#[test]
fn paths_do_not_climb() {
    for bad in ["", "/", "x", "/a/../b", "/./a", "/a\nb", "/a\0"] {
        let error = create_at(bad, &Resources::default(), &Options::default()).unwrap_err();
        assert!(matches!(error, Error::BadPath { .. }), "{bad:?}: {error:?}");
    }
}

#[test]
fn without_delegation_a_limit_is_refused_and_no_limit_is_no_error() {
    let empty = Layout::default();
    let rootless = Options { rootless: true };
    let cgroup = create_in(&empty, "/berth/x", &Resources::default(), &rootless).unwrap();
    assert!(cgroup.is_empty());
    let asked = Resources {
        pids: Some(Pids { limit: Some(9) }),
        ..Resources::default()
    };
    let error = create_in(&empty, "/berth/x", &asked, &rootless).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoController {
                controller: "pids",
                rootless: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.kind(), berth_model::ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("Delegate"));
}

#[test]
fn the_leaf_of_a_rootless_container_lies_below_the_callers_cgroup() {
    // Root may write everywhere: its delegation begins at the root of each hierarchy.
    let delegations = delegation::delegated_in(&Layout::detect().unwrap()).unwrap();
    assert!(
        delegations.iter().all(|d| d.parent.is_empty()),
        "{delegations:?}"
    );
    let name = format!("x{}", std::process::id());
    let path = format!("/berth/{name}");
    let cgroup = create_at(&path, &Resources::default(), &Options { rootless: true }).unwrap();
    assert!(
        cgroup
            .paths()
            .iter()
            .all(|p| p.ends_with(format!("berth-{name}")))
    );
    cgroup.remove().unwrap();
}

/// As for other runtimes: a limit of no byte would be no container.
#[test]
fn zero_sets_no_limit_on_either_version() {
    let resources = Resources {
        memory: Some(Memory {
            limit: Some(0),
            swap: Some(0),
            reservation: Some(0),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: Some(0),
            ..Cpu::default()
        }),
        block_io: Some(BlockIo {
            weight: Some(0),
            ..BlockIo::default()
        }),
        ..Resources::default()
    };
    assert_eq!(v2::writes(&resources, |_| true).unwrap(), []);
    let parent = Parent::new();
    let plain = create(&parent, &Resources::default()).unwrap();
    let values = |cgroup: &Cgroup| -> Vec<(&str, Option<u64>)> {
        let limits = cgroup.limits().unwrap().into_iter();
        limits.map(|l| (l.name, l.value)).collect()
    };
    let expected = values(&plain);
    plain.remove().unwrap();
    assert_eq!(values(&create(&parent, &resources).unwrap()), expected);
}

/// Not a benchmark, a print: this is on each container's way to its start.
#[test]
fn creating_and_removing_is_quick() {
    let parent = Parent::new();
    let mut best = [Duration::MAX; 2];
    for _ in 0..20 {
        let start = Instant::now();
        let cgroup = create(&parent, &limits()).unwrap();
        let made = Instant::now();
        cgroup.remove().unwrap();
        best = [best[0].min(made - start), best[1].min(made.elapsed())];
    }
    eprintln!("create: {:?}, remove: {:?}", best[0], best[1]);
    assert!(best[0] < Duration::from_millis(50));
}

fn resources(set: impl FnOnce(&mut Resources)) -> Resources {
    let mut resources = Resources::default();
    set(&mut resources);
    resources
}

fn value(cgroup: &Cgroup, file: &str) -> String {
    let text = cgroup.dir_with(file).expect(file).read(file).unwrap();
    text.trim().to_owned()
}

fn root_disk() -> (i64, i64) {
    let disk = std::fs::read_dir("/sys/block").unwrap();
    let dev = disk
        .filter_map(|d| std::fs::read_to_string(d.ok()?.path().join("dev")).ok())
        .next()
        .expect("a block device");
    let (major, minor) = dev.trim().split_once(':').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

/// Source: config-linux.md, "Memory", "CPU", "Block IO".
#[test]
fn every_v1_limit_reaches_its_file() {
    let parent = Parent::new();
    let (major, minor) = root_disk();
    let rate = |rate| vec![ThrottleDevice { major, minor, rate }];
    let asked = resources(|r| {
        r.memory = Some(Memory {
            limit: Some(64 << 20),
            reservation: Some(32 << 20),
            swap: Some(-1),
            swappiness: Some(7),
            disable_oom_killer: Some(true),
            kernel: Some(16 << 20),
            kernel_tcp: Some(8 << 20),
            use_hierarchy: Some(true),
            check_before_update: Some(true),
        });
        r.cpu = Some(Cpu {
            shares: Some(200),
            quota: Some(50_000),
            period: Some(100_000),
            burst: Some(10_000),
            cpus: Some("0".into()),
            mems: Some("0".into()),
            ..Cpu::default()
        });
        r.block_io = Some(BlockIo {
            weight: Some(300),
            throttle_read_bps_device: rate(1 << 20),
            throttle_write_bps_device: rate(2 << 20),
            throttle_read_iops_device: rate(100),
            throttle_write_iops_device: rate(200),
            ..BlockIo::default()
        });
    });
    let cgroup = create(&parent, &asked).unwrap();
    let line = |n: u64| format!("{major}:{minor} {n}");
    for (file, expected) in [
        ("memory.limit_in_bytes", "67108864".to_owned()),
        ("memory.soft_limit_in_bytes", "33554432".to_owned()),
        ("memory.swappiness", "7".to_owned()),
        ("memory.kmem.tcp.limit_in_bytes", "8388608".to_owned()),
        ("cpu.shares", "200".to_owned()),
        ("cpu.cfs_quota_us", "50000".to_owned()),
        ("cpu.cfs_period_us", "100000".to_owned()),
        ("cpu.cfs_burst_us", "10000".to_owned()),
        ("cpuset.cpus", "0".to_owned()),
        ("cpuset.mems", "0".to_owned()),
        ("blkio.bfq.weight", "300".to_owned()),
        ("blkio.throttle.read_bps_device", line(1 << 20)),
        ("blkio.throttle.write_bps_device", line(2 << 20)),
        ("blkio.throttle.read_iops_device", line(100)),
        ("blkio.throttle.write_iops_device", line(200)),
    ] {
        assert_eq!(value(&cgroup, file), expected, "{file}");
    }
    assert!(value(&cgroup, "memory.oom_control").starts_with("oom_kill_disable 1"));

    // Idle groups have no shares; real-time runtime comes from the top.
    let idle = |idle, shares| {
        resources(|r| {
            r.cpu = Some(Cpu {
                idle: Some(idle),
                shares,
                ..Cpu::default()
            });
        })
    };
    let update = |resources: &Resources| cgroup.update(resources, &Options::default());
    update(&idle(1, Some(512))).unwrap();
    assert_eq!(value(&cgroup, "cpu.idle"), "1");
    update(&idle(0, Some(512))).unwrap();
    assert_eq!(value(&cgroup, "cpu.shares"), "512");
    update(&idle(2, None)).unwrap_err();
    assert_eq!(value(&cgroup, "cpu.idle"), "0");
    // The burst is no larger than the quota, whichever of them changes.
    let quota = |quota, burst| {
        resources(|r| {
            r.cpu = Some(Cpu {
                quota: Some(quota),
                burst: Some(burst),
                ..Cpu::default()
            });
        })
    };
    update(&quota(20_000, 30_000)).unwrap_err();
    assert_eq!(value(&cgroup, "cpu.cfs_quota_us"), "50000");
    for (quota_us, burst) in [(5_000, 2_000), (90_000, 80_000), (3_000, 0)] {
        update(&quota(quota_us, burst)).unwrap();
        assert_eq!(value(&cgroup, "cpu.cfs_burst_us"), burst.to_string());
    }
}

#[test]
fn realtime_runtime_is_the_parents_to_give() {
    let parent = Parent::new();
    let cpu = |runtime, period| {
        resources(|r| {
            r.cpu = Some(Cpu {
                realtime_runtime: Some(runtime),
                realtime_period: Some(period),
                ..Cpu::default()
            });
        })
    };
    let error = create(&parent, &cpu(5000, 500_000)).unwrap_err();
    assert!(error.to_string().contains("cpu.rt_runtime_us"), "{error}");
    assert!(error.hint().unwrap().contains("parent"), "{error}");
    let layout = Layout::detect().unwrap();
    let above = layout.v1_of("cpu").unwrap().mount.join(&parent.0[1..]);
    std::fs::create_dir(&above).unwrap();
    std::fs::write(above.join("cpu.rt_runtime_us"), "10000").unwrap();
    let cgroup = create(&parent, &cpu(5000, 500_000)).unwrap();
    assert_eq!(value(&cgroup, "cpu.rt_runtime_us"), "5000");
    assert_eq!(value(&cgroup, "cpu.rt_period_us"), "500000");
}

/// Source: config-linux.md, "Huge page limits". A hybrid host may have a controller in either hierarchy; here v1 has not got hugetlb.
#[test]
fn huge_pages_are_limited_wherever_their_controller_is() {
    let parent = Parent::new();
    let asked = |size: &str| {
        resources(|r| {
            r.hugepage_limits = vec![HugepageLimit {
                page_size: size.into(),
                limit: 4 << 20,
            }];
        })
    };
    let cgroup = create(&parent, &asked("2MB")).unwrap();
    for files in [
        ["hugetlb.2MB.max", "hugetlb.2MB.limit_in_bytes"],
        ["hugetlb.2MB.rsvd.max", "hugetlb.2MB.rsvd.limit_in_bytes"],
    ] {
        let file = files.into_iter().find(|f| cgroup.dir_with(f).is_some());
        assert_eq!(value(&cgroup, file.unwrap()), "4194304");
    }
    cgroup.remove().unwrap();
    for bad in ["3MB", "2M", "../2MB"] {
        let error = create(&parent, &asked(bad)).unwrap_err();
        assert!(matches!(error, Error::BadValue { .. }), "{error:?}");
    }
}

#[test]
fn a_controller_that_is_nowhere_is_named() {
    let parent = Parent::new();
    let network = |class_id, priorities| {
        resources(|r| {
            r.network = Some(Network {
                class_id,
                priorities,
            })
        })
    };
    let limits = Rdma {
        hca_handles: Some(1),
        hca_objects: None,
    };
    let priority = InterfacePriority {
        name: "lo".into(),
        priority: 1,
    };
    let layout = Layout::detect().unwrap();
    for (asked, controller) in [
        (network(Some(1), Vec::new()), "net_cls"),
        (network(None, vec![priority]), "net_prio"),
        (
            resources(|r| r.rdma = [("x".to_owned(), limits)].into()),
            "rdma",
        ),
    ] {
        assert!(layout.v1_of(controller).is_none(), "{controller}");
        let error = create(&parent, &asked).unwrap_err();
        assert!(error.to_string().contains(controller), "{error}");
        assert_eq!(error.kind(), berth_model::ErrorKind::Unsupported);
    }
    assert_eq!(parent.dirs(), Vec::<PathBuf>::new());
}

/// Source: config-linux.md, "Unified".
#[test]
fn unified_files_are_written_and_only_those_that_limit() {
    let parent = Parent::new();
    let unified = |file: &str, value: &str| {
        resources(|r| r.unified = [(file.to_owned(), value.to_owned())].into())
    };
    let cgroup = create(&parent, &unified("cgroup.max.descendants", "3")).unwrap();
    assert_eq!(value(&cgroup, "cgroup.max.descendants"), "3");
    cgroup.remove().unwrap();
    let cgroup = create(&parent, &unified("hugetlb.2MB.max", "2097152")).unwrap();
    assert_eq!(value(&cgroup, "hugetlb.2MB.max"), "2097152");
    cgroup.remove().unwrap();
    for file in [
        "../x.y",
        "cgroup.procs",
        "cgroup.freeze",
        "cgroup.kill",
        "x",
    ] {
        let error = create(&parent, &unified(file, "1")).unwrap_err();
        assert!(matches!(error, Error::BadValue { .. }), "{error:?}");
    }
    for file in ["memory.high", "dmem.max"] {
        let error = create(&parent, &unified(file, "1")).unwrap_err();
        assert!(matches!(error, Error::NoUnified { .. }), "{error:?}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_refused_update_leaves_all_as_it_was() {
    let parent = Parent::new();
    let cgroup = create(&parent, &limits()).unwrap();
    let before = cgroup.limits().unwrap();
    let (major, minor) = root_disk();
    let asked = resources(|r| {
        r.memory = Some(Memory {
            limit: Some(256 << 20),
            swap: Some(512 << 20),
            reservation: Some(1 << 20),
            ..Memory::default()
        });
        r.cpu = Some(Cpu {
            shares: Some(99),
            quota: Some(20_000),
            period: Some(50_000),
            ..Cpu::default()
        });
        r.pids = Some(Pids { limit: Some(7) });
        r.block_io = Some(BlockIo {
            weight: Some(20),
            throttle_read_bps_device: vec![ThrottleDevice {
                major,
                minor,
                rate: 5,
            }],
            leaf_weight: Some(9),
            ..BlockIo::default()
        });
    });
    let error = cgroup.update(&asked, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("leaf"), "{error}");
    assert_eq!(cgroup.limits().unwrap(), before);
    assert_eq!(value(&cgroup, "blkio.throttle.read_bps_device"), "");
    let mut asked = asked;
    asked.block_io.as_mut().unwrap().leaf_weight = None;
    cgroup.update(&asked, &Options::default()).unwrap();
    assert_eq!(limit(&cgroup, "pids"), Some(7));
}

#[test]
fn a_limit_below_the_use_is_refused_when_asked() {
    let parent = Parent::new();
    let cgroup = create(&parent, &Resources::default()).unwrap();
    let mut sleeper = Sleeper::start("x=$(head -c 20M /dev/zero | tr '\\0' x); sleep 100");
    cgroup.add(sleeper.pid()).unwrap();
    wait_for("it takes memory", || {
        cgroup.stats().unwrap().memory_bytes > Some(10 << 20)
    });
    let asked = |check, swap| {
        resources(|r| {
            r.memory = Some(Memory {
                limit: Some(1 << 20),
                swap,
                check_before_update: Some(check),
                ..Memory::default()
            });
        })
    };
    let update = |check, swap| cgroup.update(&asked(check, swap), &Options::default());
    let text = update(true, None).unwrap_err().to_string();
    assert!(
        text.starts_with("rejecting memory limit 1048576 <= "),
        "{text}"
    );
    let text = update(true, Some(2 << 20)).unwrap_err().to_string();
    assert!(
        text.starts_with("rejecting memory+swap limit 2097152 <= "),
        "{text}"
    );
    // The v1 kernel refuses too what it cannot reclaim.
    let text = update(false, None).unwrap_err().to_string();
    assert!(
        text.starts_with("unable to set memory limit to 1048576 (current"),
        "{text}"
    );
    assert_eq!(limit(&cgroup, "memory"), None);
    cgroup.kill().unwrap();
    sleeper.wait();
}

/// A cpuset that others made and left empty would take no process.
#[test]
fn cpuset_parents_are_filled_from_theirs() {
    let parent = Parent::new();
    let layout = Layout::detect().unwrap();
    let above = layout.v1_of("cpuset").unwrap().mount.join(&parent.0[1..]);
    std::fs::create_dir(&above).unwrap();
    assert_eq!(
        std::fs::read_to_string(above.join("cpuset.cpus")).unwrap(),
        "\n"
    );
    let asked = resources(|r| {
        r.cpu = Some(Cpu {
            cpus: Some("0".into()),
            ..Cpu::default()
        });
    });
    let path = format!("{}/deep/leaf", parent.0);
    let cgroup = create_at(&path, &asked, &Options::default()).unwrap();
    assert_eq!(value(&cgroup, "cpuset.cpus"), "0");
    assert_ne!(value(&cgroup, "cpuset.mems"), "");
    assert!(succeeds(
        &cgroup,
        "grep -q 'Cpus_allowed_list:.0$' /proc/self/status"
    ));
    cgroup.remove().unwrap();
}

#[test]
fn an_update_may_need_another_hierarchy() {
    let parent = Parent::new();
    let mut cgroup = create(&parent, &Resources::default()).unwrap();
    assert!(cgroup.dir_with("cpuset.cpus").is_none());
    let sleeper = Sleeper::start("while :; do sleep 0.01; done");
    cgroup.add(sleeper.pid()).unwrap();
    let asked = resources(|r| {
        r.cpu = Some(Cpu {
            cpus: Some("1".into()),
            ..Cpu::default()
        });
        r.hugepage_limits = vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 0,
        }];
    });
    let coming = cgroup.extension(&asked, &Options::default()).unwrap();
    assert!(coming.iter().all(|path| !path.exists()), "{coming:?}");
    cgroup.extend(&asked, &Options::default()).unwrap();
    assert!(!coming.is_empty() && coming.iter().all(|path| path.exists()));
    cgroup.update(&asked, &Options::default()).unwrap();
    assert_eq!(value(&cgroup, "cpuset.cpus"), "1");
    let status = std::fs::read_to_string(format!("/proc/{}/status", sleeper.pid())).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t1\n"), "{status}");
    assert!(value(&cgroup, "cpuset.cpus") == "1" && value(&cgroup, "hugetlb.2MB.max") == "0");
    cgroup.kill().unwrap();
    drop(sleeper);
    cgroup.remove().unwrap();
}

#[test]
fn systemds_hierarchy_is_used_where_systemd_runs() {
    let layout = Layout::detect().unwrap();
    let runs = std::path::Path::new("/run/systemd/system").exists();
    let plain = Resources::default();
    let named = create::wanted(&layout, &plain).any(|h| h.controllers == ["name=systemd"]);
    assert_eq!(named, runs && layout.v1_of("name=systemd").is_some());
}

#[test]
fn counters_are_those_of_the_kernel() {
    let parent = Parent::new();
    let (pages, mut asked) = (
        vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 4 << 20,
        }],
        limits(),
    );
    asked.hugepage_limits = pages;
    let cgroup = create(&parent, &asked).unwrap();
    assert!(succeeds(
        &cgroup,
        "head -c 30M /dev/zero | tail -c 1 > /dev/null"
    ));
    let counters = cgroup.counters().unwrap();
    assert!(counters.cpu.total > 0 && counters.cpu.per_cpu.iter().sum::<u64>() > 0);
    assert_eq!(counters.cpu.per_cpu.len(), counters.cpu.per_cpu_user.len());
    assert_eq!(counters.memory.usage.limit, 64 << 20);
    assert_eq!(counters.memory.with_swap.limit, 128 << 20);
    assert!(counters.memory.usage.peak > 0);
    assert!(counters.memory.raw.contains_key("total_inactive_file"));
    assert_eq!(counters.pids_limit, 100);
    assert_eq!(counters.hugetlb["2MB"].limit, 4 << 20);
    assert_eq!(counters.cpuset, CpuSet::default(), "it shares its parent's");
}

#[test]
fn running_out_of_memory_is_told() {
    let parent = Parent::new();
    let asked = resources(|r| {
        r.memory = Some(Memory {
            limit: Some(16 << 20),
            swap: Some(16 << 20),
            ..Memory::default()
        });
    });
    let cgroup = create(&parent, &asked).unwrap();
    let mut watch = cgroup.watch_oom().unwrap();
    assert!(!watch.struck().unwrap());
    assert!(!succeeds(&cgroup, "head -c 100M /dev/zero | tail"));
    assert!(watch.struck().unwrap());
    assert!(!watch.struck().unwrap());
    cgroup.remove().unwrap();
    assert!(!watch.struck().unwrap(), "the removal is no lack of memory");
}
