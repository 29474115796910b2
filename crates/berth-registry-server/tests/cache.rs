//! The cache for another registry: what it fetches, keeps, and serves when that one is away, lies, or dies in mid-way.
//! Upstream is a second server of ours, Debian's docker-registry, and one that lies.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_oci::{Descriptor, Digest, Reference};
use berth_registry::{Bytes, Client, Config, Login, PushOptions, Secret, Source};
use berth_registry_server::cache::Upstream;
use berth_registry_server::run;
use served::Served;
use testkit::evil_registry::{Content, EvilRegistry, Reply};
use testkit::{DyingProxy, Registry, eventually};

/// Content that no two parts of are alike.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u64.wrapping_mul(u64::from(seed) + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

struct Image {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    fn new(seed: u8, length: usize) -> Image {
        let layer = noise(seed, length);
        let config = format!(r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#, Digest::of(&layer)).into_bytes();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{length}}}]}}"#,
            Digest::of(&config), config.len(), Digest::of(&layer)
        ).into_bytes();
        Image {
            layer,
            config,
            manifest,
        }
    }

    fn layer_path(&self, repository: &str) -> String {
        format!("/v2/{repository}/blobs/{}", Digest::of(&self.layer))
    }

    /// To the registry at `host`.
    fn push(&self, host: &str, name: &str) {
        self.push_as(host, name, None);
    }

    fn push_as(&self, host: &str, name: &str, login: Option<(&str, &str)>) {
        let reference = Reference::parse(&format!("{host}/{name}")).unwrap();
        let runtime = berth_registry::runtime().unwrap();
        runtime.block_on(async {
            let mut config = Config::default();
            if let Some((username, password)) = login {
                let login = Login::Basic {
                    username: username.into(),
                    password: Secret::new(password),
                };
                config.credentials = config.credentials.with(host, login);
            }
            let client = Client::new(config);
            for bytes in [&self.config, &self.layer] {
                let descriptor = Descriptor::of("application/octet-stream", bytes);
                let source: Arc<dyn Source> = Arc::new(Bytes::from(bytes.clone()));
                let options = PushOptions::default();
                let pushed = client.push_blob(&reference, &descriptor, source, &options);
                pushed.await.unwrap();
            }
            let pushed = client.push_manifest(&reference, MANIFEST, &self.manifest);
            pushed.await.unwrap();
        });
    }

    fn serve(&self, repository: &str, tag: &str) -> Content {
        let mut content = Content::default();
        for bytes in [&self.config, &self.layer] {
            let path = format!("blobs/{}", Digest::of(bytes));
            content.put(repository, &path, "application/octet-stream", &bytes[..]);
        }
        let by_digest = Digest::of(&self.manifest).to_string();
        for name in [tag, &by_digest] {
            let path = format!("manifests/{name}");
            content.put(repository, &path, MANIFEST, &self.manifest[..]);
        }
        content
    }

    /// All of it, through a cache.
    fn check(&self, cache: &Served, repository: &str, tag: &str) {
        let by_digest = Digest::of(&self.manifest).to_string();
        for name in [tag, &by_digest] {
            let reply = cache.get(&format!("/v2/{repository}/manifests/{name}"));
            assert_eq!(
                (reply.status, &reply.body),
                (200, &self.manifest),
                "{}",
                reply.text()
            );
            assert_eq!(reply.header("docker-content-digest"), Some(&by_digest[..]));
            assert_eq!(reply.header("content-type"), Some(MANIFEST));
        }
        for bytes in [&self.config, &self.layer] {
            let reply = cache.get(&format!("/v2/{repository}/blobs/{}", Digest::of(bytes)));
            assert_eq!(
                (reply.status, reply.length()),
                (200, bytes.len()),
                "{}",
                reply.text()
            );
            assert!(
                reply.body == *bytes,
                "{} of {} bytes",
                reply.body.len(),
                bytes.len()
            );
        }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn cache(root: &Path, upstream: &str, more: &str) -> Served {
    let config = format!("{QUIET}[cache]\nupstream = \"http://{upstream}\"\n{more}");
    Served::start(root, &config)
}

const QUIET: &str = "[log]\naccess = \"off\"\n";

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Files of uploads in any repository.
fn uploads(root: &Path) -> usize {
    let mut found = 0;
    let mut next = vec![root.join("repositories")];
    while let Some(path) = next.pop() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            let path = entry.path();
            let is_upload = path.parent().unwrap().ends_with("_uploads");
            found += usize::from(is_upload);
            if path.is_dir() {
                next.push(path);
            }
        }
    }
    found
}

fn has(root: &Path, repository: &str, bytes: &[u8]) -> bool {
    let digest = Digest::of(bytes);
    let path = format!("repositories/{repository}/_blobs/sha256-{}", digest.hex());
    root.join(path).exists()
}

#[test]
fn what_was_fetched_is_served_when_upstream_is_away_also_after_a_restart() {
    let (there, here) = (directory(), directory());
    let (image, other) = (Image::new(1, 3 << 20), Image::new(2, 1000));
    let upstream = Served::start(there.path(), QUIET);
    let host = upstream.host();
    image.push(&host, "team/app:v1");
    other.push(&host, "team/other:v1");
    let served = cache(here.path(), &host, "ttl = \"0s\"");
    image.check(&served, "team/app", "v1");
    drop(upstream);
    image.check(&served, "team/app", "v1");
    drop(served);
    let again = cache(here.path(), &host, "");
    image.check(&again, "team/app", "v1");
    // What was never asked for is not here.
    let reply = again.get("/v2/team/other/manifests/v1");
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("upstream registry does not answer"));
    let reply = again.get(&other.layer_path("team/app"));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(uploads(here.path()), 0);
}

/// A manifest whose blobs nobody has asked for yet is as it should be; for who does not know of the cache, it is not.
#[test]
fn what_was_not_fetched_is_no_damage() {
    let (upstream_root, root) = (directory(), directory());
    let upstream = Served::start(upstream_root.path(), QUIET);
    Image::new(9, 1000).push(&upstream.host(), "a:v1");
    let served = cache(root.path(), &upstream.host(), "");
    let reply = served.get("/v2/a/manifests/v1");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let known = Upstream::parse("http://127.0.0.1:1").unwrap();
    let check = |caches: &[Upstream]| run::check(root.path(), caches, false).unwrap();
    assert!(check(&[known]).is_empty());
    let problems = check(&[]);
    assert!(problems[0].is_absent, "{}", problems[0]);
}

#[test]
fn debian_s_registry_is_cached_for_skopeo() {
    let here = directory();
    let upstream = Registry::start(testkit::registry::Options::default());
    let image = Image::new(3, 5 << 20);
    image.push(&upstream.host(), "a/b:v1");
    let served = cache(here.path(), &upstream.host(), "");
    let copy = |to: &str| {
        let target = format!("dir:{}", here.path().join(to).display());
        let source = format!("docker://{}/a/b:v1", served.host());
        let mut command = std::process::Command::new("skopeo");
        command.args(["--insecure-policy", "copy", "-q", "--src-tls-verify=false"]);
        let patience = std::time::Duration::from_secs(60);
        testkit::Finished::run(command.args([&source, &target]), b"", patience).ok();
        let layer = here.path().join(to).join(Digest::of(&image.layer).hex());
        assert!(std::fs::read(layer).unwrap() == image.layer);
    };
    copy("first");
    drop(upstream);
    copy("second");
}

#[test]
fn an_upstream_that_dies_in_mid_way_leaves_nothing_half() {
    let here = directory();
    let upstream = Registry::start(testkit::registry::Options::default());
    let image = Image::new(4, 8 << 20);
    image.push(&upstream.host(), "a:v1");
    // It dies after half of the layer.
    let dying = DyingProxy::start(&upstream.host(), 4 << 20);
    let served = cache(here.path(), &dying.host, "");
    assert_eq!(served.get("/v2/a/manifests/v1").status, 200);
    let reply = served.get(&image.layer_path("a"));
    assert_eq!((reply.status, reply.length()), (200, image.layer.len()));
    assert!(reply.body.len() < image.layer.len() && dying.is_dead());
    assert!(image.layer.starts_with(&reply.body));
    assert!(!has(here.path(), "a", &image.layer));
    eventually("the upload is gone", || {
        (uploads(here.path()) == 0).then_some(())
    });
    // Away now; the manifest is here.
    assert_eq!(served.get("/v2/a/manifests/v1").status, 200);
    assert_eq!(served.get(&image.layer_path("a")).status, 502);
    drop(served);
    let again = cache(here.path(), &upstream.host(), "");
    image.check(&again, "a", "v1");
}

#[test]
fn many_that_want_a_blob_share_one_download() {
    let here = directory();
    let image = Arc::new(Image::new(5, 2 << 20));
    let (content, path) = (image.serve("a", "v1"), image.layer_path("a"));
    let (fetched, wanted) = (Arc::new(AtomicUsize::new(0)), path.clone());
    let counted = fetched.clone();
    let upstream = EvilRegistry::start(move |request| {
        let mut reply = content.reply(request);
        if request.path == wanted && request.method == "GET" {
            counted.fetch_add(1, Ordering::SeqCst);
            reply.delay = std::time::Duration::from_millis(300);
        }
        reply
    });
    let served = cache(here.path(), &upstream.host(), "");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let reply = served.get(&path);
                assert!(reply.status == 200 && reply.body == image.layer);
            });
        }
    });
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert!(served.get(&path).body == image.layer);
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}

/// G13: a first answer is cut before its end, and nothing is kept.
#[test]
fn a_blob_that_is_another_is_cut_and_not_kept() {
    let here = directory();
    let image = Image::new(6, 1 << 20);
    let (content, path) = (image.serve("a", "v1"), image.layer_path("a"));
    let lies = Arc::new(AtomicUsize::new(3));
    let (left, wanted) = (lies.clone(), path.clone());
    let upstream = EvilRegistry::start(move |request| {
        let mut reply = content.reply(request);
        let lie = |left: usize| left.checked_sub(1);
        if request.path == wanted
            && request.method == "GET"
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, lie)
                .is_ok()
        {
            // Only the very last bit is wrong.
            *reply.body.last_mut().unwrap() ^= 1;
        }
        reply
    });
    let served = cache(here.path(), &upstream.host(), "");
    let reply = served.get(&path);
    assert_eq!((reply.status, reply.length()), (200, image.layer.len()));
    assert!(
        reply.body.len() < image.layer.len(),
        "the last byte is withheld"
    );
    assert!(!has(here.path(), "a", &image.layer));
    // Several that wait, and one that wants a part.
    std::thread::scope(|scope| {
        let many: Vec<_> = (0..3).map(|_| scope.spawn(|| served.get(&path))).collect();
        for one in many {
            assert!(one.join().unwrap().body.len() < image.layer.len());
        }
    });
    lies.store(1, Ordering::SeqCst);
    let part = served.ask("GET", &path, &["Range: bytes=0-9"]);
    assert_eq!(part.status, 502, "{}", part.text());
    assert_eq!(uploads(here.path()), 0);
    lies.store(0, Ordering::SeqCst);
    assert!(served.get(&path).body == image.layer);
}

#[test]
fn lengths_that_are_lies_are_cut_too() {
    use testkit::evil_registry::Length;
    let here = directory();
    let image = Image::new(7, 300_000);
    let path = image.layer_path("a");
    for (head, cut_at, endless) in [
        (300_001, None, false),
        (299_999, None, false),
        (300_000, Some(1000), false),
        (300_000, None, true),
    ] {
        let (content, wanted) = (image.serve("a", "v1"), path.clone());
        let upstream = EvilRegistry::start(move |request| {
            let mut reply = content.reply(request);
            if request.path == wanted {
                if request.method == "HEAD" {
                    reply.length = Length::Stated(head);
                } else {
                    (reply.cut_at, reply.endless) = (cut_at, endless);
                    if endless {
                        reply.length = Length::Close;
                    }
                }
            }
            reply
        });
        let served = cache(here.path(), &upstream.host(), "");
        let reply = served.get(&path);
        assert!(
            reply.status != 200 || reply.body.len() < reply.length(),
            "{head} {cut_at:?} {endless}"
        );
        assert!(!has(here.path(), "a", &image.layer));
    }
}

#[test]
fn parts_and_sizes_of_what_is_not_here_are_right() {
    let here = directory();
    let image = Image::new(8, 200_000);
    let content = image.serve("a", "v1");
    let upstream = EvilRegistry::start(move |request| content.reply(request));
    let served = cache(here.path(), &upstream.host(), "");
    let path = image.layer_path("a");
    let head = served.ask("HEAD", &path, &[]);
    assert_eq!(
        (head.status, head.length(), head.body.len()),
        (200, 200_000, 0)
    );
    assert!(!has(here.path(), "a", &image.layer));
    let part = served.ask("GET", &path, &["Range: bytes=100000-100009"]);
    assert_eq!(part.status, 206);
    assert_eq!(part.body, image.layer[100_000..100_010]);
    let absent = served.get(&format!("/v2/a/blobs/{}", Digest::of(b"absent")));
    assert_eq!(
        (absent.status, absent.text().contains("BLOB_UNKNOWN")),
        (404, true)
    );
    let absent = served.get("/v2/a/manifests/none");
    assert_eq!(
        (absent.status, absent.text().contains("MANIFEST_UNKNOWN")),
        (404, true)
    );
}

#[test]
fn a_tag_follows_upstream_when_its_time_is_over() {
    let (there, here, patient) = (directory(), directory(), directory());
    let upstream = Served::start(there.path(), QUIET);
    let (first, second) = (Image::new(9, 100), Image::new(10, 100));
    let served = cache(here.path(), &upstream.host(), "ttl = \"0s\"");
    let believing = cache(patient.path(), &upstream.host(), "ttl = \"1h\"");
    first.push(&upstream.host(), "a:v1");
    first.check(&served, "a", "v1");
    first.check(&believing, "a", "v1");
    second.push(&upstream.host(), "a:v1");
    second.check(&served, "a", "v1");
    first.check(&believing, "a", "v1");
    let history = served.get("/v2/a/_berth/tags/history?tag=v1").text();
    for image in [&first, &second] {
        let digest = Digest::of(&image.manifest).to_string();
        assert!(
            history.contains(&digest) && history.contains("upstream"),
            "{history}"
        );
    }
    // Removed upstream: it is no more, but for when upstream is away.
    let removed = format!("/v2/a/manifests/{}", Digest::of(&second.manifest));
    assert_eq!(upstream.ask("DELETE", &removed, &[]).status, 202);
    assert_eq!(served.get("/v2/a/manifests/v1").status, 404);
}

#[test]
fn nothing_is_pushed_to_a_cache() {
    let here = directory();
    let upstream = EvilRegistry::start(|_| Reply::status(404));
    let config = format!(
        "{QUIET}[[cache]]\nprefix = \"hub\"\nupstream = \"http://{}\"",
        upstream.host()
    );
    let served = Served::start(here.path(), &config);
    for (method, path) in [
        ("POST", "/v2/hub/a/blobs/uploads/"),
        ("PUT", "/v2/hub/a/manifests/v1"),
        (
            "POST",
            "/v2/hub/a/_berth/tags/rollback?tag=v1&to=sha256:0000000000000000000000000000000000000000000000000000000000000000",
        ),
    ] {
        let reply = served.ask(method, path, &["Content-Length: 0"]);
        assert_eq!(reply.status, 405, "{path}: {}", reply.text());
        assert!(
            reply
                .text()
                .contains("is a cache of another registry's: push there"),
            "{}",
            reply.text()
        );
    }
    // Beside its prefix all is as usual, and nobody else is asked.
    let image = Image::new(11, 100);
    image.push(&served.host(), "hubs/a:v1");
    image.check(&served, "hubs/a", "v1");
    assert_eq!(served.get("/v2/hub/manifests/v1").status, 404);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_prefix_is_not_upstream_s() {
    let (there, here) = (directory(), directory());
    let upstream = Served::start(there.path(), QUIET);
    let image = Image::new(12, 100);
    image.push(&upstream.host(), "x/team/app:v1");
    let config = format!(
        "{QUIET}[[cache]]\nprefix = \"hub\"\nupstream = \"http://{}/x\"",
        upstream.host()
    );
    let served = Served::start(here.path(), &config);
    image.check(&served, "hub/team/app", "v1");
}

/// G7: who may not read it does not make us ask for it.
#[test]
fn rights_are_asked_before_upstream_is() {
    let here = directory();
    let upstream = EvilRegistry::start(|_| Reply::status(404));
    std::fs::write(here.path().join("users"), "# nobody\n").unwrap();
    let more =
        "[auth]\nhtpasswd = \"users\"\n[[access]]\nprefix = \"open\"\nanonymous = [\"pull\"]";
    let served = cache(here.path(), &upstream.host(), more);
    let image = Image::new(13, 100);
    assert_eq!(served.get(&image.layer_path("closed")).status, 401);
    assert_eq!(served.get("/v2/closed/manifests/v1").status, 401);
    assert!(upstream.requests().is_empty());
    assert_eq!(served.get("/v2/open/manifests/v1").status, 404);
    assert!(!upstream.requests().is_empty());
}

#[test]
fn upstream_may_want_a_password_or_a_token() {
    let image = Image::new(14, 100_000);
    let login = "username = \"user\"\npassword_file = \"password\"";
    let debian = Registry::start(testkit::registry::Options {
        login: true,
        ..Default::default()
    });
    let there = directory();
    std::fs::write(
        there.path().join("users"),
        "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n",
    )
    .unwrap();
    let config = format!("{QUIET}[auth]\nhtpasswd = \"users\"\n[auth.token]\n");
    let ours = Served::start(there.path(), &config);
    for host in [debian.host(), ours.host()] {
        image.push_as(&host, "a:v1", Some(("user", "secret")));
        let here = directory();
        std::fs::write(here.path().join("password"), "secret\n").unwrap();
        let served = cache(here.path(), &host, login);
        image.check(&served, "a", "v1");
        // Without the login upstream denies what might not exist.
        let here = directory();
        let served = cache(here.path(), &host, "");
        assert_eq!(served.get("/v2/a/manifests/v1").status, 404);
    }
}
