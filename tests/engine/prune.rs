//! What takes the disk, and what goes when it is not needed: `system df`, `system prune`, `image prune`.

use std::time::Duration;

use testkit::Sandbox;

/// A small image of its own with this label; the layer below is shared with all others of its kind.
fn image(s: &Sandbox, name: &str, label: &str) {
    let folder = s.folder("files");
    s.shell(&format!(
        "echo {name} > {}/file; head -c 300000 /dev/urandom > {}/noise",
        folder.display(),
        folder.display()
    ))
    .ok();
    let change = format!("LABEL kind={label}");
    s.shell(&format!(
        "tar -C {} -c . | berth import --change '{change}' - {name}",
        folder.display()
    ))
    .ok();
    // Uses are told apart by time.
    std::thread::sleep(Duration::from_millis(2));
}

fn names(s: &Sandbox) -> Vec<String> {
    let text = s
        .berth(&["images", "--format", "{{.Repository}}"])
        .ok()
        .to_owned();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The lines of a dry run but the last are those of the run.
fn prune_as_planned(s: &Sandbox, args: &[&str]) -> String {
    let before = s.berth(&["system", "df"]).ok().to_owned();
    let plan = s.berth(&[args, &["--dry-run"]].concat()).ok().to_owned();
    assert_eq!(
        s.berth(&["system", "df"]).ok(),
        before,
        "a dry run changes nothing"
    );
    let done = s.berth(&[args, &["-f"]].concat()).ok().to_owned();
    assert_eq!(plan.replace("reclaimable", "reclaimed"), done);
    let again = s.berth(&[args, &["-f"]].concat()).ok().to_owned();
    assert_eq!(again, "Total reclaimed space: 0B");
    done
}

both! {
    fn df_has_dockers_rows_and_columns(s) {
        let table = s.berth(&["system", "df"]).ok().to_owned();
        let words: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(words, ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
        let format = ["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}"];
        let none = "Images|1|0\nContainers|0|0\nLocal Volumes|0|0\nBuild Cache|0|0";
        assert_eq!(s.berth(&format).ok(), none);
        s.berth(&["run", "-d", "--name", "cc", "-v", "data:/data", "busybox", "sleep", "1000"]).ok();
        let used = "Images|1|1\nContainers|1|1\nLocal Volumes|1|1\nBuild Cache|0|0";
        assert_eq!(s.berth(&format).ok(), used);
        // What a container uses cannot be reclaimed.
        let reclaimable = s.berth(&["system", "df", "--format", "{{.Reclaimable}}"]).ok().to_owned();
        assert_eq!(reclaimable.lines().next(), Some("0B (0%)"));
        let verbose = s.berth(&["system", "df", "-v"]).ok().to_owned();
        for part in ["SHARED SIZE", "UNIQUE SIZE", "Containers space usage", "VOLUME NAME", "data"] {
            assert!(verbose.contains(part), "{verbose}");
        }
        assert!(s.berth(&["ps", "--size"]).ok().contains("virtual"));
        s.berth(&["rm", "-f", "cc"]).ok();
    }
}

/// Images that share a layer: it counts once, and for neither alone. What is said is what `du` says.
#[test]
fn df_counts_what_is_shared_once() {
    let s = Sandbox::root().with_busybox();
    for name in ["one", "two"] {
        let command = [
            "run",
            "--name",
            "cc",
            "busybox",
            "sh",
            "-c",
            "head -c 500000 /dev/urandom > /file",
        ];
        s.berth(&command).ok();
        s.berth(&["commit", "cc", name]).ok();
        s.berth(&["run", "--rm", name, "true"]).ok();
        s.berth(&["rm", "cc"]).ok();
    }
    let verbose = s.berth(&["system", "df", "-v"]).ok().to_owned();
    let row = |name: &str| -> Vec<String> {
        let line = verbose.lines().find(|line| line.starts_with(name)).unwrap();
        let cells = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    let shared: Vec<String> = ["busybox", "one", "two"]
        .map(|name| row(name)[5].clone())
        .to_vec();
    assert_eq!(shared[1], shared[2], "{verbose}");
    assert!(shared[0].ends_with("MB"), "{verbose}");
    let unique = row("one")[6].clone();
    assert!(
        unique.ends_with("MB") && unique.starts_with("1."),
        "blob and snapshot: {verbose}"
    );
    let state = s.state();
    // The two directories that hold snapshots and shared files are nobody's.
    let du = s.shell_as_root(&format!(
        "cd {}; find blobs -type f -printf '%b\\n'; find snapshots -mindepth 1 ! -path snapshots/.shared -printf '%i %b\\n' | sort -u | cut -d' ' -f2",
        state.display()
    ));
    let expected: f64 = du
        .ok()
        .lines()
        .map(|line| line.parse::<f64>().unwrap() * 512.0)
        .sum();
    let size = s
        .berth(&["system", "df", "--format", "{{.Size}}"])
        .ok()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let said: f64 = size.trim_end_matches("MB").parse().unwrap();
    assert!(
        (said * 1e6 - expected).abs() < 2e3,
        "{size} is said, {expected} is there"
    );
}

both! {
    /// N6: a dry run says just what the run removes.
    fn system_prune_removes_what_it_said(s) {
        image(s, "named", "x");
        image(s, "lost", "x");
        // Its name goes to another: dangling.
        image(s, "lost", "x");
        s.berth(&["create", "--name", "cc", "-v", "/anonymous", "named", "true"]).ok();
        s.berth(&["run", "-d", "--name", "dd", "busybox", "sleep", "1000"]).ok();
        let done = prune_as_planned(s, &["system", "prune"]);
        for part in ["Deleted Containers:", "Deleted Volumes:", "Deleted Images:\ndeleted: sha256:", "Deleted Content:\nblob: "] {
            assert!(done.contains(part), "{part} in {done}");
        }
        assert_eq!(names(s), ["busybox", "lost", "named"]);
        assert_eq!(s.berth(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "dd");
        let done = prune_as_planned(s, &["system", "prune", "-a", "--volumes"]);
        assert!(done.contains("untagged: named:latest\n"), "{done}");
        // What a container uses stays.
        assert_eq!(names(s), ["busybox"]);
        s.berth(&["exec", "dd", "true"]).ok();
        s.berth(&["rm", "-f", "dd"]).ok();
        prune_as_planned(s, &["image", "prune", "-a"]);
        assert_eq!((s.count("blobs/sha256"), s.count("snapshots")), (0, 0));
    }
}

#[test]
fn filters_narrow_a_prune() {
    let s = Sandbox::root().with_busybox();
    image(&s, "red", "red");
    image(&s, "blue", "blue");
    let prune = |filter: &str| {
        s.berth(&["image", "prune", "-af", "--filter", filter])
            .ok()
            .to_owned()
    };
    assert!(!prune("until=2000-01-01").contains("blue"));
    assert!(!prune("label=kind=green").contains("blue"));
    prune("label=kind=red");
    assert_eq!(names(&s), ["blue", "busybox"]);
    prune("label!=kind");
    assert_eq!(names(&s), ["blue"]);
    prune("until=0s");
    assert_eq!(names(&s), Vec::<String>::new());
    s.berth(&["image", "prune", "-f", "--filter", "colour=red"])
        .fails(1);
    s.berth(&["image", "prune", "-f", "--filter", "until=yesterday"])
        .fails(1);
    // Nobody there to ask.
    s.berth(&["system", "prune"]).fails(1);
}

/// The least recently used images go first, and only as many as have to.
#[test]
fn a_budget_keeps_what_was_used_last() {
    let s = Sandbox::root();
    for name in ["aa", "bb", "cc", "dd"] {
        image(&s, name, "x");
    }
    // Used again: the oldest name is now the latest but one.
    s.berth(&["tag", "aa", "again"]).ok();
    s.berth(&["rmi", "again"]).ok();
    s.berth(&["create", "--name", "keeps-bb", "bb", "/file"])
        .ok();
    // Each takes about 600 kB: blob and snapshot.
    let done = prune_as_planned(&s, &["image", "prune", "--keep-storage", "2100k"]);
    assert!(done.contains("untagged: cc:latest\ndeleted"), "{done}");
    assert_eq!(names(&s), ["aa", "bb", "dd"]);
    prune_as_planned(&s, &["image", "prune", "--keep-storage", "1400k"]);
    assert_eq!(names(&s), ["aa", "bb"]);
    // A container keeps its image, whatever the budget.
    prune_as_planned(&s, &["image", "prune", "--keep-storage", "0"]);
    assert_eq!(names(&s), ["bb"]);
    s.berth(&["rm", "keeps-bb"]).ok();
}

/// N6: what is tagged, made or run while a prune is at it stays; what it says to have removed is gone.
#[test]
fn n6_a_prune_leaves_what_began_after_it() {
    let s = Sandbox::root().with_busybox();
    let rounds = if std::env::var_os("BERTH_TEST_FULL").is_some() {
        200
    } else {
        12
    };
    for round in 0..rounds {
        image(&s, "old", "x");
        let prunes = s.spawn(&["system", "prune", "-af"]);
        std::thread::sleep(Duration::from_millis(round % 12));
        let tagged = s.berth(&["tag", "old", "new"]);
        let ran = s.berth(&["create", "--name", "cc", "busybox", "true"]);
        let pruned = prunes.wait_with_output().unwrap();
        assert!(pruned.status.success(), "{pruned:?}");
        let said = String::from_utf8(pruned.stdout).unwrap();
        if tagged.status.success() {
            // Whole, not only named.
            s.berth(&["save", "-o", "out.tar", "new"]).ok();
        } else {
            assert!(said.contains("untagged: old:latest"), "{said}");
        }
        if ran.status.success() && !said.contains("Deleted Containers") {
            s.berth(&["start", "-a", "cc"]).ok();
            s.berth(&["rm", "cc"]).ok();
        }
        s.berth(&["image", "bootstrap", "busybox"]).ok();
        s.berth(&["fsck"]).ok();
    }
}
