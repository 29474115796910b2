//! The server itself: versions, and requests that are none.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::Api;

#[test]
fn versions_are_negotiated() {
    let api = Api::start();
    let ping = api.get("/_ping").expect(200);
    assert_eq!(ping.text(), "OK");
    assert_eq!(ping.header("ostype"), Some("linux"));
    let newest = ping.header("api-version").unwrap().to_owned();
    let head = api.request("HEAD", "/_ping", &[], b"").expect(200);
    assert_eq!(head.header("api-version"), Some(newest.as_str()));
    for version in ["/v1.40", "/v1.41", "/v1.50", &format!("/v{newest}"), ""] {
        let document = api.get(&format!("{version}/version")).expect(200).json();
        assert_eq!(document["ApiVersion"], newest.as_str());
        assert_eq!(document["MinAPIVersion"], "1.40");
    }
    assert!(
        api.get("/v1.12/version")
            .expect(400)
            .message()
            .contains("is too old. Minimum supported API version is 1.40")
    );
    assert!(
        api.get("/v9.9/version")
            .expect(400)
            .message()
            .contains("is too new")
    );
    api.get("/v1.41/nonsense").expect(404);
    api.get("/").expect(404);
}

/// D15.
#[test]
fn the_socket_is_closed_to_others() {
    let api = Api::start();
    let mode = std::fs::metadata(api.daemon.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o660);
}

/// D14.
#[test]
fn what_a_browsers_page_sends_is_refused() {
    let api = Api::start();
    for header in [
        ("Origin", "http://evil.test"),
        ("Referer", "http://evil.test/x"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        api.request("POST", "/containers/prune", &[header], b"")
            .expect(403);
        api.request("GET", "/_ping", &[header], b"").expect(403);
    }
    let id = api.run("web", "sleep 100");
    let body = br#"{"Cmd":["true"]}"#;
    let path = format!("/containers/{id}/exec");
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = api
            .request("POST", &path, &[("Content-Type", kind)], body)
            .expect(400);
        assert!(
            answer.message().contains("Content-Type"),
            "{}",
            answer.message()
        );
    }
    api.request(
        "POST",
        &path,
        &[("Content-Type", "application/json; charset=utf-8")],
        body,
    )
    .expect(201);
}

#[test]
fn documents_that_are_none_are_refused() {
    let api = Api::start();
    let id = api.run("web", "sleep 100");
    let path = format!("/containers/{id}/exec");
    let send =
        |body: &[u8]| api.request("POST", &path, &[("Content-Type", "application/json")], body);
    for body in [
        "",
        "{",
        "[]",
        "null",
        "1",
        r#"{"Cmd":"true"}"#,
        r#"{"Cmd":[1]}"#,
        r#"{"Cmd":["a"],"Cmd":["b"]}"#,
        r#"{"Cmd":[]}"#,
    ] {
        let answer = send(body.as_bytes()).expect(400);
        assert!(!answer.message().is_empty());
    }
    // What it does not know it leaves alone: clients may be newer.
    send(br#"{"Cmd":["true"],"Newer":{"A":[1]},"Env":null}"#).expect(201);
    let deep = [b"{\"Cmd\":".as_slice(), &b"[".repeat(200_000)].concat();
    send(&deep).expect(400);
    let large = [b"{\"Cmd\":[\"".as_slice(), &b"a".repeat(5 << 20), b"\"]}"].concat();
    send(&large).expect(413);
    for path in [
        "/containers/..%2f..%2fetc/json",
        "/containers/%00/stop",
        "/containers/%ff/stop",
    ] {
        let status = api.post(path).status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
}

#[test]
fn what_is_no_http_ends_the_connection_only() {
    let api = Api::start();
    let long = "x".repeat(100_000);
    for bytes in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nA\r\n\r\n",
        &format!("GET /{long} HTTP/1.1\r\n\r\n"),
    ] {
        let mut stream = UnixStream::connect(api.daemon.socket()).unwrap();
        // It may have hung up before it has read all.
        _ = stream.write_all(bytes.as_bytes());
        let mut answer = String::new();
        _ = stream.read_to_string(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    api.get("/_ping").expect(200);
}

#[test]
fn the_daemon_ends_when_it_is_asked_to_whoever_waits() {
    let mut api = Api::start();
    let id = api.run("web", "sleep 100");
    let waiting = testkit::http::open(
        api.daemon.socket(),
        "POST",
        &format!("/containers/{id}/wait"),
        &[],
        b"",
    );
    assert_eq!(waiting.status, 200);
    let follow = format!("/containers/{id}/logs?follow=1&stdout=1");
    let following = testkit::http::open(api.daemon.socket(), "GET", &follow, &[], b"");
    assert_eq!(following.status, 200);
    let began = std::time::Instant::now();
    assert!(api.daemon.stop(), "{}", api.daemon.said());
    assert!(began.elapsed().as_secs() < 10);
    // The container has not noticed.
    assert!(api.berth(&["ps", "-q", "--no-trunc"]).ok().contains(&id));
}
