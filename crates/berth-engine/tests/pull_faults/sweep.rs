//! Pulls from a registry with random faults (testkit's `faults`), each seed a script that can be repeated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use testkit::faults::Faults;

use super::*;

/// N4, N13, G13: whatever happens on the way, a pull gives the whole image or a typed error and nothing that shows;
/// then an honest pull gives the whole image.
pub fn faults_leave_all_or_nothing() {
    let seeds = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 0..600,
        None => 0..25,
    };
    let (count, mut succeeded) = (seeds.end, 0);
    for seed in seeds {
        succeeded += u64::from(survives(seed));
    }
    // Else the faults are too harmless, or too many, to test much.
    assert!(
        (count / 20..count).contains(&succeeded),
        "{succeeded} of {count}"
    );
}

/// Whether the first pull succeeded.
fn survives(seed: u64) -> bool {
    let layers = [
        tar(&[("a", &noise()[..100_000]), ("same", b"low")]),
        tar(&[("b", &noise()[..300_000]), ("same", b"middle")]),
        tar(&[("c", b"small"), ("same", b"high")]),
    ];
    let mut made = Made::new(&layers);
    let manifest = made.manifest("amd64", "1");
    let (content, faults) = (made.content, Arc::new(Mutex::new(Faults::new(seed))));
    let honest = Arc::new(AtomicBool::new(false));
    let (script, is_honest) = (faults.clone(), honest.clone());
    let server = EvilRegistry::start(move |request| {
        let reply = content.reply(request);
        match is_honest.load(Ordering::SeqCst) {
            true => reply,
            false => script.lock().unwrap().answer(request, reply),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut place = Place::open(dir.path());
    place.patience.progress = Duration::from_millis(200);
    place.patience.longest_wait = Duration::from_millis(50);
    let name = format!("{}/app:1", server.host());
    let first = place.pull(&name);
    let told = || {
        format!(
            "seed {seed}: {:?}: {first:?}",
            faults.lock().unwrap().struck
        )
    };
    match &first {
        Ok(pulled) => assert_eq!(pulled.manifest, manifest.digest, "{}", told()),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Internal, "{}", told());
            assert_eq!(place.store.refs().unwrap(), [], "{}", told());
        }
    }
    assert_eq!(place.count("leases"), 0, "{}", told());
    assert!(place.store.verify().unwrap().is_clean(), "{}", told());
    honest.store(true, Ordering::SeqCst);
    place.patience = Patience::default();
    let again = place.pull(&name);
    let pulled = again.unwrap_or_else(|error| panic!("{}; then {error:?}", told()));
    assert!(place.store.verify().unwrap().is_clean(), "{}", told());
    let tops = place.snapshots.lowers(&pulled.chains).unwrap();
    let read = |layer: usize, file: &str| fs::read(tops[layer].join(file)).unwrap();
    assert_eq!(read(0, "c"), b"small", "{}", told());
    assert_eq!(read(1, "b"), noise()[..300_000], "{}", told());
    assert_eq!(read(2, "a"), noise()[..100_000], "{}", told());
    assert_eq!(read(0, "same"), b"high", "{}", told());
    assert_eq!(
        (place.count("ingest"), place.count("leases")),
        (0, 0),
        "{}",
        told()
    );
    first.is_ok()
}
