//! Requests that are some, and many that are none.

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn ask(line: &str) -> Result<Route, Refused> {
    let (method, target) = line.split_once(' ').unwrap();
    let target = target.replace("DIGEST", &format!("sha256:{HEX}"));
    let target = target.replace("UPLOAD", ID);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&target[..], None),
    };
    parse(&method.parse().unwrap(), path, query)
}

fn digest() -> Digest {
    Digest::parse(&format!("sha256:{HEX}")).unwrap()
}

fn page(entries: Option<usize>, last: Option<&str>) -> Page {
    Page {
        entries,
        last: last.map(str::to_owned),
    }
}

#[test]
fn every_endpoint_is_found() {
    let tag = |text: &str| Tag::parse(text).unwrap();
    let begin = |digest, mount| Action::BeginUpload { digest, mount };
    let other = || Some(RepositoryName::parse("other/one").unwrap());
    for (line, name, action) in [
        ("GET /v2/", None, Action::Version),
        ("HEAD /v2", None, Action::Version),
        ("GET /healthz", None, Action::Health),
        ("GET /metrics", None, Action::Metrics),
        ("GET /token?service=x", None, Action::Token),
        (
            "GET /v2/_catalog?n=5&last=a%2Fb",
            None,
            Action::Catalog(page(Some(5), Some("a/b"))),
        ),
        (
            "GET /v2/a/tags/list",
            Some("a"),
            Action::ListTags(page(None, None)),
        ),
        (
            "GET /v2/a/b/tags/list?n=0&n2=1&last=v1",
            Some("a/b"),
            Action::ListTags(page(Some(0), Some("v1"))),
        ),
        (
            "GET /v2/a/manifests/v1",
            Some("a"),
            Action::GetManifest(Selector::Tag(tag("v1"))),
        ),
        (
            "HEAD /v2/a/manifests/DIGEST",
            Some("a"),
            Action::GetManifest(Selector::Digest(digest())),
        ),
        (
            "GET /v2/a/manifests/list",
            Some("a"),
            Action::GetManifest(Selector::Tag(tag("list"))),
        ),
        (
            "PUT /v2/a/manifests/DIGEST?tag=v1&tag=v2",
            Some("a"),
            Action::PutManifest {
                selector: Selector::Digest(digest()),
                tags: vec![tag("v1"), tag("v2")],
            },
        ),
        (
            "DELETE /v2/a/manifests/v1",
            Some("a"),
            Action::RemoveManifest(Selector::Tag(tag("v1"))),
        ),
        (
            "GET /v2/a/blobs/DIGEST",
            Some("a"),
            Action::GetBlob(digest()),
        ),
        (
            "DELETE /v2/a/blobs/DIGEST",
            Some("a"),
            Action::RemoveBlob(digest()),
        ),
        ("POST /v2/a/blobs/uploads/", Some("a"), begin(None, None)),
        ("POST /v2/a/blobs/uploads", Some("a"), begin(None, None)),
        (
            "POST /v2/a/blobs/uploads/?digest=DIGEST",
            Some("a"),
            begin(Some(digest()), None),
        ),
        (
            "POST /v2/a/blobs/uploads/?mount=DIGEST&from=other/one",
            Some("a"),
            begin(None, Some((digest(), other()))),
        ),
        (
            "POST /v2/a/blobs/uploads/?mount=DIGEST&digest-algorithm=sha512",
            Some("a"),
            begin(None, Some((digest(), None))),
        ),
        (
            "GET /v2/a/blobs/uploads/UPLOAD",
            Some("a"),
            Action::GetUpload(ID.into()),
        ),
        (
            "PATCH /v2/a/blobs/uploads/UPLOAD",
            Some("a"),
            Action::AppendUpload(ID.into()),
        ),
        (
            "PUT /v2/a/blobs/uploads/UPLOAD?digest=DIGEST",
            Some("a"),
            Action::FinishUpload(ID.into(), digest()),
        ),
        (
            "DELETE /v2/a/blobs/uploads/UPLOAD",
            Some("a"),
            Action::CancelUpload(ID.into()),
        ),
        (
            "GET /v2/a/referrers/DIGEST?artifactType=a/b%2Bc+d",
            Some("a"),
            Action::ListReferrers {
                subject: digest(),
                artifact_type: Some("a/b+c+d".into()),
                page: page(None, None),
            },
        ),
        (
            "GET /v2/a/_berth/tags/history?tag=v1",
            Some("a"),
            Action::History(tag("v1")),
        ),
        (
            "POST /v2/a/_berth/tags/rollback?tag=v1&to=DIGEST",
            Some("a"),
            Action::Rollback {
                tag: tag("v1"),
                to: digest(),
            },
        ),
        // Names that look like endpoints, and what some clients encode.
        (
            "GET /v2/a/blobs/uploads/blobs/DIGEST",
            Some("a/blobs/uploads"),
            Action::GetBlob(digest()),
        ),
        (
            "GET /v2/tags/list/tags/list",
            Some("tags/list"),
            Action::ListTags(page(None, None)),
        ),
        (
            &format!("GET /v2/a/blobs/sha256%3A{HEX}"),
            Some("a"),
            Action::GetBlob(digest()),
        ),
    ] {
        let route = ask(line).unwrap_or_else(|refused| panic!("{line}: {refused:?}"));
        assert_eq!(
            route.repository.as_ref().map(RepositoryName::as_str),
            name,
            "{line}"
        );
        assert_eq!(route.action, action, "{line}");
        assert!(Action::LABELS.get(action.label()).is_some(), "{line}");
    }
}

/// G4, G6.
#[test]
fn what_is_no_request_is_refused() {
    use Code::*;
    let long = format!("GET /v2/{}/tags/list", "a".repeat(256));
    let tag = format!("GET /v2/a/manifests/{}", "t".repeat(129));
    let last = format!("GET /v2/_catalog?last={}", "a".repeat(300));
    let tags = format!("PUT /v2/a/manifests/DIGEST?{}", "tag=a&".repeat(65));
    for (line, code) in [
        ("GET /v2/../x/tags/list", NameInvalid),
        ("GET /v2/%2e%2e/x/tags/list", NameInvalid),
        ("GET /v2/a%2fb/tags/list", NameInvalid),
        ("GET /v2/_uploads/tags/list", NameInvalid),
        ("GET /v2/a/_blobs/tags/list", NameInvalid),
        ("GET /v2/a//b/tags/list", NameInvalid),
        ("GET /v2//tags/list", NameInvalid),
        ("GET /v2/tags/list", NameInvalid),
        ("GET /v2/A/tags/list", NameInvalid),
        ("GET /v2/%C3%BC/tags/list", NameInvalid),
        ("GET /v2/%FF/tags/list", NameInvalid),
        ("GET /v2/%0d%0aX:1/tags/list", NameInvalid),
        ("GET /v2/a%00/tags/list", NameInvalid),
        ("GET /v2/a%/tags/list", NameInvalid),
        ("GET /v2/a%2/tags/list", NameInvalid),
        (&long, NameInvalid),
        (&tag, TagInvalid),
        ("GET /v2/a/manifests/-x", TagInvalid),
        ("GET /v2/a/manifests/", TagInvalid),
        ("GET /v2/a/manifests/%0d%0a", TagInvalid),
        ("GET /v2/a/manifests/sha256:00", DigestInvalid),
        ("GET /v2/a/blobs/latest", DigestInvalid),
        ("GET /v2/a/blobs/md5:00", DigestInvalid),
        ("GET /v2/a/referrers/sha256:zz", DigestInvalid),
        ("POST /v2/a/blobs/uploads/?digest=sha256:0", DigestInvalid),
        (
            "POST /v2/a/blobs/uploads/?digest=DIGEST&digest=DIGEST",
            DigestInvalid,
        ),
        ("POST /v2/a/blobs/uploads/?mount=x&from=b", DigestInvalid),
        (
            "POST /v2/a/blobs/uploads/?mount=DIGEST&from=../b",
            NameInvalid,
        ),
        (
            "POST /v2/a/blobs/uploads/?mount=DIGEST&from=b&from=c",
            NameInvalid,
        ),
        (
            "POST /v2/a/blobs/uploads/?digest-algorithm=md5",
            DigestInvalid,
        ),
        ("PUT /v2/a/blobs/uploads/UPLOAD", DigestInvalid),
        ("PATCH /v2/a/blobs/uploads/x", BlobUploadUnknown),
        (
            "PATCH /v2/a/blobs/uploads/01234567-89AB-CDEF-0123-456789abcdef",
            BlobUploadUnknown,
        ),
        (&tags, TagInvalid),
        ("PUT /v2/a/manifests/DIGEST?tag=a/b", TagInvalid),
        ("GET /v2/_catalog?n=-1", SizeInvalid),
        ("GET /v2/_catalog?n=1e9", SizeInvalid),
        ("GET /v2/_catalog?n=+1", SizeInvalid),
        ("GET /v2/_catalog?n=", SizeInvalid),
        ("GET /v2/_catalog?n=1&n=2", SizeInvalid),
        ("GET /v2/a/tags/list?last=%FF", NameInvalid),
        (&last, NameInvalid),
        ("GET /v2/a/_berth/tags/history", TagInvalid),
        ("POST /v2/a/_berth/tags/rollback?tag=v1", DigestInvalid),
        ("GET /v2/a/_berth/tags/x", NameUnknown),
        ("GET /v2/a", NameUnknown),
        ("GET /v3/", NameUnknown),
        ("GET /favicon.ico", NameUnknown),
        ("DELETE /v2/", Unsupported),
        ("POST /v2/_catalog", Unsupported),
        ("GET /v2/a/blobs/uploads/", Unsupported),
        ("PUT /v2/a/blobs/DIGEST", Unsupported),
        ("PATCH /v2/a/manifests/x", Unsupported),
        ("POST /v2/a/blobs/uploads/UPLOAD", Unsupported),
        (
            "GET /v2/a/_berth/tags/rollback?tag=v1&to=DIGEST",
            Unsupported,
        ),
        ("OPTIONS /v2/a/tags/list", Unsupported),
    ] {
        match ask(line) {
            Ok(route) => panic!("{line}: {route:?}"),
            Err(refused) => {
                assert_eq!(refused.failure.code, code, "{line}: {}", refused.failure);
                assert_eq!(refused.allow.is_some(), code == Unsupported, "{line}");
            }
        }
    }
}

/// G4: as many as there are numbers, and no more than can be counted.
#[test]
fn large_numbers_are_the_largest() {
    for (n, entries) in [
        ("9223372036854775807", 9_223_372_036_854_775_807),
        ("99999999999999999999999999", usize::MAX),
        ("007", 7),
    ] {
        let route = ask(&format!("GET /v2/_catalog?n={n}")).unwrap();
        assert_eq!(route.action, Action::Catalog(page(Some(entries), None)));
    }
}

#[test]
fn what_is_encoded_is_decoded() {
    for text in ["a/b", "ü+& =%", "", "a\r\nb"] {
        assert_eq!(query::decode(&query::encode(text)).as_deref(), Some(text));
    }
}
