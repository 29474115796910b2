//! From a file to the typed project.

use super::*;
use crate::files::Memory;
use crate::load::{Options, load};

fn project(text: &str) -> Project {
    let files = Memory([("/p/compose.yaml".into(), text.to_owned())].into());
    let options = Options {
        files: vec!["/p/compose.yaml".into()],
        directory: "/p".into(),
        from: "/p".into(),
        ..Options::default()
    };
    load(&files, &options).unwrap().project().unwrap()
}

const MUCH: &str = r#"
name: shop
services:
  web:
    image: nginx
    ports: ["8080:80", {target: 53, protocol: UDP}]
    volumes: ["data:/data:ro", "./conf:/conf", {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]
    depends_on: {db: {condition: service_healthy, restart: true}}
    secrets: [key, {source: key, target: /k, uid: "1", mode: 0400}]
    ulimits: {nofile: 10, nproc: {soft: 1, hard: 2}}
    stop_grace_period: 1m30s
    mem_limit: 64m
    healthcheck: {test: curl x, interval: 5s, retries: 3}
    deploy: {replicas: 3, resources: {limits: {cpus: '0.5', memory: 64m}}, update_config: {order: start-first}}
    develop: {watch: [{path: ./src, action: sync+restart, target: /src}]}
    networks: [front]
    environment: {A: 1, B: null}
    command: run 'it now'
    gpus: all
  db: {image: postgres, entrypoint: []}
networks: {front: {ipam: {config: [{subnet: 10.9.0.0/16}]}}}
volumes: {data: {}}
secrets: {key: {file: ./key}}
"#;

#[test]
fn a_project_is_typed() {
    let project = project(MUCH);
    let web = &project.services["web"];
    assert_eq!(web.ports[0].published.as_deref(), Some("8080"));
    assert_eq!(
        (web.ports[1].target, web.ports[1].protocol.as_str()),
        (53, "udp")
    );
    assert_eq!(
        (web.volumes[0].kind, web.volumes[0].read_only),
        (MountKind::Volume, true)
    );
    assert_eq!(web.volumes[1].source.as_deref(), Some("/p/conf"));
    let tmpfs = web.volumes[2].tmpfs.as_ref().unwrap();
    assert_eq!((tmpfs.size, tmpfs.mode), (Some(1 << 20), Some(0o700)));
    let db = web.depends_on["db"];
    assert_eq!(
        (db.condition, db.restart, db.required),
        (Condition::Healthy, true, true)
    );
    assert_eq!(web.secrets[0].target.as_deref(), Some("/run/secrets/key"));
    assert_eq!(web.secrets[1].mode, Some(0o400));
    assert_eq!(web.ulimits["nofile"], Ulimit { soft: 10, hard: 10 });
    assert_eq!(web.ulimits["nproc"], Ulimit { soft: 1, hard: 2 });
    assert_eq!(web.stop_grace_period.unwrap().as_secs(), 90);
    assert_eq!(web.mem_limit, Some(64 << 20));
    assert_eq!(
        web.healthcheck.as_ref().unwrap().test,
        ["CMD-SHELL", "curl x"]
    );
    assert_eq!(web.replicas(), 3);
    assert_eq!(
        web.deploy
            .as_ref()
            .unwrap()
            .resources
            .limits
            .as_ref()
            .unwrap()
            .cpus,
        Some(0.5)
    );
    assert_eq!(
        web.develop.as_ref().unwrap().watch[0].action,
        WatchAction::SyncRestart
    );
    assert_eq!(web.environment["A"].as_deref(), Some("1"));
    assert_eq!(web.environment["B"], None);
    assert_eq!(web.command.as_deref().unwrap(), ["run", "it now"]);
    assert_eq!(web.gpus[0].count, Some(-1));
    assert_eq!(project.services["db"].entrypoint, Some(Vec::new()));
    assert_eq!(project.services["db"].command, None);
    assert_eq!(project.services["db"].image_name("shop", "db"), "postgres");
    assert_eq!(project.networks["front"].name, "shop_front");
    assert_eq!(project.networks["default"].name, "shop_default");
    assert_eq!(project.volumes["data"].name, "shop_data");
    assert_eq!(project.secrets["key"].file.as_deref(), Some("/p/key"));
    assert_eq!(project.in_order(), ["db", "web"]);
    let json = serde_json::to_string(&project).unwrap();
    assert!(json.contains("\"published\":\"8080\""));
}

#[test]
fn hashes_change_with_what_reaches_a_container() {
    let hash = |text: &str| project(text).services["web"].hash.clone();
    let base = "name: a\nservices: {web: {image: x, environment: {A: 1}}}\n";
    assert_eq!(hash(base).len(), 64);
    for same in [
        "name: a\nservices:\n  web:\n    environment: [A=1]\n    image: x\n",
        "name: a\nservices: {web: {image: x, environment: {A: 1}, scale: 1, x-y: 1, pull_policy: always, privileged: false}}\n",
        "name: a\nservices: {web: {image: x, environment: {A: 1}, deploy: {replicas: 4}, depends_on: [b]}, b: {image: y}}\n",
    ] {
        assert_eq!(hash(base), hash(same), "{same}");
    }
    for other in [
        "name: a\nservices: {web: {image: y, environment: {A: 1}}}\n",
        "name: a\nservices: {web: {image: x, environment: {A: 2}}}\n",
        "name: b\nservices: {web: {image: x, environment: {A: 1}}}\n",
        "name: a\nservices: {web: {image: x, environment: {A: 1}, command: []}}\n",
        "name: a\nservices: {web: {image: x, environment: {A: 1}, deploy: {resources: {limits: {pids: 1}}}}}\n",
    ] {
        assert_ne!(hash(base), hash(other), "{other}");
    }
    let with = |content: &str| {
        format!(
            "name: a\nservices: {{web: {{image: x, configs: [c]}}}}\nconfigs: {{c: {{content: {content}}}}}\n"
        )
    };
    assert_ne!(hash(&with("one")), hash(&with("two")));
}

#[test]
fn services_are_ordered_by_what_they_wait_for() {
    let project = project(
        "services: {a: {image: x, depends_on: [c]}, b: {image: x, links: ['a:l']}, c: {image: x}, d: {image: x, network_mode: 'service:b'}}\n",
    );
    assert_eq!(project.in_order(), ["c", "a", "b", "d"]);
    assert!(project.services["d"].depends_on["b"].restart);
}
