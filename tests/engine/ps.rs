//! `ps`, `inspect` and their formats and filters.

use testkit::Sandbox;

fn some(s: &Sandbox) {
    s.berth(&[
        "run", "-d", "--name", "up", "--label", "tier=web", "busybox", "sleep", "1000",
    ])
    .ok();
    s.berth(&[
        "run", "--name", "down", "--label", "tier=db", "busybox", "sh", "-c", "exit 3",
    ])
    .fails(3);
    s.berth(&["create", "--name", "new", "busybox", "echo", "a b"])
        .ok();
}

fn names(s: &Sandbox, flags: &[&str]) -> Vec<String> {
    let line = [&["ps", "--format", "{{.Names}}"], flags].concat();
    let mut names: Vec<String> = s.berth(&line).ok().lines().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

both! {
    fn the_table_is_dockers(s) {
        some(s);
        let table = s.berth(&["ps", "-a"]).ok().to_owned();
        let header: Vec<&str> = table.lines().next().unwrap().split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
        assert_eq!(header, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
        let line = |name: &str| table.lines().find(|l| l.ends_with(name)).unwrap().to_owned();
        assert!(line("up").contains("Up ") && line("up").contains("\"sleep 1000\""), "{table}");
        assert!(line("down").contains("Exited (3) "), "{table}");
        assert!(line("new").contains("Created"), "{table}");
        // Newest first.
        assert!(table.lines().nth(1).unwrap().ends_with("new"), "{table}");
        assert_eq!(s.berth(&["ps"]).ok().lines().count(), 2);
    }
}

both! {
    fn filters(s) {
        some(s);
        assert_eq!(names(s, &[]), ["up"]);
        assert_eq!(names(s, &["-a"]), ["down", "new", "up"]);
        assert_eq!(names(s, &["-a", "--filter", "label=tier"]), ["down", "up"]);
        assert_eq!(names(s, &["-a", "--filter", "label=tier=db"]), ["down"]);
        assert_eq!(names(s, &["-a", "--filter", "status=exited"]), ["down"]);
        assert_eq!(names(s, &["--filter", "status=created"]), ["new"]);
        assert_eq!(names(s, &["-a", "--filter", "status=exited", "--filter", "status=running"]), ["down", "up"]);
        assert_eq!(names(s, &["-a", "--filter", "name=o"]), ["down"]);
        assert_eq!(names(s, &["-a", "--filter", "exited=3"]), ["down"]);
        assert_eq!(names(s, &["-a", "--filter", "ancestor=busybox"]), ["down", "new", "up"]);
        assert_eq!(names(s, &["-n", "1"]), ["new"]);
        assert_eq!(names(s, &["-l"]), ["new"]);
        for filter in ["nonsense=1", "status=nonsense"] {
            let done = s.berth(&["ps", "--filter", filter]);
            assert!(done.code() != 0 && done.stderr.contains("nonsense"), "{done}");
        }
    }
}

both! {
    fn formats(s) {
        some(s);
        let full = s.berth(&["ps", "-q", "--no-trunc"]).ok().to_owned();
        assert_eq!(full.len(), 64);
        assert_eq!(s.berth(&["ps", "-q"]).ok(), &full[..12]);
        assert_eq!(s.berth(&["ps", "--format", "{{.ID}}\\t{{.Image}}"]).ok(), format!("{}\tbusybox", &full[..12]));
        let table = s.berth(&["ps", "--format", "table {{.Names}}\t{{.Labels}}"]).ok().to_owned();
        let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines, [["NAMES", "LABELS"], ["up", "tier=web"]]);
        for format in ["json", "{{json .}}"] {
            let text = s.berth(&["ps", "--format", format]).ok().to_owned();
            let row: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((row["Names"].as_str(), row["State"].as_str()), (Some("up"), Some("running")), "{text}");
        }
        let done = s.berth(&["ps", "--format", "{{.NoSuchField}}"]);
        assert!(done.code() != 0 && done.stderr.contains("NoSuchField"), "{done}");
        assert_ne!(s.berth(&["ps", "--format", "{{.ID"]).code(), 0);
    }
}

both! {
    fn inspect_is_json_with_dockers_fields(s) {
        some(s);
        let text = s.berth(&["inspect", "up", "down"]).ok().to_owned();
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (up, down) = (&list[0], &list[1]);
        assert_eq!(up["State"]["Status"], "running");
        assert!(up["State"]["Pid"].as_u64().unwrap() > 1);
        assert_eq!(up["Config"]["Cmd"], serde_json::json!(["sleep", "1000"]));
        assert_eq!(up["Config"]["Labels"]["tier"], "web");
        assert_eq!(down["State"]["ExitCode"], 3);
        assert_eq!(down["State"]["Running"], false);
        assert!(up["Image"].as_str().unwrap().starts_with("sha256:"));
        assert!(up["HostConfig"]["NetworkMode"].is_string(), "{text}");
        let image: serde_json::Value = serde_json::from_str(s.berth(&["inspect", "busybox"]).ok()).unwrap();
        assert_eq!(image[0]["Id"], up["Image"]);
        let done = s.berth(&["inspect", "no-such"]);
        assert_eq!(done.stdout.trim(), "[]", "{done}");
        assert!(done.fails(1).contains("no-such"), "{done}");
        assert_eq!(s.berth(&["inspect", "--type", "image", "-f", "{{len .RootFS.Layers}}", "busybox"]).ok(), "1");
    }
}
