//! Images that come from registries and go to them: progress, logins, clients that leave.

use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use testkit::evil_registry::{Content, EvilRegistry, Reply};
use testkit::registry::{LOGIN, Options, Registry};
use testkit::served::Served;
use testkit::{Sandbox, eventually};

use crate::Api;
use crate::rig::{base64url, encoded};

/// What the messages say, with the layer's digits away.
fn statuses(lines: &[Value]) -> Vec<&str> {
    let mut all: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["status"].as_str())
        .collect();
    all.dedup();
    all
}

#[test]
fn progress_is_told_as_dockers_clients_print_it() {
    let api = Api::start();
    let registry = Served::start(&api.sandbox, &[]);
    let name = format!("{}/a/bb", registry.host());
    api.post(&format!("/images/busybox/tag?repo={name}&tag=1"))
        .expect(201);
    let pushed = api
        .post(&format!("/images/{name}/push?tag=1"))
        .expect(200)
        .lines();
    let first = format!("The push refers to repository [{name}]");
    assert_eq!(statuses(&pushed)[..2], [first.as_str(), "Preparing"]);
    assert_eq!(pushed[pushed.len() - 3]["status"], "Pushed");
    let aux = &pushed[pushed.len() - 1]["aux"];
    let digest = aux["Digest"].as_str().unwrap();
    assert_eq!(aux["Tag"], "1");
    let last = format!("1: digest: {digest} size: {}", aux["Size"]);
    assert_eq!(pushed[pushed.len() - 2]["status"], last.as_str());
    let again = api
        .post(&format!("/images/{name}/push"))
        .expect(200)
        .lines();
    assert!(
        statuses(&again).contains(&"Layer already exists"),
        "{again:?}"
    );
    let offered = api
        .get(&format!("/distribution/{name}:1/json"))
        .expect(200)
        .json();
    assert_eq!(offered["Descriptor"]["digest"], digest);
    assert_eq!(offered["Platforms"][0]["os"], "linux");
    api.get(&format!("/distribution/{name}:2/json")).expect(404);

    api.delete(&format!("/images/{name}:1")).expect(200);
    api.delete("/images/busybox").expect(200);
    let path = format!("/images/create?fromImage={name}&tag=1");
    let pulled = api.post(&path).expect(200).lines();
    assert_eq!(pulled[0], json!({"status": "Pulling from a/bb", "id": "1"}));
    let said = statuses(&pulled);
    let order = [
        "Pulling fs layer",
        "Downloading",
        "Download complete",
        "Extracting",
        "Pull complete",
    ];
    let places = order.map(|word| said.iter().position(|status| *status == word));
    assert!(places.is_sorted() && places[0].is_some(), "{said:?}");
    assert!(said.contains(&format!("Digest: {digest}").as_str()));
    let newer = format!("Status: Downloaded newer image for {name}:1");
    assert_eq!(said.last(), Some(&newer.as_str()));
    let same = api.post(&path).expect(200).lines();
    let up_to_date = format!("Status: Image is up to date for {name}:1");
    assert_eq!(same.len(), 3, "{same:?}");
    assert_eq!(same[2]["status"], up_to_date.as_str());
    // All tags, as docker means a name alone.
    let all = api
        .post(&format!("/images/create?fromImage={name}"))
        .expect(200)
        .lines();
    assert_eq!(all.last(), same.last());
    let by_digest = api
        .post(&format!("{}&tag={digest}", path.replace("&tag=1", "")))
        .expect(200);
    assert_eq!(by_digest.lines()[0]["id"], digest);

    let docker = api.docker(&["pull", &format!("{name}:1")]);
    let expected = format!("1: Pulling from a/bb\nDigest: {digest}\n{up_to_date}\n{name}:1");
    assert_eq!(docker.ok(), expected);
    let docker = api.docker(&["push", &format!("{name}:1")]);
    assert!(docker.ok().ends_with(&last), "{}", docker.ok());
}

#[test]
fn what_is_not_there_fails_with_a_status() {
    let api = Api::start();
    let registry = Served::start(&api.sandbox, &[]);
    let host = registry.host();
    let create = |query: &str| api.post(&format!("/images/create?{query}"));
    let gone = create(&format!("fromImage={host}/nothing&tag=1")).expect(404);
    let words = format!("manifest for {host}/nothing:1 not found");
    assert!(gone.message().starts_with(&words), "{}", gone.message());
    create("fromImage=127.0.0.1:1/x&tag=1").expect(503);
    for bad in [
        "",
        "fromImage=UPPER",
        "fromImage=a&tag=%20",
        "fromSrc=http%3A%2F%2Fa.test%2Fx",
        "fromImage=a&platform=%7B%7D",
    ] {
        create(bad).expect(400);
    }
    // A push has begun when it fails, so its last message says why.
    let failed = api
        .post(&format!("/images/{host}/nothing/push?tag=1"))
        .expect(200)
        .lines();
    let why = format!("An image does not exist locally with the tag: {host}/nothing:1");
    assert_eq!(
        failed[1],
        json!({"errorDetail": {"message": why}, "error": why})
    );
    let docker = api.docker(&["pull", &format!("{host}/nothing:1")]);
    assert!(docker.fails(1).contains(&words));
}

/// D24.
#[test]
fn a_login_goes_with_its_request_and_nowhere_else() {
    let api = Api::start();
    let registry = Registry::start(Options {
        login: true,
        ..Options::default()
    });
    let name = format!("{}/private/bb", registry.host());
    api.post(&format!("/images/busybox/tag?repo={name}&tag=1"))
        .expect(201);
    let auth = |password: &str, server: &str| {
        let login = json!({"username": LOGIN.0, "password": password, "serveraddress": server});
        base64url(&login.to_string())
    };
    let canary = "canary-of-a-password";
    let (wrong, right) = (
        auth(canary, &registry.host()),
        auth(LOGIN.1, "http://elsewhere.test"),
    );
    let push = |header: Option<&str>| {
        let headers: Vec<_> = header
            .iter()
            .map(|text| ("X-Registry-Auth", *text))
            .collect();
        let path = format!("/images/{name}/push?tag=1");
        api.request("POST", &path, &headers, b"")
            .expect(200)
            .lines()
    };
    for refused in [push(None), push(Some("")), push(Some(&wrong))] {
        let why = refused.last().unwrap()["error"].to_string();
        assert!(
            why.contains("denies access") && !why.contains(canary),
            "{why}"
        );
    }
    assert!(push(Some(&right)).last().unwrap()["aux"]["Digest"].is_string());
    let path = format!("/images/create?fromImage={name}&tag=1");
    let pull = |header: &str| api.request("POST", &path, &[("X-Registry-Auth", header)], b"");
    let refused = pull(&wrong).expect(403).message();
    assert!(!refused.contains(canary), "{refused}");
    assert_eq!(
        pull("canary-no-base64!")
            .expect(400)
            .message()
            .matches("canary")
            .count(),
        0
    );
    pull(&right).expect(200);
    // The next one without is refused again: nothing was kept.
    assert!(push(None).last().unwrap()["error"].is_string());
    let offered = format!("/distribution/{name}:1/json");
    api.get(&offered).expect(401);
    api.request("GET", &offered, &[("X-Registry-Auth", &right)], b"")
        .expect(200);

    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    for secret in [canary, &wrong, &right, &login, &base64url(&login)] {
        let found = holding(api.sandbox.path(), secret.as_bytes());
        assert_eq!(found, Vec::<String>::new(), "{secret}");
        assert!(!api.daemon.said().contains(secret));
    }
}

/// The files below a directory that hold these bytes.
fn holding(directory: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("ours") {
        let entry = entry.expect("ours");
        let kind = entry.file_type().expect("ours");
        if kind.is_dir() {
            found.extend(holding(&entry.path(), bytes));
        } else if kind.is_file() {
            let content = std::fs::read(entry.path()).unwrap_or_default();
            if content.windows(bytes.len()).any(|part| part == bytes) {
                found.push(
                    String::from_utf8_lossy(entry.path().as_os_str().as_bytes()).into_owned(),
                );
            }
        }
    }
    found
}

/// The image of a sandbox, as a registry has it; its layer's path.
fn content(sandbox: &Sandbox) -> (Content, String) {
    let blob = |digest: &Value| {
        let hex = &digest.as_str().expect("ours")["sha256:".len()..];
        std::fs::read(sandbox.state().join("blobs/sha256").join(hex)).expect("ours")
    };
    let index = std::fs::read(sandbox.state().join("index.json")).expect("ours");
    let index: Value = serde_json::from_slice(&index).expect("ours");
    let top = &index["manifests"][0];
    let manifest: Value = serde_json::from_slice(&blob(&top["digest"])).expect("ours");
    let mut content = Content::default();
    let kind = top["mediaType"].as_str().expect("ours");
    content.put("bb", "manifests/1", kind, blob(&top["digest"]));
    let path = |digest: &Value| format!("blobs/{}", digest.as_str().expect("ours"));
    let (config, layer) = (
        &manifest["config"]["digest"],
        &manifest["layers"][0]["digest"],
    );
    content.put(
        "bb",
        &path(config),
        "application/octet-stream",
        blob(config),
    );
    content.put("bb", &path(layer), "application/octet-stream", blob(layer));
    (content, format!("/v2/bb/{}", path(layer)))
}

/// N4, N13: of a registry that says nothing more nobody waits longer than the client.
#[test]
fn a_client_that_leaves_ends_its_pull() {
    let api = Api::start();
    let (content, layer) = content(&api.sandbox);
    api.delete("/images/busybox").expect(200);
    let registry = EvilRegistry::start(move |asked| {
        let reply = content.reply(asked);
        match asked.path == layer {
            true => Reply {
                stall_at: Some(10_000),
                ..reply
            },
            false => reply,
        }
    });
    let leases = || api.sandbox.count("leases");
    let before = leases();
    let path = format!("/images/create?fromImage={}/bb&tag=1", registry.host());
    let mut open = testkit::http::open(api.daemon.socket(), "POST", &path, &[], b"");
    assert_eq!(open.status, 200);
    let mut some = [0; 16];
    open.stream.read_exact(&mut some).unwrap();
    assert!(leases() > before, "it is under way");
    drop(open);
    let left = Instant::now();
    eventually("the pull ends", || (leases() == before).then_some(()));
    assert!(left.elapsed().as_secs() < 10, "{:?}", left.elapsed());
    assert_eq!(api.get("/images/json").expect(200).json(), json!([]));
    api.berth(&["system", "gc"]).ok();
    // What has come of the layer stays for the next pull; the rest is gone.
    for part in std::fs::read_dir(api.sandbox.state().join("ingest")).unwrap() {
        std::fs::remove_file(part.unwrap().path()).unwrap();
    }
    assert_eq!(api.sandbox.count("blobs/sha256"), 0);
    api.berth(&["fsck"]).ok();
}

#[test]
fn a_search_asks_the_registry_that_is_named() {
    let api = Api::start();
    let hub = EvilRegistry::start(|asked| match asked.path.as_str() {
        "/v1/search?q=redis&n=3" => Reply::ok(
            "application/json",
            r#"{"results":[{"name":"a/redis","description":"x","star_count":7,"is_official":false},
                {"name":"redis","description":"","star_count":9,"is_official":true,"more":null}]}"#,
        ),
        _ => Reply::status(404),
    });
    let search = |rest: &str| {
        api.get(&format!(
            "/v1.41/images/search?term={}%2Fredis{rest}",
            hub.host()
        ))
    };
    let found = search("&limit=3").expect(200).json();
    assert_eq!(
        (&found[0]["name"], &found[1]["star_count"]),
        (&json!("redis"), &json!(7))
    );
    let filters = encoded(r#"{"is-official":["true"]}"#);
    let official = search(&format!("&limit=3&filters={filters}"))
        .expect(200)
        .json();
    assert_eq!(official.as_array().unwrap().len(), 1);
    let none = search("&limit=4").expect(501).message();
    assert!(none.contains("has no search"), "{none}");
    for bad in ["&limit=0", "&limit=101", "&filters=%7B%22a%22%3A%5B%5D%7D"] {
        search(bad).expect(400);
    }
    api.get("/images/search").expect(400);
}

#[test]
fn building_is_not_here_yet() {
    let api = Api::start();
    let answer = api.post("/build").expect(501);
    assert!(answer.message().contains("building images"));
    let pruned = api.post("/build/prune").expect(200).json();
    assert_eq!(pruned, json!({"CachesDeleted": [], "SpaceReclaimed": 0}));
}
