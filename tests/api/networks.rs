//! Networks of one's own: made, listed, removed.

use serde_json::{Value, json};

use crate::Api;
use crate::rig::encoded;

fn names(api: &Api, filters: &Value) -> Vec<String> {
    let path = format!("/networks?filters={}", encoded(&filters.to_string()));
    let listed = api.get(&path).expect(200).json();
    let networks = listed.as_array().expect("a list").iter();
    networks
        .map(|network| network["Name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn networks_are_made_listed_and_removed() {
    let api = Api::start();
    let subnet = api.sandbox.other_subnet(1);
    let at = |host: &str| subnet.replace(".0/24", host);
    let asked = json!({
        "Name": "lan", "Driver": "bridge", "CheckDuplicate": true, "Internal": true, "Attachable": true,
        "Labels": {"a": "b"}, "Options": {"com.docker.network.driver.mtu": "1400"},
        "IPAM": {"Driver": "default", "Options": null, "Config": [{
            "Subnet": subnet, "IPRange": at(".128/25"), "Gateway": at(".9"),
            "AuxiliaryAddresses": {"x": at(".200")}
        }]}
    });
    for version in ["/v1.41", ""] {
        let made = api.post_json(&format!("{version}/networks/create"), &asked);
        let id = made.expect(201).json()["Id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 64);
        for name in ["lan", &id, &id[..8]] {
            let seen = api
                .get(&format!("{version}/networks/{name}"))
                .expect(200)
                .json();
            assert_eq!((&seen["Name"], &seen["Id"]), (&json!("lan"), &json!(id)));
            assert_eq!(seen["IPAM"]["Config"], asked["IPAM"]["Config"]);
            assert_eq!(
                (&seen["Labels"], &seen["Options"]),
                (&asked["Labels"], &asked["Options"])
            );
            assert_eq!(
                (&seen["Internal"], &seen["Attachable"]),
                (&json!(true), &json!(true))
            );
            assert_eq!(
                (&seen["Driver"], &seen["Scope"]),
                (&json!("bridge"), &json!("local"))
            );
            assert_eq!(seen["Containers"], json!({}));
        }
        assert_eq!(
            api.get("/networks/lan?scope=swarm").expect(404).message(),
            "network lan not found"
        );
        assert_eq!(names(&api, &json!({"type": ["custom"]})), ["lan"]);
        assert_eq!(names(&api, &json!({"dangling": ["true"]})), ["lan"]);
        assert_eq!(
            names(&api, &json!({"label": ["a=b"], "driver": ["bridge"]})),
            ["lan"]
        );
        assert_eq!(names(&api, &json!({"id": [&id[..9]]})), ["lan"]);
        let twice = api
            .post_json("/networks/create", &asked)
            .expect(409)
            .message();
        assert_eq!(twice, "network with name lan already exists");
        let bridge = format!("/sys/class/net/br-{}", &id[..12]);
        assert!(std::path::Path::new(&bridge).exists());
        api.delete(&format!("{version}/networks/lan")).expect(204);
        assert!(!std::path::Path::new(&bridge).exists());
        api.delete(&format!("{version}/networks/lan")).expect(404);
    }
}

/// D29.
#[test]
fn what_cannot_be_is_said_as_docker_says_it() {
    let api = Api::start();
    let (one, other) = (api.sandbox.other_subnet(1), api.sandbox.other_subnet(2));
    let with = |config: Value| json!({"Name": "n", "IPAM": {"Config": [config]}});
    api.post_json(
        "/networks/create",
        &json!({"Name": "there", "IPAM": {"Config": [{"Subnet": one}]}}),
    )
    .expect(201);
    for (document, status, words) in [
        (
            json!({"Name": "bridge"}),
            403,
            "operation is not permitted on predefined bridge network ",
        ),
        (
            json!({"Name": "default"}),
            403,
            "operation is not permitted on predefined default network ",
        ),
        (
            json!({"Name": "n", "Driver": "host"}),
            403,
            "only one instance of \"host\" network is allowed",
        ),
        (
            json!({"Name": "n", "Driver": "x"}),
            404,
            "plugin \"x\" not found",
        ),
        (
            json!({"Name": "n", "IPAM": {"Driver": "x"}}),
            404,
            "plugin \"x\" not found",
        ),
        (
            json!({"Name": "n", "Scope": "swarm"}),
            403,
            "cannot create a swarm scoped network",
        ),
        (
            json!({"Name": "n", "ConfigOnly": true}),
            501,
            "only another's settings",
        ),
        (json!({"Name": "n", "Driver": "overlay"}), 400, "a cluster"),
        (
            json!({"Name": "n", "Driver": "macvlan"}),
            400,
            "needs a device",
        ),
        (json!({"Name": ""}), 400, "invalid name: "),
        (json!({"Name": 1}), 400, "invalid JSON"),
        (json!({"Name": "n\n"}), 400, "invalid name: "),
        (json!({"Name": "x".repeat(300)}), 400, "invalid name: "),
        (with(json!({"Subnet": "x"})), 400, "invalid CIDR address: x"),
        (
            with(json!({"Gateway": "10.0.0.1"})),
            400,
            "invalid CIDR address: ",
        ),
        (
            with(json!({"Subnet": one})),
            400,
            "Pool overlaps with other one on this address space",
        ),
        (
            with(json!({"Subnet": other, "Gateway": "10.0.0.1"})),
            400,
            "no matching subnet for gateway",
        ),
    ] {
        let answer = api.post_json("/networks/create", &document).expect(status);
        assert!(
            answer.message().contains(words),
            "{document} {}",
            answer.message()
        );
    }
    assert_eq!(names(&api, &json!({"type": ["custom"]})), ["there"]);
    assert_eq!(
        api.get("/networks/..").expect(404).message(),
        "network .. not found"
    );
    let denied = api.delete("/networks/host").expect(403).message();
    assert_eq!(
        denied,
        "host is a pre-defined network and cannot be removed"
    );
}

#[test]
fn names_may_have_any_characters() {
    let api = Api::start();
    for (place, name) in ["test 01", "a/b", "..", "%2e"].into_iter().enumerate() {
        let subnet = api.sandbox.other_subnet(place as u8 + 1);
        let asked = json!({"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}});
        api.post_json("/networks/create", &asked).expect(201);
        let seen = api.berth(&["network", "inspect", "-f", "{{.Name}}", name]);
        assert_eq!(seen.ok(), name);
        assert_eq!(names(&api, &json!({"type": ["custom"]})), [name]);
        api.delete(&format!("/networks/{}", encoded(name)))
            .expect(204);
    }
}

/// N6.
#[test]
fn a_prune_takes_what_nobody_uses() {
    let api = Api::start();
    for (name, which) in [("one", 1), ("two", 2)] {
        let subnet = api.sandbox.other_subnet(which);
        let asked =
            json!({"Name": name, "Labels": {name: ""}, "IPAM": {"Config": [{"Subnet": subnet}]}});
        api.post_json("/networks/create", &asked).expect(201);
    }
    let prune = |filters: Value| {
        let path = format!("/networks/prune?filters={}", encoded(&filters.to_string()));
        api.post(&path).expect(200).json()["NetworksDeleted"].clone()
    };
    assert_eq!(prune(json!({"until": ["1h"]})), Value::Null);
    assert_eq!(prune(json!({"label!": ["two"]})), json!(["one"]));
    assert_eq!(prune(json!({})), json!(["two"]));
    assert_eq!(names(&api, &json!({})), ["bridge", "host", "none"]);
    let docker = api.docker(&[
        "network",
        "create",
        "--subnet",
        &api.sandbox.other_subnet(1),
        "lan",
    ]);
    assert_eq!(docker.ok().len(), 64);
    let listed = api.docker(&[
        "network",
        "ls",
        "-f",
        "type=custom",
        "--format",
        "{{.Name}} {{.Driver}}",
    ]);
    assert_eq!(listed.ok(), "lan bridge");
    assert_eq!(api.docker(&["network", "rm", "lan"]).ok(), "lan");
}
