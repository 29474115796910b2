//! Clients that are slow, many, or gone; and a server that is to stop.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use berth_oci::Digest;
use berth_registry_server::settings::{AccessLog, Limits};
use berth_registry_server::{Access, Settings};
use support::{Served, quiet};

fn with(limits: Limits) -> Served {
    Served::start(Settings { limits, ..quiet() }, Access::open())
}

fn begin(served: &Served) -> String {
    let reply = served.ask("POST /v2/a/blobs/uploads/");
    reply.header("location").expect("a location").to_owned()
}

/// G10: a head that comes byte by byte, or never, ends the connection in time.
#[test]
fn g10_slow_heads_are_given_up() {
    let served = with(Limits {
        head_timeout: Duration::from_millis(500),
        ..Limits::default()
    });
    let started = Instant::now();
    let mut silent = served.connect();
    let mut dripping = served.connect();
    for byte in b"GET /v2/ HTTP/1.1\r\nHost: test\r\nX: yyyyyyyyyy" {
        if dripping.stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(served.ask("GET /v2/").status, 200);
    }
    assert!(silent.is_closed());
    let mut rest = Vec::new();
    // It may be told why, or find the connection reset.
    _ = dripping.stream.read_to_end(&mut rest);
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
        "{rest:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    // One who has been answered may ask again, but not sit there for ever.
    let mut idle = served.connect();
    assert_eq!(idle.ask("GET /v2/").status, 200);
    assert_eq!(idle.ask("GET /v2/").status, 200);
    assert!(idle.is_closed());
}

/// G10: bodies too, in both directions.
#[test]
fn g10_slow_bodies_are_given_up() {
    let served = with(Limits {
        body_timeout: Duration::from_millis(900),
        body_step_bytes: 1000,
        ..Limits::default()
    });
    let upload = begin(&served);
    let mut client = served.connect();
    client.head(&format!("PATCH {upload}"), "Content-Length: 100000\r\n");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(8) {
        if client.stream.write_all(b"x").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(started.elapsed() < Duration::from_secs(8));
    // What came is kept, and who is slow but steady gets through.
    let range = served.ask(&format!("GET {upload}"));
    let kept: u64 = range.header("range").unwrap()[2..].parse().unwrap();
    assert!((1..1000).contains(&kept), "{kept}");
    drop(client);
    let upload = begin(&served);
    let mut client = served.connect();
    client.head(&format!("PATCH {upload}"), "Content-Length: 10000\r\n");
    for _ in 0..10 {
        client.stream.write_all(&[7; 1000]).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(client.reply(false).unwrap().status, 202);

    drop(client);
    let large = vec![1; 32 << 20];
    let digest = served.blob("a", &large);
    let mut lazy = served.connect();
    lazy.head(&format!("GET /v2/a/blobs/{digest}"), "");
    let started = Instant::now();
    while served.metric("berth_registry_connections") > 1 {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut rest = Vec::new();
    _ = lazy.stream.read_to_end(&mut rest);
    assert!(rest.len() < large.len());
}

/// G10: thousands who only sit there leave room for others, and one address has no more than its share.
#[test]
fn g10_many_idle_connections_stop_nobody() {
    let served = with(Limits {
        connections_per_address: 2100,
        // They stay for as long as this takes.
        head_timeout: Duration::from_secs(300),
        ..Limits::default()
    });
    let (digest, _) = served.image("a", "v1", b"layer");
    let idle: Vec<TcpStream> = (0..2000)
        .map(|_| TcpStream::connect(served.address).unwrap())
        .collect();
    let mut half = Vec::new();
    for mut stream in idle {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nX:").unwrap();
        half.push(stream);
    }
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let started = Instant::now();
            let reply = served.ask(&format!("GET /v2/a/manifests/{digest}"));
            assert_eq!(reply.status, 200);
            started.elapsed()
        })
        .collect();
    times.sort();
    // Whoever waited for one of the others would wait for minutes; a busy machine takes some time, too.
    assert!(times[197] < Duration::from_secs(5), "{:?}", times[197]);
    let started = Instant::now();
    while served.metric("berth_registry_connections") < 2000 {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let more: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(served.address).unwrap())
        .collect();
    // Which one it is depends on how the kernel's queue was filled.
    let is_closed = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        match stream.peek(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    let started = Instant::now();
    while !more.iter().any(is_closed) {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(half);
    let started = Instant::now();
    loop {
        let mut client = served.connect();
        client.head("GET /v2/", "");
        if client.reply(false).is_some_and(|reply| reply.status == 200) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert!(served.metric("berth_registry_connections_refused_total") >= 1);
}

/// N13: a client that is gone in the middle leaves an upload that goes on where it was.
#[test]
fn n13_an_upload_goes_on_after_its_client_is_gone() {
    let served = Served::open();
    let upload = begin(&served);
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let mut client = served.connect();
    let length = format!("Content-Length: {}\r\n", content.len());
    client.head(&format!("PATCH {upload}"), &length);
    client.stream.write_all(&content[..1_000_000]).unwrap();
    // Whoever asks for an upload has it for that moment, and would keep a writer out.
    let started = Instant::now();
    while served.metric("berth_registry_uploads_in_progress") == 0 {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    let started = Instant::now();
    let had = loop {
        assert!(started.elapsed() < Duration::from_secs(10));
        let reply = served.ask(&format!("GET {upload}"));
        // Until the other request has noticed.
        if reply.status == 204 {
            let had: usize = reply.header("range").unwrap()[2..].parse().unwrap();
            if had + 1 == 1_000_000 {
                break had + 1;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let digest = Digest::of(&content);
    let range = format!("Content-Range: {had}-{}\r\n", content.len() - 1);
    let reply = served.send(
        &format!("PUT {upload}?digest={digest}"),
        &range,
        &content[had..],
    );
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(
        served.ask(&format!("GET /v2/a/blobs/{digest}")).body,
        content
    );
    assert_eq!(served.metric("berth_registry_uploads_in_progress"), 0);
}

/// Two at the same upload: one writes, the other is told so.
#[test]
fn an_upload_has_one_writer() {
    let served = Served::open();
    let upload = begin(&served);
    let mut first = served.connect();
    first.head(&format!("PATCH {upload}"), "Content-Length: 4\r\n");
    first.stream.write_all(b"01").unwrap();
    let started = Instant::now();
    while served.metric("berth_registry_uploads_in_progress") == 0 {
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    let second = served.send(&format!("PATCH {upload}"), "", b"xx");
    assert!((400..500).contains(&second.status), "{}", second.status);
    assert_eq!(second.code(), "BLOB_UPLOAD_INVALID");
    first.stream.write_all(b"23").unwrap();
    assert_eq!(first.reply(false).unwrap().header("range"), Some("0-3"));
}

/// A server that is to stop takes no connection any more, ends idle ones, and lets running requests end.
#[test]
fn stopping_lets_requests_end() {
    let mut served = Served::open();
    let upload = begin(&served);
    let mut idle = served.connect();
    assert_eq!(idle.ask("GET /v2/").status, 200);
    let mut running = served.connect();
    running.head(&format!("PATCH {upload}"), "Content-Length: 4\r\n");
    running.stream.write_all(b"01").unwrap();
    while served.metric("berth_registry_uploads_in_progress") == 0 {}
    served.begin_stop();
    assert!(idle.is_closed());
    let started = Instant::now();
    while TcpStream::connect(served.address).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    running.stream.write_all(b"23").unwrap();
    let reply = running.reply(false).unwrap();
    assert_eq!((reply.status, reply.header("range")), (202, Some("0-3")));
    served.stop();
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// The log: a line of JSON for each request, whatever is in it.
#[test]
fn the_access_log_is_json() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let settings = Settings {
        access_log: AccessLog::File(path.clone()),
        ..Settings::default()
    };
    let mut served = Served::start(settings, Access::open());
    let digest = served.blob("a", b"0123456789");
    served.ask(&format!("GET /v2/a/blobs/{digest}"));
    let agent = "User-Agent: \"evil\\\t{}\r\n";
    served.send("GET /v2/%22%0a%7B/x?y='z", agent, b"");
    served.ask(&format!("GET /v2/{}/tags/list", "a".repeat(5000)));
    served.stop();
    let started = Instant::now();
    let lines: Vec<serde_json::Value> = loop {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.lines().count() == 4 && text.ends_with('\n') {
            break text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{text}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = |line: usize, key: &str| lines[line][key].as_str().unwrap().to_owned();
    let number = |line: usize, key: &str| lines[line][key].as_u64().unwrap();
    assert_eq!(
        (text(0, "method"), text(0, "route")),
        ("POST".into(), "upload_begin".into())
    );
    assert_eq!(
        (
            number(0, "status"),
            number(0, "bytes_in"),
            number(0, "bytes_out")
        ),
        (201, 10, 0)
    );
    assert_eq!((number(1, "bytes_in"), number(1, "bytes_out")), (0, 10));
    assert_eq!(text(1, "path"), format!("/v2/a/blobs/{digest}"));
    assert_eq!(
        (text(1, "remote"), lines[1]["user"].is_null()),
        ("127.0.0.1".into(), true)
    );
    assert!(text(1, "time").ends_with('Z') && number(1, "duration_us") > 0);
    assert_ne!(text(0, "id"), text(1, "id"));
    assert_eq!(text(2, "path"), "/v2/%22%0a%7B/x?y='z");
    assert_eq!(text(2, "agent"), "\"evil\\\t{}");
    assert!(text(3, "path").len() < 2000);
}
