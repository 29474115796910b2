//! Names, paths and properties. What systemd makes of them is seen in tests/vm.

use std::collections::BTreeMap;

use berth_oci::spec::{BlockIo, Cpu, DeviceRule, Memory, Pids, Resources};

use super::wire::{Property, Value};
use super::*;

fn names(path: &str) -> std::result::Result<(String, String), String> {
    let scope = Scope::parse(Some(path), "id", false).map_err(|e| e.to_string())?;
    Ok((scope.slice, scope.unit.name))
}

#[test]
fn cgroups_paths() {
    let is = |path: &str, slice: &str, unit: &str| {
        assert_eq!(names(path), Ok((slice.into(), unit.into())), "{path}");
    };
    is("", "system.slice", "berth-id.scope");
    is(":runc:x", "system.slice", "runc-x.scope");
    is(
        "machine-a.slice:libpod:1f",
        "machine-a.slice",
        "libpod-1f.scope",
    );
    is(
        "-.slice:cri-containerd:x",
        "-.slice",
        "cri-containerd-x.scope",
    );
    let user = Scope::parse(None, "id", true).unwrap();
    assert_eq!((user.slice.as_str(), user.unit.user), ("user.slice", true));

    for path in ["/berth/x", "a:b", "a.slice:b:c:d"] {
        let expected = format!(
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{path}\" instead"
        );
        assert_eq!(names(path), Err(expected));
    }
    let long = format!("a.slice:b:{}", "x".repeat(250));
    for path in [
        "a:b:c",
        ".slice:b:c",
        "-a.slice:b:c",
        "a--b.slice:b:c",
        "a-.slice:b:c",
        "a/b.slice:b:c",
        "../a.slice:b:c",
        "a.slice:b/c:d",
        "a.slice:b:c/../d",
        "a.slice:b:c d",
        "a.slice:b:c\n",
        "a.slice:b:x.slice",
        &long,
    ] {
        let refusal = names(path).unwrap_err();
        assert!(refusal.contains("in cgroupsPath: "), "{path}: {refusal}");
    }
}

#[test]
fn the_kernel_tells_where_the_unit_is() {
    let unit = Unit {
        name: "berth-x.scope".into(),
        user: false,
    };
    let find = |text: &str| unit.find(text);
    assert_eq!(
        find("0::/system.slice/berth-x.scope\n").as_deref(),
        Some("/system.slice/berth-x.scope")
    );
    let v1 = "4:memory:/user.slice\n1:name=systemd:/a.slice/a-b.slice/berth-x.scope\n";
    assert_eq!(
        find(v1).as_deref(),
        Some("/a.slice/a-b.slice/berth-x.scope")
    );
    assert_eq!(
        find("0::/a/_berth-x.scope\n").as_deref(),
        Some("/a/_berth-x.scope")
    );
    let below = |path: &str| unit.below(Path::new(path));
    assert_eq!(below("/sys/fs/cgroup/a.slice/berth-x.scope"), "");
    assert_eq!(below("/sys/fs/cgroup/berth-x.scope/a/b"), "/a/b");
    for elsewhere in [
        "",
        "0::/\n",
        "0::/berth-x.scope/a\n",
        "3:memory:/berth-x.scope\n",
    ] {
        assert_eq!(find(elsewhere), None, "{elsewhere}");
    }
}

fn resources() -> Resources {
    Resources {
        memory: Some(Memory {
            limit: Some(64 << 20),
            swap: Some(96 << 20),
            reservation: Some(1 << 20),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: Some(1024),
            quota: Some(12_345),
            period: Some(50_000),
            cpus: Some("0-1,9".into()),
            ..Cpu::default()
        }),
        block_io: Some(BlockIo {
            weight: Some(10),
            ..BlockIo::default()
        }),
        ..Resources::default()
    }
}

fn limits(resources: &Resources, unified: bool, version: u32) -> BTreeMap<&'static str, Value> {
    let all = properties::limits(resources, unified, || Ok(version)).unwrap();
    let count = all.len();
    let map: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(map.len(), count, "none is there twice");
    map
}

#[test]
fn limits_become_properties() {
    let on_v2 = limits(&resources(), true, 252);
    let expected: [Property; 8] = [
        ("MemoryMax", Value::U64(64 << 20)),
        ("MemorySwapMax", Value::U64(32 << 20)),
        ("MemoryLow", Value::U64(1 << 20)),
        ("CPUWeight", Value::U64(100)),
        ("CPUQuotaPeriodUSec", Value::U64(50_000)),
        // 24.69 %, rounded up to hundredths of a CPU.
        ("CPUQuotaPerSecUSec", Value::U64(250_000)),
        ("AllowedCPUs", Value::Bytes(vec![3, 2])),
        ("IOWeight", Value::U64(1)),
    ];
    assert_eq!(on_v2, BTreeMap::from(expected));

    let on_v1 = limits(&resources(), false, 252);
    assert_eq!(on_v1["CPUShares"], Value::U64(1024));
    assert_eq!(on_v1["BlockIOWeight"], Value::U64(10));
    assert!(!on_v1.contains_key("CPUWeight") && !on_v1.contains_key("IOWeight"));

    let old = limits(&resources(), true, 240);
    assert!(!old.contains_key("CPUQuotaPeriodUSec") && !old.contains_key("AllowedCPUs"));
    assert!(old.contains_key("CPUQuotaPerSecUSec"));
}

/// Nothing that every systemd knows costs a question.
#[test]
fn the_version_is_asked_only_where_it_matters() {
    let resources = Resources {
        memory: resources().memory,
        pids: Some(Pids { limit: Some(20) }),
        ..Resources::default()
    };
    let all = properties::limits(&resources, true, || panic!("asked")).unwrap();
    assert!(all.contains(&("TasksMax", Value::U64(20))));
}

#[test]
fn no_limit_and_idle_and_unified() {
    let mut resources = Resources {
        memory: Some(Memory {
            limit: Some(-1),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            idle: Some(1),
            quota: Some(-1),
            ..Cpu::default()
        }),
        ..Resources::default()
    };
    for (file, value) in [
        ("memory.high", "1048576\n"),
        ("cpuset.mems", "0"),
        ("io.weight", "default 200"),
        ("memory.oom.group", "1"),
        // For the kernel to refuse, or not a property.
        ("memory.min", "much"),
        ("hugetlb.2MB.max", "0"),
        ("io.max", "8:0 rbps=1"),
    ] {
        resources.unified.insert(file.into(), value.into());
    }
    let all = limits(&resources, true, 252);
    let expected: [Property; 7] = [
        ("MemoryMax", Value::U64(u64::MAX)),
        ("MemorySwapMax", Value::U64(u64::MAX)),
        ("MemoryHigh", Value::U64(1 << 20)),
        ("CPUWeight", Value::U64(0)),
        ("CPUQuotaPerSecUSec", Value::U64(u64::MAX)),
        ("AllowedMemoryNodes", Value::Bytes(vec![1])),
        ("IOWeight", Value::U64(200)),
    ];
    assert_eq!(all, BTreeMap::from(expected));
    let old = limits(&resources, true, 251);
    assert!(!old.contains_key("CPUWeight"));
    let policy = |version| properties::oom_policy(&resources, || Ok(version)).unwrap();
    assert_eq!(policy(252), None);
    assert_eq!(policy(253), Some(("OOMPolicy", Value::Text("kill".into()))));
}

#[test]
fn lists_of_cpus_as_bits() {
    let is = |list: &str, expected: &[u8]| {
        assert_eq!(properties::bits(list).as_deref(), Some(expected), "{list}");
    };
    is("0", &[1]);
    is("0-7", &[255]);
    is("1, 3-4,17", &[0b11010, 0, 2]);
    for bad in ["", "a", "3-1", "-1", "0-8192", "4294967296", "1-"] {
        assert_eq!(properties::bits(bad), None, "{bad}");
    }
}

#[test]
fn v1_device_rules_as_systemd_names_them() {
    let drivers = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  1 ramdisk\n  8 sd\n";
    let node = |line: &str| properties::node(line, drivers).map(|(name, _)| name);
    assert_eq!(node("c 1:3 rwm").as_deref(), Some("/dev/char/1:3"));
    assert_eq!(node("b 8:* r").as_deref(), Some("block-sd"));
    assert_eq!(node("c 136:* rwm").as_deref(), Some("char-pts"));
    assert_eq!(node("c *:* m").as_deref(), Some("char-*"));
    assert_eq!((node("c *:3 m"), node("c 8:* m")), (None, None));

    let deny = DeviceRule::default();
    let null = DeviceRule {
        allow: true,
        kind: Some("c".into()),
        major: Some(1),
        minor: Some(3),
        access: Some("rw".into()),
    };
    let allow = DeviceRule {
        allow: true,
        ..DeviceRule::default()
    };
    let pair = ("/dev/char/1:3".to_owned(), "rw".to_owned());
    assert_eq!(
        properties::devices(&[deny, null]).unwrap(),
        [
            ("DevicePolicy", Value::Text("strict".into())),
            ("DeviceAllow", Value::Pairs(vec![pair])),
        ]
    );
    assert_eq!(properties::devices(&[allow]).unwrap(), []);
}

#[test]
fn versions() {
    for (text, number) in [
        ("252.38-1~deb12u1", 252),
        ("v245.4-1.fc32", 245),
        ("258", 258),
        ("unknown", 0),
        ("", 0),
    ] {
        assert_eq!(manager::number(text), number, "{text}");
    }
}
