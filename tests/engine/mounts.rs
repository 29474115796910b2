//! Flags of `run` about files: volumes, mounts, tmpfs, read-only, shm.

use std::fs;
use std::os::unix::fs::symlink;

use testkit::Sandbox;

both! {
    fn a_bind_mount_shows_the_host_both_ways(s) {
        let folder = s.folder("data");
        s.file("data/in", "from the host\n");
        let volume = format!("{}:/data", folder.display());
        let done = s.berth(&["run", "--rm", "-v", &volume, "busybox", "sh", "-c", "cat /data/in; echo back >/data/out"]);
        assert_eq!(done.ok(), "from the host");
        assert_eq!(fs::read_to_string(folder.join("out")).unwrap(), "back\n");
    }
}

both! {
    fn a_read_only_bind_mount_is(s) {
        let folder = s.folder("data");
        for flags in [
            ["-v".to_owned(), format!("{}:/data:ro", folder.display())],
            ["--mount".to_owned(), format!("type=bind,source={},target=/data,readonly", folder.display())],
        ] {
            let done = s.berth(&["run", "--rm", &flags[0], &flags[1], "busybox", "touch", "/data/x"]);
            assert!(done.fails(1).contains("Read-only file system"), "{done}");
        }
    }
}

both! {
    fn missing_sources_are_made_for_v_and_refused_for_mount(s) {
        let missing = s.home().join("made");
        s.berth(&["run", "--rm", "-v", &format!("{}:/x", missing.display()), "busybox", "true"]).ok();
        assert!(missing.is_dir());
        let other = s.home().join("not-made");
        let mount = format!("type=bind,src={},dst=/x", other.display());
        let error = s.berth(&["run", "--rm", "--mount", &mount, "busybox", "true"]);
        assert!(error.fails(125).contains("not-made"), "{error}");
        assert!(!other.exists());
    }
}

both! {
    fn a_named_volume_outlives_its_container_and_takes_the_images_files(s) {
        s.berth(&["run", "--rm", "-v", "vol:/data", "busybox", "sh", "-c", "echo kept >/data/f"]).ok();
        assert_eq!(s.berth(&["run", "--rm", "-v", "vol:/data:ro", "busybox", "cat", "/data/f"]).ok(), "kept");
        let filled = s.berth(&["run", "--rm", "-v", "bin:/bin", "busybox", "sh", "-c", "ls /bin | wc -l"]);
        assert!(filled.ok().parse::<u32>().unwrap() > 10, "{filled}");
    }
}

both! {
    fn an_anonymous_volume_goes_with_rm(s) {
        s.berth(&["run", "--rm", "-v", "/data", "busybox", "sh", "-c", "echo x >/data/f"]).ok();
        assert_eq!(s.count("volumes"), 0);
    }
}

both! {
    fn tmpfs_is_empty_and_limited(s) {
        let show = ["run", "--rm", "--tmpfs", "/mem:size=1m,mode=1770", "busybox", "sh", "-c",
            "stat -c '%a %T' -f /mem >/dev/null; stat -c %a /mem; grep ' /mem ' /proc/mounts; \
             dd if=/dev/zero of=/mem/f bs=1k count=2000 2>&1 | grep -c 'No space'"];
        let done = s.berth(&show);
        let lines: Vec<&str> = done.ok().lines().collect();
        assert_eq!(lines[0], "1770");
        assert!(lines[1].starts_with("tmpfs /mem tmpfs") && lines[1].contains("size=1024k"), "{done}");
        assert!(lines[1].contains("nosuid") && lines[1].contains("nodev") && lines[1].contains("noexec"), "{done}");
        assert_eq!(lines[2], "1");
        let mount = s.berth(&["run", "--rm", "--mount", "type=tmpfs,dst=/m,tmpfs-size=4096", "busybox", "grep", " /m ", "/proc/mounts"]);
        assert!(mount.ok().contains("size=4k"), "{mount}");
    }
}

both! {
    fn read_only_root_still_has_its_tmpfs_and_volumes(s) {
        let folder = s.folder("data");
        let volume = format!("{}:/data", folder.display());
        let script = "touch /x 2>/dev/null && echo root; touch /etc/x 2>/dev/null && echo etc; \
            touch /tmp/x && echo tmp; touch /data/x && echo data; touch /dev/shm/x && echo shm";
        let done = s.berth(&["run", "--rm", "--read-only", "--tmpfs", "/tmp", "-v", &volume, "busybox", "sh", "-c", script]);
        assert_eq!(done.ok(), "tmp\ndata\nshm");
    }
}

both! {
    fn writes_stay_in_the_container(s) {
        s.berth(&["run", "--name", "aa", "busybox", "sh", "-c", "echo mine >/f; rm -f /bin/ls"]).ok();
        s.berth(&["run", "--rm", "busybox", "sh", "-c", "test ! -e /f && ls / >/dev/null"]).ok();
        s.berth(&["start", "aa"]).ok();
        assert_eq!(s.berth(&["wait", "aa"]).ok(), "0");
    }
}

both! {
    fn shm_has_the_size_asked_for(s) {
        let size = |flags: &[&str]| {
            let line = [&["run", "--rm"], flags, &["busybox", "sh", "-c", "df -k /dev/shm | awk 'NR==2{print $2}'"]];
            s.berth(&line.concat()).ok().to_owned()
        };
        assert_eq!(size(&[]), "65536");
        assert_eq!(size(&["--shm-size", "1m"]), "1024");
    }
}

both! {
    fn a_mount_is_not_led_astray_by_links_of_the_image(s) {
        // A container plants a link, is stopped, and its next start mounts onto it.
        let outside = s.folder("outside");
        let data = s.folder("data");
        s.file("data/f", "x");
        let volume = format!("{}:/deep/target", data.display());
        s.berth(&["create", "--name", "cc", "-v", &volume, "busybox", "ls", "/deep/target"]).ok();
        let id = s.berth(&["inspect", "-f", "{{.Id}}", "cc"]).ok().to_owned();
        let upper = s.state().join("containers").join(&id).join("upper");
        symlink(&outside, upper.join("deep")).unwrap();
        let done = s.berth(&["start", "-a", "cc"]);
        // The link is resolved inside the root, or refused: nothing is made or mounted outside.
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{done}");
        assert!(done.stdout == "f\n" || done.code() == 125, "{done}");
    }
}

#[test]
fn propagation_is_as_asked_for() {
    let s = Sandbox::root().with_busybox();
    let folder = s.folder("data");
    let show = |option: &str| {
        let volume = format!("{}:/data{option}", folder.display());
        let done = s.berth(&[
            "run",
            "--rm",
            "-v",
            &volume,
            "busybox",
            "grep",
            " /data ",
            "/proc/self/mountinfo",
        ]);
        done.ok().to_owned()
    };
    assert!(!show("").contains("shared:") && !show("").contains("master:"));
    let error = s.berth(&[
        "run",
        "--rm",
        "-v",
        &format!("{}:/data:rprivate,Z,bogus", folder.display()),
        "busybox",
        "true",
    ]);
    error.fails(125);
}

both! {
    fn bad_mounts_are_refused(s) {
        let long = format!("{}:/x", "n/../".repeat(3));
        for flags in [
            ["-v", "relative/path:/x"],
            ["-v", "name:relative"],
            ["-v", "/a:/b:/c:/d"],
            ["-v", &long],
            ["--mount", "type=bind,dst=/x"],
            ["--mount", "type=nonsense,src=/,dst=/x"],
            ["--mount", "src=/tmp"],
            ["--tmpfs", "relative"],
            ["--tmpfs", "/x:size=lots"],
            ["-v", "/tmp:/proc"],
            ["--tmpfs", "/proc"],
            ["--tmpfs", "/"],
        ] {
            let done = s.berth(&["run", "--rm", flags[0], flags[1], "busybox", "true"]);
            assert_eq!(done.code(), 125, "{done}");
            assert!(done.stderr.starts_with("error: "), "{done}");
        }
    }
}
