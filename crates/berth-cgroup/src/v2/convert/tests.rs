//! The values, file by file; that kernels take them the tests in the guest show.

use super::*;
use berth_oci::spec::{
    HugepageLimit, InterfacePriority, Network, Pids, Rdma, ThrottleDevice, WeightDevice,
};

fn written(resources: &Resources) -> Vec<String> {
    let all = writes(resources, |_| true).unwrap();
    all.iter()
        .map(|w| format!("{} {}", w.file, w.value))
        .collect()
}

fn of_memory(memory: Memory) -> Resources {
    Resources {
        memory: Some(memory),
        ..Resources::default()
    }
}

fn of_cpu(cpu: Cpu) -> Resources {
    Resources {
        cpu: Some(cpu),
        ..Resources::default()
    }
}

#[test]
fn memory_in_v2_words() {
    let memory = |limit, swap| {
        written(&of_memory(Memory {
            limit,
            swap,
            ..Memory::default()
        }))
    };
    assert_eq!(
        memory(Some(64), Some(128)),
        ["memory.max 64", "memory.swap.max 64"]
    );
    assert_eq!(
        memory(Some(64), Some(64)),
        ["memory.max 64", "memory.swap.max 0"]
    );
    assert_eq!(memory(Some(64), None), ["memory.max 64"]);
    assert_eq!(
        memory(Some(64), Some(-1)),
        ["memory.max 64", "memory.swap.max max"]
    );
    let unlimited = ["memory.max max", "memory.swap.max max"];
    assert_eq!(memory(Some(-1), None), unlimited);
    assert_eq!(memory(Some(-1), Some(-1)), unlimited);
    assert_eq!(memory(None, Some(-1)), ["memory.swap.max max"]);
    for (limit, swap) in [(None, 1), (Some(10), 9)] {
        let refused = memory_writes(&Memory {
            limit,
            swap: Some(swap),
            ..Memory::default()
        });
        assert!(matches!(refused, Err(Error::BadValue { .. })));
    }
}

#[test]
fn cpu_in_v2_words() {
    let cpu = |cpu| written(&of_cpu(cpu));
    assert_eq!(
        cpu(Cpu {
            shares: Some(512),
            quota: Some(50_000),
            period: Some(100_000),
            cpus: Some("0-1".into()),
            mems: Some("0".into()),
            ..Cpu::default()
        }),
        [
            "cpu.weight 59",
            "cpu.max 50000 100000",
            "cpuset.cpus 0-1",
            "cpuset.mems 0"
        ]
    );
    assert_eq!(
        cpu(Cpu {
            quota: Some(-1),
            ..Cpu::default()
        }),
        ["cpu.max max"]
    );
    assert_eq!(
        cpu(Cpu {
            period: Some(20_000),
            ..Cpu::default()
        }),
        ["cpu.max max 20000"]
    );
    assert_eq!(
        cpu(Cpu {
            idle: Some(1),
            shares: Some(99),
            burst: Some(5),
            ..Cpu::default()
        }),
        ["cpu.idle 1", "cpu.max.burst 5"]
    );
}

#[test]
fn devices_rates_and_weights_in_v2_words() {
    let device = |minor, rate| ThrottleDevice {
        major: 8,
        minor,
        rate,
    };
    let block = BlockIo {
        weight: Some(500),
        weight_device: vec![WeightDevice {
            major: 8,
            minor: 0,
            weight: Some(10),
            leaf_weight: None,
        }],
        throttle_read_bps_device: vec![device(0, 600), device(16, 0)],
        throttle_write_bps_device: vec![device(0, 700)],
        throttle_read_iops_device: vec![device(0, 8)],
        throttle_write_iops_device: vec![device(0, 9)],
        ..BlockIo::default()
    };
    let pair = |file, line: &str| (file, line.to_owned());
    assert_eq!(
        weights(&block),
        [
            [pair("io.bfq.weight", "500"), pair("io.weight", "4950")],
            [pair("io.bfq.weight", "8:0 10"), pair("io.weight", "8:0 1")],
        ]
    );
    let resources = Resources {
        block_io: Some(block),
        ..Resources::default()
    };
    assert_eq!(
        written(&resources),
        [
            "io.max 8:0 rbps=600",
            "io.max 8:16 rbps=max",
            "io.max 8:0 wbps=700",
            "io.max 8:0 riops=8",
            "io.max 8:0 wiops=9",
        ]
    );
}

#[test]
fn the_others_in_v2_words() {
    let limits = Rdma {
        hca_handles: Some(3),
        hca_objects: None,
    };
    let resources = Resources {
        pids: Some(Pids { limit: Some(0) }),
        hugepage_limits: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 4 << 20,
        }],
        rdma: [("mlx5_0".to_owned(), limits)].into(),
        ..Resources::default()
    };
    assert_eq!(
        written(&resources),
        [
            "pids.max 1",
            "hugetlb.2MB.max 4194304",
            "hugetlb.2MB.rsvd.max 4194304",
            "rdma.max mlx5_0 hca_handle=3",
        ]
    );
    let elsewhere = writes(&resources, |controller| controller == "hugetlb").unwrap();
    assert_eq!(elsewhere.len(), 2, "a hybrid host's unified hierarchy");
}

/// What has no counterpart MUST be an error.
///
/// Source: config-linux.md, "Unified".
#[test]
fn what_v2_has_no_word_for_is_refused() {
    let memory = Memory::default;
    let network = |class_id, priorities: &[&str]| Resources {
        network: Some(Network {
            class_id,
            priorities: priorities
                .iter()
                .map(|name| InterfacePriority {
                    name: (*name).to_owned(),
                    priority: 1,
                })
                .collect(),
        }),
        ..Resources::default()
    };
    let leaf = BlockIo {
        leaf_weight: Some(10),
        ..BlockIo::default()
    };
    for (resources, name) in [
        (
            of_memory(Memory {
                disable_oom_killer: Some(true),
                ..memory()
            }),
            "memory.disableOOMKiller",
        ),
        (
            of_memory(Memory {
                swappiness: Some(0),
                ..memory()
            }),
            "memory.swappiness",
        ),
        (
            of_memory(Memory {
                kernel: Some(1),
                ..memory()
            }),
            "memory.kernel",
        ),
        (
            of_memory(Memory {
                kernel_tcp: Some(1),
                ..memory()
            }),
            "memory.kernelTCP",
        ),
        (
            of_memory(Memory {
                use_hierarchy: Some(false),
                ..memory()
            }),
            "memory.useHierarchy",
        ),
        (
            of_cpu(Cpu {
                realtime_period: Some(1),
                ..Cpu::default()
            }),
            "cpu.realtimePeriod",
        ),
        (
            of_cpu(Cpu {
                realtime_runtime: Some(1),
                ..Cpu::default()
            }),
            "cpu.realtimeRuntime",
        ),
        (network(Some(7), &[]), "network.classID"),
        (network(None, &["eth0"]), "network.priorities"),
        (
            Resources {
                block_io: Some(leaf),
                ..Resources::default()
            },
            "blockIO.leafWeight",
        ),
    ] {
        match writes(&resources, |_| true) {
            Err(Error::NoWord { setting }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    // What is the default anyway is no request.
    let nothing = Memory {
        disable_oom_killer: Some(false),
        kernel: Some(-1),
        kernel_tcp: Some(0),
        use_hierarchy: Some(true),
        ..memory()
    };
    assert_eq!(written(&of_memory(nothing)), [""; 0]);
}

#[test]
fn weights_meet_at_their_ends() {
    for (shares, weight) in [
        (0, 1),
        (2, 1),
        (1024, 100),
        (262_144, 10_000),
        (1 << 40, 10_000),
    ] {
        assert_eq!(cpu_weight(shares), weight, "{shares}");
    }
    assert!(
        (2..262_144)
            .step_by(97)
            .all(|s| cpu_weight(s) <= cpu_weight(s + 97))
    );
    for (weight, converted) in [(10, 1), (500, 4950), (1000, 10_000)] {
        assert_eq!(io_weight(weight), converted, "{weight}");
    }
}
