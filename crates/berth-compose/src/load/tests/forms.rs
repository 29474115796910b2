//! Short forms, long forms and what is implied.

use super::*;

/// Each row: a key of a service, a value, the canonical one.
#[test]
fn short_forms_of_services() {
    for (key, text, want) in [
        ("command", "sh -c \"a 'b'\"", r#"["sh","-c","a 'b'"]"#),
        ("command", "''", "[]"),
        ("command", "[]", "[]"),
        (
            "build",
            ".",
            r#"{"context":"/p","dockerfile":"Dockerfile"}"#,
        ),
        (
            "build",
            "https://example.com/x.git",
            r#"{"context":"https://example.com/x.git","dockerfile":"Dockerfile"}"#,
        ),
        (
            "build",
            "{context: ., dockerfile_inline: FROM x}",
            r#"{"context":"/p","dockerfile_inline":"FROM x"}"#,
        ),
        (
            "build",
            "{context: ., args: [SET, NO, A=1]}",
            r#"{"args":{"A":"1","SET":"value"},"context":"/p","dockerfile":"Dockerfile"}"#,
        ),
        (
            "healthcheck",
            "{test: curl x}",
            r#"{"test":["CMD-SHELL","curl x"]}"#,
        ),
        ("healthcheck", "{disable: true}", r#"{"disable":true}"#),
        (
            "environment",
            "[A=b=c, SET, NO]",
            r#"{"A":"b=c","NO":null,"SET":"value"}"#,
        ),
        (
            "environment",
            "{A: true, B: 1.5, C: 0x10, D: ''}",
            r#"{"A":"true","B":"1.5","C":"16","D":""}"#,
        ),
        ("labels", "{a: null, b: 1}", r#"{"a":"","b":"1"}"#),
        (
            "extra_hosts",
            "{a: [1.1.1.1, '::1']}",
            r#"["a=1.1.1.1","a=::1"]"#,
        ),
        (
            "extra_hosts",
            "['a:1.1.1.1', 'b=[::1]']",
            r#"["a=1.1.1.1","b=::1"]"#,
        ),
        (
            "devices",
            "[/dev/null]",
            r#"[{"permissions":"rwm","source":"/dev/null","target":"/dev/null"}]"#,
        ),
        (
            "devices",
            "[{source: /dev/a}]",
            r#"[{"permissions":"rwm","source":"/dev/a","target":"/dev/a"}]"#,
        ),
        (
            "volumes",
            "['/a']",
            r#"[{"target":"/a","type":"volume","volume":{}}]"#,
        ),
        (
            "volumes",
            "['./a:/b/../c:ro,z']",
            r#"[{"bind":{"create_host_path":true,"selinux":"z"},"read_only":true,"source":"/p/a","target":"/c","type":"bind"}]"#,
        ),
        (
            "volumes",
            "['~/a:/b']",
            r#"[{"bind":{"create_host_path":true},"source":"/home/u/a","target":"/b","type":"bind"}]"#,
        ),
        (
            "volumes",
            "[{type: bind, source: ../a, target: /b}]",
            r#"[{"source":"/a","target":"/b","type":"bind"}]"#,
        ),
        (
            "ports",
            "[80]",
            r#"[{"mode":"ingress","protocol":"tcp","target":80}]"#,
        ),
        (
            "ports",
            "[{target: '80', published: 90, protocol: TCP}]",
            r#"[{"mode":"ingress","protocol":"tcp","published":"90","target":80}]"#,
        ),
        ("tmpfs", "/a", r#"["/a"]"#),
        ("gpus", "all", r#"[{"count":-1}]"#),
        ("mem_limit", "1.5g", "\"1610612736\""),
        ("mem_limit", "1024", "\"1024\""),
        ("shm_size", "64mb", "\"67108864\""),
        ("stop_grace_period", "90s", "\"1m30s\""),
        ("cpus", "'2'", "2"),
        ("cpu_rt_runtime", "'400ms'", "400000"),
        ("pids_limit", "'5'", "5"),
        ("scale", "'0'", "0"),
        ("pull_policy", "if_not_present", "\"missing\""),
        ("group_add", "[1, a]", r#"["1","a"]"#),
        ("networks", "[default]", r#"{"default":null}"#),
        ("networks", "{}", r#"{"default":null}"#),
        ("networks", "{default: {}}", r#"{"default":null}"#),
        ("deploy", "null", "absent"),
        ("privileged", "'yes'", "true"),
        ("read_only", "false", "absent"),
        ("init", "false", "false"),
        ("hostname", "''", "absent"),
        (
            "logging",
            "{options: {a: 1, b: null}}",
            r#"{"options":{"a":"1","b":null}}"#,
        ),
        (
            "provider",
            "{type: x, options: {a: 1, b: [c, true]}}",
            r#"{"options":{"a":["1"],"b":["c","true"]},"type":"x"}"#,
        ),
        ("storage_opt", "{size: 1G}", r#"{"size":"1G"}"#),
    ] {
        let image = if key == "provider" { "" } else { "image: i, " };
        let file = format!("services: {{w: {{{image}{key}: {text}}}}}\n");
        assert_eq!(
            at(&file, &format!("services/w/{key}")),
            want,
            "{key}: {text}"
        );
    }
}

#[test]
fn what_is_implied() {
    let text = "name: n\nservices:\n  a: {image: x, links: ['b:alias'], ipc: 'service:c', volumes_from: ['d:ro', 'container:e'], network_mode: 'service:b'}\n  b: {image: x}\n  c: {image: x, networks: [own, other]}\n  d: {image: x, network_mode: host, secrets: [s, {source: s, target: t}], build: {context: .}}\n\
                networks: {own: , other: {external: {name: real}}}\nsecrets: {s: {external: true}}\n";
    let loaded = load(&[("a.yml", text)]);
    for (path, want) in [
        (
            "services/a/depends_on/b",
            r#"{"condition":"service_started","required":true,"restart":true}"#,
        ),
        ("services/a/depends_on/c/restart", "true"),
        ("services/a/depends_on/d/restart", "absent"),
        ("services/a/depends_on/e", "absent"),
        ("services/a/networks", "absent"),
        ("services/b/networks", r#"{"default":null}"#),
        ("services/c/networks", r#"{"other":null,"own":null}"#),
        ("services/d/networks", "absent"),
        ("services/d/secrets/0/target", "\"/run/secrets/s\""),
        ("services/d/secrets/1/target", "\"/run/secrets/t\""),
        ("networks/default/name", "\"n_default\""),
        ("networks/own/name", "\"n_own\""),
        ("networks/other", r#"{"external":true,"name":"real"}"#),
        ("secrets/s", r#"{"external":true,"name":"s"}"#),
    ] {
        assert_eq!(value(&loaded, path), want, "{path}");
    }
    let bare = try_load(&[("a.yml", text)], |options| {
        (options.normalize, options.check, options.all_resources) = (false, false, true);
    });
    let bare = bare.unwrap();
    assert_eq!(value(&bare, "services/b/networks"), "absent");
    assert_eq!(value(&bare, "services/a/depends_on"), "absent");
    assert_eq!(value(&bare, "networks/own"), "null");
    assert_eq!(
        load(&[(
            "a.yml",
            "name: m\nservices: {b: {build: .}, a: {image: x}}\n"
        )])
        .images(),
        ["x", "m-b"]
    );
}

#[test]
fn a_volume_that_is_a_directory_has_its_whole_path() {
    let text = "services: {w: {image: x, volumes: ['d:/d', 'e:/e']}}\nvolumes: {d: {driver_opts: {type: none, o: bind, device: ./x}}, e: {driver_opts: {type: nfs, o: addr=h, device: ':/x'}}}\n";
    assert_eq!(at(text, "volumes/d/driver_opts/device"), "\"/p/x\"");
    assert_eq!(at(text, "volumes/e/driver_opts/device"), "\":/x\"");
}
