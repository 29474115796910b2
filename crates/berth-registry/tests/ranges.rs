//! Large blobs over several connections, from servers that take to it and servers that do not. When ranges begin is
//! set here, so that no test waits for a slow network; what is asserted is what was asked, and what came out.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use berth_oci::{Descriptor, Reference, media};
use berth_registry::{Client, Config, Credentials, Error, Login, Patience, Ranges, Secret};
use testkit::evil_registry::{Content, EvilRegistry, Recorded, Reply};
use testkit::faults::Faults;

/// Bytes of a range, and of what the server sends at once.
const RANGE: usize = 256 << 10;
const BLOCK: usize = 64 << 10;
const SIZE: usize = 9 * RANGE + 12_345;

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

/// Ranges from the first bytes on, however fast they come.
fn config() -> Config {
    Config {
        patience: Patience {
            back_off: Duration::from_millis(1),
            ..Patience::default()
        },
        ranges: Ranges {
            after: Duration::ZERO,
            enough: u64::MAX,
            least: 0,
            bytes: RANGE as u64,
            ahead: 3,
        },
        ..Config::default()
    }
}

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = 0..SIZE as u32 / 4 + 1;
    let bytes = words.flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes());
    bytes.take(SIZE).collect()
});

static BLOB: LazyLock<Descriptor> = LazyLock::new(|| Descriptor::of(media::LAYER_TAR, &BYTES));

fn content(blob: &Descriptor, bytes: &[u8]) -> Content {
    let mut content = Content::default();
    let rest = format!("blobs/{}", blob.digest);
    content.put("app", &rest, "application/octet-stream", bytes);
    content
}

/// Serves the bytes; what is read in order comes slowly, and all as `evil` makes of the honest reply.
fn serve(evil: impl Fn(&Recorded, Reply) -> Reply + Send + Sync + 'static) -> EvilRegistry {
    let content = content(&BLOB, &BYTES);
    EvilRegistry::start(move |request| {
        let mut honest = content.reply(request);
        if request.range().is_none() {
            honest.per_block = Duration::from_millis(5);
        }
        evil(request, honest)
    })
}

fn fetch(config: Config, server: &EvilRegistry) -> Result<Vec<u8>, Error> {
    let reference = Reference::parse(&format!("{}/app:1", server.host())).unwrap();
    let client = Client::new(config);
    run(async {
        let mut stream = client.fetch_blob(&reference, &BLOB, 0);
        let mut all = Vec::new();
        while let Some(bytes) = stream.next().await? {
            all.extend_from_slice(&bytes);
            assert_eq!(stream.offset(), all.len() as u64);
        }
        Ok(all)
    })
}

#[track_caller]
fn assert_right(what: &str, fetched: Result<Vec<u8>, Error>) {
    match fetched {
        Ok(fetched) => assert!(fetched == *BYTES, "{what}: other bytes"),
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// Ranges with an end that were asked for, in order of their bytes.
fn ranges(server: &EvilRegistry) -> Vec<(usize, usize)> {
    let requests = server.requests();
    let asked = requests.iter().filter_map(Recorded::range);
    let mut ranges: Vec<_> = asked.filter_map(|(a, b)| Some((a, b?))).collect();
    ranges.sort_unstable();
    ranges
}

/// Starts of what was asked for in order.
fn in_order(server: &EvilRegistry) -> Vec<usize> {
    let requests = server.requests();
    let open = requests
        .iter()
        .filter(|r| r.range().is_none_or(|(_, end)| end.is_none()));
    open.map(|r| r.range_start().unwrap_or(0)).collect()
}

/// The first connection brings the first bytes and then nothing: all else comes in ranges, each once.
#[test]
fn a_slow_connection_gets_others_beside_it() {
    let server = serve(|request, mut honest| {
        if request.range().is_none() {
            honest.per_block = Duration::from_millis(100);
            honest.stall_at = Some(2 * RANGE);
        }
        honest
    });
    assert_right("slow", fetch(config(), &server));
    assert_eq!(in_order(&server), [0]);
    let ranges = ranges(&server);
    assert!(ranges[0].0 <= RANGE + 2 * BLOCK, "{ranges:?}");
    assert_eq!(ranges.last().unwrap().1, SIZE);
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "{ranges:?}");
        assert_eq!(pair[0].1 - pair[0].0, RANGE, "{ranges:?}");
    }
}

/// Nothing changes for small blobs, fast connections, and servers that do not offer it.
#[test]
fn one_connection_is_the_rule() {
    let base = config().ranges;
    for (what, ranges, offered) in [
        (
            "fast",
            Ranges {
                enough: 1,
                ..base.clone()
            },
            "bytes",
        ),
        (
            "small",
            Ranges {
                least: SIZE as u64,
                ..base.clone()
            },
            "bytes",
        ),
        (
            "at first",
            Ranges {
                after: Duration::from_secs(60),
                ..base.clone()
            },
            "bytes",
        ),
        ("not offered", base, "none"),
    ] {
        let content = content(&BLOB, &BYTES);
        let server = EvilRegistry::start(move |request| {
            let mut honest = content.reply(request);
            honest.headers.retain(|(name, _)| name != "accept-ranges");
            honest.header("accept-ranges", offered)
        });
        assert_right(what, fetch(Config { ranges, ..config() }, &server));
        assert_eq!(server.requests().len(), 1, "{what}");
    }
}

/// Room is taken before a range is asked for, and is there for all blobs together.
#[test]
fn what_is_held_is_bounded() {
    const LONG: usize = 6 << 20;
    let long = vec![5; 24 << 20];
    let blob = Descriptor::of(media::LAYER_TAR, &long);
    let content = content(&blob, &long);
    let server = EvilRegistry::start(move |request| {
        let mut honest = content.reply(request);
        if request.range().is_none() {
            honest.stall_at = Some(BLOCK);
        }
        honest
    });
    let client = Client::new(Config {
        ranges: Ranges {
            bytes: LONG as u64,
            ahead: 100,
            ..config().ranges
        },
        ..config()
    });
    let reference = Reference::parse(&format!("{}/app:1", server.host())).unwrap();
    run(async {
        let read = async || {
            let mut stream = client.fetch_blob(&reference, &blob, 0);
            while stream.next().await.is_ok() {}
        };
        let all_asked = async {
            while server.requests().len() < 2 + (16 << 20) / LONG {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        tokio::select! {
            () = all_asked => {}
            _ = async { tokio::join!(read(), read()) } => panic!("nobody sends that much"),
        }
    });
    assert_eq!(ranges(&server).len(), (16 << 20) / LONG);
}

/// N13: a range that breaks goes on by itself where it broke.
#[test]
fn a_range_that_breaks_goes_on() {
    let broken = Mutex::new(Vec::new());
    let server = serve(move |request, honest| match request.range() {
        Some((_, Some(end))) if !broken.lock().unwrap().contains(&end) => {
            broken.lock().unwrap().push(end);
            honest.cut_at(100_000)
        }
        _ => honest,
    });
    assert_right("cut", fetch(config(), &server));
    assert_eq!(in_order(&server), [0]);
    let ranges = ranges(&server);
    let again = ranges
        .windows(2)
        .filter(|p| p[0].1 == p[1].1 && p[1].0 > p[0].0);
    assert!(again.count() >= 3, "{ranges:?}");
}

/// N13: cuts anywhere, of what is read in order and of ranges, cost no byte and mix nothing up.
#[test]
fn every_cut_is_survived() {
    for seed in 0..12 {
        let faults = Mutex::new(Faults::new(seed));
        let server = serve(move |_, honest| {
            let mut faults = faults.lock().unwrap();
            let at = faults.below(honest.body.len());
            match faults.below(3) {
                0 => honest,
                _ => honest.cut_at(at),
            }
        });
        let mut config = config();
        config.patience.attempts = 50;
        config.patience.longest_wait = Duration::from_millis(2);
        assert_right(&format!("seed {seed}"), fetch(config, &server));
    }
}

/// G13, N13: who does not answer ranges as asked is read over one connection, and asked for no more of them.
#[test]
fn who_refuses_ranges_is_read_in_order() {
    type Evil = fn((usize, usize), Reply) -> Reply;
    let evils: [(&str, Evil); 12] = [
        ("ignores them", |_, _| Reply::ok("x/y", vec![0; SIZE])),
        ("other start", |(a, b), r| part(r, a - 1, b, SIZE)),
        ("other end", |(a, b), r| part(r, a, b - 1, SIZE)),
        ("other total", |(a, b), r| part(r, a, b, SIZE + 1)),
        ("no range said", |_, r| Reply::status(206).body(r.body)),
        ("too short", |_, mut r| {
            r.body.pop();
            r
        }),
        ("too long", |_, mut r| {
            r.body.push(0);
            r
        }),
        ("packed", |_, r| r.header("content-encoding", "gzip")),
        ("busy", |_, _| {
            Reply::status(429).header("retry-after", "60")
        }),
        ("broken", |_, _| Reply::status(503)),
        ("none", |_, _| Reply::status(416)),
        ("forbids", |_, _| Reply::status(403)),
    ];
    for (what, evil) in evils {
        let server = serve(move |request, honest| match request.range() {
            Some((start, Some(end))) => evil((start, end), honest),
            _ => honest,
        });
        assert_right(what, fetch(config(), &server));
        assert_eq!(in_order(&server), [0], "{what}");
        let ranges = ranges(&server);
        assert!((1..=3).contains(&ranges.len()), "{what}: {ranges:?}");
    }
}

fn part(honest: Reply, start: usize, end: usize, total: usize) -> Reply {
    Reply::status(206)
        .header(
            "content-range",
            &format!("bytes {start}-{}/{total}", end - 1),
        )
        .body(honest.body)
}

/// N13: one range is busy or silent: the others are of use, that one is read in order.
#[test]
fn one_range_may_fail() {
    for what in ["busy", "silent", "late"] {
        let count = AtomicUsize::new(0);
        let server = serve(move |request, mut honest| {
            let Some((_, Some(_))) = request.range() else {
                return honest;
            };
            if count.fetch_add(1, Ordering::SeqCst) == 1 {
                match what {
                    "busy" => return Reply::status(429).header("retry-after", "60"),
                    "silent" => honest.stall_at = Some(BLOCK),
                    _ => honest.delay = Duration::from_millis(300),
                }
            }
            honest
        });
        let mut config = config();
        config.patience.progress = Duration::from_secs(1);
        assert_right(what, fetch(config, &server));
    }
}

/// G13: what is there has changed meanwhile: nothing of it comes between what was there.
#[test]
fn two_versions_are_not_mixed() {
    let server = serve(|request, mut honest| match request.range() {
        Some((_, Some(_))) => {
            honest.body.fill(0);
            honest.header("etag", "\"new\"")
        }
        _ => honest.header("etag", "\"old\""),
    });
    assert_right("changed", fetch(config(), &server));
    assert!((1..=3).contains(&ranges(&server).len()));
    // The same one is no hindrance, and none is not, either.
    let server = serve(|request, mut honest| {
        if request.range().is_none() {
            honest.per_block = Duration::from_millis(100);
            honest.stall_at = Some(2 * RANGE);
        }
        honest.header("etag", "\"old\"")
    });
    assert_right("same", fetch(config(), &server));
    assert_eq!(in_order(&server), [0]);
}

/// N13: ranges or not, a registry that dies is told.
#[test]
fn a_registry_that_dies_is_told() {
    let count = AtomicUsize::new(0);
    let server = serve(
        move |_, honest| match count.fetch_add(1, Ordering::SeqCst) {
            0 => honest.cut_at(2 * RANGE),
            1..=3 => honest.cut_at(100),
            _ => honest.cut_at(0),
        },
    );
    let error = fetch(config(), &server).unwrap_err();
    assert!(
        matches!(error, Error::CutOff { received: 1.., .. }),
        "{error:?}"
    );
}

/// G1: each range goes the way by itself: to the registry with the login, on to its storage without.
#[test]
fn secrets_stay_with_their_origin() {
    let content = content(&BLOB, &BYTES);
    let storage = EvilRegistry::start(move |request| {
        let mut request = request.clone();
        request.path = request.path.replace("/signed", "");
        let mut honest = content.reply(&request);
        if request.range().is_none() {
            honest.per_block = Duration::from_millis(5);
        }
        honest.header("www-authenticate", "Basic realm=x")
    });
    let target = format!("http://{}/signed", storage.host());
    let server = EvilRegistry::start(move |request| match request.header("authorization") {
        None => Reply::challenge("Basic realm=x"),
        Some(_) => Reply::redirect(&format!("{target}{}", request.path)),
    });
    let login = Login::Basic {
        username: "user".into(),
        password: Secret::new("word"),
    };
    let config = Config {
        credentials: Credentials::default().with(&server.host(), login),
        ..config()
    };
    assert_right("redirected", fetch(config, &server));
    assert!(ranges(&storage).len() >= 3);
    assert!(ranges(&server).len() >= ranges(&storage).len());
    for request in storage.requests() {
        assert!(request.header("authorization").is_none() && request.header("cookie").is_none());
    }
}

/// A stream that is dropped leaves nobody asking for more.
#[test]
fn what_is_dropped_is_not_fetched() {
    let server = serve(|request, mut honest| {
        if request.range().is_some() {
            honest.stall_at = Some(BLOCK);
        }
        honest
    });
    let reference = Reference::parse(&format!("{}/app:1", server.host())).unwrap();
    let client = Client::new(config());
    run(async {
        let mut stream = client.fetch_blob(&reference, &BLOB, 0);
        while ranges(&server).len() < 3 {
            stream.next().await.unwrap();
        }
        drop(stream);
        // Room is free again: another blob has its ranges.
        let mut stream = client.fetch_blob(&reference, &BLOB, 0);
        while ranges(&server).len() < 6 {
            stream.next().await.unwrap();
        }
    });
}
