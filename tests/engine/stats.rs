//! `stats`: what containers use.

use testkit::eventually;

both! {
    fn a_busy_container_shows(s) {
        let limit: &[&str] = if s.is_rootless() { &[] } else { &["-m", "64m"] };
        let line = ["busybox", "sh", "-c", "sleep 1000 & while true; do :; done"];
        s.berth(&[&["run", "-d", "--name", "busy"], limit, &line[..]].concat()).ok();
        s.berth(&["create", "--name", "never", "busybox"]).ok();
        let line = |format: &str, name: &str| {
            s.berth(&["stats", "--no-stream", "--format", format, name]).ok().to_owned()
        };
        let table = s.berth(&["stats", "--no-stream", "-a"]);
        assert!(table.ok().starts_with("CONTAINER ID   NAME"), "{table}");
        assert!(table.stdout.contains("MEM USAGE / LIMIT") && table.stdout.contains("-- / --"), "{table}");
        assert_eq!(s.berth(&["stats", "--no-stream"]).ok().lines().count(), 2);
        assert_eq!(line("{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", "never"), "never -- -- / -- --");
        let id = s.berth(&["inspect", "-f", "{{.Id}}", "busy"]).ok().to_owned();
        assert_eq!(s.berth(&["stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.Container}}", "busy"]).ok(), format!("{id} busy"));
        // Without delegated cgroups an ordinary user's containers are not counted.
        if s.is_rootless() {
            return;
        }
        eventually("it has used some", || {
            let text = line("{{.CPUPerc}}", "busy");
            let percent: f64 = text.trim_end_matches('%').parse().unwrap();
            (percent > 5.0).then_some(())
        });
        assert_eq!(line("{{.PIDs}}", "busy"), "2");
        assert!(line("{{.MemUsage}}", "busy").ends_with(" / 64MiB"));
        s.berth(&["stats", "--no-stream", "none"]).fails(1);
    }
}
