//! save and load: every form of an image that docker, podman, skopeo and umoci from Debian's packages read and write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Dockerd, Finished, Sandbox};

/// podman with its storage in the sandbox.
struct Podman<'a>(&'a Sandbox);

impl Podman<'_> {
    fn call(&self, arguments: &[&str]) -> Finished {
        let home = self.0.folder("podman");
        let mut command = self.0.command("/usr/bin/podman");
        command.arg("--root").arg(home.join("root"));
        command.arg("--runroot").arg(home.join("run"));
        command.args(["--storage-driver=vfs", "--events-backend=none"]);
        command.args(arguments);
        run(&mut command)
    }
}

fn run(command: &mut Command) -> Finished {
    Finished::run(command, b"", Duration::from_secs(60))
}

fn skopeo(s: &Sandbox, arguments: &[&str]) -> Finished {
    let mut command = s.command("skopeo");
    run(command.arg("--insecure-policy").args(arguments))
}

/// A sandbox with `busybox`, and `mine/app:1` with a layer more.
fn two_images() -> Sandbox {
    let s = Sandbox::root().with_busybox();
    let line = "echo more > /more; rm /etc/group";
    s.berth(&["run", "--name", "cc", "busybox", "sh", "-c", line])
        .ok();
    s.berth(&[
        "commit",
        "-c",
        "CMD [\"cat\", \"/more\"]",
        "cc",
        "mine/app:1",
    ])
    .ok();
    s.berth(&["rm", "cc"]).ok();
    s
}

fn id_of(s: &Sandbox, image: &str) -> String {
    s.berth(&["image", "inspect", "-f", "{{.Id}}", image])
        .ok()
        .to_owned()
}

fn path(s: &Sandbox, name: &str) -> String {
    s.home().join(name).to_str().unwrap().to_owned()
}

/// What `load` tells, without order.
fn loaded(s: &Sandbox, from: &str) -> Vec<String> {
    let text = s.berth(&["load", "-i", from]).ok().to_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The configuration of what skopeo finds at `source`, by its digest.
fn skopeo_id(s: &Sandbox, source: &str) -> String {
    let done = skopeo(s, &["inspect", "--raw", source]);
    let manifest: Value = serde_json::from_str(done.ok()).unwrap();
    manifest["config"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn they_read_what_we_save() {
    let s = two_images();
    let id = id_of(&s, "mine/app:1");
    for form in ["", "docker-archive", "oci-archive", "oci-dir"] {
        let file = path(&s, &format!("ours-{form}"));
        let mut words = vec!["save", "-o", &file, "busybox", "mine/app:1"];
        if !form.is_empty() {
            words.extend(["--format", form]);
        }
        s.berth(&words).ok();
    }
    let full = "docker.io/mine/app:1";
    for source in [
        format!("docker-archive:{}:mine/app:1", path(&s, "ours-")),
        format!(
            "docker-archive:{}:mine/app:1",
            path(&s, "ours-docker-archive")
        ),
        format!("oci-archive:{}:{full}", path(&s, "ours-")),
        format!("oci-archive:{}:{full}", path(&s, "ours-oci-archive")),
        format!("oci:{}:{full}", path(&s, "ours-oci-dir")),
    ] {
        assert_eq!(skopeo_id(&s, &source), id, "{source}");
        let target = format!("dir:{}", path(&s, "copy"));
        skopeo(&s, &["copy", "-q", &source, &target]).ok();
        fs::remove_dir_all(path(&s, "copy")).unwrap();
    }
    let podman = Podman(&s);
    for form in ["", "docker-archive", "oci-archive"] {
        // What podman takes of an OCI archive is one image.
        let file = path(&s, &format!("ours-{form}"));
        let one = path(&s, "one");
        let from = match form {
            "oci-archive" => {
                s.berth(&["save", "--format", form, "-o", &one, "mine/app:1"])
                    .ok();
                &one
            }
            _ => &file,
        };
        podman.call(&["load", "-q", "-i", from]).ok();
        let ids = podman.call(&["images", "-q", "--no-trunc", "mine/app:1"]);
        assert_eq!(ids.ok(), id, "{form}");
        podman.call(&["rmi", "-a", "-f"]).ok();
    }
    let bundle = path(&s, "bundle");
    let image = format!("{}:{full}", path(&s, "ours-oci-dir"));
    run(s
        .command("umoci")
        .args(["unpack", "--image", &image, &bundle]))
    .ok();
    assert!(Path::new(&bundle).join("rootfs/more").exists());
    assert!(!Path::new(&bundle).join("rootfs/etc/group").exists());

    let docker = Dockerd::start(&s);
    for form in ["", "docker-archive"] {
        let file = path(&s, &format!("ours-{form}"));
        docker.call(&s, &["load", "-q", "-i", &file]).ok();
        let ids = docker.call(&s, &["images", "-q", "--no-trunc", "mine/app:1"]);
        assert_eq!(ids.ok(), id, "{form}");
        let ran = docker.call(&s, &["run", "--rm", "--network=none", "mine/app:1"]);
        assert_eq!(ran.ok(), "more", "{form}");
        if form.is_empty() {
            tells_as_docker(&s, &docker, "mine/app:1");
        }
        docker.call(&s, &["rmi", "mine/app:1", "busybox"]).ok();
    }
}

/// The same image inspected, and its history: what both know is the same, and we leave no field of theirs out that
/// newer ones still have.
fn tells_as_docker(s: &Sandbox, docker: &Dockerd, image: &str) {
    let parsed = |done: Finished| -> Value { serde_json::from_str(done.ok()).unwrap() };
    let theirs = parsed(docker.call(s, &["image", "inspect", image]))[0].take();
    let ours = parsed(s.berth(&["image", "inspect", image]))[0].take();
    // What docker's later versions have dropped: how a builder's container was.
    let gone = ["Container", "ContainerConfig", "VirtualSize"];
    for (key, value) in theirs.as_object().unwrap() {
        if gone.contains(&key.as_str()) {
            continue;
        }
        assert!(ours.get(key).is_some(), "{key}");
        // A digest to pin is of our manifest; theirs has none. How layers lie is each one's own. What an image was
        // committed from is in our manifest, and nowhere in their archives.
        let own = [
            "Config",
            "Parent",
            "RepoDigests",
            "Size",
            "GraphDriver",
            "Metadata",
            "Comment",
        ];
        if key == "Created" {
            let time = ours[key].as_str().unwrap();
            assert_eq!(as_docker_writes(time), *value, "{key}");
        } else if !own.contains(&key.as_str()) {
            assert_eq!(ours[key], *value, "{key}");
        }
    }
    for key in [
        "User",
        "ExposedPorts",
        "Env",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Entrypoint",
        "OnBuild",
        "Labels",
    ] {
        assert_eq!(ours["Config"][key], theirs["Config"][key], "{key}");
    }
    let words = [
        "history",
        "--no-trunc",
        "--format",
        "{{.ID}}|{{.CreatedBy}}|{{.Comment}}",
        image,
    ];
    assert_eq!(s.berth(&words).ok(), docker.call(s, &words).ok());
}

/// A time of ours, which has nine digits after the second: docker drops the zeros at their end.
fn as_docker_writes(time: &str) -> String {
    let digits = time.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", digits.trim_end_matches('.'))
}

#[test]
fn what_is_no_archive_is_told() {
    let s = Sandbox::root();
    let file = path(&s, "text");
    for text in ["short", &"long enough for a header ".repeat(100)] {
        fs::write(&file, text).unwrap();
        for words in [&["load", "-i", &file][..], &["import", &file, "x:1"]] {
            let done = s.berth(words);
            assert!(done.fails(1).contains("hint: it seems to be"), "{done}");
        }
    }
}

#[test]
fn we_read_what_they_save() {
    let s = two_images();
    let (base, app) = (id_of(&s, "busybox"), id_of(&s, "mine/app:1"));
    let ours = path(&s, "ours.tar");
    s.berth(&["save", "-o", &ours, "busybox", "mine/app:1"])
        .ok();
    // Each with the id that the image has in it: who makes OCI's form of Docker's writes a new configuration.
    let mut found: Vec<(String, usize, String)> = Vec::new();

    let docker = Dockerd::start(&s);
    docker.call(&s, &["load", "-q", "-i", &ours]).ok();
    docker.call(&s, &["tag", "mine/app:1", "mine/app:2"]).ok();
    for (name, images) in [
        ("all", &["busybox", "mine/app:1", "mine/app:2"][..]),
        ("by-id", &[&app[7..19]]),
    ] {
        let file = path(&s, name);
        docker
            .call(&s, &[&["save", "-o", &file], images].concat())
            .ok();
        found.push((file, images.len(), app.clone()));
    }
    drop(docker);

    let podman = Podman(&s);
    podman.call(&["load", "-q", "-i", &ours]).ok();
    for form in ["docker-archive", "oci-archive", "oci-dir", "docker-dir"] {
        let file = path(&s, &format!("podman-{form}"));
        let words = ["save", "-q", "--format", form, "-o", &file, "mine/app:1"];
        podman.call(&words).ok();
        let id = match form.strip_prefix("oci-") {
            Some("dir") => skopeo_id(&s, &format!("oci:{file}")),
            Some(_) => skopeo_id(&s, &format!("{form}:{file}")),
            None => app.clone(),
        };
        found.push((file, 1, id));
    }
    let multi = path(&s, "podman-multi");
    let words = ["save", "-q", "-m", "-o", &multi, "busybox", "mine/app:1"];
    podman.call(&words).ok();
    found.push((multi, 2, app.clone()));

    let source = format!("docker-archive:{ours}:mine/app:1");
    for transport in ["dir", "oci", "oci-archive", "docker-archive"] {
        let file = path(&s, &format!("skopeo-{transport}"));
        let name = match transport {
            "dir" => "",
            _ => ":made/by:skopeo",
        };
        let target = format!("{transport}:{file}{name}");
        skopeo(&s, &["copy", "-q", &source, &target]).ok();
        let id = skopeo_id(&s, &target);
        found.push((file, 1, id));
    }
    // umoci's own layout, with a layer of its making.
    let layout = path(&s, "umoci");
    skopeo(&s, &["copy", "-q", &source, &format!("oci:{layout}:in")]).ok();
    let bundle = path(&s, "bundle");
    let input = format!("{layout}:in");
    run(s
        .command("umoci")
        .args(["unpack", "--image", &input, &bundle]))
    .ok();
    fs::write(Path::new(&bundle).join("rootfs/added"), "added").unwrap();
    let output = format!("{layout}:out");
    run(s
        .command("umoci")
        .args(["repack", "--image", &output, &bundle]))
    .ok();

    for (file, images, id) in found {
        let ids = s.berth(&["images", "-aq"]).ok().to_owned();
        ids.lines().for_each(|id| drop(s.berth(&["rmi", "-f", id])));
        assert_eq!(s.count("blobs/sha256"), 0, "{file}");
        let lines = loaded(&s, &file);
        assert_eq!(lines.len(), images, "{file}: {lines:?}");
        let ids = s.berth(&["images", "-q", "--no-trunc"]).ok().to_owned();
        assert!(
            ids.contains(&id) && ids.lines().all(|other| other == id || other == base),
            "{file}: {ids}"
        );
        assert_eq!(s.berth(&["run", "--rm", &id]).ok(), "more", "{file}");
    }
    assert_eq!(loaded(&s, &layout).len(), 2);
    let ids = s.berth(&["images", "-q", "--no-trunc"]).ok().to_owned();
    let added = |id: &str| s.berth(&["run", "--rm", id, "cat", "/added"]).stdout == "added";
    assert!(ids.lines().any(added), "{ids}");
}

both! {
    fn names_and_ids_go_through_every_form(s) {
        s.berth(&["tag", "busybox", "second:name"]).ok();
        s.berth(&["create", "--name", "cc", "busybox"]).ok();
        let other = s.berth(&["commit", "-c", "LABEL a=b", "cc"]).ok().to_owned();
        s.berth(&["rm", "cc"]).ok();
        for form in ["docker-archive", "oci-archive", "oci-dir"] {
            let file = path(s, form);
            s.berth(&["save", "--format", form, "-o", &file, "busybox", "second:name", &other]).ok();
            s.berth(&["rmi", "busybox", "second:name", &other]).ok();
            let expected = ["Loaded image ID: ".to_owned() + &other, "Loaded image: busybox:latest".to_owned(), "Loaded image: second:name".to_owned()];
            assert_eq!(loaded(s, &file), expected, "{form}");
            assert_eq!(s.count("snapshots"), 1, "{form}");
        }
        // Into a directory that exists: a name goes to the new image, the others stay.
        let layout = path(s, "oci-dir");
        s.berth(&["tag", &other, "second:name"]).ok();
        s.berth(&["save", "-o", &layout, "second:name"]).ok();
        let text = fs::read(s.home().join("oci-dir/index.json")).unwrap();
        let index: Value = serde_json::from_slice(&text).unwrap();
        let names: Vec<_> = index["manifests"].as_array().unwrap().iter().map(|m| &m["annotations"]["io.containerd.image.name"]).collect();
        assert_eq!(names, ["docker.io/library/busybox:latest", "docker.io/library/second:name"]);
        let strange = s.folder("strange");
        s.file("strange/file", "");
        assert!(s.berth(&["save", "-o", strange.to_str().unwrap(), "busybox"]).fails(1).contains("hint: "));
        assert!(s.berth(&["save", "--format", "oci-dir", "busybox"]).fails(1).contains("-o"));
    }
}

/// The layout's only image twice more, as its platforms: an index over them with this name.
fn index_of(layout: &Path, platforms: &[(&str, &str)]) {
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let all = index["manifests"].as_array().unwrap();
    let entry = |(at, (os, arch)): (usize, &(&str, &str))| {
        let mut entry = all[at].clone();
        entry["annotations"] = json!({});
        entry["platform"] = json!({"os": os, "architecture": arch});
        entry
    };
    let manifests: Vec<Value> = platforms.iter().enumerate().map(entry).collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let nested =
        json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).to_string();
    let digest = put(layout, nested.as_bytes());
    let top = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": media_type, "digest": digest, "size": nested.len(),
        "annotations": {"org.opencontainers.image.ref.name": "multi/app:1"},
    }]});
    fs::write(layout.join("index.json"), top.to_string()).unwrap();
}

/// Adds a blob.
fn put(layout: &Path, bytes: &[u8]) -> String {
    let file = layout.join("blob");
    fs::write(&file, bytes).unwrap();
    let sum = run(Command::new("sha256sum").arg(&file));
    let hex = sum.ok().split(' ').next().unwrap().to_owned();
    fs::rename(file, layout.join("blobs/sha256").join(&hex)).unwrap();
    format!("sha256:{hex}")
}

#[test]
fn of_several_platforms_the_one_that_is_asked_for() {
    let s = Sandbox::root().with_busybox();
    let rootfs = s.folder("rootfs");
    fs::write(rootfs.join("file"), "of arm64").unwrap();
    let tar = path(&s, "root.tar");
    s.shell(&format!("tar -C {} -cf {tar} .", rootfs.display()))
        .ok();
    let words = [
        "import",
        "--platform",
        "linux/arm64",
        "-c",
        "CMD [\"/x\"]",
        &tar,
        "arm",
    ];
    s.berth(&words).ok();
    let (host, arm) = (id_of(&s, "busybox"), id_of(&s, "arm"));
    let layout = s.home().join("layout");
    let from = layout.to_str().unwrap();
    s.berth(&["save", "--format", "oci-dir", "-o", from, "busybox", "arm"])
        .ok();
    index_of(&layout, &[("linux", "amd64"), ("linux", "arm64")]);
    let archive = path(&s, "layout.tar");
    s.shell(&format!("tar -C {from} -cf {archive} .")).ok();
    let forget = || drop(s.berth(&["rmi", "-f", "busybox", "arm", "multi/app:1"]));
    let ids = || s.berth(&["images", "-q", "--no-trunc"]).ok().to_owned();
    for from in [from, &archive] {
        for (platform, id) in [("linux/arm64", &arm), ("linux/amd64", &host)] {
            forget();
            s.berth(&["load", "--platform", platform, "-i", from]).ok();
            assert_eq!(&ids(), id, "{platform}");
            // Only what was asked for is there: layer, configuration, manifest, index.
            let blobs = if from == archive {
                0
            } else {
                s.count("blobs/sha256")
            };
            assert!(blobs == 0 || blobs == 4, "{blobs}");
        }
        forget();
        let refused = s.berth(&["load", "--platform", "linux/s390x", "-i", from]);
        assert!(refused.fails(1).contains("linux/arm64"), "{refused}");
        assert_eq!(ids(), "");
        // Without a wish: all, and the host's is the one that is shown.
        s.berth(&["load", "-i", from]).ok();
        assert_eq!(ids(), host);
    }
    for (platform, id) in [("linux/arm64", &arm), ("linux/amd64", &host)] {
        let words = [
            "image",
            "inspect",
            "--platform",
            platform,
            "-f",
            "{{.Id}}",
            "multi/app:1",
        ];
        assert_eq!(s.berth(&words).ok(), id);
    }
    // All that is here goes out again, under the same digest; or one.
    let out = path(&s, "out.tar");
    s.berth(&["save", "--format", "oci-archive", "-o", &out, "multi/app:1"])
        .ok();
    let source = format!("oci-archive:{out}:docker.io/multi/app:1");
    let raw = skopeo(&s, &["inspect", "--raw", &source]);
    assert_eq!(raw.ok().matches("\"platform\"").count(), 2, "{raw}");
    for (platform, id) in [("linux/arm64", &arm), ("linux/amd64", &host)] {
        for form in ["oci-archive", "docker-archive"] {
            let words = [
                "save",
                "--format",
                form,
                "--platform",
                platform,
                "-o",
                &out,
                "multi/app:1",
            ];
            s.berth(&words).ok();
            let name = if form == "oci-archive" {
                "docker.io/"
            } else {
                ""
            };
            let source = format!("{form}:{out}:{name}multi/app:1");
            assert_eq!(&skopeo_id(&s, &source), id, "{form} {platform}");
        }
    }
    let refused = s.berth(&["save", "--platform", "linux/s390x", "-o", &out, "busybox"]);
    refused.fails(1);
    forget();
    s.berth(&["load", "-i", &path(&s, "out.tar")]).ok();
    let refused = s.berth(&["load", "--platform", "linux/arm64", "-i", &out]);
    assert!(refused.fails(1).contains("linux/amd64"), "{refused}");
}

/// A layout with the image busybox, for spoiling.
fn layout(s: &Sandbox) -> PathBuf {
    let layout = s.home().join("layout");
    let _ = fs::remove_dir_all(&layout);
    let target = layout.to_str().unwrap();
    s.berth(&["save", "--format", "oci-dir", "-o", target, "busybox"])
        .ok();
    layout
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// A change to a layout.
type Spoil = fn(&Path);

/// The blob that a layout's image has as its only layer.
fn largest(layout: &Path) -> PathBuf {
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let blobs = blobs.map(|entry| entry.unwrap().path());
    blobs
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

/// T15–T19, and links out of a directory.
#[test]
fn t16_t17_t18_t19_spoiled_layouts_are_refused_and_leave_nothing() {
    let s = Sandbox::root().with_busybox();
    let spoils: &[(&str, Spoil)] = &[
        ("a bit of a layer", |dir| {
            let mut bytes = fs::read(largest(dir)).unwrap();
            bytes[100] ^= 1;
            fs::write(largest(dir), bytes).unwrap();
        }),
        ("a layer that is cut off", |dir| {
            let file = fs::File::options().write(true).open(largest(dir)).unwrap();
            file.set_len(1000).unwrap();
        }),
        ("a layer that is not there", |dir| {
            fs::remove_file(largest(dir)).unwrap()
        }),
        ("a layer that is a link out", |dir| {
            let outside = dir.parent().unwrap().join("outside");
            fs::rename(largest(dir), &outside).unwrap();
            let name = outside.file_name().unwrap();
            std::os::unix::fs::symlink(
                Path::new("../../..").join(name),
                dir.join("blobs/sha256").join(hex_of(&outside)),
            )
            .unwrap();
        }),
        ("a layer that is a fifo", |dir| {
            let layer = largest(dir);
            fs::remove_file(&layer).unwrap();
            run(Command::new("mkfifo").arg(&layer)).ok();
        }),
        ("a size that lies", |dir| {
            edit(&dir.join("index.json"), |index| {
                index["manifests"][0]["size"] = json!(7);
            });
        }),
        ("a digest that is a path", |dir| {
            edit(&dir.join("index.json"), |index| {
                index["manifests"][0]["digest"] = json!("sha256:../../../../etc/passwd");
            });
        }),
        ("an unknown algorithm", |dir| {
            edit(&dir.join("index.json"), |index| {
                index["manifests"][0]["digest"] = json!("md5:d41d8cd98f00b204e9800998ecf8427e");
            });
        }),
        ("a key that comes twice", |dir| {
            let text = fs::read_to_string(dir.join("index.json")).unwrap();
            fs::write(
                dir.join("index.json"),
                text.replacen('{', "{\"schemaVersion\":2,", 1),
            )
            .unwrap();
        }),
        ("manifest and index at once", |dir| {
            let text = r#"{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}"#;
            let digest = put(dir, text.as_bytes());
            edit(&dir.join("index.json"), |index| {
                index["manifests"][0]["digest"] = json!(digest);
                index["manifests"][0]["size"] = json!(text.len());
            });
        }),
        ("an index of more than 4 MiB", |dir| {
            let padding = " ".repeat(5 << 20);
            let text = fs::read_to_string(dir.join("index.json")).unwrap();
            fs::write(dir.join("index.json"), text + &padding).unwrap();
        }),
        ("indexes in indexes", |dir| {
            let media_type = "application/vnd.oci.image.index.v1+json";
            for _ in 0..8 {
                let inner = fs::read_to_string(dir.join("index.json")).unwrap();
                let digest = put(dir, inner.as_bytes());
                let entry = json!({"mediaType": media_type, "digest": digest, "size": inner.len()});
                let outer = json!({"schemaVersion": 2, "manifests": [entry]});
                fs::write(dir.join("index.json"), outer.to_string()).unwrap();
            }
        }),
        ("no index", |dir| {
            fs::remove_file(dir.join("index.json")).unwrap()
        }),
    ];
    let good = layout(&s);
    let keep = s.home().join("good");
    fs::rename(good, &keep).unwrap();
    s.berth(&["rmi", "busybox"]).ok();
    for (what, spoil) in spoils {
        let dir = s.home().join("layout");
        s.shell(&format!(
            "rm -rf {0}; cp -r {1} {0}",
            dir.display(),
            keep.display()
        ))
        .ok();
        spoil(&dir);
        let tar = path(&s, "layout.tar");
        s.shell(&format!("tar -C {} -cf {tar} .", dir.display()))
            .ok();
        for from in [dir.to_str().unwrap(), &tar] {
            // A tar's link has lost what it pointed to, and the store's own words are told.
            let done = s.berth(&["load", "-i", from]);
            assert!(done.fails(1).starts_with("error: "), "{what}: {done}");
            assert_eq!(s.berth(&["images", "-aq"]).ok(), "", "{what}");
            s.berth(&["fsck", "--repair"]).ok();
            assert_eq!(
                s.count("blobs/sha256") + s.count("snapshots") + s.count("leases"),
                0,
                "{what}"
            );
        }
    }
    s.shell(&format!("rm -rf {}/ingest/*", s.state().display()))
        .ok();
    s.berth(&["load", "-i", keep.to_str().unwrap()]).ok();
}

fn hex_of(file: &Path) -> String {
    let sum = run(Command::new("sha256sum").arg(file));
    sum.ok().split(' ').next().unwrap().to_owned()
}

/// What the outer tar of an archive must not hold. The reader itself is tried on T3 and T4 in berth-layer.
const BAD_ENTRIES: &[(&str, &str)] = &[
    ("up", "add('../evil')"),
    ("up from below", "add('a/../../evil')"),
    ("a long name", "add('n' * 300)"),
    ("a deep path", "add('d/' * 3000 + 'f')"),
    ("a device", "add('null', type=tarfile.CHRTYPE)"),
    ("a fifo", "add('fifo', type=tarfile.FIFOTYPE)"),
    ("twice", "add('manifest.json')"),
    (
        "a file and a link",
        "add('c.json', type=tarfile.SYMTYPE, linkname='x')",
    ),
    (
        "a link out for a configuration",
        "manifest('out'); add('out', type=tarfile.SYMTYPE, linkname='../../etc/passwd')",
    ),
    (
        "a link to the host",
        "manifest('out'); add('out', type=tarfile.SYMTYPE, linkname='/etc/passwd')",
    ),
    (
        "a circle of links",
        "manifest('a'); add('a', type=tarfile.SYMTYPE, linkname='b'); add('b', type=tarfile.SYMTYPE, linkname='a')",
    ),
    (
        "a path out for a layer",
        "manifest('c.json', '../../../../etc/passwd')",
    ),
    (
        "more names than fit",
        "[add('n%06d' % at) for at in range(130000)]",
    ),
];

/// T3, T4, T6.
#[test]
fn t6_hostile_entries_of_an_archive_are_refused_and_leave_nothing() {
    let s = Sandbox::root();
    let script = r#"
import io, json, sys, tarfile
out = tarfile.open(sys.argv[1], 'w', format=tarfile.GNU_FORMAT)
def add(name, data=b'', **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items(): setattr(info, key, value)
    out.addfile(info, io.BytesIO(data))
def manifest(config, *layers):
    add('manifest.json', json.dumps([{'Config': config, 'RepoTags': ['evil:1'], 'Layers': list(layers)}]).encode())
config = {'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + '0' * 64]}}
add('c.json', json.dumps(config).encode())
if 'manifest(' not in sys.argv[2]: manifest('c.json')
exec(sys.argv[2])
out.close()
"#;
    let script = s.file("script.py", script);
    let tar = path(&s, "bad.tar");
    for (what, code) in BAD_ENTRIES {
        run(Command::new("python3").arg(&script).args([&tar, *code])).ok();
        let done = s.berth(&["load", "-i", &tar]);
        assert!(done.fails(1).starts_with("error: "), "{what}: {done}");
        assert!(!done.stderr.contains("root:"), "{what}: {done}");
        assert_eq!(s.berth(&["images", "-aq"]).ok(), "", "{what}");
        s.berth(&["fsck", "--repair"]).ok();
        let left = s.count("blobs/sha256") + s.count("ingest") + s.count("leases");
        assert_eq!(left, 0, "{what}");
    }
}

/// T15: no helper program is run, and no decoder without a limit on its memory.
#[test]
fn t15_other_compressions_are_told_with_a_way_out() {
    let s = Sandbox::root().with_busybox();
    let tar = path(&s, "a.tar");
    s.berth(&["save", "-o", &tar, "busybox"]).ok();
    for tool in ["xz", "bzip2"] {
        let done = s.shell(&format!("{tool} -1kc {tar} | berth load"));
        assert!(done.fails(1).contains(&format!("{tool} -dc")), "{done}");
    }
    assert!(
        s.shell(&format!("berth load -i - < {tar}"))
            .ok()
            .contains("busybox")
    );
}

/// N14.
#[test]
fn a_damaged_blob_is_not_saved() {
    let s = Sandbox::root().with_busybox().without_final_check();
    let blob = fs::read_dir(s.state().join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let hex = blob.file_name().unwrap().to_str().unwrap().to_owned();
    for form in ["docker-archive", "oci-archive", "oci-dir"] {
        let out = path(&s, "out");
        let done = s.berth(&["save", "--format", form, "-o", &out, "busybox"]);
        assert!(
            done.fails(1).contains(&hex) && done.stderr.contains("hint: "),
            "{done}"
        );
        let left = fs::read_dir(s.home()).unwrap().count();
        assert_eq!(left, 0, "{form}");
    }
    // Whoever reads a pipe gets no end.
    let done = s.shell("berth save busybox | berth load");
    assert!(done.stderr.contains(&hex), "{done}");
    assert!(!done.stdout.contains("Loaded"), "{done}");
}

/// N4.
#[test]
fn n4_a_load_that_is_killed_leaves_nothing_visible() {
    let s = Sandbox::root().with_busybox();
    let line = "dd if=/dev/urandom of=/large bs=1M count=64 2>/dev/null";
    s.berth(&["run", "--name", "cc", "busybox", "sh", "-c", line])
        .ok();
    s.berth(&["commit", "cc", "large"]).ok();
    s.berth(&["rm", "cc"]).ok();
    let (tar, dir) = (path(&s, "large.tar"), path(&s, "large"));
    s.berth(&["save", "-o", &tar, "large"]).ok();
    s.berth(&["save", "--format", "oci-dir", "-o", &dir, "large"])
        .ok();
    s.berth(&["rmi", "busybox", "large"]).ok();
    for (at, from) in [&tar, &dir, &tar, &dir, &tar, &dir].into_iter().enumerate() {
        let mut load = s.spawn(&["load", "-i", from]);
        std::thread::sleep(Duration::from_millis(20 + 70 * at as u64));
        load.kill().unwrap();
        let ended = load.wait().unwrap();
        let images = s.berth(&["images", "-aq"]).ok().to_owned();
        assert_eq!(images.is_empty(), !ended.success(), "{ended}");
        s.berth(&["fsck", "--repair"]).ok();
        if images.is_empty() {
            let left = s.count("blobs/sha256") + s.count("snapshots") + s.count("leases");
            assert_eq!(left, 0, "after {at}");
        }
    }
    s.berth(&["load", "-i", &dir]).ok();
    s.berth(&["run", "--rm", "large", "test", "-s", "/large"])
        .ok();
    s.berth(&["rmi", "large"]).ok();
    s.shell(&format!("rm -f {}/ingest/*", s.state().display()))
        .ok();
}
