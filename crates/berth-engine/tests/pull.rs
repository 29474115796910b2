//! Pulling as the engine does it, from registries that are scripted. Runs as root.
//!
//! This program is also the unpacker (`internal unpack`) and the second of two pulls at once (`pull`).

#![allow(clippy::unwrap_used, reason = "a test without the harness")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use berth_engine::image::pull::{LayerStep, Parts, PullCause, PullError, PullEvent, Pulled, pull};
use berth_engine::trust::Trust;
use berth_engine::unpack::{UnpackError, UnpackOptions};
use berth_layer::Limits;
use berth_layer::tar::{Entry, Kind, Writer};
use berth_model::ErrorKind;
use berth_oci::{Descriptor, Digest, Index, Manifest, Platform, Reference, media};
use berth_registry::{Config, Patience, Registries};
use berth_snapshot::{Driver, Snapshots};
use berth_store::Store;
use testkit::evil_registry::{Content, EvilRegistry, Recorded, Reply};
use testkit::harness::{self, Test};

#[path = "pull_faults/lies.rs"]
mod lies;
#[path = "pull_faults/sweep.rs"]
mod sweep;

use lies::{
    a_busy_registry_harms_no_other_pull, a_damaged_blob_is_found_and_pulled_again,
    other_content_at_a_resumption_is_refused, sizes_and_digests_that_lie_are_refused,
    t19_too_much_is_refused,
};
use sweep::faults_leave_all_or_nothing;

const TESTS: &[Test] = testkit::tests![
    a_busy_registry_harms_no_other_pull,
    a_damaged_blob_is_found_and_pulled_again,
    faults_leave_all_or_nothing,
    other_content_at_a_resumption_is_refused,
    sizes_and_digests_that_lie_are_refused,
    t19_too_much_is_refused,
    an_image_is_pulled_once,
    an_index_gives_the_platform,
    a_dying_registry_is_resumed,
    rubbish_in_the_ingest_is_replaced,
    t16_lies_leave_nothing,
    g13_a_lying_mirror_is_passed_over,
    a_hostile_layer_leaves_nothing,
    two_pulls_share_the_work,
    a_new_image_takes_the_name,
];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args
        .iter()
        .map(|a| a.to_str().unwrap_or_default())
        .collect();
    match words[..] {
        ["internal", "unpack", ..] => return berth_layer::child::main(args.into_iter().skip(2)),
        ["pull", dir, name] => {
            let place = Place::open(Path::new(dir));
            place.pull(name).unwrap();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    harness::run(TESTS, &[])
}

/// A store and its snapshots.
struct Place {
    dir: PathBuf,
    store: Store,
    snapshots: Snapshots,
    options: UnpackOptions,
    patience: Patience,
    registries: Registries,
}

impl Place {
    fn open(dir: &Path) -> Place {
        Place {
            dir: dir.to_owned(),
            store: Store::open(dir).unwrap(),
            snapshots: Snapshots::open(&dir.join("snapshots"), &dir.join("trash"), Driver::Overlay)
                .unwrap(),
            options: UnpackOptions {
                self_exe: std::env::current_exe().unwrap(),
                runtime_exe: PathBuf::from("/nonexistent"),
                rootless: false,
                limits: Limits::default(),
            },
            patience: Patience::default(),
            registries: Registries::default(),
        }
    }

    fn pull(&self, name: &str) -> Result<Pulled, PullError> {
        self.pull_for(name, None, &mut |_| {})
    }

    fn pull_for(
        &self,
        name: &str,
        platform: Option<&str>,
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Pulled, PullError> {
        let parts = Parts {
            store: &self.store,
            snapshots: &self.snapshots,
            unpack: &self.options,
            trust: &Trust::default(),
        };
        let config = Config {
            registries: self.registries.clone(),
            patience: Patience {
                attempts: 2,
                back_off: Duration::from_millis(10),
                ..self.patience.clone()
            },
            ..Config::default()
        };
        let platform = platform.map(|text| Platform::parse(text).unwrap());
        pull(
            &parts,
            config,
            &Reference::parse(name).unwrap(),
            platform.as_ref(),
            progress,
        )
    }

    fn count(&self, place: &str) -> usize {
        fs::read_dir(self.dir.join(place)).unwrap().count()
    }

    /// Nothing has a name, and nobody needs anything.
    fn assert_nothing_visible(&self) {
        assert_eq!(self.store.refs().unwrap(), []);
        assert_eq!(self.count("leases"), 0);
    }
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in files {
        let mut entry = Entry::new(*name, Kind::File);
        entry.size = content.len() as u64;
        writer.append(&entry, &mut &content[..]).unwrap();
    }
    writer.finish().unwrap()
}

/// An image that is being made, and the registry's content that it becomes.
#[derive(Default)]
struct Made {
    content: Content,
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
}

impl Made {
    fn new(layers: &[Vec<u8>]) -> Made {
        let mut made = Made::default();
        for layer in layers {
            made.diff_ids.push(Digest::of(layer));
            made.layers
                .push(made_blob(&mut made.content, media::LAYER_TAR, layer));
        }
        made
    }

    fn config(&mut self, architecture: &str) -> Descriptor {
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        });
        made_blob(
            &mut self.content,
            media::CONFIG,
            &serde_json::to_vec(&config).unwrap(),
        )
    }

    /// The manifest, as `app:TAG` too.
    fn manifest(&mut self, architecture: &str, tag: &str) -> Descriptor {
        let manifest = Manifest::new(self.config(architecture), self.layers.clone());
        let bytes = serde_json::to_vec(&manifest).unwrap();
        self.document(media::MANIFEST, &bytes, tag)
    }

    fn document(&mut self, media_type: &str, bytes: &[u8], tag: &str) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        for name in [tag, &descriptor.digest.to_string()] {
            self.content
                .put("app", &format!("manifests/{name}"), media_type, bytes);
        }
        descriptor
    }

    fn serve(self) -> EvilRegistry {
        EvilRegistry::start(move |request| self.content.reply(request))
    }
}

fn made_blob(content: &mut Content, media_type: &str, bytes: &[u8]) -> Descriptor {
    let descriptor = Descriptor::of(media_type, bytes);
    content.put(
        "app",
        &format!("blobs/{}", descriptor.digest),
        "application/octet-stream",
        bytes,
    );
    descriptor
}

/// 1 MB that does not repeat.
fn noise() -> Vec<u8> {
    (0..250_000u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

fn blob_requests(server: &EvilRegistry, digest: &Digest) -> Vec<Recorded> {
    let path = format!("/v2/app/blobs/{digest}");
    server
        .requests()
        .into_iter()
        .filter(|r| r.path == path)
        .collect()
}

fn an_image_is_pulled_once() {
    let (low, high) = (
        tar(&[("a", b"low"), ("big", &noise())]),
        tar(&[("b", b"high")]),
    );
    // The same layer twice, as an empty RUN makes them.
    let mut made = Made::new(&[low, high.clone(), high]);
    let manifest = made.manifest("amd64", "1");
    let layers = made.layers.clone();
    let server = made.serve();
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let name = format!("{}/app:1", server.host());
    let mut events = Vec::new();
    let pulled = place
        .pull_for(&name, None, &mut |event| events.push(event))
        .unwrap();
    assert!(pulled.changed);
    assert_eq!(pulled.manifest, manifest.digest);
    assert_eq!(pulled.chains.len(), 3);
    assert!(pulled.chains.iter().all(|chain| place.snapshots.has(chain)));
    let tops = place.snapshots.lowers(&pulled.chains).unwrap();
    assert_eq!(fs::read(tops[0].join("b")).unwrap(), b"high");
    assert_eq!(fs::read(tops[2].join("big")).unwrap(), noise());
    for layer in &layers {
        assert_eq!(blob_requests(&server, &layer.digest).len(), 1);
    }
    let of = |wanted: &Digest| -> Vec<LayerStep> {
        let steps = events.iter().filter_map(|event| match event {
            PullEvent::Layer { digest, step, .. } if digest == wanted => Some(*step),
            _ => None,
        });
        steps.collect()
    };
    assert_eq!(
        events[0],
        PullEvent::Resolved {
            digest: manifest.digest.clone(),
            layers: 2
        }
    );
    let steps = of(&layers[0].digest);
    assert_eq!(steps[0], LayerStep::Downloading(0));
    assert!(
        steps.ends_with(&[LayerStep::Downloaded, LayerStep::Unpacked]),
        "{steps:?}"
    );
    // Again: only the manifest is asked for.
    let before = server.requests().len();
    events.clear();
    let again = place
        .pull_for(&name, None, &mut |event| events.push(event))
        .unwrap();
    assert!(!again.changed);
    assert_eq!(again.chains, pulled.chains);
    assert_eq!(server.requests().len(), before + 1);
    assert_eq!(events.len(), 3, "{events:?}");
    // By digest.
    let pinned = place
        .pull(&format!("{}/app@{}", server.host(), manifest.digest))
        .unwrap();
    assert_eq!(pinned.id, pulled.id);
    assert_eq!(place.store.refs().unwrap().len(), 2);
    assert_eq!((place.count("ingest"), place.count("leases")), (0, 0));
}

fn an_index_gives_the_platform() {
    let mut made = Made::new(&[tar(&[("amd", b"")])]);
    let platform = |descriptor: Descriptor, text: &str| Descriptor {
        platform: Some(Platform::parse(text).unwrap()),
        ..descriptor
    };
    let amd = platform(made.manifest("amd64", "amd"), "linux/amd64");
    let mut arm = Made::new(&[tar(&[("arm", b"")])]);
    std::mem::swap(&mut arm.content, &mut made.content);
    let arm_layer = arm.layers[0].clone();
    made_blob(&mut arm.content, media::LAYER_TAR, &tar(&[("arm", b"")]));
    let arm_manifest = platform(arm.manifest("arm64", "arm"), "linux/arm64");
    // Sold as s390x, made for arm64 (T21).
    let lie = platform(arm_manifest.clone(), "linux/s390x");
    let index = Index {
        manifests: vec![arm_manifest.clone(), amd.clone(), lie],
        ..Index::default()
    };
    let index = arm.document(media::INDEX, &serde_json::to_vec(&index).unwrap(), "1");
    let server = arm.serve();
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let name = format!("{}/app:1", server.host());
    let amd_pulled = place
        .pull_for(&name, Some("linux/amd64"), &mut |_| {})
        .unwrap();
    assert_eq!(
        (&amd_pulled.manifest, &amd_pulled.descriptor.digest),
        (&amd.digest, &index.digest)
    );
    assert!(blob_requests(&server, &arm_layer.digest).is_empty());
    let arm_pulled = place
        .pull_for(&name, Some("linux/arm64"), &mut |_| {})
        .unwrap();
    assert_eq!(arm_pulled.manifest, arm_manifest.digest);
    for (platform, kind) in [
        ("linux/riscv64", ErrorKind::NotFound),
        ("linux/s390x", ErrorKind::NotFound),
    ] {
        let error = place
            .pull_for(&name, Some(platform), &mut |_| {})
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
    let only = format!("{}/app:arm", server.host());
    let error = place
        .pull_for(&only, Some("linux/amd64"), &mut |_| {})
        .unwrap_err();
    assert!(
        matches!(error.source, PullCause::Platform { .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("--platform linux/arm64"));
}

/// N13.
fn a_dying_registry_is_resumed() {
    let mut made = Made::new(&[tar(&[("a", b"low")]), tar(&[("big", &noise())])]);
    made.manifest("amd64", "1");
    let (content, big) = (made.content.clone(), made.layers[1].clone());
    let alive = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (path, state) = (format!("/v2/app/blobs/{}", big.digest), alive.clone());
    let server = EvilRegistry::start(move |request| {
        let honest = content.reply(request);
        if request.path != path || state.load(std::sync::atomic::Ordering::SeqCst) {
            return honest;
        }
        match request.range_start() {
            None => honest.cut_at(600_000),
            Some(_) => honest.cut_at(0),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let name = format!("{}/app:1", server.host());
    let error = place.pull(&name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.to_string(), format!("cannot pull `{name}`"));
    assert!(error.hint().unwrap().contains("pull again"), "{error:?}");
    place.assert_nothing_visible();
    assert!(!place.store.has(&big.digest));
    assert_eq!(place.count("ingest"), 1);
    alive.store(true, std::sync::atomic::Ordering::SeqCst);
    let pulled = place.pull(&name).unwrap();
    let last = blob_requests(&server, &big.digest).pop().unwrap();
    let start = last.range_start().unwrap();
    assert!((1..=600_000).contains(&start), "{start}");
    let tops = place.snapshots.lowers(&pulled.chains).unwrap();
    assert_eq!(fs::read(tops[0].join("big")).unwrap(), noise());
    assert_eq!(place.count("ingest"), 0);
}

/// G13: what is there already is no good, or the registry cannot go on from there.
fn rubbish_in_the_ingest_is_replaced() {
    for ranges in [true, false] {
        let mut made = Made::new(&[tar(&[("big", &noise())])]);
        made.manifest("amd64", "1");
        let (content, layer) = (made.content.clone(), made.layers[0].clone());
        let server = EvilRegistry::start(move |request| match request.range_start() {
            Some(_) if !ranges => Reply::status(416),
            _ => content.reply(request),
        });
        let dir = tempfile::tempdir().unwrap();
        let place = Place::open(dir.path());
        let ingest = dir
            .path()
            .join(format!("ingest/sha256-{}", layer.digest.hex()));
        fs::write(ingest, [9; 5000]).unwrap();
        place.pull(&format!("{}/app:1", server.host())).unwrap();
        let starts: Vec<_> = blob_requests(&server, &layer.digest)
            .iter()
            .map(Recorded::range_start)
            .collect();
        assert_eq!(starts, [Some(5000), None]);
        assert_eq!(place.count("ingest"), 0);
    }
}

/// G13: a mirror whose blobs are others is told of, and the registry gives them.
fn g13_a_lying_mirror_is_passed_over() {
    let mut made = Made::new(&[tar(&[("a", &noise())]), tar(&[("b", b"b")])]);
    let config = made.config("amd64");
    made.manifest("amd64", "1");
    let blobs = [&made.layers[0], &config];
    for blob in blobs.map(|blob| blob.digest.clone()) {
        let (honest, path) = (made.content.clone(), format!("/v2/app/blobs/{blob}"));
        let mirror = EvilRegistry::start(move |request| {
            let mut reply = honest.reply(request);
            if request.path == path {
                reply.body[40] ^= 1;
            }
            reply
        });
        let content = made.content.clone();
        let server = EvilRegistry::start(move |request| content.reply(request));
        let dir = tempfile::tempdir().unwrap();
        let mut place = Place::open(dir.path());
        let text = format!(
            "[[registry]]\nhost = \"{}\"\nmirrors = [\"http://{}\"]",
            server.host(),
            mirror.host()
        );
        place.registries = Registries::parse(&text).unwrap();
        let mut told = Vec::new();
        let pulled = place.pull_for(&format!("{}/app:1", server.host()), None, &mut |event| {
            if let PullEvent::PassedOver { mirror, reason } = event {
                told.push((mirror, reason));
            }
        });
        assert_eq!(pulled.unwrap().chains.len(), 2);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, mirror.host());
        assert!(told[0].1.contains(&blob.to_string()), "{told:?}");
        assert_eq!(blob_requests(&server, &blob).len(), 1);
    }
}

/// T16: blobs, configurations and diff-ids that are not what they are said to be.
fn t16_lies_leave_nothing() {
    type Lie = fn(&Made, &mut Content, &Descriptor);
    let lies: &[(&str, Lie)] = &[
        ("layer with other bytes", |made, content, _| {
            let mut bytes = tar(&[("a", &noise())]);
            bytes[1000] ^= 1;
            content.put(
                "app",
                &format!("blobs/{}", made.layers[0].digest),
                "x/y",
                bytes,
            );
        }),
        ("layer too short", |made, content, _| {
            let bytes = tar(&[("a", &noise())]);
            content.put(
                "app",
                &format!("blobs/{}", made.layers[0].digest),
                "x/y",
                &bytes[..9000],
            );
        }),
        ("layer too long", |made, content, _| {
            let bytes = [tar(&[("a", &noise())]), vec![0]].concat();
            content.put(
                "app",
                &format!("blobs/{}", made.layers[0].digest),
                "x/y",
                bytes,
            );
        }),
        ("configuration with other bytes", |_, content, config| {
            let bytes = vec![b' '; config.size as usize];
            content.put("app", &format!("blobs/{}", config.digest), "x/y", bytes);
        }),
    ];
    for (what, lie) in lies {
        let mut made = Made::new(&[tar(&[("a", &noise())])]);
        let config = made.config("amd64");
        made.manifest("amd64", "1");
        let mut content = made.content.clone();
        lie(&made, &mut content, &config);
        let server = EvilRegistry::start(move |request| content.reply(request));
        let dir = tempfile::tempdir().unwrap();
        let place = Place::open(dir.path());
        let error = place.pull(&format!("{}/app:1", server.host())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}");
        assert!(error.hint().is_some(), "{what}");
        place.assert_nothing_visible();
        assert!(!place.store.has(&made.layers[0].digest), "{what}");
        assert_eq!(place.count("ingest"), 0, "{what}");
        assert_eq!(place.count("snapshots"), 0, "{what}");
    }
    let mut made = Made::new(&[tar(&[("a", b"")])]);
    made.diff_ids = vec![Digest::of(b"another")];
    made.manifest("amd64", "1");
    let server = made.serve();
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let error = place.pull(&format!("{}/app:1", server.host())).unwrap_err();
    assert!(
        matches!(
            error.source,
            PullCause::Unpack(UnpackError::WrongDiffId { .. })
        ),
        "{error:?}"
    );
    place.assert_nothing_visible();
    assert_eq!(place.count("snapshots"), 0);
}

fn a_hostile_layer_leaves_nothing() {
    let mut made = Made::new(&[
        tar(&[("fine", b"")]),
        tar(&[("../escape", b"")]),
        tar(&[("later", b"")]),
    ]);
    made.manifest("amd64", "1");
    let server = made.serve();
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let error = place.pull(&format!("{}/app:1", server.host())).unwrap_err();
    assert!(matches!(error.source, PullCause::Unpack(_)), "{error:?}");
    place.assert_nothing_visible();
    assert!(!dir.path().join("escape").exists());
}

/// N13: concurrent pulls of the same layer share one download.
fn two_pulls_share_the_work() {
    let mut made = Made::new(&[tar(&[("big", &noise())]), tar(&[("b", &noise())])]);
    made.manifest("amd64", "1");
    let (content, layers) = (made.content.clone(), made.layers.clone());
    let server = EvilRegistry::start(move |request| {
        let mut honest = content.reply(request);
        honest.delay = Duration::from_millis(if honest.body.len() > 100_000 { 500 } else { 0 });
        honest
    });
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{}/app:1", server.host());
    let place = Place::open(dir.path());
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg("pull")
        .arg(dir.path())
        .arg(&name)
        .spawn()
        .unwrap();
    place.pull(&name).unwrap();
    assert!(other.wait().unwrap().success());
    for layer in &layers {
        assert_eq!(blob_requests(&server, &layer.digest).len(), 1);
    }
    assert_eq!((place.count("ingest"), place.count("leases")), (0, 0));
    assert_eq!(place.store.refs().unwrap().len(), 1);
}

fn a_new_image_takes_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let mut old = Made::new(&[tar(&[("old", b"")])]);
    let old_manifest = old.manifest("amd64", "1");
    let mut new = Made::new(&[tar(&[("new", b"")])]);
    std::mem::swap(&mut old.content, &mut new.content);
    made_blob(&mut new.content, media::LAYER_TAR, &tar(&[("new", b"")]));
    let new_manifest = new.manifest("amd64", "2");
    let content = new.content;
    let moved = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let state = moved.clone();
    let server = EvilRegistry::start(move |request| {
        let mut request = request.clone();
        if state.load(std::sync::atomic::Ordering::SeqCst) {
            request.path = request.path.replace("manifests/1", "manifests/2");
        }
        content.reply(&request)
    });
    let name = format!("{}/app:1", server.host());
    assert_eq!(place.pull(&name).unwrap().manifest, old_manifest.digest);
    moved.store(true, std::sync::atomic::Ordering::SeqCst);
    let pulled = place.pull(&name).unwrap();
    assert!(pulled.changed);
    assert_eq!(pulled.manifest, new_manifest.digest);
    let found = place
        .store
        .resolve(&Reference::parse(&name).unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(found.digest, new_manifest.digest);
    // The old one stays, without a name.
    assert_eq!(place.store.refs().unwrap().len(), 2);
}
