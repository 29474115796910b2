//! The client against registries that are honest (Debian's docker-registry) and not (scripted).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Digest, Platform, Reference, media};
use berth_registry::{
    Client, Config, Credentials, Error, Login, Patience, Proxies, Registries, Registry, Secret,
};
use testkit::evil_registry::{Content, EvilRegistry, Length, Recorded, Reply};
use testkit::registry::{LOGIN, Options};

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

/// A busy machine may be slow, so what is not about waiting waits for long.
fn patient() -> Patience {
    Patience {
        connect: Duration::from_secs(20),
        progress: Duration::from_secs(20),
        ..hasty()
    }
}

/// For servers that keep us waiting.
fn hasty() -> Patience {
    Patience {
        connect: Duration::from_secs(2),
        progress: Duration::from_millis(700),
        attempts: 3,
        back_off: Duration::from_millis(10),
        longest_wait: Duration::from_millis(1500),
    }
}

fn config() -> Config {
    Config {
        patience: patient(),
        ..Config::default()
    }
}

fn login() -> Login {
    Login::Basic {
        username: LOGIN.0.into(),
        password: Secret::new(LOGIN.1),
    }
}

/// With a login for `host`.
fn logged_in(host: &str) -> Config {
    Config {
        credentials: Credentials::default().with(host, login()),
        ..config()
    }
}

fn reference(host: &str, rest: &str) -> Reference {
    Reference::parse(&format!("{host}/{rest}")).unwrap()
}

/// An image of one layer, as honest registries serve it at `team/app:1`.
struct Image {
    content: Content,
    layer: Descriptor,
    bytes: Vec<u8>,
}

fn image(layer: Vec<u8>) -> Image {
    let layer_descriptor = Descriptor::of(media::LAYER_TAR, &layer);
    let config =
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let manifest = berth_oci::Manifest::new(
        Descriptor::of(media::CONFIG, config),
        vec![layer_descriptor.clone()],
    );
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let digest = Digest::of(&manifest);
    let mut content = Content::default();
    content.put(
        "team/app",
        &format!("blobs/{}", layer_descriptor.digest),
        "application/octet-stream",
        layer.clone(),
    );
    content.put("team/app", "manifests/1", media::MANIFEST, manifest.clone());
    content.put(
        "team/app",
        &format!("manifests/{digest}"),
        media::MANIFEST,
        manifest,
    );
    Image {
        content,
        layer: layer_descriptor,
        bytes: layer,
    }
}

fn big() -> Vec<u8> {
    (0..3_000_000u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .take(3_000_000)
        .collect()
}

async fn blob(
    client: &Client,
    reference: &Reference,
    layer: &Descriptor,
    from: u64,
) -> Result<Vec<u8>, Error> {
    let mut stream = client.fetch_blob(reference, layer, from);
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Serves `image`, but blobs as `evil` makes of the honest reply.
fn serve(
    image: &Image,
    evil: impl Fn(&Recorded, Reply) -> Reply + Send + Sync + 'static,
) -> EvilRegistry {
    let content = image.content.clone();
    EvilRegistry::start(move |request| {
        let honest = content.reply(request);
        match request.path.contains("/blobs/") {
            true => evil(request, honest),
            false => honest,
        }
    })
}

fn fetch(server: &EvilRegistry, image: &Image, from: u64) -> Result<Vec<u8>, Error> {
    fetch_with(config(), server, image, from)
}

fn fetch_with(
    config: Config,
    server: &EvilRegistry,
    image: &Image,
    from: u64,
) -> Result<Vec<u8>, Error> {
    let client = Client::new(config);
    run(blob(
        &client,
        &reference(&server.host(), "team/app:1"),
        &image.layer,
        from,
    ))
}

#[test]
fn an_honest_registry_is_read() {
    let image = image(big());
    let server = serve(&image, |_, honest| honest);
    let client = Client::new(config());
    let name = reference(&server.host(), "team/app:1");
    run(async {
        let found = client.fetch_image(&name, &Platform::host()).await.unwrap();
        assert!(found.index.is_none());
        assert_eq!(found.parsed.layers, std::slice::from_ref(&image.layer));
        assert_eq!(
            blob(&client, &name, &image.layer, 0).await.unwrap(),
            image.bytes
        );
        let rest = blob(&client, &name, &image.layer, 1_234_567).await.unwrap();
        assert_eq!(rest, image.bytes[1_234_567..]);
        // HEAD without a digest in the header: the manifest is fetched after all.
        let resolved = client.resolve(&name).await.unwrap();
        assert_eq!(resolved.digest, found.manifest.digest);
        let absent = client
            .fetch_manifest(&reference(&server.host(), "team/app:2"))
            .await;
        assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
    });
    let agent = concat!("berth/", env!("CARGO_PKG_VERSION"));
    assert!(
        server
            .requests()
            .iter()
            .all(|r| r.header("user-agent") == Some(agent))
    );
    assert!(
        server
            .requests()
            .iter()
            .any(|r| r.range_start() == Some(1_234_567))
    );
}

/// N13: the registry dies in the middle, again and again.
#[test]
fn a_cut_connection_is_resumed() {
    let image = image(big());
    let server = serve(&image, |request, honest| match request.range_start() {
        Some(start) if start > 2_500_000 => honest,
        _ => honest.cut_at(1_100_000),
    });
    assert_eq!(fetch(&server, &image, 0).unwrap(), image.bytes);
    let starts: Vec<_> = server
        .requests()
        .iter()
        .map(Recorded::range_start)
        .collect();
    assert_eq!(starts.len(), 3, "{starts:?}");
    assert!(starts[1] > Some(0) && starts[2] > starts[1], "{starts:?}");
}

/// A server without ranges sends all again; what is known is skipped.
#[test]
fn resuming_works_without_ranges() {
    let image = image(big());
    let whole = image.bytes.clone();
    let count = AtomicUsize::new(0);
    let server = serve(&image, move |_, _| {
        let reply = Reply::ok("application/octet-stream", whole.clone());
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => reply.cut_at(1_000_000),
            _ => reply,
        }
    });
    assert_eq!(fetch(&server, &image, 0).unwrap(), image.bytes);
}

/// N13: then it is an error, and says how far it came.
#[test]
fn a_registry_that_stays_dead_is_told() {
    let image = image(big());
    let server = serve(&image, |request, honest| match request.range_start() {
        None => honest.cut_at(500_000),
        Some(_) => honest.cut_at(0),
    });
    let error = fetch(&server, &image, 0).unwrap_err();
    assert!(
        matches!(error, Error::CutOff { received: 1.., .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("pull again"));
    assert_eq!(server.requests().len(), 3);
}

/// N13, G13: wrong lengths are errors at once, and not a byte too much comes out.
#[test]
fn wrong_lengths_are_refused() {
    let image = image(big());
    let size = image.bytes.len();
    for (what, length, extra) in [
        ("stated too long", Length::Stated(size + 1), 1),
        ("stated too short", Length::Stated(size - 1), 0),
        ("chunked and too long", Length::Chunked, 1000),
        ("endless", Length::Close, 100_000),
    ] {
        let server = serve(&image, move |_, mut honest| {
            honest.body.resize(size + extra, 0);
            honest.endless = what == "endless";
            honest.length(length)
        });
        let client = Client::new(config());
        let name = reference(&server.host(), "team/app:1");
        let mut received = 0;
        let error = run(async {
            let mut stream = client.fetch_blob(&name, &image.layer, 0);
            loop {
                match stream.next().await {
                    Ok(Some(piece)) => received += piece.len(),
                    Ok(None) => panic!("{what}: accepted"),
                    Err(error) => return error,
                }
            }
        });
        assert!(received <= size, "{what}");
        assert!(
            matches!(error, Error::WrongLength { .. } | Error::TooLong { .. }),
            "{what}: {error:?}"
        );
    }
}

/// G13: a range that is another one than asked for.
#[test]
fn wrong_ranges_are_refused() {
    let image = image(big());
    let size = image.bytes.len();
    for range in [
        format!("bytes 11-{}/{size}", size - 1),
        format!("bytes 10-{}/{}", size - 1, size + 1),
        format!("bytes 10-20/{size}"),
        "nonsense".to_owned(),
    ] {
        let header = range.clone();
        let server = serve(&image, move |_, honest| {
            Reply::status(206)
                .header("content-range", &header)
                .body(&honest.body[..])
        });
        let error = fetch(&server, &image, 10).unwrap_err();
        assert!(
            matches!(error, Error::WrongRange { .. }),
            "{range}: {error:?}"
        );
    }
    let server = serve(&image, |_, _| Reply::status(416));
    assert!(matches!(
        fetch(&server, &image, 10),
        Err(Error::WrongRange { .. })
    ));
}

/// G13.
#[test]
fn a_packed_body_is_refused() {
    let image = image(b"small".to_vec());
    let server = serve(&image, |_, honest| {
        honest.header("content-encoding", "gzip")
    });
    assert!(matches!(
        fetch(&server, &image, 0),
        Err(Error::Encoded { .. })
    ));
}

/// N13: a byte now and then is no progress; neither is silence.
#[test]
fn slow_bodies_time_out() {
    let image = image(vec![7; 20_000]);
    for (what, per_byte, delay) in [("drips", 20, 0), ("is silent", 0, 3_000)] {
        let server = serve(&image, move |_, mut honest| {
            honest.per_byte = Duration::from_millis(per_byte);
            honest.delay = Duration::from_millis(delay);
            honest
        });
        let start = Instant::now();
        let config = Config {
            patience: hasty(),
            ..config()
        };
        let error = fetch_with(config, &server, &image, 0).unwrap_err();
        assert!(matches!(error, Error::CutOff { .. }), "{what}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
    }
}

/// N13: `Retry-After` is honoured, also for manifests.
#[test]
fn busy_registries_are_asked_again() {
    let image = image(big());
    let count = Arc::new(AtomicUsize::new(0));
    let (content, seen) = (image.content.clone(), count.clone());
    let server = EvilRegistry::start(move |request| match seen.fetch_add(1, Ordering::SeqCst) {
        0 | 2 => Reply::status(503).header("retry-after", "1"),
        _ => content.reply(request),
    });
    let client = Client::new(config());
    let name = reference(&server.host(), "team/app:1");
    let start = Instant::now();
    run(async {
        client.fetch_manifest(&name).await.unwrap();
        blob(&client, &name, &image.layer, 0).await.unwrap();
    });
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(count.load(Ordering::SeqCst), 4);
    let always = EvilRegistry::start(|_| Reply::status(429));
    let error = run(client.fetch_manifest(&reference(&always.host(), "a:1"))).unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
    assert_eq!(always.requests().len(), 3);
}

/// T16, T17, N13: manifests that lie.
#[test]
fn lying_manifests_are_refused() {
    let right = image(b"x".to_vec())
        .content
        .reply(&request("/v2/team/app/manifests/1"));
    let digest = Digest::of(&right.body);
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let cases: Vec<(&str, Reply)> = vec![
        (
            "other bytes than the digest",
            Reply::ok(media::MANIFEST, [&right.body[..], b" "].concat()),
        ),
        (
            "index by its type only",
            Reply::ok(media::INDEX, right.body.clone()),
        ),
        ("too large", Reply::ok(media::MANIFEST, vec![b' '; 5 << 20])),
        (
            "too large, chunked",
            Reply::ok(media::MANIFEST, vec![b' '; 5 << 20]).length(Length::Chunked),
        ),
        ("schema 1", Reply::ok(schema1, r#"{"schemaVersion":1}"#)),
        ("no JSON", Reply::ok(media::MANIFEST, "<html>")),
        (
            "endless",
            Reply {
                endless: true,
                ..Reply::ok(media::MANIFEST, "").length(Length::Close)
            },
        ),
        (
            "slow",
            Reply {
                per_byte: Duration::from_millis(50),
                ..right.clone()
            },
        ),
    ];
    for (what, reply) in cases {
        let server = EvilRegistry::start(move |_| reply.clone());
        let client = Client::new(Config {
            patience: hasty(),
            ..config()
        });
        let by_digest = reference(&server.host(), "team/app").with_digest(digest.clone());
        assert!(run(client.fetch_manifest(&by_digest)).is_err(), "{what}");
    }
    let stated = Digest::of(b"something else").to_string();
    let server =
        EvilRegistry::start(move |_| right.clone().header("docker-content-digest", &stated));
    let error = run(Client::new(config()).fetch_manifest(&reference(&server.host(), "team/app:1")));
    assert!(
        matches!(error, Err(Error::DigestMismatch { .. })),
        "{error:?}"
    );
}

fn request(path: &str) -> Recorded {
    Recorded {
        method: "GET".into(),
        path: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// T20: `urls` of a layer are not asked.
#[test]
fn foreign_urls_are_not_followed() {
    let elsewhere = EvilRegistry::start(|_| Reply::ok("x/y", "x"));
    let mut image = image(b"x".to_vec());
    image.layer.urls = vec![format!("http://{}/layer", elsewhere.host())];
    let server = serve(&image, |_, _| Reply::status(404));
    assert!(matches!(
        fetch(&server, &image, 0),
        Err(Error::NotFound { .. })
    ));
    assert!(elsewhere.requests().is_empty());
}

/// G1: a redirect to another origin gets no secret, a redirect within the origin does.
#[test]
fn secrets_stay_with_their_origin() {
    let image = image(big());
    let bytes = image.bytes.clone();
    let storage = EvilRegistry::start(move |_| {
        Reply::ok("application/octet-stream", bytes.clone())
            .header("www-authenticate", "Basic realm=x")
    });
    let target = format!("http://{}/signed?token=1", storage.host());
    let content = image.content.clone();
    let server = EvilRegistry::start(move |request| {
        if request.header("authorization").is_none() {
            return Reply::challenge("Basic realm=\"x\"");
        }
        match (
            request.path.contains("/blobs/"),
            request.path.contains("moved"),
        ) {
            (true, false) => Reply::redirect(&format!("{}?moved", request.path)),
            (true, true) => Reply::redirect(&target),
            _ => content.reply(request),
        }
    });
    let client = Client::new(logged_in(&server.host()));
    let name = reference(&server.host(), "team/app:1");
    run(async {
        client.fetch_manifest(&name).await.unwrap();
        assert_eq!(
            blob(&client, &name, &image.layer, 0).await.unwrap(),
            image.bytes
        );
    });
    let with_secret = server
        .requests()
        .iter()
        .filter(|r| r.header("authorization").is_some())
        .count();
    assert_eq!(with_secret, 3, "{:?}", server.requests());
    assert_eq!(storage.requests().len(), 1);
    for request in storage.requests() {
        assert!(request.header("authorization").is_none() && request.header("cookie").is_none());
    }
}

/// G1: a challenge by the target of a redirect is not answered.
#[test]
fn a_challenge_from_elsewhere_is_not_answered() {
    let thief = EvilRegistry::start(|_| Reply::challenge("Basic realm=\"give\""));
    let target = format!("http://{}/", thief.host());
    let server = EvilRegistry::start(move |_| Reply::redirect(&target));
    let client = Client::new(logged_in(&server.host()));
    let error = run(client.fetch_manifest(&reference(&server.host(), "a:1"))).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert!(
        thief
            .requests()
            .iter()
            .all(|r| r.header("authorization").is_none())
    );
}

/// G1: token servers.
#[test]
fn logins_go_to_honest_token_servers_only() {
    let thief = EvilRegistry::start(|_| Reply::ok("application/json", r#"{"token":"t"}"#));
    let thief_port = thief.host().rsplit(':').next().unwrap().to_owned();
    // Another address of the same machine is another host.
    for realm in [
        format!("http://localhost:{thief_port}/token"),
        "http://evil.example/token".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let server = EvilRegistry::start(move |_| Reply::challenge(&challenge));
        let client = Client::new(logged_in(&server.host()));
        let error = run(client.fetch_manifest(&reference(&server.host(), "a:1"))).unwrap_err();
        assert!(
            matches!(error, Error::RefusedRealm { .. }),
            "{realm}: {error:?}"
        );
    }
    assert!(thief.requests().is_empty());
}

/// Token authentication as Docker Hub does it, on one host.
#[test]
fn tokens_are_fetched_used_and_kept() {
    let image = image(big());
    let content = image.content.clone();
    let own = Arc::new(Mutex::new(String::new()));
    let host = own.clone();
    let server = EvilRegistry::start(move |request| {
        if request.path.starts_with("/token?") {
            return Reply::ok(
                "application/json",
                r#"{"access_token":"abc","expires_in":300}"#,
            );
        }
        match request.header("authorization") {
            Some("Bearer abc") => content.reply(request),
            _ => Reply::challenge(&format!(
                "Bearer realm=\"http://{}/token\",service=\"the service\",scope=\"repository:team/app:pull\"",
                host.lock().unwrap()
            )),
        }
    });
    *own.lock().unwrap() = server.host();
    let client = Client::new(logged_in(&server.host()));
    let name = reference(&server.host(), "team/app:1");
    run(async {
        client.fetch_manifest(&name).await.unwrap();
        blob(&client, &name, &image.layer, 0).await.unwrap();
    });
    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(paths.len(), 4, "{paths:?}");
    assert!(
        paths[1].contains("service=the+service")
            && paths[1].contains("scope=repository%3Ateam%2Fapp%3Apull")
    );
    assert!(
        requests[1]
            .header("authorization")
            .unwrap()
            .starts_with("Basic ")
    );
    // A token that the registry does not take is fetched once more, not for ever.
    let refusing = EvilRegistry::start(|request| match request.path.starts_with("/token") {
        true => Reply::ok("application/json", r#"{"token":"old"}"#),
        false => Reply::challenge(&format!(
            "Bearer realm=\"http://{}/token\"",
            request.header("host").unwrap()
        )),
    });
    let error = run(client.fetch_manifest(&reference(&refusing.host(), "a:1"))).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    assert_eq!(refusing.requests().len(), 3);
}

/// It is the token server that is not there, not the image.
#[test]
fn an_absent_token_server_is_told() {
    let server = EvilRegistry::start(|request| match request.path.starts_with("/token") {
        true => Reply::status(404),
        false => Reply::challenge(&format!(
            "Bearer realm=\"http://{}/token\"",
            request.header("host").unwrap()
        )),
    });
    let client = Client::new(config());
    let error = run(client.fetch_manifest(&reference(&server.host(), "a:1"))).unwrap_err();
    assert!(
        matches!(&error, Error::Token { realm, .. } if realm.ends_with("/token")),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 2);
}

/// G1: endless redirects, and those into places where only we can go.
#[test]
fn redirects_are_bounded_and_checked() {
    for (target, what) in [
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("file:///etc/passwd", "file"),
        ("http://user:pw@127.0.0.1:1/", "user"),
        ("", "empty: itself"),
    ] {
        let server = EvilRegistry::start(move |_| Reply::redirect(target));
        let start = Instant::now();
        let error = run(Client::new(config()).fetch_manifest(&reference(&server.host(), "a:1")))
            .unwrap_err();
        assert!(
            matches!(error, Error::RefusedRedirect { .. }),
            "{what}: {error:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(1), "{what}");
        assert!(server.requests().len() <= 7, "{what}");
    }
}

/// G2: HTTPS that fails does not become HTTP.
#[test]
fn https_does_not_become_http() {
    let server = EvilRegistry::start(|_| Reply::status(200));
    let strict = Registries::default().with(Registry {
        host: server.host(),
        insecure: Some(false),
        ..Registry::default()
    });
    let client = Client::new(Config {
        registries: strict,
        ..logged_in(&server.host())
    });
    let error = run(client.fetch_manifest(&reference(&server.host(), "a:1"))).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_registry_that_is_not_there_is_told_at_once() {
    let start = Instant::now();
    let error =
        run(Client::new(Config::default()).fetch_manifest(&reference("127.0.0.1:1", "a:1")))
            .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn mirrors_are_asked_first_and_may_fail() {
    let image = image(big());
    let broken = EvilRegistry::start(|_| Reply::status(404));
    let content = image.content.clone();
    let good = EvilRegistry::start(move |request| {
        let mut request = request.clone();
        request.path = request.path.replace("/v2/hub/", "/v2/");
        content.reply(&request)
    });
    let registries = format!(
        "[[registry]]\nhost = \"r.example\"\nblocked = true\nmirrors = [\"http://127.0.0.1:1\", \"http://{}\", \"http://{}/hub\"]",
        broken.host(),
        good.host()
    );
    let client = Client::new(Config {
        registries: Registries::parse(&registries).unwrap(),
        ..logged_in("r.example")
    });
    let name = reference("r.example", "team/app:1");
    run(async {
        client.fetch_image(&name, &Platform::host()).await.unwrap();
        assert_eq!(
            blob(&client, &name, &image.layer, 0).await.unwrap(),
            image.bytes
        );
    });
    assert!(!broken.requests().is_empty());
    // The login for the registry is not for its mirrors.
    for request in broken.requests().iter().chain(&good.requests()) {
        assert!(request.header("authorization").is_none());
    }
}

/// G13: a mirror that lies of bytes is passed over, and told of; what it sent does not stay.
#[test]
fn lying_mirrors_are_passed_over() {
    let image = image(big());
    let honest = serve(&image, |_, honest| honest);
    let size = image.bytes.len();
    for what in [
        "other manifest",
        "too short",
        "too long",
        "cut",
        "packed",
        "other bytes",
    ] {
        let content = image.content.clone();
        let mirror = EvilRegistry::start(move |request| {
            let mut reply = content.reply(request);
            let blob = request.path.contains("/blobs/");
            match what {
                "other manifest" if !blob => reply.body.push(b' '),
                "too short" if blob => reply.body.truncate(size - 1),
                "too long" if blob => {
                    reply.body.push(0);
                    return reply.length(Length::Chunked);
                }
                "cut" if blob => return reply.cut_at(1000),
                "packed" if blob => return reply.header("content-encoding", "gzip"),
                "other bytes" if blob => reply.body[1000] ^= 1,
                _ => {}
            }
            reply
        });
        let registries = format!(
            "[[registry]]\nhost = \"{}\"\nmirrors = [\"http://{}\"]",
            honest.host(),
            mirror.host()
        );
        let client = Client::new(Config {
            registries: Registries::parse(&registries).unwrap(),
            ..config()
        });
        let name = reference(&honest.host(), "team/app:1");
        run(async {
            let manifest = client.resolve(&name).await.unwrap().digest;
            let by_digest = name.with_digest(Digest::of(
                &image
                    .content
                    .reply(&request("/v2/team/app/manifests/1"))
                    .body,
            ));
            if what != "other manifest" {
                assert_eq!(Some(&manifest), by_digest.digest());
            }
            client.fetch_manifest(&by_digest).await.unwrap();
            let mut bytes = blob(&client, &name, &image.layer, 0).await.unwrap();
            if !image.layer.digest.verifies(&bytes) {
                assert!(client.blame(&name, &image.layer.digest).unwrap(), "{what}");
                bytes = blob(&client, &name, &image.layer, 0).await.unwrap();
            }
            assert_eq!(bytes, image.bytes, "{what}");
        });
        let told = client.passed_over();
        assert_eq!(told[0].mirror, mirror.host(), "{what}: {told:?}");
    }
}

/// G1: a mirror in plain HTTP gets no login, unless its host is insecure.
#[test]
fn plain_mirrors_get_no_login() {
    for insecure in [false, true] {
        let image = image(big());
        let content = image.content.clone();
        let mirror = EvilRegistry::start(move |request| match request.header("authorization") {
            Some(_) => content.reply(request),
            None => Reply::challenge("Basic realm=x"),
        });
        let host = mirror.host();
        let registries = format!(
            "[[registry]]\nhost = \"r.test\"\nblocked = true\nmirrors = [\"http://{host}\"]\n\
             [[registry]]\nhost = \"{host}\"\ninsecure = {insecure}"
        );
        let client = Client::new(Config {
            registries: Registries::parse(&registries).unwrap(),
            ..logged_in(&host)
        });
        let result = run(client.fetch_manifest(&reference("r.test", "team/app:1")));
        assert_eq!(result.is_ok(), insecure, "{result:?}");
        let sent = mirror
            .requests()
            .iter()
            .any(|r| r.header("authorization").is_some());
        assert_eq!(sent, insecure);
    }
}

/// A proxy gets the whole URL and its own login; this machine is never asked through it.
#[test]
fn proxies_are_used() {
    let image = image(big());
    let content = image.content.clone();
    let proxy = EvilRegistry::start(move |request| {
        let mut request = request.clone();
        request.path = request.path.replace("http://r.test:5000", "");
        content.reply(&request)
    });
    let url = format!("http://name:word@{}", proxy.host());
    let registries = "[[registry]]\nhost = \"r.test:5000\"\nmirrors = [\"http://r.test:5000\"]";
    let client = Client::new(Config {
        registries: Registries::parse(registries).unwrap(),
        proxies: Proxies::new(Some(&url), None, "").unwrap(),
        ..logged_in("r.test:5000")
    });
    let name = reference("r.test:5000", "team/app:1");
    run(client.fetch_manifest(&name)).unwrap();
    let seen = proxy.requests();
    assert_eq!(seen[0].path, "http://r.test:5000/v2/team/app/manifests/1");
    assert_eq!(
        seen[0].header("proxy-authorization"),
        Some("Basic bmFtZTp3b3Jk")
    );
    let local = serve(&image, |_, honest| honest);
    run(client.fetch_manifest(&reference(&local.host(), "team/app:1"))).unwrap();
    assert_eq!(proxy.requests().len(), seen.len());
}

/// An image layout with one layer, made by hand; `oci:DIRECTORY:app` for skopeo.
fn layout(directory: &std::path::Path, layer: &[u8]) -> Descriptor {
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        let path = directory.join("blobs/sha256").join(digest.hex());
        std::fs::File::create(path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
    };
    std::fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    let diff_id = Digest::of(layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let layer_descriptor = Descriptor::of(media::LAYER_TAR, layer);
    let manifest = berth_oci::Manifest::new(
        Descriptor::of(media::CONFIG, config.as_bytes()),
        vec![layer_descriptor.clone()],
    );
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let mut entry = Descriptor::of(media::MANIFEST, &manifest);
    entry
        .annotations
        .insert("org.opencontainers.image.ref.name".into(), "app".into());
    let index = berth_oci::Index {
        manifests: vec![entry],
        ..berth_oci::Index::default()
    };
    for bytes in [layer, config.as_bytes(), &manifest] {
        put(bytes);
    }
    std::fs::write(
        directory.join("index.json"),
        serde_json::to_vec(&index).unwrap(),
    )
    .unwrap();
    std::fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    layer_descriptor
}

/// Debian's registry with TLS and a login: everything right works, everything wrong does not.
#[test]
fn tls_and_login() {
    let directory = tempfile::tempdir().unwrap();
    let layer = layout(directory.path(), &[5; 100_000]);
    let server = testkit::Registry::start(Options {
        tls: true,
        login: true,
        ..Options::default()
    });
    server.push(
        &format!("oci:{}:app", directory.path().display()),
        "team/app:1",
        &["--preserve-digests"],
    );
    let name = reference(&server.host(), "team/app:1");
    let with_ca = |insecure| {
        Registries::default().with(Registry {
            host: server.host(),
            ca: Some(server.authority()),
            insecure,
            ..Registry::default()
        })
    };
    let client = |registries: Registries, config: Config| {
        Client::new(Config {
            registries,
            ..config
        })
    };
    let good = client(with_ca(None), logged_in(&server.host()));
    run(async {
        let image = good
            .fetch_image(&name, &Platform::parse("linux/amd64").unwrap())
            .await
            .unwrap();
        assert_eq!(image.parsed.layers[0].size, layer.size);
        assert_eq!(
            blob(&good, &name, &layer, 40_000).await.unwrap(),
            [5; 60_000]
        );
        assert_eq!(
            good.resolve(&name).await.unwrap().digest,
            image.manifest.digest
        );
        let settings = good
            .fetch_config(&name, &image.parsed.config)
            .await
            .unwrap();
        assert!(image.parsed.config.digest.verifies(&settings));
        // 127.0.0.1 is insecure unless something is said of it.
        let unchecked = Client::new(logged_in(&server.host()));
        unchecked.fetch_manifest(&name).await.unwrap();
        let anonymous = client(with_ca(None), config());
        let error = anonymous.fetch_manifest(&name).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Denied {
                    with_credentials: false,
                    ..
                }
            ),
            "{error:?}"
        );
        let wrong = Login::Basic {
            username: LOGIN.0.into(),
            password: Secret::new("wrong"),
        };
        let wrong = Config {
            credentials: Credentials::default().with(&server.host(), wrong),
            ..config()
        };
        let error = client(with_ca(None), wrong)
            .fetch_manifest(&name)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Denied {
                    with_credentials: true,
                    ..
                }
            ),
            "{error:?}"
        );
        let untrusted = Registries::default().with(Registry {
            host: server.host(),
            insecure: Some(false),
            ..Registry::default()
        });
        let error = client(untrusted, logged_in(&server.host()))
            .fetch_manifest(&name)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
        assert!(
            error.hint().unwrap().contains("certificate authority"),
            "{error:?}"
        );
    });
}
