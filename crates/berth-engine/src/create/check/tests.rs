//! Requests that make no sense, and their neighbours that do.

use berth_model::config::{DeviceConfig, DeviceValue, RestartPolicy};

use super::*;

fn with(change: impl Fn(&mut CreateRequest)) -> Result<(), Error> {
    let mut request = CreateRequest::default();
    change(&mut request);
    super::request(&request)
}

#[test]
fn bounds_of_memory() {
    let mib = 1 << 20;
    for (memory, reservation, swap, good) in [
        (None, None, None, true),
        (Some(6 * mib), Some(6 * mib), Some(6 * mib as i64), true),
        (Some(6 * mib - 1), None, None, false),
        (Some(64 * mib), Some(65 * mib), None, false),
        (None, Some(64 * mib), None, true),
        (None, Some(5 * mib), None, false),
        (Some(64 * mib), None, Some(-1), true),
        (Some(64 * mib), None, Some(63 * mib as i64), false),
        (Some(64 * mib), None, Some(-2), false),
        (None, None, Some(64 * mib as i64), false),
        (None, None, Some(-1), true),
    ] {
        let found = with(|request| {
            request.resources.memory_bytes = memory;
            request.resources.memory_reservation_bytes = reservation;
            request.resources.memory_swap_bytes = swap;
        });
        assert_eq!(found.is_ok(), good, "{memory:?} {reservation:?} {swap:?}");
    }
    let swappiness = |n| with(|request| request.resources.memory_swappiness = Some(n));
    assert!(swappiness(0).is_ok() && swappiness(100).is_ok() && swappiness(101).is_err());
    let oom = |n| with(|request| request.resources.oom_score_adj = Some(n));
    assert!(oom(-1000).is_ok() && oom(1000).is_ok() && oom(1001).is_err());
}

#[test]
fn bounds_of_cpus() {
    let cpu = |change: &dyn Fn(&mut CpuConfig)| with(|r| change(&mut r.resources.cpu));
    assert!(cpu(&|cpu| cpu.period_us = Some(1000)).is_ok());
    assert!(cpu(&|cpu| cpu.period_us = Some(999)).is_err());
    assert!(cpu(&|cpu| cpu.period_us = Some(1_000_001)).is_err());
    assert!(cpu(&|cpu| cpu.quota_us = Some(-1)).is_ok());
    assert!(cpu(&|cpu| cpu.quota_us = Some(999)).is_err());
    assert!(cpu(&|cpu| cpu.cpus = "0".into()).is_ok());
    for bad in ["1-0", "a", "0-", "0,,1", "8191", "9999999"] {
        assert!(cpu(&|cpu| cpu.cpus = bad.into()).is_err(), "{bad}");
    }
    assert!(cpu(&|cpu| cpu.mems = "4000".into()).is_err());
    let both = |request: &mut CreateRequest| {
        request.resources.nano_cpus = Some(1_000_000_000);
        request.resources.cpu.quota_us = Some(50_000);
    };
    assert!(with(both).is_err());
    assert!(with(|r| r.resources.nano_cpus = Some(1_000_000_000_000_000)).is_err());
}

#[test]
fn weights_and_devices() {
    let weight = |n| with(|r| r.resources.blkio.weight = Some(n));
    assert!(weight(10).is_ok() && weight(1000).is_ok() && weight(9).is_err());
    let device = DeviceValue {
        path: "/dev/vda".into(),
        value: 1001,
    };
    assert!(with(|r| r.resources.blkio.weight_device = vec![device.clone()]).is_err());
    let device = |host: &str, permissions: &str| {
        let device = DeviceConfig {
            host: host.into(),
            container: host.into(),
            permissions: permissions.into(),
        };
        with(|r| r.resources.devices = vec![device.clone()])
    };
    assert!(device("/dev/null", "rw").is_ok());
    for (host, permissions) in [("dev/null", "rw"), ("/dev/null", ""), ("/dev/null", "rx")] {
        assert!(device(host, permissions).is_err(), "{host} {permissions}");
    }
    let rule = |text: &str| with(|r| r.resources.device_rules = vec![text.to_owned()]);
    assert!(rule("c 1:3 rwm").is_ok() && rule("b *:* m").is_ok() && rule("a 7:* r").is_ok());
    for bad in [
        "",
        "c 1:3",
        "d 1:3 r",
        "c 1 r",
        "c 1:+3 r",
        "c 1:3 rwmr",
        "c  1:3 r",
        "c -1:3 r",
    ] {
        assert!(rule(bad).is_err(), "{bad}");
    }
}

#[test]
fn contradictions() {
    for (what, change) in [
        (
            "restart",
            &(|r: &mut CreateRequest| {
                r.auto_remove = true;
                r.restart = "always".parse::<RestartPolicy>().unwrap();
            }) as &dyn Fn(&mut CreateRequest),
        ),
        ("uts", &|r| {
            r.hostname = Some("web".into());
            r.namespaces.uts = UtsMode::Host;
        }),
        ("network", &|r| {
            r.domainname = "example".into();
            r.network = Some(NetworkMode::Container("x".into()));
        }),
        ("shm", &|r| {
            r.resources.shm_bytes = Some(1 << 20);
            r.namespaces.ipc = IpcMode::Host;
        }),
        ("runtime", &|r| r.runtime = "kata".into()),
        ("storage", &|r| {
            r.storage_options.insert("size".into(), "1g".into());
        }),
        ("ulimit", &|r| {
            r.resources.ulimits.insert("nonsense".into(), (1, 1));
        }),
        ("annotation", &|r| {
            r.annotations.insert(String::new(), "x".into());
        }),
    ] {
        assert!(with(change).is_err(), "{what}");
    }
    assert!(with(|r| r.runtime = "runc".into()).is_ok());
}

#[test]
fn health_checks() {
    let test = |words: &[&str], interval_ns| {
        let health = HealthConfig {
            test: words.iter().map(|word| (*word).to_owned()).collect(),
            interval_ns,
            ..HealthConfig::default()
        };
        with(|request| request.health = Some(health.clone()))
    };
    assert!(test(&["CMD", "true"], 0).is_ok() && test(&[], 1_000_000).is_ok());
    assert!(test(&["NONE"], 0).is_ok());
    for (words, ns) in [
        (&["true"][..], 0),
        (&["CMD"], 0),
        (&["CMD-SHELL"], 0),
        (&["NONE", "x"], 0),
        (&["CMD", "true"], 999_999),
    ] {
        assert!(test(words, ns).is_err(), "{words:?} {ns}");
    }
}
