//! The form of the file, and the words of its types.

use super::*;

/// As the first berth wrote it.
const FIRST: &str = r#"{"schema":1,"id":"ID","name":"n","created":"2026-01-01T00:00:00Z",
"image":{"reference":"i","manifest":"m","config":"c","chain":[]},
"process":{"entrypoint":[],"command":["/a"],"env":[],"working_dir":"/","user":"","tty":false,"stdin":false,"stdin_once":false},
"hostname":"h","labels":{},
"mounts":[{"kind":"bind","source":"/s","destination":"/d","read_only":false,"propagation":null,"tmpfs_size_bytes":null,"tmpfs_mode":null}],
"network":"none","resources":{"memory_bytes":null,"nano_cpus":null,"pids":4096,"ulimits":{},"shm_bytes":null,"cgroup_parent":null},
"security":{"privileged":false,"cap_add":[],"cap_drop":[],"no_new_privileges":false,"seccomp":"default"},
"read_only":false,"auto_remove":false,"init":false,"stop_signal":15,"stop_timeout_s":10,
"log":{"driver":"json-file","max_bytes":10485760,"max_files":3},"causes":{}}"#;

#[test]
fn the_first_form_still_loads() {
    let id = "0123456789abcdef".repeat(4);
    let config: ContainerConfig = serde_json::from_str(&FIRST.replace("ID", &id)).unwrap();
    assert_eq!(config.stop_timeout_s, Some(10));
    assert_eq!(config.network, NetworkMode::None);
    assert_eq!(config.mounts[0].syntax, MountSyntax::Volume);
    assert_eq!(config.restart, RestartPolicy::default());
    assert_eq!(config.health, None);
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<ContainerConfig>(&again).unwrap(),
        config
    );
    // What nobody asked for costs no bytes.
    assert!(
        !again.contains("blkio") && !again.contains("namespaces"),
        "{again}"
    );
}

#[test]
fn words_read_as_they_print() {
    for text in ["none", "host", "bridge", "container:web", "lan"] {
        assert_eq!(text.parse::<NetworkMode>().unwrap().to_string(), text);
    }
    for text in ["private", "shareable", "none", "host", "container:x"] {
        assert_eq!(text.parse::<IpcMode>().unwrap().to_string(), text);
    }
    for text in ["", "host", "container:x"] {
        assert_eq!(text.parse::<PidMode>().unwrap().to_string(), text);
    }
    assert!("container:".parse::<PidMode>().is_err());
    assert!(" ".parse::<NetworkMode>().is_err());
    assert!("container:x".parse::<UtsMode>().is_err());
    for text in [
        "no",
        "always",
        "unless-stopped",
        "on-failure",
        "on-failure:3",
    ] {
        assert_eq!(text.parse::<RestartPolicy>().unwrap().to_string(), text);
    }
    for bad in [
        "never",
        "always:3",
        "on-failure:x",
        "on-failure:-1",
        "on-failure:",
    ] {
        assert!(bad.parse::<RestartPolicy>().is_err(), "{bad}");
    }
}

#[test]
fn ports_and_ranges() {
    let shown = |text: &str| {
        let ports = Port::range(text)?;
        Ok::<_, String>(ports.iter().map(Port::to_string).collect::<Vec<_>>())
    };
    assert_eq!(shown("80"), Ok(vec!["80/tcp".to_owned()]));
    assert_eq!(shown("80/UDP"), Ok(vec!["80/udp".to_owned()]));
    let range = ["1/sctp", "2/sctp"].map(str::to_owned).to_vec();
    assert_eq!(shown("1-2/sctp"), Ok(range));
    for bad in ["", "0", "65536", "2-1", "80/icmp", "+80", "-1", "80-", "a"] {
        assert!(shown(bad).is_err(), "{bad}");
    }
}

#[test]
fn health_merges_field_by_field() {
    let image = HealthConfig {
        test: vec!["CMD".into(), "/up".into()],
        interval_ns: 1,
        retries: 7,
        ..HealthConfig::default()
    };
    let asked = HealthConfig {
        interval_ns: 2,
        ..HealthConfig::default()
    };
    let merged = asked.over(&image);
    assert!(merged.is_on());
    assert_eq!((merged.interval_ns, merged.retries()), (2, 7));
    assert_eq!(merged.timeout().as_secs(), 30);
    let none = HealthConfig {
        test: vec!["NONE".into()],
        ..HealthConfig::default()
    };
    assert!(!none.over(&image).is_on());
}
