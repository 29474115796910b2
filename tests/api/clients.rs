//! What Docker's own clients rely on beyond the definitions: each of these was seen in one of them.

use serde_json::{Value, json};

use crate::Api;

fn create(api: &Api, name: &str, document: &Value) {
    let path = format!("/containers/create?name={name}");
    api.post_json(&path, document).expect(201);
}

/// A link is an entry of hosts and variables; `inspect` tells it, and it can be taken away.
#[test]
fn a_linked_container_is_known_by_its_alias() {
    let api = Api::start();
    let server = json!({
        "Image": "busybox", "Cmd": ["sleep", "100"], "Hostname": "inside", "ExposedPorts": {"6379/tcp": {}}, "Env": ["A=1"],
    });
    create(&api, "redis", &server);
    let client = |link: &str| {
        let line = "cat /etc/hosts; env | sort; sleep 100";
        json!({"Image": "busybox", "Cmd": ["sh", "-c", line], "Env": ["DB_ENV_OWN=mine"], "HostConfig": {"Links": [link]}})
    };
    create(&api, "web", &client("redis:db"));
    let refused = api.post("/containers/web/start").expect(400).message();
    assert!(
        refused.contains("Cannot link to a non running container: /redis AS /web/db"),
        "{refused}"
    );
    api.post("/containers/redis/start").expect(204);
    api.post("/containers/web/start").expect(204);
    let redis = api.get("/containers/redis/json").expect(200).json();
    let address = redis["NetworkSettings"]["Networks"]["bridge"]["IPAddress"].as_str();
    let address = address.unwrap().to_owned();
    let said = testkit::eventually("its output", || {
        let said = api.berth(&["logs", "web"]).ok().to_owned();
        said.contains("PATH=").then_some(said)
    });
    for line in [
        format!("{address}\tdb inside redis"),
        format!("DB_PORT=tcp://{address}:6379"),
        format!("DB_PORT_6379_TCP_ADDR={address}"),
        "DB_NAME=/web/db".to_owned(),
        "DB_ENV_A=1".to_owned(),
        "DB_ENV_OWN=mine".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    let links = |name: &str| {
        let inspected = api.get(&format!("/containers/{name}/json")).expect(200);
        inspected.json()["HostConfig"]["Links"].clone()
    };
    assert_eq!(links("web"), json!(["/redis:/web/db"]));
    api.post("/containers/redis/rename?name=cache").expect(204);
    assert_eq!(links("web"), json!(["/cache:/web/db"]));

    // Taken away, and gone with the other.
    api.delete("/containers/web/other?link=1").expect(404);
    api.delete("/containers/web/db?link=1").expect(204);
    assert_eq!(links("web"), Value::Null);
    create(&api, "second", &client("cache"));
    assert_eq!(links("second"), json!(["/cache:/second/cache"]));
    api.berth(&["rm", "--link", "second/other"]).fails(1);
    assert_eq!(
        api.berth(&["rm", "-l", "second/cache"]).ok(),
        "second/cache"
    );
    assert_eq!(links("second"), Value::Null);
    create(&api, "third", &client("cache"));
    api.delete("/containers/cache?force=1").expect(204);
    assert_eq!(links("third"), Value::Null);
    api.post("/containers/third/start").expect(204);
    for (asked, why) in [
        (client("nobody"), "could not get container for nobody"),
        (client("web:a b"), "bad format for links: web:a b"),
    ] {
        let answer = api.post_json("/containers/create", &asked).expect(400);
        assert!(answer.message().contains(why), "{}", answer.message());
    }
    for mode in ["host", "container:web"] {
        let mut asked = client("web");
        asked["HostConfig"]["NetworkMode"] = json!(mode);
        api.post_json("/containers/create", &asked).expect(400);
    }
}

/// Who waits for the end of a container with a restart policy cannot remove it by being quick.
#[test]
fn what_is_to_be_started_again_is_not_removed() {
    let api = Api::start();
    for n in 0..4 {
        let name = format!("again{n}");
        let asked = json!({
            "Image": "busybox", "Cmd": ["sleep", "0.1"],
            "HostConfig": {"RestartPolicy": {"Name": "always"}, "NetworkMode": "none"},
        });
        create(&api, &name, &asked);
        api.post(&format!("/containers/{name}/start")).expect(204);
        api.post(&format!("/containers/{name}/wait")).expect(200);
        let refused = api.delete(&format!("/containers/{name}")).expect(409);
        let message = refused.message();
        assert!(message.contains("Stop the container before"), "{message}");
        api.delete(&format!("/containers/{name}?force=1"))
            .expect(204);
    }
}

/// A container may end at any moment of its commit.
#[test]
fn what_is_just_ending_can_be_committed() {
    let api = Api::start();
    let base = api.get("/v1.41/images/busybox/json").expect(200).json();
    assert_eq!(base["Parent"], "");
    for n in 0..6 {
        let name = format!("short{n}");
        let line = format!("echo {n} >/f; sleep 0.0{n}");
        api.run(&name, &line);
        let made = api.post(&format!("/commit?container={name}")).expect(201);
        let id = made.json()["Id"].as_str().unwrap().to_owned();
        let image = api.get(&format!("/v1.41/images/{id}/json")).expect(200);
        assert_eq!(image.json()["Parent"], base["Id"]);
    }
}

#[test]
fn the_isolation_is_told_as_it_was_asked_for() {
    let api = Api::start();
    for asked in ["", "default"] {
        let document =
            json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Isolation": asked}});
        let name = format!("kept{}", asked.len());
        create(&api, &name, &document);
        let inspected = api.get(&format!("/containers/{name}/json")).expect(200);
        assert_eq!(inspected.json()["HostConfig"]["Isolation"], asked);
    }
}
