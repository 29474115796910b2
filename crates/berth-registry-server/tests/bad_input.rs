//! What clients should not send: each is refused with the right status, and costs nothing.

mod support;

use std::io::Write as _;
use std::time::Instant;

use berth_oci::Digest;
use berth_registry_server::settings::Limits;
use berth_registry_server::storage::{RuleSet, Rules};
use berth_registry_server::{Access, Decide, Needed, Refusal, Scope, Settings, User};
use http::{HeaderMap, HeaderValue};
use support::{MANIFEST, Served, quiet};

/// G4: lists are as long as the registry wants, whatever is asked for.
#[test]
fn g4_lists_are_clamped() {
    let limits = Limits {
        page_entries: 2,
        ..Limits::default()
    };
    let served = Served::start(Settings { limits, ..quiet() }, Access::open());
    for name in ["a", "b", "c", "d"] {
        served.image(name, "v1", b"layer");
    }
    for n in [
        "9223372036854775807",
        "18446744073709551616",
        "1000000000",
        "3",
    ] {
        let page = served.ask(&format!("GET /v2/_catalog?n={n}"));
        assert_eq!(page.strings("repositories"), ["a", "b"], "{n}");
        assert_eq!(page.next().as_deref(), Some("/v2/_catalog?n=2&last=b"));
    }
    assert_eq!(
        served.ask("GET /v2/_catalog").strings("repositories").len(),
        2
    );
    assert_eq!(
        served
            .ask("GET /v2/_catalog?n=0")
            .strings("repositories")
            .len(),
        0
    );
    for n in ["-1", "1e9", "x", ""] {
        assert_eq!(
            served.ask(&format!("GET /v2/_catalog?n={n}")).status,
            400,
            "{n}"
        );
    }
}

/// G5: a manifest is refused by its announced length, before any of it is taken; and one that does not end, at the limit.
#[test]
fn g5_manifests_have_a_limit() {
    let served = Served::open();
    let mut client = served.connect();
    let started = Instant::now();
    let type_ = format!("Content-Type: {MANIFEST}\r\n");
    client.head(
        "PUT /v2/a/manifests/v1",
        &format!("{type_}Content-Length: 5368709120\r\n"),
    );
    let reply = client.reply(false).unwrap();
    assert_eq!(
        (reply.failure(), started.elapsed().as_secs()),
        ((413, "SIZE_INVALID".into()), 0)
    );
    assert_eq!(reply.header("connection"), Some("close"));

    let mut client = served.connect();
    client.head(
        "PUT /v2/a/manifests/v1",
        &format!("{type_}Transfer-Encoding: chunked\r\n"),
    );
    let chunk = [b"10000\r\n", &vec![b' '; 64 << 10][..], b"\r\n"].concat();
    // It reads on for a moment, so that the answer arrives; not for ever.
    let sent = (0..100_000)
        .take_while(|_| client.stream.write_all(&chunk).is_ok())
        .count();
    assert!((64..2000).contains(&sent), "{sent}");
    let reply = client.reply(false).unwrap();
    assert_eq!(reply.failure(), (413, "SIZE_INVALID".into()));
    // One of exactly the limit is only no manifest.
    let reply = served.send("PUT /v2/a/manifests/v1", &type_, &vec![b' '; 4 << 20]);
    assert_eq!(reply.failure(), (400, "MANIFEST_INVALID".into()));
    let reply = served.send("PUT /v2/a/manifests/v1", &type_, &vec![b' '; (4 << 20) + 1]);
    assert_eq!(reply.status, 413);
}

/// G5: a blob too; what came of it is kept as long as it is within the limit.
#[test]
fn g5_blobs_have_a_limit() {
    let limits = Limits {
        blob_bytes: 1000,
        ..Limits::default()
    };
    let served = Served::start(Settings { limits, ..quiet() }, Access::open());
    let upload = served
        .ask("POST /v2/a/blobs/uploads/")
        .header("location")
        .unwrap()
        .to_owned();
    let mut client = served.connect();
    client.head(&format!("PATCH {upload}"), "Content-Length: 1001\r\n");
    assert_eq!(
        client.reply(false).unwrap().failure(),
        (413, "SIZE_INVALID".into())
    );
    assert_eq!(
        served
            .send(&format!("PATCH {upload}"), "", &[1; 600])
            .status,
        202
    );
    let over = served.send(&format!("PATCH {upload}"), "", &[1; 401]);
    assert_eq!(over.failure(), (413, "SIZE_INVALID".into()));
    let mut client = served.connect();
    client.head(&format!("PATCH {upload}"), "Transfer-Encoding: chunked\r\n");
    let chunk = [b"100\r\n", &[1; 256][..], b"\r\n"].concat();
    _ = client.stream.write_all(&chunk.repeat(8));
    assert_eq!(
        client.reply(false).unwrap().failure(),
        (413, "SIZE_INVALID".into())
    );
    let content = [1; 1000];
    let line = format!("PUT {upload}?digest={}", Digest::of(&content));
    assert_eq!(served.send(&line, "", &content[600..]).status, 201);
}

/// G5: what all repositories of a prefix hold together has a limit; elsewhere there is none.
#[test]
fn g5_quotas_end_uploads() {
    let rules = RuleSet(vec![Rules {
        prefix: "team".into(),
        quota_bytes: Some(1000),
        ..Rules::default()
    }]);
    let served = Served::start(Settings { rules, ..quiet() }, Access::open());
    let put = |name: &str, content: &[u8]| {
        let digest = Digest::of(content);
        let line = format!("POST /v2/{name}/blobs/uploads/?digest={digest}");
        served.send(&line, "", content)
    };
    assert_eq!(put("team/a", &[1; 600]).status, 201);
    assert_eq!(put("team/b", &[2; 600]).failure(), (507, "DENIED".into()));
    assert_eq!(put("other", &[2; 600]).status, 201);
    let begun = served.ask("POST /v2/team/b/blobs/uploads/");
    let upload = begun.header("location").unwrap();
    let over = served.send(&format!("PATCH {upload}"), "", &[2; 600]);
    assert_eq!(over.failure(), (507, "DENIED".into()));
    assert_eq!(put("team/b", &[3; 300]).status, 201);
}

/// G6: what could leave its place, or be no name.
#[test]
fn g6_names_are_checked() {
    let served = Served::open();
    let long = "a".repeat(300);
    for name in [
        "../x", "%2e%2e/x", "_uploads", "a//b", "a/../b", "A", "%C3%BC", "a%2fb", "a%00", &long,
    ] {
        for line in [
            format!("GET /v2/{name}/tags/list"),
            format!("POST /v2/{name}/blobs/uploads/"),
            format!("PUT /v2/{name}/manifests/v1"),
        ] {
            assert_eq!(
                served.ask(&line).failure(),
                (400, "NAME_INVALID".into()),
                "{line}"
            );
        }
    }
    let tag = "t".repeat(129);
    for tag in ["-x", ".x", "a%2fb", "%0d%0a", "", &tag] {
        assert_eq!(
            served.ask(&format!("PUT /v2/a/manifests/{tag}")).status,
            400,
            "{tag}"
        );
    }
    for digest in ["sha256:0", "md5:00", "sha256:..%2f..", "x"] {
        let reply = served.ask(&format!("GET /v2/a/blobs/{digest}"));
        assert_eq!(reply.status, 400, "{digest}");
    }
    let made = std::fs::read_dir(served.root.path().join("registry/repositories")).unwrap();
    assert_eq!(made.count(), 0);
}

/// May read what is called `open`, without saying who he is.
struct OnlyOpen;

impl Decide for OnlyOpen {
    fn decide(&self, _: &HeaderMap, needed: &Needed<'_>) -> Result<User, Refusal> {
        match needed.scope {
            Scope::Repository(name) if name.as_str() == "open" => Ok(User::default()),
            _ => Err(Refusal::Challenge(vec![HeaderValue::from_static(
                "Basic realm=\"r\"",
            )])),
        }
    }

    fn quick(&self, headers: &HeaderMap, needed: &Needed<'_>) -> Option<Result<User, Refusal>> {
        // Half of them the slow way.
        (!needed.rights.push).then(|| self.decide(headers, needed))
    }
}

/// G7: who may not see a repository is told the same whether it is there or not; nor can he take its blobs.
#[test]
fn g7_answers_tell_nothing_of_what_is_there() {
    let served = Served::start(quiet(), Access::new(OnlyOpen));
    let storage = berth_registry_server::Storage::open(&served.root.path().join("registry"));
    let secret = berth_registry_server::RepositoryName::parse("secret").unwrap();
    let mut upload = storage.unwrap().repository(&secret).begin_upload().unwrap();
    upload.append(b"secret").unwrap();
    let id = upload.id().to_owned();
    drop(upload);
    let digest = Digest::of(b"secret");
    for line in [
        "GET /v2/NAME/tags/list".to_owned(),
        "GET /v2/NAME/manifests/v1".to_owned(),
        "PUT /v2/NAME/manifests/v1".to_owned(),
        format!("GET /v2/NAME/blobs/{digest}"),
        format!("DELETE /v2/NAME/blobs/{digest}"),
        format!("GET /v2/NAME/referrers/{digest}"),
        "POST /v2/NAME/blobs/uploads/".to_owned(),
        format!("PATCH /v2/NAME/blobs/uploads/{id}"),
        "GET /v2/NAME/_berth/tags/history?tag=v1".to_owned(),
    ] {
        let there = served.ask(&line.replace("NAME", "secret"));
        let not_there = served.ask(&line.replace("NAME", "nowhere"));
        assert_eq!(there.failure(), (401, "UNAUTHORIZED".into()), "{line}");
        assert_eq!(there.header("www-authenticate"), Some("Basic realm=\"r\""));
        let without_time = |reply: &support::Reply| {
            let mut headers = reply.headers.clone();
            headers.retain(|(name, _)| !matches!(&**name, "date" | "x-request-id"));
            (reply.status, headers, reply.body.clone())
        };
        assert_eq!(without_time(&there), without_time(&not_there), "{line}");
    }
    // The upload of the other repository, by its id; and its blob, by a mount.
    let elsewhere = served.ask(&format!("PUT /v2/open/blobs/uploads/{id}?digest={digest}"));
    assert_eq!(elsewhere.failure(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    for from in ["secret", "nowhere"] {
        let line = format!("POST /v2/open/blobs/uploads/?mount={digest}&from={from}");
        assert_eq!(served.ask(&line).status, 202);
    }
    assert_eq!(
        served.ask(&format!("HEAD /v2/open/blobs/{digest}")).status,
        404
    );
    assert_eq!(served.ask("GET /v2/").status, 401);
    assert_eq!(served.ask("GET /metrics").status, 401);
    assert_eq!(served.ask("GET /healthz").status, 200);
}

/// G8: chunks that are not the next one, and digests that lie, leave what is there as it is.
#[test]
fn g8_uploads_go_on_in_order_only() {
    let served = Served::open();
    let upload = served
        .ask("POST /v2/a/blobs/uploads/")
        .header("location")
        .unwrap()
        .to_owned();
    let patch = |range: &str, body: &[u8]| {
        served.send(
            &format!("PATCH {upload}"),
            &format!("Content-Range: {range}\r\n"),
            body,
        )
    };
    assert_eq!(
        patch("1-3", b"123").failure(),
        (416, "RANGE_INVALID".into())
    );
    assert_eq!(patch("0-3", b"0123").status, 202);
    // Once more, overlapping, with a gap, of another length, and none at all.
    for (range, body) in [
        ("0-3", &b"0123"[..]),
        ("2-5", b"2345"),
        ("5-6", b"56"),
        ("4-9", b"45"),
        ("4-4", b"45"),
        ("9-4", b"45"),
        ("bytes=4-5", b"45"),
        ("x", b"45"),
    ] {
        let reply = patch(range, body);
        assert_eq!(reply.failure(), (416, "RANGE_INVALID".into()), "{range}");
        assert_eq!(reply.header("range"), Some("0-3"), "{range}");
        assert_eq!(reply.header("location"), Some(&*upload), "{range}");
    }
    // A stream that is not as long as its range says.
    let mut client = served.connect();
    let headers = "Content-Range: 4-5\r\nTransfer-Encoding: chunked\r\n";
    client.head(&format!("PATCH {upload}"), headers);
    client.stream.write_all(b"3\r\n456\r\n0\r\n\r\n").unwrap();
    assert_eq!(
        client.reply(false).unwrap().failure(),
        (400, "SIZE_INVALID".into())
    );
    assert_eq!(
        served.ask(&format!("GET {upload}")).header("range"),
        Some("0-3")
    );
    // HTTP's own form is understood as well.
    assert_eq!(patch("bytes 4-5/*", b"45").status, 202);

    let lie = Digest::of(b"other");
    let reply = served.ask(&format!("PUT {upload}?digest={lie}"));
    assert_eq!(reply.failure(), (400, "DIGEST_INVALID".into()));
    assert_eq!(served.ask(&format!("HEAD /v2/a/blobs/{lie}")).status, 404);
    assert_eq!(
        served
            .ask(&format!("HEAD /v2/a/blobs/{}", Digest::of(b"012345")))
            .status,
        404
    );
    // What was finished cannot be gone on with, nor what never was.
    let finished = served
        .ask("POST /v2/a/blobs/uploads/")
        .header("location")
        .unwrap()
        .to_owned();
    let digest = Digest::of(b"x");
    assert_eq!(
        served
            .send(&format!("PUT {finished}?digest={digest}"), "", b"x")
            .status,
        201
    );
    for line in [
        format!("PATCH {finished}"),
        format!("PUT {finished}?digest={digest}"),
    ] {
        let again = served.send(&line, "", b"x");
        assert_eq!(again.failure(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    }
}

/// G12: what a client sends comes back as JSON only, in headers not at all.
#[test]
fn g12_nothing_is_echoed_as_more_than_text() {
    let served = Served::open();
    let markup = "%3Cscript%3Ealert(1)%3C/script%3E";
    let lines = "%0d%0aSet-Cookie:%20x=1%0d%0a%0d%0a";
    for text in [markup, lines, "%22%7D", "%E2%80%AE"] {
        for line in [
            format!("GET /v2/{text}/tags/list"),
            format!("GET /v2/a/manifests/{text}"),
            format!("GET /v2/a/manifests/sha256:{text}"),
            format!("GET /v2/a/blobs/{text}"),
            format!("GET /v2/a/referrers/sha256:{text}"),
            format!("PUT /v2/a/blobs/uploads/{text}?digest={text}"),
            format!("POST /v2/a/blobs/uploads/?mount={text}&from={text}"),
            format!("GET /{text}"),
        ] {
            let reply = served.ask(&line);
            assert!(
                (400..500).contains(&reply.status),
                "{line}: {}",
                reply.status
            );
            assert!(!reply.code().is_empty(), "{line}");
            assert_eq!(reply.header("set-cookie"), None, "{line}");
        }
    }
    served.image("a", "v1", b"layer");
    served.image("a", "v2", b"layer");
    let page = served.ask(&format!("GET /v2/a/tags/list?n=1&last={lines}"));
    assert_eq!(page.next().as_deref(), Some("/v2/a/tags/list?n=1&last=v1"));
    // A type is taken from a list, whatever it is called.
    let digest = Digest::of(b"layer");
    let reply = served.ask(&format!(
        "GET /v2/a/referrers/{digest}?artifactType={lines}"
    ));
    assert_eq!((reply.status, reply.header("set-cookie")), (200, None));
}

/// A page of another site, in the browser of one who has logged in here, can change nothing.
#[test]
fn other_sites_change_nothing() {
    let served = Served::open();
    let line = "POST /v2/a/blobs/uploads/";
    for origin in ["https://evil.example", "null", "http://test.evil.example"] {
        let reply = served.send(line, &format!("Origin: {origin}\r\n"), b"");
        assert_eq!(reply.failure(), (403, "DENIED".into()), "{origin}");
    }
    // Our own page is at the host that the request names.
    assert_eq!(
        served.send(line, "Origin: http://test\r\n", b"").status,
        202
    );
    assert_eq!(served.ask(line).status, 202);
    let read = served.send("GET /v2/", "Origin: https://evil.example\r\n", b"");
    assert_eq!(
        (read.status, read.header("access-control-allow-origin")),
        (200, None)
    );
}

/// Heads that are too long, or have too many lines, or are no HTTP.
#[test]
fn heads_have_limits() {
    let served = Served::open();
    let mut client = served.connect();
    client.head("GET /v2/", &format!("X: {}\r\n", "x".repeat(40 << 10)));
    assert_eq!(client.reply(false).unwrap().status, 431);
    let mut client = served.connect();
    client.head("GET /v2/", &"X: y\r\n".repeat(100));
    assert_eq!(client.reply(false).unwrap().status, 431);
    for bad in [
        "GET /v2/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\0\0\0\r\n\r\n",
    ] {
        let mut client = served.connect();
        client.stream.write_all(bad.as_bytes()).unwrap();
        let reply = client.reply(false);
        assert!(reply.is_none_or(|reply| reply.status == 400), "{bad}");
    }
    assert_eq!(served.ask("GET /v2/").status, 200);
}
