//! The client's writing side, against registries that are honest (Debian's docker-registry) and not (scripted).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_model::ErrorKind;
use berth_oci::{Descriptor, Digest, Manifest, Platform, Reference, media};
use berth_registry::{
    Bytes, Client, Config, Credentials, Error, Login, Patience, PushOptions, PushedBlob,
    Registries, Registry, Secret,
};
use testkit::evil_registry::{EvilRegistry, Recorded, Reply};
use testkit::registry::{LOGIN, Options};

#[path = "push_faults/sweep.rs"]
mod sweep;

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

fn config() -> Config {
    Config {
        patience: Patience {
            connect: Duration::from_secs(20),
            progress: Duration::from_secs(20),
            attempts: 4,
            back_off: Duration::from_millis(10),
            longest_wait: Duration::from_millis(1500),
        },
        ..Config::default()
    }
}

fn logged_in(host: &str) -> Config {
    let login = Login::Basic {
        username: LOGIN.0.into(),
        password: Secret::new(LOGIN.1),
    };
    Config {
        credentials: Credentials::default().with(host, login),
        ..config()
    }
}

fn reference(host: &str, rest: &str) -> Reference {
    Reference::parse(&format!("{host}/{rest}")).unwrap()
}

fn big(length: usize) -> Bytes {
    let words =
        (0..length.div_ceil(4) as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect::<Vec<u8>>().into()
}

async fn push(client: &Client, to: &Reference, bytes: &Bytes) -> Result<PushedBlob, Error> {
    let blob = Descriptor::of(media::LAYER_TAR, bytes);
    client
        .push_blob(to, &blob, Arc::new(bytes.clone()), &PushOptions::default())
        .await
}

async fn read(client: &Client, from: &Reference, bytes: &Bytes) -> Vec<u8> {
    let blob = Descriptor::of(media::LAYER_TAR, bytes);
    let mut stream = client.fetch_blob(from, &blob, 0);
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

async fn tags(client: &Client, of: &Reference) -> Vec<String> {
    let mut tags = client.tags(of).await.unwrap();
    tags.sort();
    tags
}

/// Pushes an image of one layer; gives its manifest.
async fn push_image(client: &Client, to: &Reference, layer: &Bytes) -> Vec<u8> {
    let settings = Bytes::from(format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::of(layer)
    ));
    push(client, to, layer).await.unwrap();
    push(client, to, &settings).await.unwrap();
    let manifest = Manifest::new(
        Descriptor::of(media::CONFIG, &settings),
        vec![Descriptor::of(media::LAYER_TAR, layer)],
    );
    let manifest = serde_json::to_vec(&manifest).unwrap();
    client
        .push_manifest(to, media::MANIFEST, &manifest)
        .await
        .unwrap();
    manifest
}

/// Debian's registry with TLS and a login: what was pushed is there, byte for byte, for us and for skopeo.
#[test]
fn an_image_is_pushed_and_read_back() {
    let server = testkit::Registry::start(Options {
        tls: true,
        login: true,
        ..Options::default()
    });
    let with_ca = Registries::default().with(Registry {
        host: server.host(),
        ca: Some(server.authority()),
        ..Registry::default()
    });
    let client = Client::new(Config {
        registries: with_ca,
        ..logged_in(&server.host())
    });
    let name = reference(&server.host(), "team/app:1");
    let layer = big(3_000_000);
    run(async {
        assert!(!client.has_manifest(&name).await.unwrap());
        let heard = Arc::new(AtomicU64::new(0));
        let told = heard.clone();
        let options = PushOptions {
            progress: Some(Arc::new(move |sent| told.store(sent, Ordering::Relaxed))),
            ..PushOptions::default()
        };
        let blob = Descriptor::of(media::LAYER_TAR, &layer);
        let pushed = client.push_blob(&name, &blob, Arc::new(layer.clone()), &options);
        assert_eq!(pushed.await.unwrap(), PushedBlob::Uploaded);
        assert_eq!(heard.load(Ordering::Relaxed), blob.size);
        assert_eq!(
            push(&client, &name, &layer).await.unwrap(),
            PushedBlob::Existed
        );
        assert_eq!(
            push(&client, &name, &Bytes::new()).await.unwrap(),
            PushedBlob::Uploaded
        );
        let manifest = push_image(&client, &name, &layer).await;
        assert!(client.has_manifest(&name).await.unwrap());
        let digest = Digest::of(&manifest);
        let found = client
            .fetch_manifest(&name.with_digest(digest.clone()))
            .await
            .unwrap();
        assert_eq!(found.bytes, manifest);
        assert_eq!(read(&client, &name, &layer).await, layer);
        client
            .push_manifest(
                &reference(&server.host(), "team/app:2"),
                media::MANIFEST,
                &manifest,
            )
            .await
            .unwrap();
        assert_eq!(tags(&client, &name).await, ["1", "2"]);
        // The registry was not told to delete.
        let error = client
            .delete_manifest(&name.with_digest(digest))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Status { status: 405, .. }),
            "{error:?}"
        );
        let anonymous = Client::new(config());
        let error = push(&anonymous, &name, &big(10)).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    });
    let mut skopeo = std::process::Command::new("skopeo");
    skopeo
        .args(["inspect", "--tls-verify=false", "--raw"])
        .arg(format!("--creds={}:{}", LOGIN.0, LOGIN.1))
        .arg(format!("docker://{}", name.familiar()));
    let seen = testkit::Finished::run(&mut skopeo, b"", Duration::from_secs(60));
    assert!(seen.ok().contains(media::MANIFEST));
}

/// A layer that another repository of the registry has is not sent.
#[test]
fn a_known_layer_is_mounted() {
    let server = testkit::Registry::start(Options::default());
    let client = Client::new(config());
    let layer = big(1_000_000);
    let blob = Descriptor::of(media::LAYER_TAR, &layer);
    run(async {
        push(&client, &reference(&server.host(), "team/base"), &layer)
            .await
            .unwrap();
        let options = PushOptions {
            mount_from: vec!["team/nothing".into(), "team/base".into()],
            ..PushOptions::default()
        };
        let other = reference(&server.host(), "else/app");
        let pushed = client
            .push_blob(&other, &blob, Arc::new(Bytes::new()), &options)
            .await
            .unwrap();
        assert_eq!(pushed, PushedBlob::Mounted("team/base".into()));
        assert_eq!(read(&client, &other, &layer).await, layer);
        // Where nobody has it, it is sent after all.
        let more = big(500);
        let options = PushOptions {
            mount_from: vec!["team/nothing".into()],
            ..PushOptions::default()
        };
        let blob = Descriptor::of(media::LAYER_TAR, &more);
        let pushed = client.push_blob(&other, &blob, Arc::new(more.clone()), &options);
        assert_eq!(pushed.await.unwrap(), PushedBlob::Uploaded);
        assert_eq!(read(&client, &other, &more).await, more);
    });
}

/// Before a registry: breaks the first connection that carries more than `bytes` to it.
fn breaking(host: &str, bytes: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, host) = (listener.local_addr().unwrap().to_string(), host.to_owned());
    let broken = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&host) else {
                return;
            };
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (mut to, mut back) = (server, client);
            let broken = broken.clone();
            std::thread::spawn(move || {
                let (mut buffer, mut sum) = ([0; 16384], 0);
                while let Ok(count @ 1..) = up.read(&mut buffer) {
                    sum += count as u64;
                    let breaks = sum > bytes && broken.fetch_add(1, Ordering::SeqCst) == 0;
                    if breaks || to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = up.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || std::io::copy(&mut down, &mut back));
        }
    });
    own
}

/// N4, N13: the connection to Debian's registry breaks in the middle of a blob.
#[test]
fn an_upload_survives_a_break() {
    let server = testkit::Registry::start(Options::default());
    let proxy = breaking(&server.host(), 2_000_000);
    let layer = big(5_000_000);
    let client = Client::new(config());
    let name = reference(&proxy, "team/app:1");
    run(async {
        let pushed = push(&client, &name, &layer).await.unwrap();
        assert_eq!(pushed, PushedBlob::Uploaded);
        let direct = reference(&server.host(), "team/app:1");
        assert_eq!(read(&client, &direct, &layer).await, layer);
    });
}

/// A registry's uploads, honest but for what a script says first.
#[derive(Default)]
struct Uploads {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    partial: Vec<u8>,
}

impl Uploads {
    fn reply(&mut self, request: &Recorded) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let last = path.rsplit('/').next().unwrap().to_owned();
        let session = |reply: Reply, have: usize| {
            reply
                .header("location", &format!("/v2/a/blobs/uploads/s?at={have}"))
                .header("range", &format!("0-{}", have.saturating_sub(1)))
        };
        match (request.method.as_str(), path.contains("/uploads/")) {
            ("POST", true) => {
                self.partial.clear();
                session(Reply::status(202), 0)
            }
            ("GET", true) => session(Reply::status(204), self.partial.len()),
            ("DELETE", true) => Reply::status(204),
            ("PATCH", true) => {
                let range = request.header("content-range").unwrap();
                let start: usize = range.split('-').next().unwrap().parse().unwrap();
                if start != self.partial.len() {
                    return session(Reply::status(416), self.partial.len());
                }
                self.partial.extend_from_slice(&request.body);
                session(Reply::status(202), self.partial.len())
            }
            ("PUT", true) => {
                self.partial.extend_from_slice(&request.body);
                let digest = Digest::of(&self.partial).to_string();
                if !query.contains(&digest.replace(':', "%3A")) {
                    return Reply::status(400);
                }
                self.blobs.insert(digest, std::mem::take(&mut self.partial));
                Reply::status(201)
            }
            ("PUT", false) => {
                self.manifests.insert(last, request.body.clone());
                Reply::status(201)
            }
            _ => match self.blobs.get(&last).or(self.manifests.get(&last)) {
                Some(bytes) => Reply::ok("application/octet-stream", bytes.clone()),
                None => Reply::status(404),
            },
        }
    }
}

type State = Arc<Mutex<Uploads>>;

/// A registry for which `evil` may answer first.
fn scripted(
    evil: impl Fn(&Recorded, &State, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (EvilRegistry, State) {
    let state = State::default();
    let (own, count) = (state.clone(), AtomicUsize::new(0));
    let server = EvilRegistry::start(move |request| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        evil(request, &own, nth).unwrap_or_else(|| own.lock().unwrap().reply(request))
    });
    (server, state)
}

fn methods(server: &EvilRegistry) -> Vec<String> {
    server.requests().iter().map(|r| r.method.clone()).collect()
}

/// N13: what the registry says that it has is not sent again.
#[test]
fn an_upload_goes_on_where_the_registry_has_it() {
    let layer = big(1_000_000);
    let broke = AtomicUsize::new(0);
    let (server, state) = scripted(move |request, state, _| {
        let first = request.method == "PUT" && broke.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| {
            state.lock().unwrap().partial = request.body[..400_000].to_vec();
            Reply::status(503).header("retry-after", "1")
        })
    });
    let begin = std::time::Instant::now();
    run(push(
        &Client::new(config()),
        &reference(&server.host(), "a"),
        &layer,
    ))
    .unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        methods(&server),
        ["HEAD", "POST", "PUT", "GET", "PATCH", "PUT"]
    );
    let patch = &server.requests()[4];
    assert_eq!(patch.header("content-range"), Some("400000-999999"));
    assert_eq!(patch.path, "/v2/a/blobs/uploads/s?at=400000");
    assert_eq!(patch.body.len(), 600_000);
    let digest = Digest::of(&layer).to_string();
    assert_eq!(state.lock().unwrap().blobs[&digest], layer);
}

/// Registries may ask for pieces, and so does a proxy that takes no large bodies.
#[test]
fn an_upload_comes_in_pieces_where_asked() {
    let layer = big(20_000_000);
    for reason in ["asked", "too large"] {
        let (server, state) =
            scripted(
                move |request, state, _| match (request.method.as_str(), reason) {
                    ("POST", "asked") => Some(
                        state
                            .lock()
                            .unwrap()
                            .reply(request)
                            .header("OCI-Chunk-Min-Length", "17000000"),
                    ),
                    ("PUT", "too large") if request.body.len() > 16 << 20 => {
                        Some(Reply::status(413))
                    }
                    _ => None,
                },
            );
        run(push(
            &Client::new(config()),
            &reference(&server.host(), "a"),
            &layer,
        ))
        .unwrap();
        let requests = server.requests();
        let patches: Vec<_> = requests.iter().filter(|r| r.method == "PATCH").collect();
        let lengths: Vec<usize> = patches.iter().map(|r| r.body.len()).collect();
        let first = if reason == "asked" {
            17_000_000
        } else {
            16 << 20
        };
        assert_eq!(lengths, [first, 20_000_000 - first], "{reason}");
        let digest = Digest::of(&layer).to_string();
        assert_eq!(state.lock().unwrap().blobs[&digest], layer);
    }
}

/// G8: a registry that takes only a part of a piece, loses the session, or says nonsense of what it has.
#[test]
fn an_upload_believes_only_what_can_be() {
    let layer = big(200_000);
    // It takes less than was sent.
    let broke = AtomicUsize::new(0);
    let (server, state) = scripted(move |request, state, _| {
        let nth = broke.load(Ordering::SeqCst);
        match (request.method.as_str(), nth) {
            ("PUT", 0) => {
                broke.store(1, Ordering::SeqCst);
                state.lock().unwrap().partial = request.body[..1000].to_vec();
                Some(Reply::status(500))
            }
            ("PATCH", 1) => {
                broke.store(2, Ordering::SeqCst);
                let mut short = request.clone();
                short.body.truncate(5000);
                Some(state.lock().unwrap().reply(&short))
            }
            _ => None,
        }
    });
    run(push(
        &Client::new(config()),
        &reference(&server.host(), "a"),
        &layer,
    ))
    .unwrap();
    let digest = Digest::of(&layer).to_string();
    assert_eq!(state.lock().unwrap().blobs[&digest], layer);

    // The session is gone: it begins once more.
    let (server, state) = scripted(|request, state, nth| {
        let first = request.method == "PUT" && nth < 3;
        first.then(|| {
            state.lock().unwrap().partial.clear();
            Reply::status(404)
        })
    });
    run(push(
        &Client::new(config()),
        &reference(&server.host(), "a"),
        &layer,
    ))
    .unwrap();
    assert_eq!(state.lock().unwrap().blobs[&digest], layer);

    // More than was sent, other bytes than were sent, no place to send to.
    for (what, status, headers) in [
        (
            "PATCH",
            202,
            &[("location", "/v2/a/blobs/uploads/s"), ("range", "0-999999")][..],
        ),
        (
            "PATCH",
            202,
            &[("location", "/v2/a/blobs/uploads/s"), ("range", "0-0")][..],
        ),
        ("PUT", 201, &[("docker-content-digest", OTHER)][..]),
        ("PUT", 400, &[][..]),
        ("POST", 202, &[][..]),
    ] {
        let (server, state) = scripted(move |request, state, _| {
            let lies = request.method == what && request.path.contains("/uploads/");
            let reply = headers
                .iter()
                .fold(Reply::status(status), |r, (k, v)| r.header(k, v));
            match lies {
                true => Some(reply),
                false if request.method == "POST" && what == "PATCH" => {
                    let reply = state.lock().unwrap().reply(request);
                    Some(reply.header("oci-chunk-min-length", "1"))
                }
                false => None,
            }
        });
        let error = run(push(
            &Client::new(config()),
            &reference(&server.host(), "a"),
            &layer,
        ));
        let error = error.unwrap_err();
        let fits = match what {
            "PUT" => matches!(
                error,
                Error::DigestMismatch { .. } | Error::Status { status: 400, .. }
            ),
            _ => matches!(error, Error::BadUpload { .. }),
        };
        assert!(fits, "{what} {headers:?}: {error:?}");
        // Not tried for ever (`0-0` may mean a byte), and the registry may forget the rest.
        assert!(methods(&server).iter().filter(|m| *m == what).count() <= 2);
        assert_eq!(methods(&server).contains(&"DELETE".into()), what != "POST");
        assert!(state.lock().unwrap().blobs.is_empty());
    }
}

const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// G1: an upload's place on another host gets the bytes, and no secret, whatever it answers.
#[test]
fn an_upload_elsewhere_gets_no_secret() {
    let storage_state = State::default();
    let own = storage_state.clone();
    let storage = EvilRegistry::start(move |request| {
        let reply = own.lock().unwrap().reply(request);
        reply.header("www-authenticate", "Basic realm=x")
    });
    let place = format!("http://{}/v2/a/blobs/uploads/s?signed=1", storage.host());
    let (server, _) = scripted(move |request, _, _| {
        if request.header("authorization").is_none() {
            return Some(Reply::challenge("Basic realm=x"));
        }
        let begins = request.method == "POST";
        begins.then(|| Reply::status(202).header("location", &place))
    });
    let client = Client::new(logged_in(&server.host()));
    let layer = big(5000);
    run(push(&client, &reference(&server.host(), "a"), &layer)).unwrap();
    assert_eq!(storage.requests().len(), 1);
    assert!(
        storage.requests()[0]
            .path
            .contains("signed=1&digest=sha256%3A")
    );
    assert!(storage.requests()[0].header("authorization").is_none());
    assert_eq!(storage_state.lock().unwrap().blobs.len(), 1);

    let thief = EvilRegistry::start(|_| Reply::challenge("Basic realm=\"give\""));
    let place = format!("http://{}/", thief.host());
    let (server, _) = scripted(move |request, _, _| {
        (request.method == "POST").then(|| Reply::status(202).header("location", &place))
    });
    let client = Client::new(logged_in(&server.host()));
    let error = run(push(&client, &reference(&server.host(), "a"), &layer)).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let secrets = |r: &Recorded| r.header("authorization").is_some();
    assert!(!thief.requests().iter().any(secrets));
}

/// G1: 307 on PUT and POST: followed with the bytes and without the secret; what would turn them into a GET is not.
#[test]
fn redirected_writes_keep_their_secret_and_their_method() {
    for method in ["POST", "PUT"] {
        let elsewhere = EvilRegistry::start(move |request| match request.method.as_str() {
            "POST" => Reply::status(202).header("location", "/v2/a/blobs/uploads/s"),
            _ => Reply::status(201),
        });
        let target = format!("http://{}/moved", elsewhere.host());
        let (server, _) = scripted(move |request, _, _| {
            if request.header("authorization").is_none() {
                return Some(Reply::challenge("Basic realm=x"));
            }
            (request.method == method).then(|| Reply::redirect(&target))
        });
        let client = Client::new(logged_in(&server.host()));
        let layer = big(300_000);
        run(push(&client, &reference(&server.host(), "a"), &layer)).unwrap();
        let seen = elsewhere.requests();
        assert_eq!(seen[0].method, method);
        assert!(
            seen.iter().all(|r| r.header("authorization").is_none()),
            "{method}"
        );
        let bytes: usize = seen.iter().map(|r| r.body.len()).sum();
        assert_eq!(bytes, 300_000, "{method}");
    }
    for status in [301, 302, 303] {
        let (server, _) = scripted(move |request, _, _| {
            let writes = matches!(request.method.as_str(), "POST" | "PUT");
            writes.then(|| Reply::status(status).header("location", "/v2/x"))
        });
        let error = run(push(
            &Client::new(config()),
            &reference(&server.host(), "a"),
            &big(9),
        ));
        assert!(
            matches!(error, Err(Error::RefusedRedirect { .. })),
            "{error:?}"
        );
    }
    for place in [
        "http://169.254.169.254/x",
        "ftp://x/",
        "http://u:p@127.0.0.1/",
    ] {
        let (server, _) = scripted(move |request, _, _| {
            (request.method == "POST").then(|| Reply::status(202).header("location", place))
        });
        let error = run(push(
            &Client::new(config()),
            &reference(&server.host(), "a"),
            &big(9),
        ));
        assert!(
            matches!(error, Err(Error::RefusedRedirect { .. })),
            "{place} {error:?}"
        );
    }
}

/// G2: a push over HTTPS that fails does not become one over HTTP.
#[test]
fn a_push_does_not_become_http() {
    let server = EvilRegistry::start(|_| Reply::status(200));
    let client = Client::new(Config {
        registries: Registries::default().with(Registry {
            host: server.host(),
            insecure: Some(false),
            ..Registry::default()
        }),
        ..logged_in(&server.host())
    });
    let error = run(push(&client, &reference(&server.host(), "a"), &big(9))).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(server.requests().is_empty());
}

/// Mirrors are not pushed to; where there is only a mirror, nothing is.
#[test]
fn mirrors_are_not_pushed_to() {
    let mirror = EvilRegistry::start(|_| Reply::status(200));
    let (server, _) = scripted(|_, _, _| None);
    for blocked in [false, true] {
        let text = format!(
            "[[registry]]\nhost = \"{}\"\nblocked = {blocked}\nmirrors = [\"http://{}\"]",
            server.host(),
            mirror.host()
        );
        let client = Client::new(Config {
            registries: Registries::parse(&text).unwrap(),
            ..config()
        });
        let name = reference(&server.host(), "a:1");
        let pushed = run(push(&client, &name, &big(9)));
        let written = run(client.push_manifest(&name, media::MANIFEST, b"{}"));
        match blocked {
            false => assert!(pushed.is_ok() && written.is_ok(), "{pushed:?} {written:?}"),
            true => assert!(matches!(
                (pushed, written),
                (Err(Error::Blocked { .. }), Err(Error::Blocked { .. }))
            )),
        }
    }
    assert!(mirror.requests().is_empty());
}

/// A token for a push is asked for only by pushes, and for the second repository only by a mount.
#[test]
fn tokens_are_for_what_is_done() {
    let (server, _) = scripted(|request, _, _| {
        if request.path.starts_with("/token?") {
            return Some(Reply::ok("application/json", r#"{"token":"abc"}"#));
        }
        let host = request.header("host").unwrap();
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"x\"");
        let known = request.header("authorization") == Some("Bearer abc");
        (!known).then(|| Reply::challenge(&challenge))
    });
    let client = Client::new(logged_in(&server.host()));
    let layer = big(100);
    let options = PushOptions {
        mount_from: vec!["base".into()],
        ..PushOptions::default()
    };
    run(async {
        let name = reference(&server.host(), "a:1");
        let _ = client.fetch_manifest(&name).await;
        let blob = Descriptor::of(media::LAYER_TAR, &layer);
        client
            .push_blob(&name, &blob, Arc::new(layer.clone()), &options)
            .await
            .unwrap();
        let _ = client.delete_manifest(&name).await;
    });
    let requests = server.requests();
    let tokens = requests.iter().filter(|r| r.path.starts_with("/token"));
    let scopes: Vec<Vec<String>> = tokens
        .map(|r| {
            let (_, query) = r.path.split_once('?').unwrap();
            let pairs = query
                .split('&')
                .filter_map(|pair| pair.strip_prefix("scope="));
            pairs
                .map(|v| v.replace("%3A", ":").replace("%2C", ","))
                .collect()
        })
        .collect();
    assert_eq!(
        scopes,
        [
            vec!["repository:a:pull"],
            vec!["repository:a:pull,push"],
            vec!["repository:a:pull,push", "repository:base:pull"],
            vec!["repository:a:delete"],
        ]
    );
}

/// Manifests: what the registry claims to have got is checked.
#[test]
fn pushed_manifests_are_checked() {
    let (server, _) = scripted(|request, _, _| {
        (request.method == "PUT").then(|| Reply::status(201).header("docker-content-digest", OTHER))
    });
    let client = Client::new(config());
    let name = reference(&server.host(), "a:1");
    let error = run(client.push_manifest(&name, media::MANIFEST, b"{}")).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error:?}");
    let before = server.requests().len();
    let wrong = name.with_digest(Digest::of(b"else"));
    let error = run(client.push_manifest(&wrong, media::MANIFEST, b"{}")).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error:?}");
    let large = vec![b' '; 5 << 20];
    let error = run(client.push_manifest(&name, media::MANIFEST, &large)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert_eq!(server.requests().len(), before);
}

/// An artifact's manifest with this subject.
fn artifact(subject: &Descriptor, kind: &str) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"{kind}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[],"subject":{},"annotations":{{"for":"us"}}}}"#,
        media::MANIFEST,
        Digest::of(b"{}"),
        serde_json::to_string(subject).unwrap()
    )
    .into_bytes()
}

/// Debian's registry knows no referrers: the list is a tag, and other clients find it.
#[test]
fn referrers_are_listed_under_a_tag_where_needed() {
    let server = testkit::Registry::start(Options::default());
    let client = Client::new(config());
    let name = reference(&server.host(), "team/app:1");
    run(async {
        let manifest = push_image(&client, &name, &big(1000)).await;
        let subject = Descriptor::of(media::MANIFEST, &manifest);
        let none = client
            .referrers(&name, &subject.digest, None)
            .await
            .unwrap();
        assert!(none.is_empty());
        push(&client, &name, &Bytes::from_static(b"{}"))
            .await
            .unwrap();
        for kind in ["test/sbom", "test/signature", "test/sbom"] {
            let bytes = artifact(&subject, kind);
            let by_digest = name.with_digest(Digest::of(&bytes));
            client
                .push_manifest(&by_digest, media::MANIFEST, &bytes)
                .await
                .unwrap();
        }
        let all = client
            .referrers(&name, &subject.digest, None)
            .await
            .unwrap();
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0].artifact_type.as_deref(), Some("test/sbom"));
        assert_eq!(all[0].annotations["for"], "us");
        let some = client.referrers(&name, &subject.digest, Some("test/signature"));
        assert_eq!(some.await.unwrap(), all[1..]);
        let tag = format!("sha256-{}", subject.digest.hex());
        assert_eq!(tags(&client, &name).await, ["1", &tag]);
    });
}

/// A registry that lists referrers itself: no tag is written; pages are followed, at the registry only.
#[test]
fn referrers_of_the_registry_come_in_pages() {
    let subject = Descriptor::of(media::MANIFEST, b"image");
    let wanted = subject.digest.to_string();
    let page = |digest: &str, next: Option<&str>| {
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{digest}","size":1,"artifactType":"t/x"}}]}}"#,
            media::INDEX,
            media::MANIFEST
        );
        let reply = Reply::ok(media::INDEX, body);
        match next {
            Some(next) => reply.header("link", &format!("<{next}>; rel=\"next\"")),
            None => reply,
        }
    };
    let first = Digest::of(b"1").to_string();
    let (server, state) =
        scripted(
            move |request, _, _| match (request.method.as_str(), request.path.as_str()) {
                ("PUT", path) if path.contains("/manifests/") => {
                    Some(Reply::status(201).header("OCI-Subject", &wanted))
                }
                ("GET", path) if path.ends_with("?page=2") => Some(page(OTHER, None)),
                ("GET", path) if path.contains("/referrers/") => {
                    Some(page(&first, Some("/v2/a/referrers/x?page=2")))
                }
                _ => None,
            },
        );
    let client = Client::new(config());
    let name = reference(&server.host(), "a:1");
    run(async {
        let bytes = artifact(&subject, "t/x");
        client
            .push_manifest(&name, media::MANIFEST, &bytes)
            .await
            .unwrap();
        assert!(state.lock().unwrap().manifests.is_empty());
        let found = client
            .referrers(&name, &subject.digest, Some("t/x"))
            .await
            .unwrap();
        assert_eq!(found.len(), 2);
        let other = client.referrers(&name, &subject.digest, Some("t/y"));
        assert!(other.await.unwrap().is_empty());
    });
    // A list that goes on at somebody else's is refused; one that goes on with itself, too.
    let thief = EvilRegistry::start(|_| Reply::status(200));
    let elsewhere = format!("http://{}/", thief.host());
    for next in [elsewhere.as_str(), "/v2/a/tags/list?again"] {
        let header = format!("<{next}>; rel=next");
        let server = EvilRegistry::start(move |_| {
            Reply::ok("application/json", r#"{"tags":["x"]}"#).header("link", &header)
        });
        let error = run(client.tags(&reference(&server.host(), "a"))).unwrap_err();
        assert!(
            matches!(
                error,
                Error::RefusedRedirect { .. } | Error::TooLarge { .. }
            ),
            "{error:?}"
        );
    }
    assert!(thief.requests().is_empty());
}

/// Debian's registry pages its tags.
#[test]
fn all_tags_are_listed() {
    let server = testkit::Registry::start(Options::default());
    let client = Client::new(config());
    run(async {
        let name = reference(&server.host(), "team/app:t000");
        let manifest = push_image(&client, &name, &big(100)).await;
        for i in 1..12 {
            let other = name.with_tag(&format!("t{i:03}")).unwrap();
            client
                .push_manifest(&other, media::MANIFEST, &manifest)
                .await
                .unwrap();
        }
        assert_eq!(client.tags(&name).await.unwrap().len(), 12);
        let absent = client.tags(&reference(&server.host(), "none")).await;
        assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
        let platform = Platform::parse("linux/amd64").unwrap();
        let image = client.fetch_image(&name, &platform).await.unwrap();
        assert_eq!(image.manifest.bytes, manifest);
    });
}
