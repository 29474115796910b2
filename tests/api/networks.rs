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
            json!({"Name": "n", "ConfigOnly": true, "Internal": true}),
            403,
            "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal \
             | attachable | scope ] are not supported.",
        ),
        (
            json!({"Name": "n", "ConfigOnly": true, "ConfigFrom": {"Network": "c"}}),
            403,
            "a configuration network cannot depend on another configuration network",
        ),
        (
            json!({"Name": "n", "ConfigFrom": {"Network": "nosuch"}}),
            404,
            "configuration network \"nosuch\" does not exist",
        ),
        (
            json!({"Name": "n", "ConfigFrom": {"Network": "bridge"}}),
            404,
            "configuration network \"bridge\" does not exist",
        ),
        (
            json!({"Name": "n", "ConfigFrom": {"Network": "c"}, "Labels": {"a": "b"}}),
            403,
            "user specified configurations are not supported if the network depends on a configuration network",
        ),
        (
            json!({"Name": "n", "ConfigFrom": {"Network": "c"}, "Options": {"a": "b"}}),
            403,
            "network driver options are not supported if the network depends on a configuration network",
        ),
        (
            json!({"Name": "n", "EnableIPv4": false}),
            400,
            "IPv4 or IPv6 must be enabled",
        ),
        (json!({"Name": "n", "Driver": "overlay"}), 400, "a cluster"),
        (
            json!({"Name": "n", "Driver": "macvlan", "Options": {"parent": "nosuch"}}),
            400,
            "invalid subinterface vlan name nosuch, example formatting is eth0.10",
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

fn make(api: &Api, name: &str, which: u8) -> String {
    let subnet = api.sandbox.other_subnet(which);
    let asked = json!({"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}});
    let made = api.post_json("/networks/create", &asked).expect(201).json();
    made["Id"].as_str().unwrap().to_owned()
}

fn places(api: &Api, version: &str, name: &str) -> Value {
    let seen = api
        .get(&format!("{version}/containers/{name}/json"))
        .expect(200)
        .json();
    seen["NetworkSettings"]["Networks"].clone()
}

#[test]
fn containers_are_made_in_networks_connected_and_disconnected() {
    let api = Api::start();
    let (one, two) = (make(&api, "one", 1), make(&api, "two", 2));
    let fixed = api.sandbox.other_subnet(1).replace(".0/24", ".77");
    let asked = json!({
        "Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": "one"},
        "NetworkingConfig": {"EndpointsConfig": {"one": {
            "Aliases": ["web"], "Links": ["other:friend"], "IPAMConfig": {"IPv4Address": fixed}
        }}}
    });
    let made = api
        .post_json("/v1.41/containers/create?name=cc", &asked)
        .expect(201)
        .json();
    let id = made["Id"].as_str().unwrap().to_owned();
    api.post("/containers/cc/start").expect(204);
    let old = places(&api, "/v1.41", "cc");
    assert_eq!(
        (&old["one"]["IPAddress"], &old["one"]["NetworkID"]),
        (&json!(fixed), &json!(one))
    );
    // Until 1.45 the short id was an alias.
    assert_eq!(old["one"]["Aliases"], json!(["web", &id[..12]]));
    assert_eq!(old["one"]["Links"], json!(["other:friend"]));
    let new = places(&api, "", "cc");
    assert_eq!(new["one"]["Aliases"], json!(["web"]));
    assert_eq!(new["one"]["DNSNames"], json!(["cc", "web", &id[..12]]));
    let members = |network: &str| {
        let seen = api.get(&format!("/networks/{network}")).expect(200).json();
        seen["Containers"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!((members("one"), members("two")), (vec![id.clone()], vec![]));
    let connect = |network: &str, document: Value| {
        api.post_json(&format!("/networks/{network}/connect"), &document)
    };
    connect(
        "two",
        json!({"Container": "cc", "EndpointConfig": {"Aliases": ["x"], "GwPriority": 1}}),
    )
    .expect(200);
    assert_eq!(members("two"), [id.as_str()]);
    assert_eq!(places(&api, "", "cc")["two"]["GwPriority"], 1);
    let again = connect(&two, json!({"Container": "cc"}))
        .expect(403)
        .message();
    assert_eq!(again, "endpoint with name cc already exists in network two");
    let leave = |network: &str, container: &str| {
        let asked = json!({"Container": container});
        api.post_json(&format!("/v1.41/networks/{network}/disconnect"), &asked)
    };
    leave("one", "cc").expect(200);
    let gone = leave("one", "cc").expect(500).message();
    assert_eq!(
        gone,
        format!("container {id} is not connected to network one")
    );
    for (answer, words) in [
        (
            connect("two", json!({})).expect(400),
            "invalid name or ID supplied",
        ),
        (
            connect("two", json!({"Container": "nope"})).expect(404),
            "No such container: nope",
        ),
        (
            connect("nope", json!({"Container": "cc"})).expect(404),
            "network nope not found",
        ),
        (
            connect("host", json!({"Container": "cc"})).expect(400),
            "host network",
        ),
        (leave("nope", "cc").expect(404), "network nope not found"),
        (leave("two", "nope").expect(404), "No such container: nope"),
        (
            api.delete("/networks/two").expect(403),
            "has active endpoints",
        ),
    ] {
        assert!(
            answer.message().contains(words),
            "{words}: {}",
            answer.message()
        );
    }
    // What was one's own in the network that is gone is free.
    let docker = api.docker(&[
        "run",
        "-d",
        "--name",
        "dd",
        "--network",
        "one",
        "--ip",
        &fixed,
        "busybox",
        "sleep",
        "100",
    ]);
    docker.ok();
    let both = json!({"Image": "busybox", "HostConfig": {"NetworkMode": "one"},
        "NetworkingConfig": {"EndpointsConfig": {"one": {}, "two": {}}}});
    let old = api
        .post_json("/v1.41/containers/create", &both)
        .expect(400)
        .message();
    assert_eq!(
        old,
        "Container cannot be connected to network endpoints: one, two"
    );
    api.post_json("/containers/create?name=both", &both)
        .expect(201);
    assert_eq!(places(&api, "", "both").as_object().unwrap().len(), 2);
    assert_eq!(
        names(&api, &json!({"dangling": ["true"]})),
        Vec::<String>::new()
    );
    let listed = api.get(&format!(
        "/containers/json?filters={}",
        encoded(r#"{"network":["two"]}"#)
    ));
    assert_eq!(listed.expect(200).json()[0]["Names"], json!(["/cc"]));
}
