//! Images that are here: lists, inspection, names, removal, archives, commits, what they take.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use testkit::eventually;

use crate::Api;
use crate::rig::{encoded, tar};

/// Paths of each sort of document that versions have.
const VERSIONS: [&str; 5] = ["/v1.40", "/v1.41", "/v1.49", "/v1.53", ""];

/// An answer that is held against the definitions where there are some for its version.
fn get(api: &Api, version: &str, path: &str) -> Value {
    let path = format!("{version}{path}");
    let answer = match version {
        "/v1.49" => api.raw("GET", &path, &[], b""),
        _ => api.get(&path),
    };
    answer.expect(200).json()
}

fn ids(api: &Api, filters: &Value) -> Vec<String> {
    let path = format!("/images/json?filters={}", encoded(&filters.to_string()));
    let listed = api.get(&path).expect(200).json();
    let listed = listed.as_array().expect("a list").iter();
    listed
        .map(|image| image["Id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn images_are_listed_by_version_and_filter() {
    let api = Api::start();
    for version in VERSIONS {
        let listed = get(&api, version, "/images/json?all=1&digests=1&shared-size=1");
        assert_eq!(listed[0]["RepoTags"], json!(["busybox:latest"]));
        assert!(listed[0]["Size"].as_i64().unwrap() > 0 && listed[0]["Containers"] == -1);
        let old = matches!(version, "/v1.40" | "/v1.41");
        assert_eq!(listed[0].get("VirtualSize").is_some(), old, "{version}");
        assert_eq!(listed[0].get("Descriptor").is_none(), old, "{version}");
    }
    let id = api.get("/images/json").expect(200).json()[0]["Id"].clone();
    api.post("/images/busybox/tag?repo=other.test/a/b&tag=1")
        .expect(201);
    let made = api.post(&format!(
        "/images/create?fromSrc=-&repo=made&tag=1&changes={}",
        encoded("LABEL a=b")
    ));
    assert_eq!(made.status, 400, "an empty archive is none");
    let import = format!(
        "/images/create?fromSrc=-&changes={}",
        encoded("LABEL a=b\nCMD [\"x\"]")
    );
    let made = api
        .request("POST", &import, &[], &tar(&[("f", b"1")]))
        .expect(200);
    let made = made.lines()[0]["status"].as_str().unwrap().to_owned();
    let only = |filters: Value| ids(&api, &filters);
    assert_eq!(only(json!({"dangling": ["true"]})), [made.as_str()]);
    assert_eq!(
        only(json!({"dangling": {"false": true}})),
        [id.as_str().unwrap()]
    );
    assert_eq!(only(json!({"label": ["a=b"]})), [made.as_str()]);
    assert_eq!(only(json!({"label!": ["a"]})), [id.as_str().unwrap()]);
    assert_eq!(only(json!({"since": ["busybox"]})), [made.as_str()]);
    assert_eq!(only(json!({"before": [made]})), [id.as_str().unwrap()]);
    // It says itself that it is as old as its program.
    assert_eq!(only(json!({"until": ["10m"]})), [id.as_str().unwrap()]);
    let narrowed = format!(
        "/images/json?filters={}",
        encoded(r#"{"reference":["*/a/b"]}"#)
    );
    let narrowed = api.get(&narrowed).expect(200).json();
    assert_eq!(narrowed[0]["RepoTags"], json!(["other.test/a/b:1"]));
    let old = api
        .get("/v1.40/images/json?filter=busybox")
        .expect(200)
        .json();
    assert_eq!(old.as_array().unwrap().len(), 1);
    for bad in [
        r#"{"colour":["red"]}"#,
        r#"{"dangling":["x"]}"#,
        "[]",
        r#"{"until":["x"]}"#,
    ] {
        api.get(&format!("/images/json?filters={}", encoded(bad)))
            .expect(400);
    }
    let gone = format!(
        "/images/json?filters={}",
        encoded(r#"{"before":["nothing"]}"#)
    );
    api.get(&gone).expect(404);
}

/// D36: what an image says of policy is not there.
#[test]
fn images_are_inspected_by_version() {
    let api = Api::start();
    for version in VERSIONS {
        let one = get(&api, version, "/images/busybox/json");
        let old = version == "/v1.40" || version == "/v1.41";
        assert_eq!(one.get("VirtualSize").is_some(), old, "{version}");
        assert_eq!(one.get("ContainerConfig").is_some(), old, "{version}");
        let whole = old || version == "/v1.49";
        assert_eq!(one["Config"].get("Hostname").is_some(), whole, "{version}");
        assert_eq!(one["RootFS"]["Type"], "layers");
        let history = get(&api, version, "/images/busybox/history");
        assert_eq!(history[0]["Id"], one["Id"]);
    }
    let one = api.get("/images/busybox/json").expect(200).json();
    let digits = &one["Id"].as_str().unwrap()["sha256:".len()..][..12];
    let same = api
        .get(&format!("/images/{digits}/json"))
        .expect(200)
        .json();
    assert_eq!(same, one);
    let gone = api.get("/images/a.test/no/such/json").expect(404);
    assert_eq!(gone.message(), "No such image: a.test/no/such:latest");
    api.get("/images/busybox/json?platform=linux%2Fs390x")
        .expect(404);
    api.get(&format!(
        "/images/busybox/json?platform={}",
        encoded(r#"{"os":"linux","architecture":"s390x"}"#)
    ))
    .expect(404);
    api.get("/images/busybox/json?platform=%7B").expect(400);
}

#[test]
fn names_come_and_go_and_what_is_used_stays() {
    let api = Api::start();
    let image = api.get("/images/busybox/json").expect(200).json();
    let id = image["Id"].clone();
    let pin = image["RepoDigests"][0].as_str().unwrap();
    let short = &id.as_str().unwrap()["sha256:".len()..][..12];
    for target in ["repo=UPPER&tag=1", "repo=a&tag=%2F", "repo=", "tag=x"] {
        api.post(&format!("/images/busybox/tag?{target}"))
            .expect(400);
    }
    api.post("/images/nothing/tag?repo=a").expect(404);
    api.post("/images/busybox/tag?repo=a.test/x/y&tag=z")
        .expect(201);
    let container = api.run("web", "sleep 100");
    let running = api
        .delete(&format!("/images/{short}"))
        .expect(409)
        .message();
    assert_eq!(
        running,
        format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
        )
    );
    let removed = api.delete("/images/a.test/x/y:z").expect(200).json();
    let digest = &pin["busybox".len()..];
    let other = json!({"Untagged": format!("a.test/x/y{digest}")});
    assert_eq!(removed, json!([{"Untagged": "a.test/x/y:z"}, other]));
    let used = &container[..12];
    assert_eq!(
        api.delete("/images/busybox").expect(409).message(),
        format!(
            "conflict: unable to remove repository reference \"busybox:latest\" (must force) - container {used} is \
             using its referenced image {short}"
        )
    );
    assert_eq!(
        api.delete(&format!("/images/{short}?force=1"))
            .expect(409)
            .message(),
        format!(
            "conflict: unable to delete {short} (cannot be forced) - image is being used by running container {used}"
        )
    );
    api.post("/containers/web/kill").expect(204);
    api.post("/containers/web/wait").expect(200);
    assert_eq!(
        api.delete(&format!("/images/{short}"))
            .expect(409)
            .message(),
        format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container {used}"
        )
    );
    let removed = api
        .delete("/images/busybox?force=1&noprune=1")
        .expect(200)
        .json();
    assert_eq!(
        removed,
        json!([{"Untagged": "busybox:latest"}, {"Untagged": pin}, {"Deleted": id}])
    );
    api.delete("/images/busybox").expect(404);
    api.delete("/containers/web").expect(204);
    api.berth(&["system", "gc"]).ok();
    api.delete("/images/busybox?platforms=%7B%7D").expect(501);
}

#[test]
fn archives_go_out_and_come_in() {
    let api = Api::start();
    api.post("/images/busybox/tag?repo=a/b&tag=1").expect(201);
    let one = api.get("/images/a/b:1/get").expect(200);
    assert_eq!(one.header("content-type"), Some("application/x-tar"));
    let both = api
        .get("/v1.41/images/get?names=busybox&names=a/b:1")
        .expect(200);
    api.get("/images/nothing/get").expect(404);
    api.get("/images/get?names=busybox&names=nothing")
        .expect(404);
    api.get("/images/get").expect(400);
    let id = api.get("/images/busybox/json").expect(200).json()["Id"].clone();
    let all = format!(
        "/images/prune?filters={}",
        encoded(r#"{"dangling":["false"]}"#)
    );
    let pruned = api.post(&all).expect(200).json();
    assert!(
        pruned["ImagesDeleted"]
            .to_string()
            .contains(id.as_str().unwrap())
    );
    assert!(pruned["SpaceReclaimed"].as_u64().unwrap() > 0);
    assert_eq!(
        api.post("/images/prune").expect(200).json()["ImagesDeleted"],
        json!([])
    );
    let load = |archive: &[u8]| api.request("POST", "/images/load?quiet=1", &[], archive);
    let told = load(&one.body).expect(200).lines();
    assert_eq!(told, [json!({"stream": "Loaded image: a/b:1\n"})]);
    assert_eq!(load(&both.body).expect(200).lines().len(), 2);
    assert_eq!(api.get("/images/busybox/json").expect(200).json()["Id"], id);
}

/// The manifests of an image; definitions of 1.55 want a field of them that they do not have.
#[test]
fn manifests_are_told_to_who_asks() {
    let api = Api::start();
    let raw = |path: &str| api.raw("GET", path, &[], b"").expect(200).json();
    let id = api.run("web", "sleep 100");
    let listed = raw("/v1.47/images/json?manifests=1");
    let one = &listed[0]["Manifests"][0];
    assert_eq!(
        (&one["Kind"], &one["Available"]),
        (&json!("image"), &json!(true))
    );
    assert_eq!(one["ImageData"]["Containers"], json!([id]));
    assert!(one["Size"]["Total"].as_i64() > one["Size"]["Content"].as_i64());
    let inspected = raw("/images/busybox/json?manifests=1");
    assert_eq!(inspected["Manifests"][0], *one);
    assert!(
        raw("/v1.46/images/json?manifests=1")[0]
            .get("Manifests")
            .is_none()
    );
    api.get("/images/busybox/json?manifests=1&platform=linux%2Famd64")
        .expect(400);
}

/// N4.
#[test]
fn archives_that_break_off_leave_nothing() {
    let api = Api::start();
    let leases = || api.sandbox.count("leases");
    let (before, whole) = (leases(), api.get("/images/busybox/get").expect(200).body);
    let socket = api.daemon.socket();
    let mut leaving = testkit::http::open(socket, "GET", "/images/busybox/get", &[], b"");
    assert_eq!(leaving.status, 200);
    let mut some = [0; 100];
    leaving.stream.read_exact(&mut some).unwrap();
    drop(leaving);
    let mut stream = UnixStream::connect(socket).unwrap();
    let head = format!(
        "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Length: {}\r\n\r\n",
        whole.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[..whole.len() / 2]).unwrap();
    drop(stream);
    eventually("both end", || (leases() == before).then_some(()));
    api.berth(&["system", "gc"]).ok();
    api.berth(&["fsck"]).ok();
}

/// D23.
#[test]
fn archives_of_nonsense_are_refused() {
    let api = Api::start();
    let huge = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 1 << 30,
        None => 16 << 20,
    };
    // As Docker tells it; docker-py looks there.
    let refused = |archive: &[u8]| {
        let answer = api.raw("POST", "/images/load", &[], archive).expect(200);
        let told = answer.lines();
        told.len() == 1
            && told[0]["errorDetail"]["message"] == told[0]["error"]
            && told[0]["error"].is_string()
    };
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let config = r#"{"architecture":null,"os":null,"config":null,"rootfs":null,"history":null}"#;
    for (name, files) in [
        ("nothing", vec![]),
        ("no manifest", vec![("x", &b"1"[..])]),
        ("a manifest that is null", vec![("manifest.json", b"null")]),
        ("a deep manifest", vec![("manifest.json", &deep)]),
        (
            "a huge manifest",
            vec![("manifest.json", &vec![b' '; huge])],
        ),
        (
            "nulls",
            vec![(
                "manifest.json",
                br#"[{"Config":null,"RepoTags":null,"Layers":null}]"#,
            )],
        ),
        (
            "a configuration of nulls",
            vec![
                ("c.json", config.as_bytes()),
                (
                    "manifest.json",
                    br#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":[]}]"#,
                ),
            ],
        ),
        (
            "a way out",
            vec![(
                "manifest.json",
                br#"[{"Config":"../../../etc/passwd","Layers":[]}]"#,
            )],
        ),
    ] {
        assert!(refused(&tar(&files)), "{name}");
    }
    assert!(refused(b"no archive"));
    assert_eq!(
        api.get("/images/json")
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(api.berth(&["system", "gc"]).ok().len() < 10_000);
    api.berth(&["fsck"]).ok();
}

#[test]
fn a_container_becomes_an_image() {
    let api = Api::start();
    api.run("web", "echo 1 >/made; sleep 100");
    api.berth(&["exec", "web", "test", "-f", "/made"]).ok();
    let over = json!({"Labels": {"x": "y"}, "Env": ["A=2"], "Cmd": ["cat", "/made"], "Hostname": null,
        "ExposedPorts": {"80/tcp": {}}});
    let path = format!(
        "/commit?container=web&repo=a/made&tag=1&comment=hello&author=me&changes={}",
        encoded("ENV B=3\nWORKDIR /w")
    );
    let made = api.post_json(&path, &over).expect(201).json()["Id"].clone();
    let image = api.get("/images/a/made:1/json").expect(200).json();
    assert_eq!(
        (&image["Id"], &image["Author"], &image["Comment"]),
        (&made, &json!("me"), &json!("hello"))
    );
    let config = &image["Config"];
    assert_eq!(config["Cmd"], json!(["cat", "/made"]));
    assert_eq!(
        (&config["WorkingDir"], &config["Labels"]["x"]),
        (&json!("/w"), &json!("y"))
    );
    let env = config["Env"].to_string();
    assert!(env.contains("A=2") && env.contains("B=3"), "{env}");
    assert!(config["ExposedPorts"]["80/tcp"].is_object());
    assert_eq!(api.berth(&["run", "--rm", "a/made:1"]).ok(), "1");
    let plain = api.post("/commit?container=web&pause=0").expect(201).json()["Id"].clone();
    let plain = api
        .get(&format!("/images/{}/json", plain.as_str().unwrap()))
        .expect(200)
        .json();
    assert_eq!(plain["Config"]["Cmd"][0], "sh");
    api.post("/commit?container=nothing").expect(404);
    api.post("/commit?container=web&repo=UPPER").expect(400);
    api.post(&format!(
        "/commit?container=web&changes={}",
        encoded("RUN x")
    ))
    .expect(400);
    api.post_json("/commit?container=web", &json!({"Env": "A"}))
        .expect(400);
    api.post_json(
        "/commit?container=web",
        &json!({"Healthcheck": {"Test": ["WRONG"]}}),
    )
    .expect(400);
}
