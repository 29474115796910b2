//! Registries that lie about sizes, digests and numbers, change their mind in between, or are only slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// A place that was asked for `app:1` of this content, and what came of it.
fn pull_of(content: Content) -> (tempfile::TempDir, Place, Result<Pulled, PullError>) {
    let server = EvilRegistry::start(move |request| content.reply(request));
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let result = place.pull(&format!("{}/app:1", server.host()));
    (dir, place, result)
}

/// T16, T17: a manifest whose words about its layer are not so.
pub fn sizes_and_digests_that_lie_are_refused() {
    let layer = tar(&[("a", &noise())]);
    let edit = |from: &str, to: &str| {
        let mut made = Made::new(std::slice::from_ref(&layer));
        let manifest = Manifest::new(made.config("amd64"), made.layers.clone());
        let text = serde_json::to_string(&manifest).unwrap();
        assert!(text.contains(from), "{from}");
        made.document(media::MANIFEST, text.replace(from, to).as_bytes(), "1");
        pull_of(made.content)
    };
    let digest = Digest::of(&layer).to_string();
    let size = format!("\"size\":{}", layer.len());
    let other = |change: i64| format!("\"size\":{}", layer.len() as i64 + change);
    let layers = "\"layers\"".to_owned();
    let upper = format!("sha256:{}", digest[7..].to_uppercase());
    for (what, from, to) in [
        ("smaller", &size, other(-1)),
        ("larger", &size, other(1)),
        ("nothing", &size, "\"size\":0".to_owned()),
        ("negative", &size, "\"size\":-1".to_owned()),
        ("a fraction", &size, "\"size\":1.5".to_owned()),
        ("upper case", &digest, upper),
        ("short", &digest, digest[..70].to_owned()),
        ("md5", &digest, format!("md5:{}", "a".repeat(32))),
        ("a path", &digest, "sha256:../../x".to_owned()),
        ("both", &layers, format!("\"manifests\":[],{layers}")),
    ] {
        let (_dir, place, result) = edit(from, &to);
        let error = result.expect_err(what);
        let kinds = [ErrorKind::Corrupt, ErrorKind::InvalidInput];
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        place.assert_nothing_visible();
        assert_eq!(place.count("snapshots"), 0, "{what}");
    }
    // The other algorithm is as good.
    let long = <sha2::Sha512 as sha2::Digest>::digest(&layer);
    let mut made = Made::new(std::slice::from_ref(&layer));
    made.layers[0].digest = Digest::sha512(long.into());
    let path = format!("blobs/{}", made.layers[0].digest);
    made.content.put("app", &path, "x/y", layer.clone());
    made.manifest("amd64", "1");
    let (_dir, place, result) = pull_of(made.content);
    result.unwrap();
    assert!(place.store.verify().unwrap().is_clean());
}

/// T19: more than an image may have.
pub fn t19_too_much_is_refused() {
    let descriptor = |n: usize| Descriptor::of(media::LAYER_TAR, &n.to_le_bytes());
    let mut layers = Made::new(&[]);
    layers.layers = (0..5_000).map(descriptor).collect();
    layers.manifest("amd64", "1");
    let mut counts = Made::new(&[tar(&[("a", b"")])]);
    counts.diff_ids.clear();
    counts.manifest("amd64", "1");
    let index = |manifests: Vec<Descriptor>| Index {
        manifests,
        ..Index::default()
    };
    let bytes = |index: &Index| serde_json::to_vec(index).unwrap();
    let mut many = Made::new(&[]);
    let short = format!(
        "{{\"mediaType\":\"a\",\"digest\":\"{}\",\"size\":1}},",
        Digest::of(b"x")
    );
    let million = format!(
        "{{\"schemaVersion\":2,\"manifests\":[{}]}}",
        short.repeat(1_000_000)
    );
    many.document(media::INDEX, million.as_bytes(), "1");
    // An index in an index, which is what a cycle would be made of.
    let mut nested = Made::new(&[]);
    let inner = nested.document(media::INDEX, &bytes(&index(Vec::new())), "inner");
    nested.document(media::INDEX, &bytes(&index(vec![inner.clone()])), "1");
    // One that names itself: its digest cannot be right.
    let mut itself = Made::new(&[]);
    let outer = bytes(&index(vec![Descriptor::new(
        media::INDEX,
        inner.digest.clone(),
        inner.size,
    )]));
    itself.document(media::INDEX, &outer, "1");
    itself.content.put(
        "app",
        &format!("manifests/{}", inner.digest),
        media::INDEX,
        outer,
    );
    for (what, made) in [
        ("5,000 layers", layers),
        ("fewer diff-ids than layers", counts),
        ("a million manifests", many),
        ("an index in an index", nested),
        ("an index in itself", itself),
    ] {
        let (_dir, place, result) = pull_of(made.content);
        let error = result.expect_err(what);
        assert_ne!(error.kind(), ErrorKind::Internal, "{what}: {error:?}");
        place.assert_nothing_visible();
        assert_eq!(
            place.count("blobs/sha256"),
            usize::from(what.starts_with("fewer")),
            "{what}"
        );
    }
}

/// G13, N13: the blob is another one when its second half is asked for. Nothing of it is kept, and the next pull,
/// from an honest registry, begins anew.
pub fn other_content_at_a_resumption_is_refused() {
    let mut made = Made::new(&[tar(&[("big", &noise())])]);
    made.manifest("amd64", "1");
    let (content, layer) = (made.content.clone(), made.layers[0].clone());
    let path = format!("/v2/app/blobs/{}", layer.digest);
    let honest = Arc::new(AtomicBool::new(false));
    let is_honest = honest.clone();
    let server = EvilRegistry::start(move |request| {
        let mut reply = content.reply(request);
        if request.path != path || is_honest.load(Ordering::SeqCst) {
            return reply;
        }
        match request.range_start() {
            None => reply.header("etag", "\"one\"").cut_at(500_000),
            Some(_) => {
                reply.body.fill(7);
                reply.header("etag", "\"two\"")
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let name = format!("{}/app:1", server.host());
    let error = place.pull(&name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    place.assert_nothing_visible();
    assert!(!place.store.has(&layer.digest));
    assert_eq!((place.count("ingest"), place.count("snapshots")), (0, 0));
    honest.store(true, Ordering::SeqCst);
    place.pull(&name).unwrap();
    assert!(place.store.verify().unwrap().is_clean());
}

/// N13: a registry that answers nothing holds up its own pull alone.
pub fn a_busy_registry_harms_no_other_pull() {
    let mut made = Made::new(&[tar(&[("slow", &noise())])]);
    made.manifest("amd64", "1");
    let content = made.content;
    let (free, waiting) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (is_free, arrived) = (free.clone(), waiting.clone());
    let slow = EvilRegistry::start(move |request| {
        if request.path.contains("/blobs/") {
            arrived.fetch_add(1, Ordering::SeqCst);
            while !is_free.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        content.reply(request)
    });
    let mut made = Made::new(&[tar(&[("quick", &noise())])]);
    made.manifest("amd64", "1");
    let quick = made.serve();
    let dir = tempfile::tempdir().unwrap();
    let slow_name = format!("{}/app:1", slow.host());
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg("pull")
        .arg(dir.path())
        .arg(&slow_name)
        .spawn()
        .unwrap();
    let waits = || (waiting.load(Ordering::SeqCst) > 0).then_some(());
    testkit::eventually("the slow pull waits", waits);
    let place = Place::open(dir.path());
    place.pull(&format!("{}/app:1", quick.host())).unwrap();
    assert_eq!(
        place.store.refs().unwrap().len(),
        1,
        "the other still waits"
    );
    free.store(true, Ordering::SeqCst);
    assert!(other.wait().unwrap().success());
    assert_eq!(place.store.refs().unwrap().len(), 2);
    assert!(place.store.verify().unwrap().is_clean());
}

/// N14: one bit of a blob on disk is told by its digest; pulling again repairs it.
pub fn a_damaged_blob_is_found_and_pulled_again() {
    let mut made = Made::new(&[tar(&[("big", &noise())])]);
    made.manifest("amd64", "1");
    let layer = made.layers[0].clone();
    let server = made.serve();
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path());
    let name = format!("{}/app:1", server.host());
    place.pull(&name).unwrap();
    let path = place.store.blob_path(&layer.digest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[400_000] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let report = place.store.verify().unwrap();
    assert_eq!(report.damaged, std::slice::from_ref(&layer.digest));
    place.store.drop_damaged(&layer.digest).unwrap();
    place.pull(&name).unwrap();
    assert!(place.store.verify().unwrap().is_clean());
}
