//! Blobs go from the page cache to the socket without a copy through the process; and never anything else in their place.

mod support;

use std::io::{Read as _, Write as _};

use berth_registry_server::Access;
use berth_serve::tls::{Files, Tls};
use support::{Served, quiet};

fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes.div_ceil(8))
        .flat_map(|_| next())
        .take(bytes)
        .collect()
}

/// All bytes of blobs are sent by sendfile, and are the right ones: whole, in part, small, of several chunks.
#[test]
fn blobs_are_sent_by_the_kernel() {
    let served = Served::open();
    let mut client = served.connect();
    let mut sent = 0;
    for (seed, bytes) in [1, 1000, (1 << 20) - 1, 1 << 20, (5 << 20) + 7]
        .into_iter()
        .enumerate()
    {
        let content = content(bytes, seed as u64 + 1);
        let digest = served.blob("a", &content);
        let line = format!("GET /v2/a/blobs/{digest}");
        let whole = client.ask(&line);
        assert!(whole.body == content, "{bytes} bytes");
        sent += bytes as u64;
        let (from, to) = (bytes / 3, bytes - 1 - bytes / 5);
        let part = client.send(&line, &format!("Range: bytes={from}-{to}\r\n"), b"");
        assert!(part.body == content[from..=to], "part of {bytes} bytes");
        sent += (to + 1 - from) as u64;
        assert_eq!(
            client.ask(&format!("HEAD /v2/a/blobs/{digest}")).status,
            200
        );
    }
    assert_eq!(served.metric("berth_registry_sendfile_bytes_total"), sent);
    // And nothing else is.
    served.image("a", "v1", b"layer");
    assert_eq!(client.ask("GET /v2/a/manifests/v1").status, 200);
    assert_eq!(served.metric("berth_registry_sendfile_bytes_total"), sent);
}

/// Requests that come before their answers are read (pipelining), and readers that take little at a time.
#[test]
fn answers_keep_their_order() {
    let served = Served::open();
    let contents: Vec<Vec<u8>> = (0..6)
        .map(|seed| content(300_000 + seed, seed as u64 + 9))
        .collect();
    let mut client = served.connect();
    let mut want = Vec::new();
    for content in &contents {
        let digest = served.blob("a", content);
        client.head(&format!("GET /v2/a/blobs/{digest}"), "");
        client.head("GET /v2/", "");
        want.push(content.clone());
        want.push(b"{}".to_vec());
    }
    for want in want {
        let reply = client.reply(false).unwrap();
        assert_eq!(reply.status, 200);
        assert!(reply.body == want);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A client that is gone in the middle of a blob is no trouble for the next; nor is one on the same connection.
#[test]
fn a_blob_that_is_broken_off_harms_nobody() {
    let served = Served::open();
    let content = content(8 << 20, 3);
    let digest = served.blob("a", &content);
    for _ in 0..20 {
        let mut client = served.connect();
        client.head(&format!("GET /v2/a/blobs/{digest}"), "");
        let mut some = [0; 1000];
        client.stream.read_exact(&mut some).unwrap();
    }
    assert!(served.ask(&format!("GET /v2/a/blobs/{digest}")).body == content);
    // HEAD has no body, although it has its length.
    let mut client = served.connect();
    let both = format!(
        "HEAD /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    );
    client.stream.write_all(both.as_bytes()).unwrap();
    assert_eq!(client.reply(true).unwrap().status, 200);
    assert_eq!(client.reply(false).unwrap().body, b"{}");
}

/// With TLS the bytes have to pass through the process; they are the same.
#[test]
fn encrypted_blobs_are_read_and_sent() {
    let place = tempfile::tempdir().unwrap();
    testkit::registry::certify(place.path());
    let at = |name: &str| place.path().join(name);
    let files = Files {
        certificates: at("server.pem"),
        key: at("server.key"),
        client_ca: None,
    };
    let patience = std::time::Duration::from_secs(10);
    let tls = Tls::load(files, patience, |_| {}).unwrap();
    let served = Served::start_with(quiet(), Access::open(), |server| server.with_tls(tls));
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--fail", "--cacert"])
            .arg(at("ca.pem"));
        let url = format!("https://{}{path}", served.address);
        let output = curl.args(arguments).arg(url).output().expect("curl runs");
        assert!(output.status.success(), "{path}: {output:?}");
        output.stdout
    };
    let content = content((3 << 20) + 11, 77);
    std::fs::write(at("blob"), &content).unwrap();
    let digest = berth_oci::Digest::of(&content);
    let body = format!("@{}", at("blob").display());
    let upload = format!("/v2/a/blobs/uploads/?digest={digest}");
    curl(&["--data-binary", &body], &upload);
    let blob = format!("/v2/a/blobs/{digest}");
    assert!(curl(&[], &blob) == content);
    assert!(curl(&["--range", "1000-2000000"], &blob) == content[1000..=2_000_000]);
    let metrics = String::from_utf8(curl(&[], "/metrics")).unwrap();
    assert!(
        metrics.contains("berth_registry_sendfile_bytes_total 0\n"),
        "{metrics}"
    );
}
