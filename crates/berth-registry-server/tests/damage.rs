//! Files that are not what they were: nothing else is served in their place, and who runs the registry learns of it.

mod support;

use std::io::Read as _;
use std::path::PathBuf;

use berth_oci::Digest;
use berth_registry_server::settings::AccessLog;
use berth_registry_server::{Access, Settings};
use support::{Served, quiet};

fn file(served: &Served, kind: &str, digest: &Digest) -> PathBuf {
    let name = format!("registry/repositories/a/{kind}/sha256-{}", digest.hex());
    served.root.path().join(name)
}

/// N14: a blob that ends too soon ends the connection; what was sent of it is right.
#[test]
fn n14_a_blob_that_shrinks_is_broken_off() {
    let served = Served::open();
    let content: Vec<u8> = (0..32_u32 << 20).map(|i| (i % 253) as u8).collect();
    let digest = served.blob("a", &content);
    let mut client = served.connect();
    client.head(&format!("GET /v2/a/blobs/{digest}"), "");
    let mut got = vec![0; 1000];
    client.stream.read_exact(&mut got).unwrap();
    let blob = std::fs::File::options()
        .write(true)
        .open(file(&served, "_blobs", &digest));
    blob.unwrap().set_len(20 << 20).unwrap();
    // It ends, or is reset.
    _ = client.stream.read_to_end(&mut got);
    let head = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = &got[head..];
    assert!(body.len() <= 20 << 20, "{}", body.len());
    assert!(body == &content[..body.len()]);
    assert_eq!(served.ask("GET /v2/").status, 200);
}

/// N14: a manifest that was changed on the disk is an error, and the log says which; the client learns no path.
#[test]
fn n14_a_damaged_manifest_is_not_served() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let settings = Settings {
        access_log: AccessLog::File(log.clone()),
        ..quiet()
    };
    let mut served = Served::start(settings, Access::open());
    let (digest, mut bytes) = served.image("a", "v1", b"layer");
    bytes[3] ^= 1;
    std::fs::write(file(&served, "_manifests", &digest), &bytes).unwrap();
    for which in ["v1", &digest.to_string()] {
        let reply = served.ask(&format!("GET /v2/a/manifests/{which}"));
        assert_eq!(reply.status, 500, "{}", reply.text());
        assert!(
            !reply.text().contains("registry/repositories"),
            "{}",
            reply.text()
        );
    }
    served.stop();
    let started = std::time::Instant::now();
    loop {
        let text = std::fs::read_to_string(&log).unwrap();
        let failed: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("\"status\":500"))
            .collect();
        if let [by_tag, by_digest] = failed[..] {
            assert!(
                by_tag.contains("a/_tags/v1 does not have the digest"),
                "{by_tag}"
            );
            let words = format!("does not have the digest {digest}");
            assert!(by_digest.contains(&words), "{by_digest}");
            break;
        }
        assert!(started.elapsed().as_secs() < 10, "{text}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
