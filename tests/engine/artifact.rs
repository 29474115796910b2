//! `artifact`: files in a registry without the referrers API (its fallback is a tag), read by skopeo too.

use std::fs;

use testkit::evil_registry::Content;
use testkit::registry::Options;
use testkit::wait::PATIENCE;
use testkit::{EvilRegistry, Finished, Registry, Sandbox};

/// A registry with `bench/busybox:1`.
fn registry() -> Registry {
    let source = Sandbox::root().with_busybox();
    let registry = Registry::start(Options::default());
    let image = format!("oci:{}", source.stored_image());
    registry.push(&image, "bench/busybox:1", &[]);
    registry
}

#[test]
fn files_go_there_and_come_back() {
    let s = Sandbox::rootless();
    let registry = Registry::start(Options::default());
    let name = format!("{}/team/sbom:1", registry.host());
    let large: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    s.file("sbom.json", "{}");
    s.file("large.bin", &large);
    let options = [
        "artifact",
        "push",
        "--artifact-type=application/vnd.example.sbom",
        "--file-type=application/json",
        "--annotation=a.b=c=d",
        &name,
        "sbom.json",
        "large.bin",
    ];
    let pushed = s.berth(&options);
    let digest = pushed.ok().to_owned();
    assert!(digest.starts_with("sha256:"), "{pushed}");
    assert!(pushed.stderr.contains("large.bin: Pushed"), "{pushed}");
    // Again: nothing is sent, and the same files make the same artifact.
    let again = s.berth(&options);
    assert_eq!(again.ok(), digest);
    assert!(
        again.stderr.contains("large.bin: Already exists"),
        "{again}"
    );

    let mut skopeo = s.command("skopeo");
    skopeo.args(["inspect", "--raw", "--tls-verify=false"]);
    skopeo.arg(format!("docker://{name}"));
    let raw = Finished::run(&mut skopeo, b"", PATIENCE).ok().to_owned();
    assert_eq!(s.berth(&["artifact", "inspect", "--raw", &name]).ok(), raw);
    let manifest: serde_json::Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(manifest["artifactType"], "application/vnd.example.sbom");
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.oci.empty.v1+json"
    );
    assert_eq!(manifest["layers"][0]["mediaType"], "application/json");
    assert_eq!(manifest["annotations"]["a.b"], "c=d");

    let shown = s.berth(&["artifact", "inspect", &name]);
    let shown: serde_json::Value = serde_json::from_str(shown.ok()).unwrap();
    assert_eq!(shown["Digest"], digest);
    assert_eq!(shown["Files"][0]["Name"], "large.bin");

    let json = s.berth(&["artifact", "pull", "--progress=json", "-o", "json", &name]);
    assert_eq!(json.ok(), "sbom.json\nlarge.bin");
    let lines = json.stderr.lines();
    let lines: Vec<serde_json::Value> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
    let last = lines
        .iter()
        .rfind(|line| line["name"] == "large.bin")
        .unwrap();
    assert_eq!(last["status"], "Pull complete");
    assert_eq!(last["total"], large.len());
    let pulled = s.berth(&["artifact", "pull", "-q", "-o", "out", &name]);
    assert_eq!(pulled.ok(), "sbom.json\nlarge.bin");
    assert_eq!(fs::read(s.home().join("out/large.bin")).unwrap(), large);
    assert_eq!(fs::read(s.home().join("out/sbom.json")).unwrap(), b"{}");

    let image = s.berth(&["pull", &name]);
    assert!(image.fails(1).contains("is an artifact"), "{image}");
    assert!(image.stderr.contains("berth artifact pull"), "{image}");
}

#[test]
fn what_is_there_is_not_replaced_by_accident() {
    let s = Sandbox::root();
    let registry = Registry::start(Options::default());
    let name = format!("{}/team/file:1", registry.host());
    s.file("file", "new");
    s.berth(&["artifact", "push", &name, "file"]).ok();
    let canary = s.file("canary", "safe");
    let out = s.folder("out");
    let file = out.join("file");
    std::os::unix::fs::symlink(&canary, &file).unwrap();
    let pull =
        |options: &[&str]| s.berth(&[&["artifact", "pull", "-o", "out", &name], options].concat());
    assert!(pull(&[]).fails(1).contains("--overwrite"));
    assert!(file.is_symlink());
    pull(&["--overwrite"]).ok();
    assert!(!file.is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(fs::read(&canary).unwrap(), b"safe");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn artifacts_of_an_image_are_found() {
    let s = Sandbox::root();
    let registry = registry();
    let image = format!("{}/bench/busybox:1", registry.host());
    let repository = format!("{}/bench/busybox", registry.host());
    assert_eq!(s.berth(&["artifact", "ls", "-q", &image]).ok(), "");
    let mut digests = Vec::new();
    for kind in ["sbom", "licence"] {
        s.file(kind, kind);
        let kind_option = format!("--artifact-type=application/vnd.example.{kind}");
        let options = ["artifact", "push", "-q", "--subject", &image, &kind_option];
        let pushed = s.berth(&[&options[..], &[&repository, kind]].concat());
        digests.push(pushed.ok().to_owned());
    }
    // No tag was taken for them.
    s.berth(&["artifact", "inspect", &repository]).fails(1);
    let listed = s.berth(&["artifact", "ls", "-q", &image]);
    assert_eq!(listed.ok(), digests.join("\n"));
    let one = "--artifact-type=application/vnd.example.licence";
    let listed = s.berth(&["artifact", "ls", one, &image]);
    assert!(listed.ok().contains(&digests[1]) && !listed.stdout.contains(&digests[0]));
    let by_digest = format!("{repository}@{}", digests[0]);
    s.berth(&["artifact", "pull", "-q", "-o", "out", &by_digest])
        .ok();
    assert_eq!(fs::read(s.home().join("out/sbom")).unwrap(), b"sbom");
    let elsewhere = format!("{}/other/app:1", registry.host());
    let done = s.berth(&["artifact", "push", "--subject", &image, &elsewhere, "sbom"]);
    assert!(done.fails(1).contains("another repository"), "{done}");
}

/// T6, T19: names and content that a registry makes up.
#[test]
fn evil_artifacts_write_nothing() {
    let s = Sandbox::root();
    let empty = berth_oci::Descriptor::of("application/vnd.oci.empty.v1+json", b"{}");
    let blob = berth_oci::Descriptor::of("text/plain", b"evil");
    let mut content = Content::default();
    let digest = format!("blobs/{}", blob.digest);
    content.put("a", &digest, "application/octet-stream", b"evil".to_vec());
    let wrong = berth_oci::Descriptor::of("text/plain", b"good");
    let digest = format!("blobs/{}", wrong.digest);
    content.put("a", &digest, "application/octet-stream", b"evil".to_vec());
    let cases = [
        ("up", &blob, vec!["ok", "../canary"]),
        ("absolute", &blob, vec!["/etc/canary"]),
        ("dots", &blob, vec![".."]),
        ("nul", &blob, vec!["a\0b"]),
        ("twice", &blob, vec!["a", "a"]),
        ("none", &blob, vec![]),
        ("wrong", &wrong, vec!["file"]),
    ];
    for (tag, blob, names) in &cases {
        let layer = |name: &&str| {
            let mut layer = (*blob).clone();
            let title = "org.opencontainers.image.title".to_owned();
            layer.annotations.insert(title, (*name).to_owned());
            layer
        };
        let layers = names.iter().map(layer).collect();
        let manifest = berth_oci::Manifest::new(empty.clone(), layers);
        let bytes = serde_json::to_vec(&manifest).unwrap();
        content.put(
            "a",
            &format!("manifests/{tag}"),
            berth_oci::media::MANIFEST,
            bytes,
        );
    }
    content.put(
        "a",
        "manifests/huge",
        berth_oci::media::MANIFEST,
        vec![b' '; 5 << 20],
    );
    let server = EvilRegistry::start(move |request| content.reply(request));
    let tags = cases.iter().map(|(tag, ..)| *tag).chain(["huge"]);
    for tag in tags {
        let name = format!("{}/a:{tag}", server.host());
        let done = s.berth(&["artifact", "pull", "--overwrite", "-o", "out/inner", &name]);
        assert!(
            done.fails(1).contains("error: cannot pull"),
            "{tag}: {done}"
        );
        let left = s.shell("find . -type f").ok().to_owned();
        assert_eq!(left, "", "{tag}");
    }
}
