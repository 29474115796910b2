//! Tests of references: tables after Docker's own, and properties.

use proptest::prelude::*;

use super::*;

#[test]
fn references_are_normalised() {
    let sha = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (text, full, familiar) in [
        (
            "busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        ),
        (
            "busybox:1.36",
            "docker.io/library/busybox:1.36",
            "busybox:1.36",
        ),
        (
            "library/busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        ),
        (
            "docker.io/busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        ),
        (
            "index.docker.io/busybox",
            "docker.io/library/busybox:latest",
            "busybox:latest",
        ),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        (
            "docker.io/library/a/b",
            "docker.io/library/a/b:latest",
            "library/a/b:latest",
        ),
        (
            "localhost/app",
            "localhost/app:latest",
            "localhost/app:latest",
        ),
        (
            "localhost:5000/app",
            "localhost:5000/app:latest",
            "localhost:5000/app:latest",
        ),
        (
            "localhost:5000/a/b:t",
            "localhost:5000/a/b:t",
            "localhost:5000/a/b:t",
        ),
        (
            "127.0.0.1:5000/a",
            "127.0.0.1:5000/a:latest",
            "127.0.0.1:5000/a:latest",
        ),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("Host/a", "Host/a:latest", "Host/a:latest"),
        ("ghcr.io/a/b:T_.-", "ghcr.io/a/b:T_.-", "ghcr.io/a/b:T_.-"),
        (
            "a_b/c__d/e--f.g",
            "docker.io/a_b/c__d/e--f.g:latest",
            "a_b/c__d/e--f.g:latest",
        ),
        // What the short form would be taken for is another registry.
        (
            "docker.io/ghcr.io/a",
            "docker.io/ghcr.io/a:latest",
            "docker.io/ghcr.io/a:latest",
        ),
        (
            "docker.io/localhost/a",
            "docker.io/localhost/a:latest",
            "docker.io/localhost/a:latest",
        ),
        (
            "docker.io/docker.io/a",
            "docker.io/docker.io/a:latest",
            "docker.io/docker.io/a:latest",
        ),
    ] {
        let reference = Reference::parse(text).unwrap();
        assert_eq!(reference.to_string(), full, "{text}");
        assert_eq!(reference.familiar(), familiar, "{text}");
        let with_digest = Reference::parse(&format!("{text}@{sha}")).unwrap();
        assert_eq!(with_digest.digest().unwrap().to_string(), sha);
        assert_eq!(with_digest.name(), reference.name());
    }
    let by_digest = Reference::parse(&format!("busybox@{sha}")).unwrap();
    assert_eq!(by_digest.tag(), None);
    assert_eq!(
        by_digest.to_string(),
        format!("docker.io/library/busybox@{sha}")
    );
    let both = Reference::parse(&format!("busybox:1@{sha}")).unwrap();
    assert_eq!(both.without_digest().unwrap().familiar(), "busybox:1");
}

/// G6.
#[test]
fn bad_references_are_refused() {
    let long_path = "a".repeat(256);
    let long_tag = format!("a:{}", "t".repeat(129));
    let id = "a".repeat(64);
    let short_digest = format!("a@sha256:{}", "a".repeat(63));
    for bad in [
        "",
        "/",
        "../x",
        "x/../y",
        "_uploads",
        "a//b",
        "a/",
        "/a",
        "-a",
        "a-",
        ".a",
        "a.",
        "a..b",
        "a___b",
        "a._b",
        "Busybox",
        "a/B",
        "é",
        "a b",
        "a\0",
        "a\n",
        "a:",
        "a:-t",
        "a:.t",
        "a:t/x:",
        "a:b:c",
        "a@",
        "a@md5:00",
        "a@x@y",
        "http://a/b",
        "host:/a",
        "host:x/a",
        "host:0/a",
        "host:99999/a",
        "host:+80/a",
        "-h.x/a",
        "h..x/a",
        "[::1/a",
        "[zz]:1/a",
        "h.x/",
        &long_path,
        &long_tag,
        &id,
        &short_digest,
    ] {
        assert!(Reference::parse(bad).is_err(), "{bad:?}");
    }
    assert!(Reference::parse(&format!("a:{}", "t".repeat(128))).is_ok());
    assert!(Reference::parse(&format!("h.x/{}", "a".repeat(255))).is_ok());
}

proptest! {
    #[test]
    fn what_parses_prints_and_parses_to_the_same(text in "[a-zA-Z0-9._/:@-]{0,40}") {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
            prop_assert_eq!(&Reference::parse(&reference.familiar()).unwrap(), &reference);
            let json = serde_json::to_string(&reference).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Reference>(&json).unwrap(), &reference);
        }
    }

    #[test]
    fn good_ones_parse(
        domain in prop::option::of("[a-z][a-z0-9]{0,5}\\.[a-z]{2,3}(:[1-9][0-9]{0,3})?"),
        path in "[a-z0-9]{1,8}([_-][a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,8}((__|[._]|-{1,3})[a-z0-9]{1,4}){0,2}){0,3}",
        tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
    ) {
        let domain_text = domain.as_ref().map(|d| format!("{d}/")).unwrap_or_default();
        let tag_text = tag.as_ref().map(|t| format!(":{t}")).unwrap_or_default();
        let reference = Reference::parse(&format!("{domain_text}{path}{tag_text}")).unwrap();
        prop_assert_eq!(reference.tag(), tag.as_deref().or(Some("latest")));
        if let Some(domain) = domain {
            prop_assert_eq!(reference.domain(), domain);
            prop_assert_eq!(reference.path(), path);
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,300}") {
        let _ = Reference::parse(&text);
        let _ = crate::Digest::parse(&text);
        let _ = crate::Platform::parse(&text);
    }
}
