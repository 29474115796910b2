//! Making, killing, freezing and removing.

use std::io::ErrorKind;

use super::*;

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

#[test]
fn systemds_hierarchy_is_used_where_systemd_runs() {
    let layout = Layout::detect().unwrap();
    let runs = std::path::Path::new("/run/systemd/system").exists();
    let plain = Resources::default();
    let named = create::wanted(&layout, &plain).any(|h| h.controllers == ["name=systemd"]);
    assert_eq!(named, runs && layout.v1_of("name=systemd").is_some());
}
