//! Payloads, strictly.

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn text(name: &str, optional: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"sha256:{HEX}"}},"type":"cosign container image signature"}},"optional":{optional}}}"#
    )
}

#[test]
fn what_is_written_is_read() {
    let reference = Reference::parse("busybox:1").unwrap();
    let digest = Digest::of(b"");
    let bytes = Payload::write(&reference, &digest, 1_700_000_000).unwrap();
    let payload = Payload::parse(&bytes).unwrap();
    assert_eq!(payload.digest, digest);
    assert_eq!(payload.identity.to_string(), "docker.io/library/busybox:1");
    assert_eq!(payload.timestamp, Some(1_700_000_000));
    assert!(payload.creator.unwrap().starts_with("berth "));
    let bytes = Payload::write(&reference.with_digest(digest.clone()), &digest, 0).unwrap();
    let payload = Payload::parse(&bytes).unwrap();
    assert_eq!(payload.identity.to_string(), "docker.io/library/busybox");
}

#[test]
fn names_are_as_cosign_and_skopeo_have_them() {
    let digest = format!("r.example:5000/a@sha256:{HEX}");
    for (name, read) in [
        ("r.example:5000/a", "r.example:5000/a"),
        ("r.example:5000/a:latest", "r.example:5000/a:latest"),
        (
            "index.docker.io/library/busybox",
            "docker.io/library/busybox",
        ),
        ("busybox:1", "docker.io/library/busybox:1"),
        (&digest, &digest),
    ] {
        let payload = Payload::parse(text(name, "null").as_bytes()).unwrap();
        assert_eq!(payload.identity.to_string(), read);
        assert_eq!((payload.creator, payload.timestamp), (None, None));
    }
    let optional = r#"{"creator": 1, "timestamp": "x", "mine": {"a": []}}"#;
    let payload = Payload::parse(text("r.example/a", optional).as_bytes()).unwrap();
    assert_eq!((payload.creator, payload.timestamp), (None, None));
}

/// T18, and what is not exactly such a document.
#[test]
fn anything_else_is_refused() {
    let good = text("r.example/a:1", "null");
    assert!(Payload::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("cosign container", "atomic container"),
        ("\"type\"", "\"Type\""),
        ("\"critical\":{", "\"critical\":{\"expires\":1,"),
        ("\"identity\":{", "\"identity\":{\"x\":1,"),
        ("\"image\":{", "\"image\":{\"x\":1,"),
        ("\"optional\":null", "\"optional\":null,\"optional\":null"),
        ("\"optional\":null", "\"optional\":{\"a\":1,\"a\":1}"),
        ("\"optional\":null", "\"optional\":[]"),
        ("\"optional\":null", "\"more\":null"),
        (",\"optional\":null", ""),
        ("r.example/a:1", "r.example/A:1"),
        ("r.example/a:1", ""),
        ("r.example/a:1", "r.example/a:1@sha256:0"),
        ("sha256:", "sha256:0"),
        ("sha256:", "md5:"),
        ("e3b0c4", "E3B0C4"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(Payload::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    for bad in [
        "",
        "null",
        "{}",
        "[]",
        &format!("{good}{good}"),
        &format!("{good}{}", " ".repeat(MAX_PAYLOAD_BYTES as usize)),
        &format!(
            r#"[[["r.example/a:1"],["sha256:{HEX}"],"cosign container image signature"],null]"#
        ),
    ] {
        assert!(Payload::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    for end in 0..good.len() {
        assert!(Payload::parse(&good.as_bytes()[..end]).is_err(), "{end}");
    }
}
