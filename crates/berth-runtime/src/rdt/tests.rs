//! Over a directory that looks like resctrl: no host of the tests has the processor for it.

use super::*;

struct Fake(tempfile::TempDir);

impl Fake {
    fn new() -> Fake {
        let dir = tempfile::tempdir().unwrap();
        for name in ["info/L3", "info/MB", "mon_groups"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("tasks"), "").unwrap();
        std::fs::write(
            dir.path().join("schemata"),
            "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n",
        )
        .unwrap();
        Fake(dir)
    }

    fn resctrl(&self) -> Resctrl {
        Resctrl::at(self.0.path())
    }

    /// Another's group.
    fn group(&self, name: &str, schemata: &str) {
        let dir = self.0.path().join(name);
        std::fs::create_dir_all(dir.join("mon_groups")).unwrap();
        std::fs::write(dir.join("tasks"), "").unwrap();
        std::fs::write(dir.join("schemata"), schemata).unwrap();
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    fn has(&self, file: &str) -> bool {
        self.0.path().join(file).exists()
    }
}

fn asked(clos_id: Option<&str>, l3: &str, mb: &str) -> IntelRdt {
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    IntelRdt {
        clos_id: clos_id.map(str::to_owned),
        l3_cache_schema: some(l3),
        mem_bw_schema: some(mb),
        ..IntelRdt::default()
    }
}

/// Without `closID` the directory has the container's id, and goes with the container.
#[test]
fn a_group_of_its_own_goes_with_the_container() {
    let fake = Fake::new();
    let mut rdt = asked(None, "L3:0=7f0", "MB:0=20;1=70");
    rdt.schemata = vec!["L2:0=f".into()];
    let group = fake.resctrl().prepare(&rdt, "c").unwrap();
    // l3CacheSchema first, memBwSchema, schemata last.
    assert_eq!(fake.text("c/schemata"), "L3:0=7f0\nMB:0=20;1=70\nL2:0=f\n");
    group.join(7).unwrap();
    assert_eq!(fake.text("c/tasks"), "7");
    std::fs::remove_file(fake.0.path().join("c/schemata")).unwrap();
    std::fs::remove_file(fake.0.path().join("c/tasks")).unwrap();
    group.remove().unwrap();
    assert!(!fake.has("c"));
    group.remove().unwrap();
}

/// One that was there before is not the container's to remove.
#[test]
fn a_group_of_others_stays() {
    let fake = Fake::new();
    fake.group("c", "L3:0=7ff\n");
    let group = fake.resctrl().prepare(&asked(None, "", ""), "c").unwrap();
    assert_eq!(fake.text("c/schemata"), "L3:0=7ff\n", "not written to");
    group.remove().unwrap();
    assert!(fake.has("c"));
    let named = fake
        .resctrl()
        .prepare(&asked(Some("new"), "L3:0=f", ""), "c")
        .unwrap();
    named.remove().unwrap();
    assert!(fake.has("new"), "with a closID it outlives the container");
}

#[test]
fn a_named_group_is_used_as_it_is_or_refused() {
    let fake = Fake::new();
    fake.group("gold", "    L3:0=007f0;1=1f\n    MB:0= 20;1= 70\n");
    let prepare = |rdt: IntelRdt| fake.resctrl().prepare(&rdt, "c");
    for (l3, mb) in [("", ""), ("L3:1=1f;0=7f0", ""), ("L3:0=7f0", "MB:1=70")] {
        prepare(asked(Some("gold"), l3, mb)).unwrap();
        fake.group("gold", "    L3:0=007f0;1=1f\n    MB:0= 20;1= 70\n");
    }
    for (l3, mb) in [
        ("L3:0=7f1", ""),
        ("L3:2=1", ""),
        ("", "MB:0=70"),
        ("L2:0=1", ""),
    ] {
        assert!(prepare(asked(Some("gold"), l3, mb)).is_err(), "{l3} {mb}");
    }
    let absent = prepare(asked(Some("silver"), "", "")).unwrap_err();
    assert!(absent.to_string().contains("silver"), "{absent}");
    assert!(!fake.has("silver"));
    let root = prepare(asked(Some("/"), "", "")).unwrap();
    root.join(9).unwrap();
    assert_eq!(fake.text("tasks"), "9");
}

#[test]
fn monitoring_has_a_group_of_its_own() {
    let fake = Fake::new();
    fake.group("gold", "");
    let rdt = IntelRdt {
        enable_monitoring: true,
        ..asked(Some("gold"), "", "")
    };
    let group = fake.resctrl().prepare(&rdt, "c").unwrap();
    group.join(7).unwrap();
    assert_eq!(fake.text("gold/mon_groups/c/tasks"), "7");
    std::fs::remove_file(fake.0.path().join("gold/mon_groups/c/tasks")).unwrap();
    group.remove().unwrap();
    assert!(fake.has("gold") && !fake.has("gold/mon_groups/c"));
}

#[test]
fn the_kernels_reason_is_told_and_nothing_stays() {
    let fake = Fake::new();
    std::fs::write(
        fake.0.path().join("info/last_cmd_status"),
        "no more monitoring\n",
    )
    .unwrap();
    let rdt = IntelRdt {
        enable_monitoring: true,
        ..asked(None, "", "")
    };
    // No mon_groups in what this makes: as if the kernel refused.
    let error = fake.resctrl().prepare(&rdt, "c").unwrap_err();
    assert!(
        error.to_string().ends_with("(no more monitoring)"),
        "{error}"
    );
    assert!(!fake.has("c"));
}

#[test]
fn names_and_schemas_are_checked() {
    for name in ["", ".", "..", "a/b", "/x", "a\nb"] {
        assert!(check(&asked(Some(name), "", "")).is_err(), "{name:?}");
    }
    assert!(check(&asked(None, "", "L3:0=1")).is_err());
    assert!(check(&asked(None, "", "MB:0=1\nL3:0=1")).is_err());
    let two = IntelRdt {
        schemata: vec!["L3:0=1\nMB:0=1".into()],
        ..IntelRdt::default()
    };
    assert!(check(&two).is_err());
}

#[test]
fn an_update_changes_the_schemas_and_can_be_taken_back() {
    let fake = Fake::new();
    fake.group("c", "L3:0=f\n");
    let mut held = asked(None, "L3:0=f", "MB:0=10");
    let resctrl = fake.resctrl();
    let l3 = Some("L3:0=3".to_owned());
    let before = update_in(&resctrl, Some(&mut held), "c", l3.clone(), None).unwrap();
    assert_eq!(fake.text("c/schemata"), "L3:0=3\nMB:0=10\n");
    assert_eq!(held, asked(None, "L3:0=3", "MB:0=10"));
    before.take_back();
    assert_eq!(fake.text("c/schemata"), "L3:0=f\n");
    assert!(update_in(&resctrl, None, "c", l3.clone(), None).is_err());
    std::fs::remove_dir(fake.0.path().join("info/L3")).unwrap();
    let error = update_in(&resctrl, Some(&mut held), "c", l3, None).unwrap_err();
    assert!(
        error.to_string().contains("l3 cache schema is not enabled"),
        "{error}"
    );
}

#[test]
fn it_is_found_where_it_is_mounted() {
    let text = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
                44 23 0:39 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw,mba_MBps\n";
    assert_eq!(mount_point(text), Some("/sys/fs/resctrl"));
    assert_eq!(mount_point(""), None);
}

#[test]
fn counters_are_shown() {
    let fake = Fake::new();
    fake.group("gold", "L3:0=7f0\nMB:0=20\n");
    let write = |file: &str, text: &str| {
        let path = fake.0.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("info/L3/cbm_mask", "100\n");
    write("info/L3/num_closids", "16\n");
    write("info/MB/min_bandwidth", "10\n");
    write(
        "gold/mon_groups/c/mon_data/mon_L3_00/mbm_total_bytes",
        "5\n",
    );
    write(
        "gold/mon_groups/c/mon_data/mon_L3_00/mbm_local_bytes",
        "4\n",
    );
    write(
        "gold/mon_groups/c/mon_data/mon_L3_00/llc_occupancy",
        "Unavailable\n",
    );
    let rdt = IntelRdt {
        enable_monitoring: true,
        ..asked(Some("gold"), "", "")
    };
    assert_eq!(
        fake.resctrl().stats(&rdt, "c"),
        serde_json::json!({
            "l3_cache_info": { "cbm_mask": "100", "num_closids": 16 },
            "l3_cache_schema_root": "L3:0=7ff;1=7ff",
            "l3_cache_schema": "L3:0=7f0",
            "mem_bw_info": { "min_bandwidth": 10 },
            "mem_bw_schema_root": "MB:0=100;1=100",
            "mem_bw_schema": "MB:0=20",
            "mbm_stats": [{ "mbm_total_bytes": 5, "mbm_local_bytes": 4 }],
        })
    );
}
