//! Pushing as the engine does it, to Debian's docker-registry.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use berth_engine::image::RegistryConfig;
use berth_engine::image::push::{PushCause, PushError, PushEvent, PushStep, Pushed};
use berth_engine::{Engine, Options};
use berth_oci::{Descriptor, Digest, Index, Manifest, Platform, Reference, media};
use berth_store::Lease;
use testkit::Registry;

fn engine(root: &Path) -> Engine {
    let none = Path::new("/nonexistent").to_owned();
    Engine::open(Options {
        root: root.join("root"),
        run_dir: root.join("run"),
        cgroup_parent: None,
        berth: none.clone(),
        runtime: none.clone(),
        monitor: none,
        rootless: false,
        driver: None,
        bridge: Default::default(),
    })
    .unwrap()
}

/// An image with these layers, whatever they are.
fn image(lease: &Lease, architecture: &str, layers: &[&[u8]], docker: bool) -> Descriptor {
    let types = match docker {
        true => (
            media::DOCKER_LAYER_TAR,
            media::DOCKER_CONFIG,
            media::DOCKER_MANIFEST,
        ),
        false => (media::LAYER_TAR, media::CONFIG, media::MANIFEST),
    };
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|l| lease.put(types.0, l).unwrap())
        .collect();
    let diff_ids: Vec<&Digest> = layers.iter().map(|l| &l.digest).collect();
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = lease
        .put(types.1, &serde_json::to_vec(&config).unwrap())
        .unwrap();
    let mut manifest = Manifest::new(config, layers);
    manifest.media_type = Some(types.2.to_owned());
    // Not as berth would write it: it must stay as it is.
    let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
    let made = lease.put(types.2, &bytes).unwrap();
    Descriptor {
        platform: Some(Platform::parse(&format!("linux/{architecture}")).unwrap()),
        ..made
    }
}

fn name(host: &str, rest: &str) -> Reference {
    Reference::parse(&format!("{host}/{rest}")).unwrap()
}

fn push(
    engine: &Engine,
    reference: &Reference,
    platform: Option<&str>,
) -> (Result<Pushed, PushError>, Vec<PushEvent>) {
    let mut events = Vec::new();
    let platform = platform.map(|text| Platform::parse(text).unwrap());
    let pushed = engine.push_image(
        RegistryConfig::default(),
        reference,
        platform.as_ref(),
        &mut |event| events.push(event),
    );
    (pushed, events)
}

/// The last step of each layer, in the image's order.
fn ends(events: &[PushEvent]) -> Vec<PushStep> {
    let mut layers: Vec<(Digest, PushStep)> = Vec::new();
    for event in events {
        if let PushEvent::Layer { digest, step, .. } = event {
            match layers.iter_mut().find(|(d, _)| d == digest) {
                Some((_, last)) => *last = step.clone(),
                None => layers.push((digest.clone(), step.clone())),
            }
        }
    }
    layers.into_iter().map(|(_, step)| step).collect()
}

/// What the registry answers skopeo.
fn raw(reference: &Reference) -> String {
    let mut skopeo = std::process::Command::new("skopeo");
    skopeo.args(["inspect", "--tls-verify=false", "--raw"]);
    skopeo.arg(format!("docker://{}", reference.familiar()));
    let limit = std::time::Duration::from_secs(60);
    testkit::Finished::run(&mut skopeo, b"", limit)
        .ok()
        .to_owned()
}

#[test]
fn only_what_is_missing_is_pushed() {
    let registry = Registry::start(testkit::registry::Options::default());
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let lease = engine.store().lease().unwrap();
    let (base, own) = (vec![1; 300_000], vec![2; 1000]);
    for docker in [false, true] {
        let path = if docker { "docker" } else { "oci" };
        let first = name(&registry.host(), &format!("{path}/base:1"));
        let made = image(&lease, "amd64", &[&base, &base], docker);
        engine.store().tag(&first, &made).unwrap();
        let (pushed, events) = push(&engine, &first, None);
        assert_eq!(pushed.unwrap().descriptor.digest, made.digest);
        // The second format finds the layer in the repository of the first.
        let expected = match docker {
            false => PushStep::Pushed,
            true => PushStep::Mounted("oci/app".into()),
        };
        let end = ends(&events);
        assert!(
            end[..] == [expected] || docker && matches!(end[..], [PushStep::Mounted(_)]),
            "{end:?}"
        );
        let bytes = engine.store().read_blob(&made.digest, 1 << 20).unwrap();
        assert_eq!(raw(&first).trim_end().as_bytes(), bytes);
        let (_, events) = push(&engine, &first, None);
        assert_eq!(ends(&events), [PushStep::Exists]);

        // Another repository of the registry gets the layer from the first.
        let second = name(&registry.host(), &format!("{path}/app:2"));
        let made = image(&lease, "amd64", &[&base, &own], docker);
        engine.store().tag(&second, &made).unwrap();
        let (pushed, events) = push(&engine, &second, None);
        pushed.unwrap();
        assert!(
            matches!(ends(&events)[0], PushStep::Mounted(_)),
            "{events:?}"
        );
    }
}

#[test]
fn an_index_is_pushed_whole_or_not_at_all() {
    let registry = Registry::start(testkit::registry::Options::default());
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let lease = engine.store().lease().unwrap();
    let host = Platform::host().architecture;
    let here = image(&lease, &host, &[b"here"], false);
    let other = image(&lease, "s390x", &[b"other"], false);
    let index = |manifests: Vec<Descriptor>| {
        let index = Index {
            manifests,
            ..Index::default()
        };
        lease
            .put(media::INDEX, &serde_json::to_vec(&index).unwrap())
            .unwrap()
    };
    let whole = index(vec![here.clone(), other.clone()]);
    let reference = name(&registry.host(), "team/app:all");
    engine.store().tag(&reference, &whole).unwrap();
    let (pushed, events) = push(&engine, &reference, None);
    assert_eq!(pushed.unwrap().descriptor.digest, whole.digest);
    assert_eq!(ends(&events), [PushStep::Pushed, PushStep::Pushed]);
    assert!(raw(&reference).contains(&other.digest.to_string()));

    // One image of it.
    let (pushed, _) = push(&engine, &reference, Some("linux/s390x"));
    assert_eq!(pushed.unwrap().descriptor.digest, other.digest);
    let (pushed, _) = push(&engine, &reference, Some("linux/riscv64"));
    assert_eq!(pushed.unwrap_err().kind(), berth_model::ErrorKind::NotFound);

    // The other image is not here, as after a pull.
    let absent = Descriptor {
        platform: other.platform.clone(),
        ..Descriptor::of(media::MANIFEST, b"absent")
    };
    let partial = index(vec![absent.clone(), here.clone()]);
    let reference = name(&registry.host(), "team/app:part");
    engine.store().tag(&reference, &partial).unwrap();
    let (pushed, events) = push(&engine, &reference, None);
    assert_eq!(pushed.unwrap().descriptor.digest, here.digest);
    let told = matches!(&events[0], PushEvent::OnlyOne { index, manifest, .. }
        if *index == partial.digest && *manifest == here.digest);
    assert!(told, "{events:?}");
}

/// N14: a layer that has rotted is found out, not blamed on the registry; nothing of it gets a name.
#[test]
fn damage_is_not_pushed() {
    let registry = Registry::start(testkit::registry::Options::default());
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let lease = engine.store().lease().unwrap();
    let layer = vec![3; 100_000];
    let made = image(&lease, "amd64", &[&layer], false);
    let reference = name(&registry.host(), "team/app:1");
    engine.store().tag(&reference, &made).unwrap();
    let digest = Digest::of(&layer);
    let path = engine.store().blob_path(&digest);
    let mut damaged = layer.clone();
    damaged[50_000] = 4;
    for (bytes, missing) in [(damaged, false), (layer[..99_999].to_vec(), true)] {
        std::fs::write(&path, bytes).unwrap();
        let error = push(&engine, &reference, None).0.unwrap_err();
        let fits = match &error.source {
            PushCause::Store(berth_store::Error::CorruptBlob { digest: d }) => {
                !missing && *d == digest
            }
            PushCause::Store(berth_store::Error::MissingBlob { digest: d }) => {
                missing && *d == digest
            }
            _ => false,
        };
        assert!(fits, "{error:?}");
    }
    let nothing = registry
        .storage()
        .join("docker/registry/v2/repositories/team/app/_manifests");
    assert!(!nothing.exists());
    for (text, want) in [
        ("team/app:2", "NoImage"),
        (&format!("team/app@{digest}"), "ByDigest"),
    ] {
        let error = push(&engine, &name(&registry.host(), text), None)
            .0
            .unwrap_err();
        assert!(format!("{:?}", error.source).contains(want), "{error:?}");
        assert!(error.hint().is_some());
    }
}
