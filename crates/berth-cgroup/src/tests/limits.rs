//! Limits of a new cgroup, in the kernel's files.

use berth_oci::spec::{BlockIo, HugepageLimit, InterfacePriority, Network, Rdma, ThrottleDevice};

use super::*;

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
