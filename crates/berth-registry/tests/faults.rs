//! The reading client against a network that breaks anywhere, and a registry that is busy or wants to know us again.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Reference, media};
use berth_registry::{Client, Config, Error, Patience};
use testkit::evil_registry::{Content, EvilRegistry, Recorded, Reply};
use testkit::faults::Faults;

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

fn client(attempts: u32, longest_wait: Duration) -> Client {
    Client::new(Config {
        patience: Patience {
            attempts,
            back_off: Duration::from_millis(1),
            longest_wait,
            ..Patience::default()
        },
        ..Config::default()
    })
}

fn blob(client: &Client, server: &EvilRegistry, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let reference = Reference::parse(&format!("{}/app:1", server.host())).unwrap();
    let descriptor = Descriptor::of(media::LAYER_TAR, bytes);
    run(async {
        let mut stream = client.fetch_blob(&reference, &descriptor, 0);
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    })
}

fn content(bytes: &[u8]) -> Content {
    let mut content = Content::default();
    let digest = Descriptor::of(media::LAYER_TAR, bytes).digest;
    content.put(
        "app",
        &format!("blobs/{digest}"),
        "application/octet-stream",
        bytes,
    );
    content
}

/// N13: a connection that breaks again and again, anywhere, costs no byte: each attempt asks for what is missing.
#[test]
fn every_cut_is_resumed() {
    let bytes: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
    for seed in 0..40 {
        let (content, faults) = (content(&bytes), Mutex::new(Faults::new(seed)));
        let given = AtomicUsize::new(0);
        let server = EvilRegistry::start(move |request| {
            let honest = content.reply(request);
            assert_eq!(
                request.range_start().unwrap_or(0),
                given.load(Ordering::SeqCst)
            );
            let mut faults = faults.lock().unwrap();
            let cut = faults.below(honest.body.len());
            match faults.below(8) {
                0 => honest,
                _ => {
                    given.fetch_add(cut, Ordering::SeqCst);
                    honest.cut_at(cut)
                }
            }
        });
        let read = blob(&client(200, Duration::from_millis(2)), &server, &bytes);
        assert_eq!(
            read.as_ref().map(|b| b == &bytes).ok(),
            Some(true),
            "seed {seed}: {read:?}"
        );
    }
}

/// N13: `Retry-After` may be a moment; one that has passed is now.
#[test]
fn waiting_may_be_asked_for_by_date() {
    for (when, at_least) in [
        ("+3 seconds", Duration::from_secs(2)),
        ("-1 hour", Duration::ZERO),
    ] {
        let date = std::process::Command::new("date")
            .env("LC_ALL", "C")
            .args(["-u", "-d", when, "+%a, %d %b %Y %H:%M:%S GMT"])
            .output()
            .unwrap();
        let date = String::from_utf8(date.stdout).unwrap();
        let (content, count) = (content(b"x"), AtomicUsize::new(0));
        let server =
            EvilRegistry::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
                0 => Reply::status(429).header("retry-after", date.trim()),
                _ => content.reply(request),
            });
        let start = Instant::now();
        assert_eq!(
            blob(&client(2, Duration::from_secs(5)), &server, b"x").unwrap(),
            b"x"
        );
        let waited = start.elapsed();
        assert!(
            waited + Duration::from_millis(900) >= at_least,
            "{when}: {waited:?}"
        );
        assert_eq!(server.requests().len(), 2);
    }
}

/// G1: what a server sets is never sent back, neither to it nor to where it sends us.
#[test]
fn cookies_are_forgotten() {
    let storage_content = b"x".to_vec();
    let storage = EvilRegistry::start(move |_| {
        Reply::ok("application/octet-stream", storage_content.clone())
            .header("set-cookie", "b=2; Path=/")
    });
    let target = format!("http://{}/signed", storage.host());
    let server = EvilRegistry::start(move |_| {
        Reply::redirect(&target).header("set-cookie", "a=1; Domain=127.0.0.1; Path=/")
    });
    let client = client(2, Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(blob(&client, &server, b"x").unwrap(), b"x");
    }
    let all: Vec<Recorded> = [server.requests(), storage.requests()].concat();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|request| request.header("cookie").is_none()));
}
