//! The documents of containers: create, inspect, list, prune and what a container changed.

use std::io::{Read, Write};

use serde_json::{Value, json};
use testkit::http;

use crate::Api;

fn create(api: &Api, name: &str, document: &Value) -> String {
    let path = format!("/containers/create?name={name}");
    let made = api.post_json(&path, document).expect(201).json();
    made["Id"].as_str().unwrap().to_owned()
}

fn ids(api: &Api, query: &str) -> Vec<String> {
    let rows = api.get(&format!("/containers/json{query}")).expect(200);
    let rows = rows.json();
    let names = rows.as_array().unwrap().iter();
    names
        .map(|row| row["Names"][0].as_str().unwrap()[1..].to_owned())
        .collect()
}

fn filters(value: &Value) -> String {
    let text = value.to_string();
    let escaped: String = text
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        })
        .collect();
    format!("filters={escaped}")
}

#[test]
fn what_is_asked_for_is_told_again() {
    let api = Api::start();
    let host = api.sandbox.folder("host");
    let asked = json!({
        "Image": "busybox",
        "Cmd": ["sleep", "100"],
        "Env": ["A=1", "B=two words"],
        "Hostname": "inside",
        "User": "1000:1000",
        "WorkingDir": "/tmp",
        "Labels": {"a": "b", "empty": ""},
        "Tty": true,
        "OpenStdin": true,
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "Volumes": {"/anonymous": {}},
        "HostConfig": {
            "Binds": [format!("{}:/bound:ro", host.display()), "data:/data"],
            "Mounts": [
                {"Type": "tmpfs", "Target": "/memory", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 448}},
                {"Type": "volume", "Source": "other", "Target": "/other", "ReadOnly": true}
            ],
            "Tmpfs": {"/scratch": "size=1m,noexec"},
            "Memory": 67108864,
            "NanoCpus": 500000000,
            "PidsLimit": 50,
            "ShmSize": 1048576,
            "CapAdd": ["net_admin"],
            "CapDrop": ["CAP_CHOWN"],
            "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
            "ReadonlyRootfs": true,
            "NetworkMode": "none",
            "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}, {"Name": "core", "Soft": -1, "Hard": -1}],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
            "Init": true,
            "Links": null,
            "Dns": null
        },
        "NetworkingConfig": null
    });
    let id = create(&api, "web", &asked);
    for version in ["/v1.41", "/v1.51", ""] {
        let path = format!("{version}/containers/{}/json?size=1", &id[..12]);
        // The definitions at hand are of before and after what is in between.
        let told = match version {
            "/v1.51" => api.raw("GET", &path, &[], b""),
            _ => api.get(&path),
        };
        let told = told.expect(200).json();
        assert_eq!((&told["Id"], &told["Name"]), (&json!(id), &json!("/web")));
        assert_eq!(told["State"]["Status"], "created");
        assert!(told["SizeRootFs"].as_u64() > Some(100_000), "{told}");
        let (config, host) = (&told["Config"], &told["HostConfig"]);
        for (field, value) in asked.as_object().unwrap() {
            if !matches!(field.as_str(), "HostConfig" | "NetworkingConfig" | "Env") {
                assert_eq!(&config[field], value, "{field}");
            }
        }
        for variable in ["A=1", "B=two words"] {
            assert!(config["Env"].as_array().unwrap().contains(&json!(variable)));
        }
        let spelled = |field: &str| match field {
            "CapAdd" => json!(["CAP_NET_ADMIN"]),
            "Dns" => json!([]),
            // By name.
            "Ulimits" => {
                json!([{"Name": "core", "Soft": -1, "Hard": -1}, {"Name": "nofile", "Soft": 10, "Hard": 20}])
            }
            field => asked["HostConfig"][field].clone(),
        };
        for field in asked["HostConfig"].as_object().unwrap().keys() {
            assert_eq!(host[field], spelled(field), "{field}");
        }
        let mounts = told["Mounts"].as_array().unwrap();
        assert_eq!(mounts.len(), 5, "{mounts:?}");
        assert_eq!(told["NetworkSettings"]["Networks"]["none"]["IPAddress"], "");
        assert_eq!(
            told["NetworkSettings"].get("Bridge").is_some(),
            !version.is_empty()
        );
    }
    // The same document by the command.
    let told: Value = serde_json::from_str(api.berth(&["inspect", "web"]).ok()).unwrap();
    assert_eq!(
        told[0],
        api.raw("GET", "/v1.51/containers/web/json", &[], b"")
            .json()
    );
}

#[test]
fn what_makes_no_sense_is_refused_in_dockers_words() {
    let api = Api::start();
    let of_host = |host: Value| json!({"Image": "busybox", "HostConfig": host});
    let cases = [
        (json!({}), 400, "Config cannot be empty"),
        (json!({"Image": "nope:1"}), 404, "No such image: nope:1"),
        (json!({"Image": "nope"}), 404, "No such image: nope:latest"),
        (json!({"Image": "no pe"}), 400, "invalid reference format"),
        (
            json!({"Image": "busybox", "StopSignal": "foo"}),
            400,
            "Invalid signal: foo",
        ),
        (
            json!({"Image": "busybox", "WorkingDir": "a"}),
            400,
            "the working directory 'a' is invalid",
        ),
        (
            json!({"Image": "busybox", "Env": ["=x"]}),
            400,
            "invalid environment variable: =x",
        ),
        (
            json!({"Image": "busybox", "Hostname": "a/b"}),
            400,
            "invalid hostname format: a/b",
        ),
        (
            json!({"Image": "busybox", "ExposedPorts": {"x": {}}}),
            400,
            "not a port",
        ),
        (
            json!({"Image": "busybox", "Env": "A=1"}),
            400,
            "invalid type",
        ),
        (
            json!({"Image": "busybox", "Volumes": {"a": {}}}),
            400,
            "mount path must be absolute",
        ),
        (
            of_host(json!({"Memory": 1})),
            400,
            "Minimum memory limit allowed is 6MB",
        ),
        (of_host(json!({"Memory": "x"})), 400, "invalid type"),
        (
            of_host(json!({"MemorySwap": 1})),
            400,
            "You should always set the Memory limit",
        ),
        (
            of_host(json!({"NanoCpus": 99_000_000_000_000_i64})),
            400,
            "Range of CPUs is from 0.01",
        ),
        (
            of_host(json!({"CpusetCpus": "9999"})),
            400,
            "Requested CPUs are not available",
        ),
        (
            of_host(json!({"CpusetCpus": "a"})),
            400,
            "Invalid value a for cpuset cpus",
        ),
        (
            of_host(json!({"RestartPolicy": {"Name": "x"}})),
            400,
            "invalid restart policy 'x'",
        ),
        (
            of_host(json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}})),
            400,
            "can't create 'AutoRemove' container with restart policy",
        ),
        (
            of_host(json!({"Binds": ["a:b"]})),
            400,
            "mount path must be absolute",
        ),
        (
            of_host(json!({"Binds": ["a/b:/c"]})),
            400,
            "includes invalid characters",
        ),
        (
            of_host(json!({"Binds": ["/a:/c", "/b:/c/"]})),
            400,
            "Duplicate mount point: /c",
        ),
        (
            of_host(json!({"Binds": ["/a:/b:x"]})),
            400,
            "invalid mode: x",
        ),
        (
            of_host(json!({"Mounts": [{"Type": "x", "Target": "/a"}]})),
            400,
            "mount type unknown",
        ),
        (
            of_host(json!({"Mounts": [{"Type": "bind", "Target": "/a"}]})),
            400,
            "Source must not be empty",
        ),
        (
            of_host(json!({"Tmpfs": {"/a": "size=x"}})),
            400,
            "invalid tmpfs option",
        ),
        (
            of_host(json!({"CapAdd": ["foo"]})),
            400,
            "unknown capability: \"CAP_FOO\"",
        ),
        (
            of_host(json!({"SecurityOpt": ["x"]})),
            400,
            "invalid --security-opt",
        ),
        (
            of_host(json!({"LogConfig": {"Type": "x"}})),
            400,
            "logger: no log driver named 'x' is registered",
        ),
        (of_host(json!({"PidMode": "x"})), 400, "invalid PID mode: x"),
        (of_host(json!({"IpcMode": "x"})), 400, "invalid IPC mode: x"),
        (
            of_host(json!({"ShmSize": -1})),
            400,
            "SHM size can not be less than 0",
        ),
        (
            of_host(json!({"OomScoreAdj": 1001})),
            400,
            "range for oom score adj",
        ),
        (
            of_host(json!({"Ulimits": [{"Name": "x", "Soft": 1, "Hard": 1}]})),
            400,
            "invalid ulimit type: x",
        ),
        (
            of_host(json!({"Devices": [{"PathOnHost": "a"}]})),
            400,
            "is not absolute",
        ),
        (
            of_host(json!({"ExtraHosts": ["x"]})),
            400,
            "bad format for add-host",
        ),
        (
            of_host(json!({"PortBindings": {"80/tcp": [{"HostPort": "x"}]}})),
            400,
            "invalid port specification",
        ),
        (
            of_host(json!({"DeviceRequests": [{"Capabilities": [["gpu"]]}]})),
            400,
            "could not select device driver",
        ),
    ];
    for (document, status, words) in cases {
        let answer = api
            .post_json("/containers/create", &document)
            .expect(status);
        let message = answer.message();
        assert!(message.contains(words), "{document}: {message}");
    }
    let good = json!({"Image": "busybox"});
    api.post_json("/containers/create?name=a", &good)
        .expect(400);
    api.post_json("/containers/create?name=web", &good)
        .expect(201);
    let taken = api
        .post_json("/containers/create?name=web", &good)
        .expect(409);
    assert!(
        taken
            .message()
            .contains("The container name \"/web\" is already in use")
    );
    // Nothing is left of those that were refused.
    assert_eq!(ids(&api, "?all=1"), ["web"]);
}

#[test]
fn the_list_is_narrowed_by_each_filter() {
    let api = Api::start();
    let made = |name: &str, label: &str, host: Value| {
        let document = json!({"Image": "busybox", "Cmd": ["sleep", "100"], "Labels": {"l": label}, "HostConfig": host,
            "ExposedPorts": {"80/tcp": {}}});
        create(&api, name, &document)
    };
    let none = json!({"NetworkMode": "none"});
    let first = made(
        "first",
        "1",
        json!({"NetworkMode": "none", "Binds": ["data:/data"]}),
    );
    made("second", "2", none.clone());
    made("third", "2", json!({"NetworkMode": "host"}));
    api.post("/containers/second/start").expect(204);
    assert_eq!(ids(&api, ""), ["second"]);
    assert_eq!(ids(&api, "?all=1"), ["third", "second", "first"]);
    assert_eq!(ids(&api, "?limit=2"), ["third", "second"]);
    for (filter, fitting) in [
        (json!({"name": ["ir"]}), vec!["third", "first"]),
        (json!({"name": ["^/second$"]}), vec!["second"]),
        (json!({"id": [first[..20]]}), vec!["first"]),
        (json!({"label": ["l=2"]}), vec!["third", "second"]),
        (json!({"label": {"l": true, "l=1": true}}), vec!["first"]),
        (json!({"label!": ["l=2"]}), vec!["first"]),
        (json!({"status": ["running"]}), vec!["second"]),
        (
            json!({"status": ["created", "running"]}),
            vec!["third", "second", "first"],
        ),
        (json!({"exited": ["0"]}), vec![]),
        (
            json!({"ancestor": ["busybox"]}),
            vec!["third", "second", "first"],
        ),
        (json!({"ancestor": ["other"]}), vec![]),
        (json!({"before": ["third"]}), vec!["second", "first"]),
        (
            json!({"since": ["first"], "before": ["third"]}),
            vec!["second"],
        ),
        (json!({"volume": ["data"]}), vec!["first"]),
        (json!({"volume": ["/data"]}), vec!["first"]),
        (json!({"network": ["host"]}), vec!["third"]),
        (json!({"expose": ["80"]}), vec!["third", "second", "first"]),
        (json!({"expose": ["81/tcp"]}), vec![]),
        (json!({"publish": ["80"]}), vec![]),
        (
            json!({"health": ["none"]}),
            vec!["third", "second", "first"],
        ),
        (json!({"is-task": ["true"]}), vec![]),
    ] {
        let query = format!("?all=1&{}", filters(&filter));
        assert_eq!(ids(&api, &query), fitting, "{filter}");
    }
    for (filter, status) in [
        (json!({"nonsense": ["1"]}), 400),
        (json!({"status": ["nonsense"]}), 400),
        (json!({"exited": ["x"]}), 400),
        (json!({"before": ["nobody"]}), 404),
        (json!([]), 400),
    ] {
        api.get(&format!("/containers/json?{}", filters(&filter)))
            .expect(status);
    }
    let rows = api.get("/v1.41/containers/json?size=1").expect(200).json();
    let row = &rows[0];
    assert_eq!(row["Command"], "sleep 100");
    assert_eq!(
        (&row["State"], &row["Labels"]["l"]),
        (&json!("running"), &json!("2"))
    );
    assert!(row["Status"].as_str().unwrap().starts_with("Up "), "{row}");
    // What it exposes leads nowhere without a network.
    assert_eq!(row["Ports"], json!([]));
    assert!(row["SizeRootFs"].as_u64() > Some(100_000), "{row}");
}

#[test]
fn those_that_have_ended_are_pruned() {
    let api = Api::start();
    let document = |label: &str| json!({"Image": "busybox", "Labels": {"l": label}});
    let kept = create(&api, "kept", &document("1"));
    let gone = create(&api, "gone", &document("2"));
    api.run("runs", "sleep 100");
    let prune = |filter: Value| {
        let path = format!("/containers/prune?{}", filters(&filter));
        api.post(&path).expect(200).json()
    };
    assert_eq!(
        prune(json!({"until": ["1h"]}))["ContainersDeleted"],
        Value::Null
    );
    assert_eq!(
        prune(json!({"label": ["l=2"]}))["ContainersDeleted"],
        json!([gone])
    );
    assert_eq!(prune(json!({}))["ContainersDeleted"], json!([kept]));
    assert_eq!(ids(&api, "?all=1"), ["runs"]);
    api.post(&format!(
        "/containers/prune?{}",
        filters(&json!({"x": ["1"]}))
    ))
    .expect(400);
}

#[test]
fn files_are_exported_and_compared() {
    let api = Api::start();
    let id = api.run("web", "echo new > /etc/new; rm /bin/false; sleep 100");
    testkit::eventually("it has written", || {
        let changes = api
            .get(&format!("/containers/{id}/changes"))
            .expect(200)
            .json();
        let has = |path: &str, kind: u8| {
            let row = json!({"Path": path, "Kind": kind});
            changes.as_array().is_some_and(|rows| rows.contains(&row))
        };
        (has("/etc/new", 1) && has("/etc", 0) && has("/bin/false", 2)).then_some(())
    });
    let fresh = create(&api, "fresh", &json!({"Image": "busybox"}));
    assert_eq!(
        api.get(&format!("/containers/{fresh}/changes"))
            .expect(200)
            .text()
            .trim(),
        "null"
    );
    let archive = api.get("/containers/web/export").expect(200);
    let path = api.sandbox.file("export.tar", &archive.body);
    let list = api.sandbox.shell(&format!("tar -tf {}", path.display()));
    assert!(
        list.ok().lines().any(|line| line == "etc/new"),
        "{}",
        list.ok()
    );
    api.get("/containers/nobody/export").expect(404);
    api.get("/containers/nobody/changes").expect(404);
}

#[test]
fn the_system_is_told() {
    let api = Api::start();
    api.run("web", "sleep 100");
    for version in ["/v1.41", ""] {
        let info = api.get(&format!("{version}/info")).expect(200).json();
        assert_eq!(
            (&info["Containers"], &info["ContainersRunning"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(
            (&info["Images"], &info["OSType"]),
            (&json!(1), &json!("linux"))
        );
        assert!(info["MemTotal"].as_u64() > Some(1 << 20));
    }
    assert_eq!(api.get("/plugins").expect(200).json(), json!([]));
    api.post("/plugins/a/enable").expect(501);
    api.post("/session").expect(501);
    api.get("/services").expect(501);
    api.post("/swarm/init").expect(501);
}

/// The first kind of a websocket's frame from the server, and its bytes; short ones only.
fn frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut bytes = vec![0; head[1].into()];
    stream.read_exact(&mut bytes).unwrap();
    (head[0], bytes)
}

#[test]
fn a_websocket_is_attached() {
    let api = Api::start();
    let document = json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": true,
        "HostConfig": {"NetworkMode": "none"}});
    create(&api, "web", &document);
    let path = "/containers/web/attach/ws?stream=1&stdin=1&stdout=1&stderr=1";
    api.get(path).expect(400);
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut open = http::open(api.daemon.socket(), "GET", path, &headers, b"");
    assert_eq!(open.status, 101);
    api.post("/containers/web/start").expect(204);
    let masked = |opcode: u8, bytes: &[u8]| {
        let mut frame = vec![opcode, 0x80 | bytes.len() as u8, 0, 0, 0, 0];
        frame.extend(bytes);
        frame
    };
    let mut writer = open.stream.get_ref().try_clone().unwrap();
    writer.write_all(&masked(0x82, b"hello\n")).unwrap();
    assert_eq!(frame(&mut open.stream), (0x82, b"hello\n".to_vec()));
    writer.write_all(&masked(0x89, b"?")).unwrap();
    assert_eq!(frame(&mut open.stream), (0x8a, b"?".to_vec()));
    writer
        .write_all(&masked(0x88, &1000_u16.to_be_bytes()))
        .unwrap();
    assert_eq!(frame(&mut open.stream).0, 0x88);
    let waited = api.post("/containers/web/wait").expect(200).json();
    assert_eq!(waited["StatusCode"], 0);
}

#[test]
fn what_happens_is_told_and_what_has_happened() {
    let api = Api::start();
    let mut open = http::open(api.daemon.socket(), "GET", "/v1.41/events", &[], b"");
    assert_eq!(open.status, 200);
    let id = create(
        &api,
        "web",
        &json!({"Image": "busybox", "Cmd": ["true"], "Labels": {"a": "b"}}),
    );
    let mut text = String::new();
    while !text.ends_with('\n') {
        let chunk = open.chunk().expect("an event");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let told: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&told["Type"], &told["Action"]),
        (&json!("container"), &json!("create"))
    );
    assert_eq!(
        (&told["status"], &told["id"]),
        (&json!("create"), &json!(id))
    );
    assert_eq!(told["Actor"]["Attributes"]["a"], "b");
    // By the command, which the daemon does not know of.
    api.berth(&["start", "web"]).ok();
    api.post("/containers/web/wait").expect(200);
    api.berth(&["rm", "web"]).ok();
    let past = |more: &str| {
        let path = format!("/events?since=1&until=0s{more}");
        let lines = api.get(&path).expect(200).lines();
        let words = lines
            .iter()
            .map(|line| line["Action"].as_str().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    let only = format!(
        "&{}",
        filters(&json!({"type": ["container"], "container": ["web"]}))
    );
    assert_eq!(past(&only), ["create", "start", "die", "destroy"]);
    let ends = filters(&json!({"event": {"die": true, "destroy": true}}));
    assert_eq!(past(&format!("&{ends}")), ["die", "destroy"]);
    let accept = [("Accept", "application/json-seq")];
    let answer = api.raw("GET", "/events?since=1&until=0s", &accept, b"");
    assert_eq!(answer.header("content-type"), Some("application/json-seq"));
    assert!(
        answer.body.starts_with(b"\x1e{\"Type\":"),
        "{}",
        answer.text()
    );
    api.get(&format!("/events?{}", filters(&json!({"x": ["1"]}))))
        .expect(400);
    api.get("/events?since=nonsense").expect(400);
}

/// What is kept of the list between two requests is never older than the containers.
#[test]
fn the_list_is_as_the_containers_are() {
    let api = Api::start();
    let state = || {
        let rows = api.get("/containers/json?all=1").expect(200).json();
        let row = |row: &Value| {
            format!(
                "{} {}",
                row["Names"][0].as_str().unwrap(),
                row["State"].as_str().unwrap()
            )
        };
        rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    // Also when it has been the same for long enough to be kept.
    for pause in [0, 120] {
        let settle = || std::thread::sleep(std::time::Duration::from_millis(pause));
        assert_eq!(state(), [""; 0]);
        let id = create(
            &api,
            "one",
            &json!({"Image": "busybox", "Cmd": ["sleep", "100"]}),
        );
        for (verb, name, word) in [
            (&["start", "one"][..], "/one", "running"),
            (&["pause", "one"], "/one", "paused"),
            (&["unpause", "one"], "/one", "running"),
            (&["rename", "one", "other"], "/other", "running"),
            (&["kill", "other"], "/other", "exited"),
            (&["start", "other"], "/other", "running"),
        ] {
            settle();
            state();
            settle();
            api.berth(verb).ok();
            if verb[0] == "kill" {
                api.post(&format!("/containers/{id}/wait")).expect(200);
            }
            assert_eq!(state(), [format!("{name} {word}")], "{verb:?}");
        }
        // Without anybody telling.
        let pid = api.get("/containers/other/json").json()["State"]["Pid"].to_string();
        settle();
        state();
        api.sandbox.shell_as_root(&format!("kill -9 {pid}")).ok();
        testkit::eventually("its end is seen", || {
            (state() == ["/other exited"]).then_some(())
        });
        api.berth(&["rm", "other"]).ok();
        assert_eq!(state(), [""; 0]);
    }
}

#[test]
fn limits_and_policy_are_changed() {
    let api = Api::start();
    api.run("web", "sleep 100");
    let change = json!({"Memory": 33554432, "MemorySwap": 67108864, "PidsLimit": 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}});
    let path = "/containers/web/update";
    for version in ["/v1.41", ""] {
        api.post_json(&format!("{version}{path}"), &change)
            .expect(200);
    }
    let host = api.get("/containers/web/json").expect(200).json()["HostConfig"].clone();
    for field in ["Memory", "MemorySwap", "PidsLimit", "RestartPolicy"] {
        assert_eq!(host[field], change[field], "{field}");
    }
    for (wrong, words) in [
        (json!({"Memory": 1}), "Minimum memory limit"),
        (json!({"CpusetCpus": "a"}), "Invalid value"),
        (
            json!({"RestartPolicy": {"Name": "x"}}),
            "invalid restart policy",
        ),
    ] {
        let message = api.post_json(path, &wrong).expect(400).message();
        assert!(message.contains(words), "{message}");
    }
    api.post_json("/containers/nobody/update", &change)
        .expect(404);
}

#[test]
fn what_is_used_is_counted() {
    let api = Api::start();
    let id = api.run("web", "while :; do :; done");
    for version in ["/v1.41", ""] {
        let path = format!("{version}/containers/web/stats?stream=0");
        let stats = api.get(&path).expect(200).json();
        let total = |of: &str| stats[of]["cpu_usage"]["total_usage"].as_u64().unwrap();
        assert!(total("cpu_stats") > total("precpu_stats"), "{stats}");
        assert!(
            stats["cpu_stats"]["system_cpu_usage"].as_u64() > Some(0),
            "{stats}"
        );
        assert!(stats["memory_stats"]["usage"].as_u64() > Some(0), "{stats}");
        assert_eq!((&stats["name"], &stats["id"]), (&json!("/web"), &json!(id)));
        assert!(
            stats["pids_stats"]["current"].as_u64() >= Some(1),
            "{stats}"
        );
    }
    let once = api
        .get("/containers/web/stats?stream=0&one-shot=1")
        .expect(200)
        .json();
    assert_eq!(once["preread"], "0001-01-01T00:00:00Z");
    let mut open = http::open(
        api.daemon.socket(),
        "GET",
        "/containers/web/stats",
        &[],
        b"",
    );
    for _ in 0..2 {
        let line = open.chunk().expect("a line");
        let stats: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(stats["id"], id.as_str());
    }
    create(&api, "other", &json!({"Image": "busybox"}));
    let none = api
        .get("/containers/other/stats?stream=0")
        .expect(200)
        .json();
    assert_eq!(none["read"], "0001-01-01T00:00:00Z");
    api.get("/containers/nobody/stats").expect(404);
    api.get("/containers/web/stats?one-shot=1").expect(400);
}

/// Source: RFC 4648.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bits = 0_u32;
    let mut out = Vec::new();
    for (index, byte) in text.trim_end_matches('=').bytes().enumerate() {
        bits = bits << 6 | u32::from(value(byte));
        let filled = (index + 1) * 6 % 8;
        if filled < 6 && index > 0 {
            out.push((bits >> filled) as u8);
        }
    }
    out
}

#[test]
fn files_go_in_and_out() {
    let api = Api::start();
    api.run("web", "mkdir /d; echo one > /d/a; ln -s d /link; sleep 100");
    let stat = |answer: &http::Answer| -> Value {
        let header = answer.header("x-docker-container-path-stat").unwrap();
        serde_json::from_slice(&base64(header)).unwrap()
    };
    let head = testkit::eventually("it is there", || {
        let head = api.request("HEAD", "/containers/web/archive?path=/link", &[], b"");
        (head.status == 200).then_some(head)
    });
    let told = stat(&head);
    assert_eq!(
        (&told["name"], &told["linkTarget"]),
        (&json!("link"), &json!("/d"))
    );
    assert_eq!(told["mode"].as_u64().unwrap() & 1 << 27, 1 << 27, "{told}");
    let archive = api.get("/containers/web/archive?path=/d").expect(200);
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    assert_eq!(stat(&archive)["name"], "d");
    let path = api.sandbox.file("d.tar", &archive.body);
    let list = api
        .sandbox
        .shell(&format!("tar -xOf {} d/a", path.display()));
    assert_eq!(list.ok(), "one");
    let tar = [("Content-Type", "application/x-tar")];
    let put = |path: &str| {
        api.request(
            "PUT",
            &format!("/containers/web/archive?path={path}"),
            &tar,
            &archive.body,
        )
    };
    put("/tmp").expect(200);
    assert_eq!(api.berth(&["exec", "web", "cat", "/tmp/d/a"]).ok(), "one");
    put("/nothing").expect(404);
    put("").expect(400);
    api.get("/containers/web/archive?path=/nothing").expect(404);
    api.get("/containers/web/archive").expect(400);
    api.get("/containers/nobody/archive?path=/").expect(404);
    let nonsense = api.request(
        "PUT",
        "/containers/web/archive?path=/tmp",
        &tar,
        &[b'x'; 600],
    );
    assert!(matches!(nonsense.status, 400 | 500), "{}", nonsense.status);
}

#[test]
fn the_predefined_networks_are_there() {
    let api = Api::start();
    let id = api.run("web", "sleep 100");
    for version in ["/v1.41", ""] {
        let all = api.get(&format!("{version}/networks")).expect(200).json();
        let names = all
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Name"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["bridge", "host", "none"]);
        let bridge = api
            .get(&format!("{version}/networks/bridge"))
            .expect(200)
            .json();
        let address = bridge["Containers"][&id]["IPv4Address"].as_str().unwrap();
        let container = api
            .get(&format!("{version}/containers/web/json"))
            .expect(200)
            .json();
        let own = &container["NetworkSettings"]["Networks"]["bridge"];
        assert_eq!(address.split('/').next(), own["IPAddress"].as_str());
        assert_eq!(bridge["Id"], own["NetworkID"]);
    }
    let only = filters(&json!({"driver": ["null"]}));
    assert_eq!(
        api.get(&format!("/networks?{only}")).expect(200).json()[0]["Name"],
        "none"
    );
    api.get(&format!("/networks?{}", filters(&json!({"x": ["1"]}))))
        .expect(400);
    assert_eq!(
        api.get("/networks/nope").expect(404).message(),
        "network nope not found"
    );
    api.delete("/networks/bridge").expect(403);
    assert_eq!(
        api.post("/networks/prune").expect(200).json()["NetworksDeleted"],
        Value::Null
    );
}
