//! What is counted, and who runs out of memory.

use berth_oci::spec::HugepageLimit;

use super::*;

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
