//! Several files: merged, extended, included; profiles.

use super::*;

/// Each row: a value of a service, one laid over it, what comes of it.
#[test]
fn one_file_over_another() {
    for (key, base, over, want) in [
        ("image", "a", "b", "\"b\""),
        (
            "environment",
            "{A: 1, B: 1}",
            "[B=2, C=3]",
            r#"{"A":"1","B":"2","C":"3"}"#,
        ),
        ("environment", "{A: 1}", "[A]", r#"{"A":null}"#),
        ("labels", "[a=1]", "{b: 2}", r#"{"a":"1","b":"2"}"#),
        ("command", "a b", "[c]", r#"["c"]"#),
        ("command", "a b", "null", "absent"),
        ("entrypoint", "[a]", "b c", r#"["b","c"]"#),
        ("cap_add", "[A, B]", "[B, C]", r#"["A","B","C"]"#),
        (
            "dns",
            "1.1.1.1",
            "[1.1.1.1, 8.8.8.8]",
            r#"["1.1.1.1","8.8.8.8"]"#,
        ),
        ("tmpfs", "/a", "/b", r#"["/a","/b"]"#),
        ("expose", "[80]", "['80', 81]", r#"["80","81"]"#),
        ("device_cgroup_rules", "[a]", "[b]", r#"["a","b"]"#),
        ("mem_limit", "1m", "2m", "\"2097152\""),
        ("privileged", "true", "false", "absent"),
        (
            "ulimits",
            "{nofile: 1}",
            "{nofile: {soft: 1, hard: 2}}",
            r#"{"nofile":{"hard":2,"soft":1}}"#,
        ),
        (
            "logging",
            "{driver: a, options: {x: 1}}",
            "{options: {y: 2}}",
            r#"{"driver":"a","options":{"x":"1","y":"2"}}"#,
        ),
        (
            "logging",
            "{driver: a, options: {x: 1}}",
            "{driver: b}",
            r#"{"driver":"b"}"#,
        ),
        (
            "healthcheck",
            "{test: a, retries: 1}",
            "{test: [CMD, b]}",
            r#"{"retries":1,"test":["CMD","b"]}"#,
        ),
        (
            "extra_hosts",
            "[a=1.1.1.1]",
            "{a: 1.1.1.1, b: 2.2.2.2}",
            r#"["a=1.1.1.1","b=2.2.2.2"]"#,
        ),
        (
            "build",
            "./x",
            "{target: t}",
            r#"{"context":"/p/x","dockerfile":"Dockerfile","target":"t"}"#,
        ),
        ("sysctls", "{a: 1}", "[a=2]", r#"{"a":"2"}"#),
        (
            "devices",
            "['/dev/a:/x']",
            "['/dev/b:/x']",
            r#"[{"permissions":"rwm","source":"/dev/b","target":"/x"}]"#,
        ),
        ("environment", "{A: 1}", "!reset null", "absent"),
        ("environment", "{A: 1}", "!override {B: 2}", r#"{"B":"2"}"#),
        (
            "environment",
            "{A: 1, B: 2}",
            "{A: !reset null}",
            r#"{"B":"2"}"#,
        ),
        ("cap_add", "[A]", "!override [B]", r#"["B"]"#),
        ("cap_add", "[A]", "!reset []", "absent"),
        ("command", "!reset null", "b", r#"["b"]"#),
        (
            "x-own",
            "{a: 1, l: [1]}",
            "{b: 2, l: [2]}",
            r#"{"a":1,"b":2,"l":[1,2]}"#,
        ),
    ] {
        let file =
            |value: &str| format!("services: {{w: {{{key}: {value}, provider: {{type: x}}}}}}\n");
        let loaded = load(&[("a.yml", &file(base)), ("b.yml", &file(over))]);
        assert_eq!(
            value(&loaded, &format!("services/w/{key}")),
            want,
            "{key}: {base} ← {over}"
        );
        // Two documents of one file are as two files.
        let both = format!("{}---\n{}", file(base), file(over));
        assert_eq!(at(&both, &format!("services/w/{key}")), want, "{both}");
    }
}

#[test]
fn lists_with_a_key_have_one_item_each() {
    let a = "services: {w: {image: i, ports: ['80:80', '90:90'], volumes: ['a:/a', 'b:/b'], secrets: [s], configs: [c], networks: {n: {aliases: [x]}}, depends_on: [d]}, d: {image: i}}\n\
             volumes: {a: , b: , c: }\nsecrets: {s: {file: s}, t: {file: t}}\nconfigs: {c: {content: x}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n";
    let b = "services: {w: {ports: [{target: 80, published: '80'}, '91:90'], volumes: ['c:/a:ro'], secrets: [{source: t, target: s}], configs: [{source: c, target: /c, mode: 0400}], networks: {n: {aliases: [x, y]}}, depends_on: {d: {condition: service_healthy}}}}\n\
             networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}}\n";
    let loaded = load(&[("a.yml", a), ("b.yml", b)]);
    let get = |path: &str| value(&loaded, &format!("services/w/{path}"));
    let ports: Vec<String> = (0..4)
        .map(|n| get(&format!("ports/{n}/published")))
        .collect();
    assert_eq!(ports, ["\"80\"", "\"90\"", "\"91\"", "absent"]);
    assert_eq!(get("volumes/0/source"), "\"c\"");
    assert_eq!(get("volumes/0/read_only"), "true");
    assert_eq!(get("volumes/1/source"), "\"b\"");
    assert_eq!(get("volumes/2"), "absent");
    assert_eq!(
        (get("secrets/0/source"), get("secrets/1")),
        ("\"t\"".into(), "absent".into())
    );
    assert_eq!(
        (get("configs/0/mode"), get("configs/1")),
        ("\"0400\"".into(), "absent".into())
    );
    assert_eq!(get("networks/n/aliases"), r#"["x","y"]"#);
    assert_eq!(
        get("depends_on/d"),
        r#"{"condition":"service_healthy","required":true}"#
    );
    assert_eq!(
        value(&loaded, "networks/n/ipam/config"),
        r#"[{"gateway":"10.0.0.1","subnet":"10.0.0.0/24"}]"#
    );
}

#[test]
fn services_extend_others() {
    let loaded = load(&[
        (
            "a.yml",
            "services:\n  w:\n    extends: {file: sub/base.yaml, service: mid}\n    environment: {B: own}\n    ports: !reset []\n  v: {extends: w, image: v}\n",
        ),
        (
            "sub/base.yaml",
            "services:\n  mid: {extends: low, environment: {B: mid, C: mid}}\n  low: {image: low, build: ./ctx, environment: {A: low, B: low}, ports: ['1:1'], env_file: low.env}\n",
        ),
        ("sub/low.env", "D=file\n"),
    ]);
    assert_eq!(
        value(&loaded, "services/w/environment"),
        r#"{"A":"low","B":"own","C":"mid","D":"file"}"#
    );
    assert_eq!(value(&loaded, "services/w/image"), "\"low\"");
    assert_eq!(value(&loaded, "services/w/build/context"), "\"/p/sub/ctx\"");
    assert_eq!(value(&loaded, "services/w/ports"), "absent");
    assert_eq!(value(&loaded, "services/v/image"), "\"v\"");
    assert_eq!(value(&loaded, "services/v/environment/B"), "\"own\"");
    assert_eq!(value(&loaded, "services/w/extends"), "absent");
}

#[test]
fn what_cannot_be_extended_is_told() {
    let circle = "services:\n  a: {extends: b}\n  b: {extends: {service: c}}\n  c: {extends: a}\n";
    let error = errors(&[("a.yml", circle)]);
    assert!(
        error.contains("services extend each other: a → b → c → a"),
        "{error}"
    );
    let across = errors(&[
        (
            "a.yml",
            "services: {a: {extends: {file: o.yaml, service: b}}}\n",
        ),
        (
            "o.yaml",
            "services: {b: {extends: {file: a.yml, service: a}}}\n",
        ),
    ]);
    assert!(across.contains("a → b → a"), "{across}");
    let error = errors(&[(
        "a.yml",
        "services:\n  a: {extends: {service: no}}\n  b: {image: x}\n",
    )]);
    assert_eq!(
        error,
        "a.yml:2:26: services.a.extends: there is no service `no` in a.yml"
    );
    let error = errors(&[(
        "a.yml",
        "services: {a: {extends: {file: no.yaml, service: a}}}\n",
    )]);
    assert_eq!(error, "cannot read `/p/no.yaml`");
    let error = errors(&[
        (
            "a.yml",
            "services: {a: {extends: {file: o.yaml, service: a}}}\n",
        ),
        ("o.yaml", "services:\n  a: {imagee: x}\n"),
    ]);
    assert!(
        error.starts_with("o.yaml:2:7: services.a.imagee: unknown key"),
        "{error}"
    );
}

#[test]
fn files_include_others() {
    let loaded = load(&[
        (
            "a.yml",
            "include:\n  - sub/one.yaml\n  - {path: [sub/two.yaml, over.yaml], project_directory: other, env_file: two.env}\nservices: {w: {image: w, depends_on: [one, two]}}\n",
        ),
        (
            "sub/one.yaml",
            "services: {one: {image: 'one:${TAG}', build: ., networks: [n]}}\nnetworks: {n: }\n",
        ),
        ("sub/.env", "TAG=env\nSET=not this\n"),
        (
            "sub/two.yaml",
            "services: {two: {image: 'two:${TAG}-${SET}', build: ./b}}\n",
        ),
        ("over.yaml", "services: {two: {user: over}}\n"),
        ("two.env", "TAG=two\n"),
    ]);
    assert_eq!(value(&loaded, "services/one/image"), "\"one:env\"");
    assert_eq!(value(&loaded, "services/one/build/context"), "\"/p/sub\"");
    assert_eq!(value(&loaded, "services/two/image"), "\"two:two-value\"");
    assert_eq!(
        value(&loaded, "services/two/build/context"),
        "\"/p/other/b\""
    );
    assert_eq!(value(&loaded, "services/two/user"), "\"over\"");
    assert_eq!(value(&loaded, "networks/n/name"), "\"p_n\"");
    assert_eq!(value(&loaded, "include"), "absent");
    // A later file may change what the first one includes.
    let loaded = load(&[
        ("a.yml", "include: [o.yaml]\n"),
        ("b.yml", "services: {o: {user: later}}\n"),
        ("o.yaml", "services: {o: {image: o}}\n"),
    ]);
    assert_eq!(value(&loaded, "services/o/user"), "\"later\"");
}

#[test]
fn what_cannot_be_included_is_told() {
    let error = errors(&[
        ("a.yml", "include: [o.yaml]\nservices:\n  w: {image: a}\n"),
        ("o.yaml", "services:\n  w: {image: b}\n"),
    ]);
    assert_eq!(
        error,
        "a.yml:3:3: services.w: it is in an included file, too: o.yaml:2:3"
    );
    // The same twice is no conflict.
    let same = "services: {w: {image: a}}\n";
    load(&[
        ("a.yml", "include: [o.yaml, q.yaml]\n"),
        ("o.yaml", same),
        ("q.yaml", same),
    ]);
    let error = errors(&[
        ("a.yml", "include: [b.yaml]\n"),
        ("b.yaml", "include: [a.yml]\n"),
    ]);
    assert!(
        error.contains("files include each other: a.yml → b.yaml → a.yml"),
        "{error}"
    );
    let error = errors(&[("a.yml", "include: [no.yaml]\n")]);
    assert_eq!(error, "cannot read `/p/no.yaml`");
    let error = errors(&[("a.yml", "include: [{env_file: x}]\n")]);
    assert!(error.contains("`path` is missing"), "{error}");
}

const PROFILES: &str = "services:\n  a: {image: x}\n  b: {image: x, profiles: [debug], networks: [n]}\n  c: {image: x, profiles: [test, debug], depends_on: {b: {condition: service_started, required: false}}}\n  d: {image: x, profiles: [other], depends_on: [b]}\nnetworks: {n: }\n";

#[test]
fn profiles_say_which_services_are_wanted() {
    let names = |profiles: &[&str], services: &[&str]| {
        let loaded = try_load(&[("a.yml", PROFILES)], |options| {
            options.profiles = profiles.iter().map(|p| (*p).to_owned()).collect();
            options.services = services.iter().map(|s| (*s).to_owned()).collect();
        });
        loaded.map(|loaded| loaded.tree.keys("services").collect::<String>())
    };
    assert_eq!(names(&[], &[]).unwrap(), "a");
    assert_eq!(names(&["debug"], &[]).unwrap(), "abc");
    assert_eq!(names(&["test"], &[]).unwrap(), "ac");
    assert_eq!(names(&["*"], &[]).unwrap(), "abcd");
    // Who is named brings his profiles, and what he needs.
    assert_eq!(names(&[], &["b"]).unwrap(), "b");
    assert_eq!(names(&[], &["c"]).unwrap(), "bc");
    assert_eq!(names(&["debug"], &["d"]).unwrap(), "bd");
    let error = names(&["other"], &[]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a.yml:5:49: services.d.depends_on.b: service `b` is in profile debug only"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("--profile"));
    let error = names(&[], &["nope"]).unwrap_err();
    assert_eq!(error.to_string(), "no such service: nope");
    let loaded = load(&[("a.yml", PROFILES)]);
    assert_eq!(loaded.profiles, ["debug", "other", "test"]);
    assert_eq!(loaded.disabled, ["b", "c", "d"]);
    // What only the others use is not made.
    assert_eq!(
        value(&loaded, "networks"),
        r#"{"default":{"name":"p_default"}}"#
    );
    let all = try_load(&[("a.yml", PROFILES)], |options| {
        options.all_resources = true
    })
    .unwrap();
    assert_eq!(value(&all, "networks/n/name"), "\"p_n\"");
}
