//! Pushes to a registry with random faults (testkit's `faults`), each seed a script that can be repeated.

use std::sync::atomic::AtomicBool;

use testkit::faults::Faults;

use super::*;

/// N4, N13: whatever happens on the way, a push ends with the whole image in the registry or a typed error; then an
/// honest push ends well.
#[test]
fn faults_leave_all_or_an_error() {
    let seeds = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 0..2_000,
        None => 0..60,
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

/// Whether the first push succeeded.
fn survives(seed: u64) -> bool {
    let faults = Arc::new(Mutex::new(Faults::new(seed)));
    let honest = Arc::new(AtomicBool::new(false));
    let (script, is_honest) = (faults.clone(), honest.clone());
    let (server, state) = scripted(move |request, state, _| {
        if is_honest.load(Ordering::SeqCst) {
            return None;
        }
        let mut script = script.lock().unwrap();
        let mut state = state.lock().unwrap();
        let whole = request.body.len();
        // Some answers are lost after the work was done, some in the middle of it.
        if matches!(request.method.as_str(), "PATCH" | "PUT") && script.below(4) == 0 {
            let mut part = request.clone();
            part.method = "PATCH".into();
            part.body.truncate(script.below(whole));
            if part.header("content-range").is_some() {
                state.reply(&part);
            }
            script
                .struck
                .push(format!("{} bytes taken", part.body.len()));
            return Some(Reply::status(500));
        }
        let reply = state.reply(request);
        let faulty = script.answer(request, reply.clone());
        // Who says that it has what it has not is believed: nobody could tell.
        Some(match faulty.status {
            200..300 if faulty.status != reply.status => reply,
            _ => faulty,
        })
    });
    let layer = big(50_000 + seed as usize);
    let name = reference(&server.host(), "a:1");
    let mut hasty = config();
    hasty.patience.progress = Duration::from_millis(200);
    hasty.patience.longest_wait = Duration::from_millis(50);
    let first = run(image(&Client::new(hasty), &name, &layer));
    let told = || {
        format!(
            "seed {seed}: {:?}: {first:?}",
            faults.lock().unwrap().struck
        )
    };
    match &first {
        Ok(()) => assert_whole(&state, &layer, &told()),
        Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{}", told()),
    }
    honest.store(true, Ordering::SeqCst);
    if let Err(error) = run(image(&Client::new(config()), &name, &layer)) {
        panic!("{}; then {error:?}", told());
    }
    assert_whole(&state, &layer, &told());
    first.is_ok()
}

async fn image(client: &Client, to: &Reference, layer: &Bytes) -> Result<(), Error> {
    push(client, to, layer).await?;
    let manifest = manifest(layer);
    let pushed = client.push_manifest(to, media::MANIFEST, &manifest).await;
    pushed.map(drop)
}

fn manifest(layer: &Bytes) -> Vec<u8> {
    let layer = Descriptor::of(media::LAYER_TAR, layer);
    serde_json::to_vec(&Manifest::new(layer.clone(), vec![layer])).unwrap()
}

fn assert_whole(state: &State, layer: &Bytes, told: &str) {
    let state = state.lock().unwrap();
    let digest = Digest::of(layer).to_string();
    assert_eq!(
        state.blobs.get(&digest).map(|b| b == layer),
        Some(true),
        "{told}"
    );
    assert_eq!(state.manifests.get("1"), Some(&manifest(layer)), "{told}");
}
