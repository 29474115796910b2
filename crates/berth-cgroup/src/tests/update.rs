//! Changes to a cgroup in use.

use berth_oci::spec::{BlockIo, HugepageLimit, ThrottleDevice};

use super::*;

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
