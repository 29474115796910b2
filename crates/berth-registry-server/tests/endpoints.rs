//! Every endpoint of the distribution specification, as a client sees it that follows it to the letter.

mod support;

use berth_oci::Digest;
use support::{MANIFEST, Served, manifest};

fn location(reply: &support::Reply) -> String {
    reply.header("location").expect("a location").to_owned()
}

/// Source: "Determining Support".
#[test]
fn the_version_is_answered() {
    let served = Served::open();
    let reply = served.ask("GET /v2/");
    assert_eq!(reply.status, 200);
    let version = reply.header("docker-distribution-api-version");
    assert_eq!(version, Some("registry/2.0"));
    assert!(reply.header("x-request-id").is_some());
    assert_eq!(served.ask("HEAD /v2/").status, 200);
}

/// Source: "Pulling blobs", "Checking if content exists in the registry", "Deleting Blobs".
#[test]
fn blobs_are_served_and_removed() {
    let served = Served::open();
    let digest = served.blob("a/b", b"0123456789");
    let path = format!("/v2/a/b/blobs/{digest}");
    let whole = served.ask(&format!("GET {path}"));
    assert_eq!((whole.status, &whole.body[..]), (200, &b"0123456789"[..]));
    assert_eq!(
        whole.header("docker-content-digest"),
        Some(&*digest.to_string())
    );
    assert_eq!(
        whole.header("content-type"),
        Some("application/octet-stream")
    );
    let head = served.ask(&format!("HEAD {path}"));
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );
    assert_eq!(
        head.header("docker-content-digest"),
        Some(&*digest.to_string())
    );
    for (range, status, body, content_range) in [
        ("bytes=0-3", 206, "0123", Some("bytes 0-3/10")),
        ("bytes=4-", 206, "456789", Some("bytes 4-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=8-99", 206, "89", Some("bytes 8-9/10")),
        ("bytes=0-1,4-5", 200, "0123456789", None),
        ("nonsense", 200, "0123456789", None),
    ] {
        let part = served.send(&format!("GET {path}"), &format!("Range: {range}\r\n"), b"");
        assert_eq!((part.status, &*part.text()), (status, body), "{range}");
        assert_eq!(part.header("content-range"), content_range, "{range}");
    }
    let beyond = served.send(&format!("GET {path}"), "Range: bytes=10-\r\n", b"");
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    let other = "Range: bytes=0-3\r\nIf-Range: \"other\"\r\n";
    assert_eq!(served.send(&format!("GET {path}"), other, b"").status, 200);
    let known = format!("If-None-Match: \"{digest}\"\r\n");
    let known = served.send(&format!("GET {path}"), &known, b"");
    assert_eq!((known.status, known.body.len()), (304, 0));

    let elsewhere = served.ask(&format!("GET /v2/a/c/blobs/{digest}"));
    assert_eq!(elsewhere.failure(), (404, "BLOB_UNKNOWN".into()));
    assert_eq!(served.ask(&format!("DELETE {path}")).status, 202);
    assert_eq!(
        served.ask(&format!("DELETE {path}")).failure(),
        (404, "BLOB_UNKNOWN".into())
    );
    assert_eq!(served.ask(&format!("HEAD {path}")).status, 404);
}

/// Source: "Pushing a blob monolithically", "Pushing a blob in chunks", "Cancel a blob upload".
#[test]
fn blobs_come_in_every_way() {
    let served = Served::open();
    let content = b"some content".as_slice();
    let digest = Digest::of(content);
    let begin = || {
        let reply = served.ask("POST /v2/a/blobs/uploads/");
        assert_eq!(reply.status, 202);
        assert!(reply.header("docker-upload-uuid").is_some());
        location(&reply)
    };
    let is_here = |digest: &Digest, content: &[u8]| {
        let reply = served.ask(&format!("GET /v2/a/blobs/{digest}"));
        assert_eq!((reply.status, &reply.body[..]), (200, content));
        assert_eq!(
            served.ask(&format!("DELETE /v2/a/blobs/{digest}")).status,
            202
        );
    };
    // POST alone.
    let reply = served.send(
        &format!("POST /v2/a/blobs/uploads/?digest={digest}"),
        "",
        content,
    );
    assert_eq!(
        (reply.status, location(&reply)),
        (201, format!("/v2/a/blobs/{digest}"))
    );
    is_here(&digest, content);
    // POST, PUT.
    let reply = served.send(&format!("PUT {}?digest={digest}", begin()), "", content);
    assert_eq!(
        (reply.status, location(&reply)),
        (201, format!("/v2/a/blobs/{digest}"))
    );
    assert_eq!(
        reply.header("docker-content-digest"),
        Some(&*digest.to_string())
    );
    is_here(&digest, content);
    // Chunks, the last one with the PUT.
    let upload = begin();
    let first = served.send(
        &format!("PATCH {upload}"),
        "Content-Range: 0-3\r\n",
        b"some",
    );
    assert_eq!((first.status, first.header("range")), (202, Some("0-3")));
    let now = served.ask(&format!("GET {upload}"));
    assert_eq!((now.status, now.header("range")), (204, Some("0-3")));
    assert_eq!(location(&now), upload);
    let last = served.send(
        &format!("PUT {upload}?digest={digest}"),
        "Content-Range: 4-11\r\n",
        b" content",
    );
    assert_eq!(last.status, 201, "{}", last.text());
    is_here(&digest, content);
    // A stream without length and range, as docker sends it.
    let upload = begin();
    let mut client = served.connect();
    client.head(&format!("PATCH {upload}"), "Transfer-Encoding: chunked\r\n");
    use std::io::Write as _;
    client
        .stream
        .write_all(b"5\r\nsome \r\n7\r\ncontent\r\n0\r\n\r\n")
        .unwrap();
    let reply = client.reply(false).unwrap();
    assert_eq!((reply.status, reply.header("range")), (202, Some("0-11")));
    assert_eq!(
        client.ask(&format!("PUT {upload}?digest={digest}")).status,
        201
    );
    is_here(&digest, content);
    // By sha512, and nothing at all.
    let by_sha512 = Digest::sha512(sha2::Sha512::digest(content).into());
    use sha2::Digest as _;
    let upload = location(&served.ask("POST /v2/a/blobs/uploads/?digest-algorithm=sha512"));
    let reply = served.send(&format!("PUT {upload}?digest={by_sha512}"), "", content);
    assert_eq!(reply.status, 201, "{}", reply.text());
    is_here(&by_sha512, content);
    let empty = Digest::of(b"");
    assert_eq!(
        served
            .ask(&format!("PUT {}?digest={empty}", begin()))
            .status,
        201
    );
    is_here(&empty, b"");
    // Cancelled.
    let upload = begin();
    assert_eq!(served.ask(&format!("DELETE {upload}")).status, 204);
    let gone = served.ask(&format!("GET {upload}"));
    assert_eq!(gone.failure(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    // An upload is its repository's.
    let upload = begin().replace("/a/", "/b/");
    assert_eq!(served.ask(&format!("GET {upload}")).status, 404);
}

/// Source: "Mounting a blob from another repository".
#[test]
fn blobs_are_mounted() {
    let served = Served::open();
    let digest = served.blob("from/here", b"content");
    let mount = format!("POST /v2/to/there/blobs/uploads/?mount={digest}");
    // Without a source, or with one that has it not: an upload.
    for from in ["", "&from=no/where", "&from=to/there"] {
        let reply = served.ask(&format!("{mount}{from}"));
        assert_eq!(reply.status, 202);
        assert!(location(&reply).starts_with("/v2/to/there/blobs/uploads/"));
    }
    let reply = served.ask(&format!("{mount}&from=from/here"));
    assert_eq!(reply.status, 201);
    assert_eq!(location(&reply), format!("/v2/to/there/blobs/{digest}"));
    let got = served.ask(&format!("GET /v2/to/there/blobs/{digest}"));
    assert_eq!(got.body, b"content");
}

/// Source: "Pushing Manifests", "Pulling manifests", "Deleting tags", "Deleting Manifests".
#[test]
fn manifests_are_put_and_served() {
    let served = Served::open();
    let (digest, bytes) = served.image("a", "v1", b"layer");
    for which in ["v1", &digest.to_string()] {
        let reply = served.ask(&format!("GET /v2/a/manifests/{which}"));
        assert_eq!((reply.status, &reply.body), (200, &bytes));
        assert_eq!(reply.header("content-type"), Some(MANIFEST));
        assert_eq!(
            reply.header("docker-content-digest"),
            Some(&*digest.to_string())
        );
        let head = served.ask(&format!("HEAD /v2/a/manifests/{which}"));
        assert_eq!(
            head.header("content-length"),
            Some(&*bytes.len().to_string())
        );
        let known = format!("If-None-Match: \"{digest}\"\r\n");
        let known = served.send(&format!("GET /v2/a/manifests/{which}"), &known, b"");
        assert_eq!(known.status, 304);
    }
    let tags = format!("PUT /v2/a/manifests/{digest}?tag=x&tag=y");
    let reply = served.send(&tags, &format!("Content-Type: {MANIFEST}; q=1\r\n"), &bytes);
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(location(&reply), format!("/v2/a/manifests/{digest}"));
    let tags = reply.headers.iter().filter(|(name, _)| name == "oci-tag");
    assert_eq!(
        tags.map(|(_, tag)| &tag[..]).collect::<Vec<_>>(),
        ["x", "y"]
    );
    assert_eq!(
        served.ask("GET /v2/a/tags/list").strings("tags"),
        ["v1", "x", "y"]
    );

    assert_eq!(served.ask("DELETE /v2/a/manifests/v1").status, 202);
    let gone = served.ask("GET /v2/a/manifests/v1");
    assert_eq!(gone.failure(), (404, "MANIFEST_UNKNOWN".into()));
    assert_eq!(
        served.ask(&format!("HEAD /v2/a/manifests/{digest}")).status,
        200
    );
    let layer = format!("DELETE /v2/a/blobs/{}", Digest::of(b"layer"));
    assert_eq!(served.ask(&layer).failure(), (405, "UNSUPPORTED".into()));
    assert_eq!(
        served
            .ask(&format!("DELETE /v2/a/manifests/{digest}"))
            .status,
        202
    );
    assert_eq!(served.ask("GET /v2/a/manifests/x").status, 404);
    assert_eq!(
        served
            .ask(&format!("DELETE /v2/a/manifests/{digest}"))
            .status,
        404
    );
    assert_eq!(served.ask(&layer).status, 202);
    assert_eq!(served.ask("GET /v2/no/where/manifests/v1").status, 404);

    let unknown = manifest(&Digest::of(b"nowhere"), &[], "");
    let headers = format!("Content-Type: {MANIFEST}\r\n");
    let reply = served.send("PUT /v2/a/manifests/v1", &headers, &unknown);
    assert_eq!(reply.failure(), (404, "MANIFEST_BLOB_UNKNOWN".into()));
    let reply = served.send("PUT /v2/a/manifests/v1", &headers, b"{");
    assert_eq!(reply.failure(), (400, "MANIFEST_INVALID".into()));
    let reply = served.send(&format!("PUT /v2/a/manifests/{digest}"), &headers, &unknown);
    assert_eq!(reply.failure().0, 400);
}

/// Source: "Listing Tags".
#[test]
fn tags_and_repositories_are_listed_by_pages() {
    let served = Served::open();
    let (digest, bytes) = served.image("a/b", "t0", b"layer");
    let headers = format!("Content-Type: {MANIFEST}\r\n");
    for tags in [["t1", "t2", "t3"], ["B", "t10", "_x"]] {
        let tags = tags.join("&tag=");
        let line = format!("PUT /v2/a/b/manifests/{digest}?tag={tags}");
        assert_eq!(served.send(&line, &headers, &bytes).status, 201);
    }
    let all = ["B", "_x", "t0", "t1", "t10", "t2", "t3"];
    let whole = served.ask("GET /v2/a/b/tags/list");
    assert_eq!(whole.json()["name"], "a/b");
    assert_eq!(
        (whole.strings("tags"), whole.next()),
        (all.map(str::to_owned).to_vec(), None)
    );
    for n in 1..=8 {
        let (mut found, mut next) = (Vec::new(), Some(format!("/v2/a/b/tags/list?n={n}")));
        while let Some(path) = next {
            let page = served.ask(&format!("GET {path}"));
            let tags = page.strings("tags");
            next = page.next();
            assert!(tags.len() == n || next.is_none(), "{n}: {tags:?}");
            found.extend(tags);
        }
        assert_eq!(found, all, "{n}");
    }
    let none = served.ask("GET /v2/a/b/tags/list?n=0");
    assert_eq!((none.strings("tags").len(), none.next()), (0, None));
    let after = served.ask("GET /v2/a/b/tags/list?last=t10");
    assert_eq!(after.strings("tags"), ["t2", "t3"]);
    let between = served.ask("GET /v2/a/b/tags/list?last=t11&n=1");
    assert_eq!(between.strings("tags"), ["t2"]);
    let unknown = served.ask("GET /v2/no/tags/list");
    assert_eq!(unknown.failure(), (404, "NAME_UNKNOWN".into()));

    for name in ["a", "a/b/c", "b"] {
        served.image(name, "x", b"layer");
    }
    let page = served.ask("GET /v2/_catalog?n=3");
    assert_eq!(page.strings("repositories"), ["a", "a/b", "a/b/c"]);
    assert_eq!(
        page.next().as_deref(),
        Some("/v2/_catalog?n=3&last=a%2Fb%2Fc")
    );
    let page = served.ask(&format!("GET {}", page.next().unwrap()));
    assert_eq!(
        (page.strings("repositories"), page.next()),
        (vec!["b".into()], None)
    );
}

/// Source: "Listing Referrers", "Pushing Manifests with Subject".
#[test]
fn referrers_are_listed_and_filtered() {
    let served = Served::open();
    let (subject, bytes) = served.image("a", "v1", b"layer");
    let config = served.blob("a", b"{}");
    let put = |artifact_type: &str, note: &str| {
        let size = bytes.len();
        let more = format!(
            r#""artifactType":"{artifact_type}","annotations":{{"note":"{note}"}},"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{size}}},"#
        );
        let manifest = manifest(&config, &[], &more);
        let digest = Digest::of(&manifest);
        let headers = format!("Content-Type: {MANIFEST}\r\n");
        let reply = served.send(
            &format!("PUT /v2/a/manifests/{digest}"),
            &headers,
            &manifest,
        );
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(reply.header("oci-subject"), Some(&*subject.to_string()));
        digest
    };
    let signature = put("application/x.signature+json", "s");
    let mut boms = [put("application/x.bom", "1"), put("application/x.bom", "2")];
    boms.sort();
    let list = |query: &str| served.ask(&format!("GET /v2/a/referrers/{subject}{query}"));
    let all = list("");
    assert_eq!(all.status, 200);
    let index = "application/vnd.oci.image.index.v1+json";
    assert_eq!(all.header("content-type"), Some(index));
    assert_eq!(
        (&all.json()["mediaType"], &all.json()["schemaVersion"]),
        (&index.into(), &2.into())
    );
    assert_eq!(all.json()["manifests"].as_array().unwrap().len(), 3);
    assert_eq!(all.header("oci-filters-applied"), None);
    let filtered = list("?artifactType=application/x.signature%2Bjson");
    assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
    let found = &filtered.json()["manifests"];
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["digest"], signature.to_string());
    assert_eq!(found[0]["artifactType"], "application/x.signature+json");
    assert_eq!(found[0]["annotations"]["note"], "s");
    // A page at a time, the filter kept.
    let first = list("?artifactType=application/x.bom&n=1");
    assert_eq!(first.json()["manifests"][0]["digest"], boms[0].to_string());
    let second = served.ask(&format!("GET {}", first.next().unwrap()));
    assert_eq!(second.json()["manifests"][0]["digest"], boms[1].to_string());
    assert_eq!(second.next(), None);
    // Of nothing there is nothing; and never 404.
    for path in [
        format!("/v2/a/referrers/{signature}"),
        format!("/v2/no/referrers/{subject}"),
    ] {
        let none = served.ask(&format!("GET {path}"));
        assert_eq!(
            (none.status, &none.json()["manifests"]),
            (200, &serde_json::json!([]))
        );
    }
    assert_eq!(served.ask("GET /v2/a/referrers/sha256:x").failure().0, 400);
    assert_eq!(
        served
            .ask(&format!("DELETE /v2/a/manifests/{signature}"))
            .status,
        202
    );
    assert_eq!(list("").json()["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn a_tag_goes_back_to_what_it_was() {
    let served = Served::open();
    let (first, _) = served.image("a", "v1", b"first");
    let (second, _) = served.image("a", "v1", b"second");
    let history = || served.ask("GET /v2/a/_berth/tags/history?tag=v1").json()["history"].clone();
    let to = |line: usize| history()[line]["to"].as_str().unwrap().to_owned();
    assert_eq!((to(0), to(1)), (first.to_string(), second.to_string()));
    assert_eq!(
        (&history()[0]["from"], &history()[0]["who"]),
        (&None::<()>.into(), &"anonymous".into())
    );
    let back = served.ask(&format!(
        "POST /v2/a/_berth/tags/rollback?tag=v1&to={first}"
    ));
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.json()["from"], second.to_string());
    let now = served.ask("HEAD /v2/a/manifests/v1");
    assert_eq!(
        now.header("docker-content-digest"),
        Some(&*first.to_string())
    );
    assert_eq!(to(2), first.to_string());
    let other = Digest::of(b"other");
    let never = served.ask(&format!(
        "POST /v2/a/_berth/tags/rollback?tag=v1&to={other}"
    ));
    assert_eq!(never.failure(), (404, "MANIFEST_UNKNOWN".into()));
    let unknown = served.ask("GET /v2/a/_berth/tags/history?tag=v9");
    assert_eq!(unknown.failure(), (404, "MANIFEST_UNKNOWN".into()));
}

#[test]
fn health_metrics_and_page_are_served() {
    let served = Served::open();
    assert_eq!(served.ask("GET /healthz").json()["status"], "ok");
    served.image("a", "v1", b"layer");
    served.ask("GET /v2/a/manifests/none");
    let reply = served.ask("GET /metrics");
    let text = reply.text();
    for line in [
        "# TYPE berth_registry_requests_total counter",
        "berth_registry_requests_total{route=\"manifest_put\",status=\"201\"} 1",
        "berth_registry_requests_total{route=\"manifest_get\",status=\"404\"} 1",
        "berth_registry_request_seconds_count{route=\"upload_begin\"} 2",
        "berth_registry_uploads_in_progress 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert!(served.metric("berth_registry_disk_free_bytes") > 0);
    assert!(served.metric("berth_registry_received_bytes_total") > 7);
    let page = served.ask("GET /");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    assert_eq!(served.ask("GET /token").failure().0, 404);
    assert_eq!(served.ask("GET /nowhere").failure().0, 404);
    let wrong = served.ask("PATCH /v2/");
    assert_eq!(
        (wrong.failure().0, wrong.header("allow")),
        (405, Some("GET, HEAD"))
    );
}
