//! The crash sweep over the store (N4): a child adds an image, names it, moves the name, removes
//! one and collects garbage; it is killed at each durable step in turn. After each death the store
//! must open, verify clean, have either the old or the new state, and finish the same work.

#![allow(clippy::unwrap_used)] // a test program: a panic is its way to fail

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use berth_oci::{Descriptor, Digest, ImageConfig, Manifest, Reference, media};
use berth_store::{Error, Expected, GcRoots, Lease, Store, Surroundings};
use testkit::harness;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, mode, root] = &args[..]
        && mode == "child"
    {
        work(Path::new(root));
        return ExitCode::SUCCESS;
    }
    harness::run(testkit::tests![crash_sweep], &[])
}

fn put_image(lease: &Lease, layer: &[u8]) -> Descriptor {
    let expected = Descriptor::of(media::LAYER_TAR, layer);
    let announced = Expected {
        digest: expected.digest.clone(),
        size: expected.size,
    };
    if let Some(mut ingest) = lease.ingest_alone(announced).unwrap() {
        let offset = ingest.offset() as usize;
        ingest.append(&layer[offset..]).unwrap();
        ingest.commit().unwrap();
    }
    let mut config = ImageConfig {
        os: "linux".into(),
        ..ImageConfig::default()
    };
    config.architecture = berth_oci::Platform::host().architecture;
    config.rootfs.diff_ids = vec![expected.digest.clone()];
    let config = lease
        .put(media::CONFIG, &serde_json::to_vec(&config).unwrap())
        .unwrap();
    let manifest = Manifest::new(config, vec![expected]);
    lease
        .put(media::MANIFEST, &serde_json::to_vec(&manifest).unwrap())
        .unwrap()
}

fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn work(root: &Path) {
    let store = Store::open(root).unwrap();
    let lease = store.lease().unwrap();
    let one = put_image(&lease, b"one");
    store.tag(&name("app"), &one).unwrap();
    store.tag(&name("app:old"), &one).unwrap();
    let two = put_image(&lease, b"two");
    store.tag(&name("app"), &two).unwrap();
    drop(lease);
    store.untag(&name("app:old")).unwrap();
    store.gc(&mut Alone).unwrap();
    // The engine does it; what a killed collector has left there goes too.
    let trash = berth_fs::Trash::open(&root.join("trash")).unwrap();
    trash.empty().unwrap();
}

/// No containers, no snapshots.
struct Alone;

impl Surroundings for Alone {
    type Error = Error;

    fn roots(&mut self) -> Result<GcRoots, Error> {
        Ok(GcRoots::default())
    }

    fn snapshots(&mut self) -> Result<Vec<Digest>, Error> {
        Ok(Vec::new())
    }

    fn snapshot_bytes(&mut self, _chain: &Digest) -> Result<u64, Error> {
        Ok(10)
    }

    fn throw_snapshot(&mut self, _chain: &Digest) -> Result<(), Error> {
        Ok(())
    }
}

fn run(root: &Path, env: &[(&str, &str)]) -> ExitStatus {
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new(exe);
    command
        .arg("child")
        .arg(root)
        .env_remove("BERTH_FP")
        .env_remove("BERTH_FP_LOG");
    command.envs(env.iter().copied()).status().unwrap()
}

fn check_end(root: &Path) {
    let store = Store::open(root).unwrap();
    let report = store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.blobs, 3, "only the new image is left");
    assert_eq!(store.refs().unwrap().len(), 1);
    for dir in ["ingest", "leases", "trash"] {
        assert_eq!(
            std::fs::read_dir(root.join(dir)).unwrap().count(),
            0,
            "{dir}"
        );
    }
    let leftovers = std::fs::read_dir(root).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".tmp-")
    });
    assert_eq!(leftovers.count(), 0);
}

/// N9: what a name is to lead to is on the disk before the name, and the name before the next step. (What is thrown
/// away need not last: it is found again as garbage.)
fn renames_are_durable(steps: &str) {
    let steps: Vec<&str> = steps.lines().collect();
    let mut renames = 0;
    for (at, step) in steps.iter().enumerate() {
        let before = match *step {
            "atomic.rename" => "atomic.fsync",
            "ingest.rename" => "ingest.fsync",
            other => {
                assert!(
                    !other.ends_with(".rename") || other == "trash.rename",
                    "{other}"
                );
                continue;
            }
        };
        renames += 1;
        assert_eq!(
            (steps[at - 1], steps[at + 1]),
            (before, "dir.fsync"),
            "step {at}"
        );
    }
    assert!(renames > 5, "only {renames} renames");
}

fn crash_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("steps");
    let log_text = log.to_str().unwrap();
    let root = dir.path().join("0");
    assert!(run(&root, &[("BERTH_FP_LOG", log_text)]).success());
    check_end(&root);
    let steps = std::fs::read_to_string(&log).unwrap();
    let count = steps.lines().count();
    assert!(
        count > 50,
        "only {count} steps: do they all pass a fail point?"
    );

    renames_are_durable(&steps);

    for step in 1..=count {
        let root = dir.path().join(step.to_string());
        let killed = run(&root, &[("BERTH_FP", &format!("#{step}"))]);
        let name = steps.lines().nth(step - 1).unwrap();
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(
            killed.signal(),
            Some(9),
            "step {step} ({name}) was not reached"
        );

        let store = Store::open(&root).unwrap();
        let report = store.verify().unwrap();
        assert!(report.is_clean(), "after step {step} ({name}): {report:?}");
        for entry in store.refs().unwrap() {
            store
                .image(&entry.descriptor, &berth_oci::Platform::host())
                .unwrap();
        }
        drop(store);
        assert!(run(&root, &[]).success(), "after step {step} ({name})");
        check_end(&root);
    }
    assert!(!run(&dir.path().join("n"), &[("BERTH_FP", "ingest.rename:2")]).success());
    assert!(run(&dir.path().join("m"), &[("BERTH_FP", "no.such.step")]).success());
    println!("crash sweep: {count} steps, the store was clean after each");
}
