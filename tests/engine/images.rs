//! Images: bootstrap, load, import, tag, rmi, history, and other tools' reading of our store.

use std::fs;
use std::process::Command;

use testkit::{Finished, Sandbox, busybox};

both! {
    fn bootstrapped_busybox_is_the_same_image_each_time(s) {
        let id = |_: ()| s.berth(&["images", "-q", "--no-trunc"]).ok().to_owned();
        let first = id(());
        s.berth(&["rmi", "busybox"]).ok();
        assert_eq!(id(()), "");
        s.berth(&["image", "bootstrap", "busybox"]).ok();
        assert_eq!(id(()), first);
    }
}

both! {
    fn the_table_tag_rmi_and_history(s) {
        let table = s.berth(&["images"]).ok().to_owned();
        let header: Vec<&str> = table.lines().next().unwrap().split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
        assert_eq!(header, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
        s.berth(&["tag", "busybox", "mine/app:1"]).ok();
        let format = ["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"];
        let rows = s.berth(&format).ok().to_owned();
        assert_eq!(rows.lines().count(), 2, "{rows}");
        let ids: Vec<&str> = rows.lines().map(|l| l.split(' ').nth(1).unwrap()).collect();
        assert_eq!(ids[0], ids[1]);
        assert!(s.berth(&["rmi", "mine/app:1"]).ok().contains("Untagged"));
        s.berth(&["run", "--rm", "busybox", "true"]).ok();
        assert!(s.berth(&["history", "busybox"]).ok().lines().count() >= 2);
        s.berth(&["tag", "no-such", "x"]).fails(1);
        s.berth(&["tag", "busybox", "BAD REF"]).fails(1);
        s.berth(&["rmi", "no-such"]).fails(1);
    }
}

both! {
    fn an_image_in_use_is_not_removed_unless_forced(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"]).ok();
        let refused = s.berth(&["rmi", "busybox"]);
        assert!(refused.fails(1).contains('c'), "{refused}");
        s.berth(&["exec", "cc", "true"]).ok();
        s.berth(&["rm", "-f", "cc"]).ok();
        s.berth(&["rmi", "busybox"]).ok();
        // Blobs and unpacked layers went with it.
        assert_eq!((s.count("blobs/sha256"), s.count("snapshots")), (0, 0));
    }
}

both! {
    fn import_makes_an_image_of_a_tar(s) {
        let rootfs = s.folder("rootfs");
        busybox::make_rootfs(&rootfs);
        let tar = s.home().join("root.tar");
        s.shell(&format!("tar -C {} -cf {} .", rootfs.display(), tar.display())).ok();
        s.berth(&["import", tar.to_str().unwrap(), "mine:1"]).ok();
        assert_eq!(s.berth(&["run", "--rm", "mine:1", "/bin/sh", "-c", "echo ok; stat -c %u /bin"]).ok(), "ok\n0");
        // From standard input, with a change.
        let text = fs::read(&tar).unwrap();
        s.berth_with_input(&["import", "--change", "CMD [\"/bin/echo\", \"changed\"]", "-", "mine:2"], text).ok();
        assert_eq!(s.berth(&["run", "--rm", "mine:2"]).ok(), "changed");
    }
}

both! {
    fn skopeo_reads_our_store_and_we_read_its_archives(s) {
        for (kind, file) in [("docker-archive", "d.tar"), ("oci-archive", "o.tar")] {
            s.export(&format!("{kind}:{}:new/{}:1", s.home().join(file).display(), &kind[..3]));
            s.berth(&["load", "-i", s.home().join(file).to_str().unwrap()]).ok();
            let image = format!("new/{}:1", &kind[..3]);
            assert_eq!(s.berth(&["run", "--rm", &image, "echo", "loaded"]).ok(), "loaded", "{kind}");
        }
        // The layer is stored and unpacked once.
        assert_eq!(s.count("snapshots"), 1);
    }
}

#[test]
fn umoci_unpacks_our_store() {
    let s = Sandbox::root().with_busybox();
    let image = s.stored_image();
    let bundle = s.home().join("bundle");
    let mut command = s.command("umoci");
    command.args(["unpack", "--image", &image]).arg(&bundle);
    Finished::run(&mut command, b"", testkit::wait::PATIENCE).ok();
    assert!(bundle.join("rootfs/bin/busybox").exists());
}

both! {
    fn load_reads_standard_input_and_compressed_archives(s) {
        let archive = s.home().join("o.tar");
        s.export(&format!("oci-archive:{}:x:1", archive.display()));
        for tool in ["cat", "gzip -c", "zstd -qc"] {
            let done = s.shell(&format!("{tool} {} | berth load", archive.display()));
            assert!(done.ok().contains("Loaded image"), "{tool}: {done}");
        }
    }
}

both! {
    fn damaged_archives_are_refused_and_leave_nothing(s) {
        let archive = s.home().join("o.tar");
        s.export(&format!("oci-archive:{}:x:1", archive.display()));
        s.berth(&["rmi", "busybox"]).ok();
        let whole = fs::read(&archive).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for (what, bytes) in [("cut off", &whole[..whole.len() / 2]), ("one bit", &flipped), ("empty", &[]), ("text", b"no tar at all")] {
            let done = s.berth_with_input(&["load"], bytes);
            assert!(done.code() != 0 && done.stderr.starts_with("error: "), "{what}: {done}");
            assert_eq!(s.berth(&["images", "-q"]).ok(), "", "{what}");
            s.berth(&["fsck", "--repair"]).ok();
            assert_eq!(s.count("blobs/sha256"), 0, "{what}");
        }
    }
}

#[test]
fn a_changed_blob_is_found_by_fsck() {
    let s = Sandbox::root().with_busybox().without_final_check();
    let blob = fs::read_dir(s.state().join("blobs/sha256"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .max_by_key(|p| p.metadata().unwrap().len());
    let blob = blob.unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[100] ^= 1;
    Command::new("chmod")
        .arg("u+w")
        .arg(&blob)
        .status()
        .unwrap();
    fs::write(&blob, bytes).unwrap();
    let done = s.berth(&["fsck"]);
    assert!(done.code() != 0, "{done}");
    let text = format!("{}{}", done.stdout, done.stderr);
    assert!(
        text.contains(blob.file_name().unwrap().to_str().unwrap()),
        "{done}"
    );
}

#[test]
#[ignore = "downloads a Debian twice: part of make test-full"]
fn another_debian_than_the_hosts_is_the_same_each_time_and_runs() {
    let s = Sandbox::root();
    let host = fs::read_to_string("/etc/os-release").unwrap();
    let suite = if host.contains("VERSION_CODENAME=bookworm") {
        "trixie"
    } else {
        "bookworm"
    };
    let image = format!("debian:{suite}");
    let bootstrap = |_: ()| {
        let mut command = s.berth_command(&["image", "bootstrap", &image]);
        Finished::run(&mut command, b"", std::time::Duration::from_secs(600))
            .ok()
            .to_owned()
    };
    let first = bootstrap(());
    let script = "grep -h VERSION_CODENAME /etc/os-release; cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>&-; true";
    let done = s.berth(&["run", "--rm", &image, "sh", "-c", script]);
    assert!(
        done.ok().starts_with(&format!("VERSION_CODENAME={suite}")),
        "{done}"
    );
    let hosts = done
        .ok()
        .lines()
        .filter_map(|line| line.split("://").nth(1));
    assert!(hosts.clone().count() > 0, "{done}");
    assert!(
        hosts
            .clone()
            .all(|host| host.starts_with("deb.debian.org/")),
        "{done}"
    );
    s.berth(&["rmi", &image]).ok();
    assert_eq!(bootstrap(()), first);
}
