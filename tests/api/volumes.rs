//! Volumes, and what everything takes on the disk.

use serde_json::{Value, json};

use crate::Api;
use crate::rig::encoded;

fn names(api: &Api, filters: &Value) -> Vec<String> {
    let path = format!("/volumes?filters={}", encoded(&filters.to_string()));
    let listed = api.get(&path).expect(200).json();
    let volumes = listed["Volumes"].as_array().expect("a list").iter();
    volumes
        .map(|volume| volume["Name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn volumes_are_made_listed_and_removed() {
    let api = Api::start();
    let asked = json!({"Name": "v1", "Labels": {"a": "b"}, "DriverOpts": null, "Driver": ""});
    let made = api
        .post_json("/v1.41/volumes/create", &asked)
        .expect(201)
        .json();
    assert_eq!(
        (&made["Driver"], &made["Scope"]),
        (&json!("local"), &json!("local"))
    );
    assert_eq!(made["Labels"], json!({"a": "b"}));
    // It is there already, and that is fine.
    api.post_json("/volumes/create", &json!({"Name": "v1"}))
        .expect(201);
    assert_eq!(
        api.get("/volumes/v1").expect(200).json()["Labels"],
        made["Labels"]
    );
    let options =
        json!({"Name": "v2", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}});
    let other = api
        .post_json("/volumes/create", &options)
        .expect(201)
        .json();
    assert_eq!(other["Options"], options["DriverOpts"]);
    let unnamed = api.post("/volumes/create").expect(201).json();
    let unnamed = unnamed["Name"].as_str().unwrap();
    assert_eq!(unnamed.len(), 64);
    for (document, status) in [
        (json!({"Name": "../x"}), 400),
        (json!({"Name": 1}), 400),
        (json!({"DriverOpts": {"wrong": "1"}}), 400),
        (json!({"ClusterVolumeSpec": {}}), 501),
    ] {
        api.post_json("/volumes/create", &document).expect(status);
    }
    api.berth(&["create", "--name", "user", "-v", "v1:/v", "busybox"])
        .ok();
    assert!(names(&api, &json!({"name": ["v"]})).len() >= 2);
    assert_eq!(names(&api, &json!({"label": ["a=b"]})), ["v1"]);
    assert_eq!(names(&api, &json!({"dangling": ["false"]})), ["v1"]);
    assert_eq!(
        names(&api, &json!({"driver": ["other"]})),
        Vec::<String>::new()
    );
    api.get(&format!(
        "/volumes?filters={}",
        encoded(r#"{"colour":["red"]}"#)
    ))
    .expect(400);
    let used = api.delete("/volumes/v1").expect(409).message();
    assert!(
        used.starts_with("remove v1: volume is in use - ["),
        "{used}"
    );
    assert_eq!(
        api.get("/volumes/none").expect(404).message(),
        "get none: no such volume"
    );
    api.delete("/volumes/none").expect(404);
    api.delete("/volumes/none?force=1").expect(204);
    api.request("PUT", "/volumes/v1", &[], b"").expect(501);
    let pruned = api.post("/volumes/prune").expect(200).json();
    assert_eq!(pruned["VolumesDeleted"], json!([unnamed]));
    let all = format!(
        "/volumes/prune?filters={}",
        encoded(r#"{"all":["true"],"label!":["a"]}"#)
    );
    assert_eq!(
        api.post(&all).expect(200).json()["VolumesDeleted"],
        json!(["v2"])
    );
    api.delete("/containers/user").expect(204);
    api.delete("/volumes/v1").expect(204);
    assert_eq!(api.get("/volumes").expect(200).json()["Volumes"], json!([]));
    let docker = api.docker(&["volume", "create", "v3"]);
    assert_eq!(docker.ok(), "v3");
    assert_eq!(api.docker(&["volume", "ls", "-q"]).ok(), "v3");
    assert_eq!(api.docker(&["volume", "rm", "v3"]).ok(), "v3");
}

#[test]
fn what_everything_takes_is_told_by_version() {
    let api = Api::start();
    api.post_json("/volumes/create", &json!({"Name": "v1"}))
        .expect(201);
    api.berth(&["create", "--name", "user", "-v", "v1:/v", "busybox"])
        .ok();
    let old = api.get("/v1.41/system/df").expect(200).json();
    let image = &old["Images"][0];
    assert_eq!(image["Containers"], 1);
    assert!(old["LayersSize"].as_i64().unwrap() > 0 && image["SharedSize"] == 0);
    assert_eq!(old["Containers"][0]["Names"], json!(["/user"]));
    assert_eq!(old["Volumes"][0]["UsageData"]["RefCount"], 1);
    assert_eq!(old["BuildCache"], json!([]));
    let only = api.get("/v1.43/system/df?type=volume").expect(200).json();
    assert!(only.get("Images").is_none() && only["Volumes"][0]["Name"] == "v1");
    let new = api.get("/system/df").expect(200).json();
    assert_eq!(new["ImageUsage"]["ActiveCount"], 1);
    assert!(new["ImageUsage"].get("Items").is_none());
    assert_eq!(new["VolumeUsage"]["Reclaimable"], 0);
    let verbose = api
        .get("/system/df?verbose=1&type=image&type=container")
        .expect(200)
        .json();
    assert_eq!(
        verbose["ImageUsage"]["Items"][0]["RepoTags"],
        json!(["busybox:latest"])
    );
    assert!(verbose.get("VolumeUsage").is_none());
    api.get("/system/df?type=nonsense").expect(400);
    let docker = api.docker(&["system", "df"]);
    let rows: Vec<Vec<&str>> = docker
        .ok()
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1][..3], ["Images", "1", "1"], "{rows:?}");
    assert_eq!(rows[3][..4], ["Local", "Volumes", "1", "1"], "{rows:?}");
}
