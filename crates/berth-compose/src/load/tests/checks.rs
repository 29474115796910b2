//! What is refused, and where it says so.

use super::*;

/// Each row: a file, and the error, at its place.
#[test]
fn types_keys_and_values() {
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            "services: {w: {imag: x}}",
            "1:16: services.w.imag: unknown key",
        ),
        ("servces: {}", "1:1: servces: unknown key"),
        (
            "services: []",
            "1:11: services: expected a map, found a list",
        ),
        (
            "services: {w: }",
            "1:13: services.w: expected a map, found nothing",
        ),
        (
            "services: {'a b': {image: x}}",
            "1:12: services.a b: `a b` cannot be a name here",
        ),
        (
            "services: {w: {image: 1}}",
            "1:23: services.w.image: expected a text, found a number",
        ),
        (
            "services: {w: {image: x, ports: '80'}}",
            "services.w.ports: expected a list, found a text",
        ),
        (
            "services: {w: {image: x, ports: ['80', '80']}}",
            "1:40: services.w.ports[1]: `80` stands in the list twice",
        ),
        (
            "services: {w: {image: x, ports: [{target: 80, tcp: 1}]}}",
            "services.w.ports[0].tcp: unknown key",
        ),
        (
            "services: {w: {image: x, ports: [[80]]}}",
            "services.w.ports[0]: expected a number or a text or a map, found a list",
        ),
        (
            "services: {w: {image: x, environment: [1]}}",
            "services.w.environment[0]: expected a text, found a number",
        ),
        (
            "services: {w: {image: x, environment: {A: [1]}}}",
            "services.w.environment.A: expected a text, a number or a truth value, found a list",
        ),
        (
            "services: {w: {image: x, environment: [=a]}}",
            "a name is missing before the `=`",
        ),
        (
            "services: {w: {image: x, command: \"a 'b\"}}",
            "services.w.command: a ' is not closed",
        ),
        (
            "services: {w: {image: x, privileged: maybe}}",
            "`maybe` is neither true nor false",
        ),
        (
            "services: {w: {image: x, depends_on: {w: {condition: sometime}}}}",
            "`sometime` is none of service_started",
        ),
        (
            "services: {w: {image: x, depends_on: {w: {required: false}}}}",
            "services.w.depends_on.w: `condition` is missing",
        ),
        (
            "services: {w: {image: x, depends_on: {w: {condition: service_started, required: 'true'}}}}",
            "expected a truth value, found a text",
        ),
        (
            "services: {w: {image: x, stop_grace_period: 5}}",
            "expected a text, found a number",
        ),
        (
            "services: {w: {image: x, stop_grace_period: 5x}}",
            "`5x` is not a duration",
        ),
        (
            "services: {w: {image: x, oom_score_adj: 1001}}",
            "1001 is not between -1000 and 1000",
        ),
        ("services: {w: {image: x, scale: -1}}", "-1 is less than 0"),
        (
            "services: {w: {image: x, scale: 1.5}}",
            "expected a whole number or a text, found a number",
        ),
        (
            "services: {w: {image: x, restart: sometimes}}",
            "`sometimes` is none of no, always",
        ),
        (
            "services: {w: {image: x, container_name: '?'}}",
            "`?` is no name of a container",
        ),
        (
            "services: {w: {image: x, volumes: ['a:b:c:d']}}",
            "too many colons",
        ),
        (
            "services: {w: {image: x, volumes: ['/a:/b:rx']}}",
            "`rx` is no option of a bind mount",
        ),
        (
            "services: {w: {image: x, volumes: ['a::b']}}",
            "has an empty part",
        ),
        (
            "services: {w: {image: x, volumes: [{type: bind, target: /a}]}}",
            "`source` is missing",
        ),
        (
            "services: {w: {image: x, volumes: [{type: what, target: /a}]}}",
            "`what` is none of bind, volume",
        ),
        (
            "services: {w: {image: x, devices: ['a:b:c:d']}}",
            "is not of the form SOURCE:TARGET:PERMISSIONS",
        ),
        (
            "services: {w: {image: x, networks: {n: {ipv4_address: 1.2.3}}}}",
            "`1.2.3` is not an IPv4 address",
        ),
        (
            "services: {w: {image: x, ulimits: {NOFILE: 1}}}",
            "`NOFILE` cannot be a name here",
        ),
        (
            "services: {w: {image: x, ulimits: {nofile: {soft: 1}}}}",
            "`hard` is missing",
        ),
        (
            "services: {w: {image: x, secrets: [{source: a, mode: 9}, {source: b, mode: '9'}]}}",
            "`9` is not a file's mode",
        ),
        (
            "services: {w: {image: x, extra_hosts: [a]}}",
            "`a` is not of the form host=address",
        ),
        (
            "services: {w: {image: x, env_file: [{path: a, format: b}]}}",
            "`b` is none of raw",
        ),
        (
            "services: {w: {image: x, cpus: -1}}",
            "`-1` is not a number from 0",
        ),
        (
            "volumes: {v: {external: {name: a}, name: b}}",
            "there are two names",
        ),
        (
            "services: {w: {image: x, develop: {watch: [{path: a, action: b}]}}}",
            "`b` is none of rebuild, sync",
        ),
    ] {
        let error = errors(&[("a.yml", &format!("{text}\n"))]);
        if !(error.contains(want) && error.starts_with("a.yml:1:")) {
            wrong.push(format!("{text}\n  {error}\n  {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each row: a file whose keys and values are right, and what does not fit together.
#[test]
fn what_refers_to_what() {
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            "services: {w: {user: x}}",
            "1:12: services.w: it has neither an image nor a build",
        ),
        (
            "services: {w: {image: x, networks: [n]}}",
            "services.w.networks.n: undefined network `n`",
        ),
        (
            "services: {w: {image: x, volumes: ['v:/v']}}",
            "1:36: services.w.volumes[0]: undefined volume `v`",
        ),
        (
            "services: {w: {image: x, secrets: [s]}}",
            "services.w.secrets[0]: undefined secret `s`",
        ),
        (
            "services: {w: {image: x, configs: [s]}}",
            "services.w.configs[0]: undefined config `s`",
        ),
        (
            "services: {w: {build: {context: ., secrets: [s]}}}",
            "services.w.build.secrets[0]: undefined secret `s`",
        ),
        (
            "services: {w: {image: x, models: [m]}}",
            "undefined model `m`",
        ),
        (
            "services: {w: {image: x, depends_on: [d]}}",
            "1:39: services.w.depends_on.d: undefined service `d`",
        ),
        (
            "services: {w: {image: x, links: ['d:x']}}",
            "services.w.links[0]: undefined service `d`",
        ),
        (
            "services: {w: {image: x, volumes_from: [d]}}",
            "services.w.volumes_from[0]: undefined service `d`",
        ),
        (
            "services: {w: {image: x, network_mode: 'service:d'}}",
            "services.w.network_mode: undefined service `d`",
        ),
        (
            "services: {w: {image: x, pid: 'service:d'}}",
            "services.w.pid: undefined service `d`",
        ),
        (
            "services: {w: {build: {context: ., additional_contexts: {a: 'service:d'}}}}",
            "undefined service `d`",
        ),
        (
            "services: {w: {image: x, network_mode: host, networks: [default]}}",
            "`network_mode` and `networks` exclude each other",
        ),
        (
            "services: {w: {build: {context: ., dockerfile: a, dockerfile_inline: b}}}",
            "exclude each other",
        ),
        (
            "services: {w: {build: {context: ., platforms: [linux/arm64]}, platform: linux/amd64}}",
            "`platforms` lacks the service's own",
        ),
        (
            "services: {a: {image: x, container_name: cc}, b: {image: x, container_name: cc}}",
            "`cc` is the container of service `a`, too",
        ),
        (
            "services: {w: {image: x, container_name: cc, scale: 2}}",
            "2 containers cannot all have one name",
        ),
        (
            "services: {w: {image: x, container_name: cc, deploy: {replicas: 3}}}",
            "3 containers cannot all have one name",
        ),
        (
            "services: {w: {image: x, scale: 2, deploy: {replicas: 3}}}",
            "`scale` is 2 and `deploy.replicas` is 3",
        ),
        (
            "services: {w: {image: x, mem_limit: 1m, deploy: {resources: {limits: {memory: 2m}}}}}",
            "`mem_limit` and `deploy.resources.limits.memory` differ",
        ),
        (
            "services: {w: {image: x, cpus: 1, deploy: {resources: {limits: {cpus: 2}}}}}",
            "`cpus` and",
        ),
        (
            "services: {w: {image: x, healthcheck: {test: [curl, x]}}}",
            "it begins with `curl`",
        ),
        (
            "services: {w: {image: x, healthcheck: {test: [CMD]}}}",
            "nothing stands behind CMD",
        ),
        (
            "services: {w: {image: x, depends_on: {d: {condition: service_healthy}}}, d: {image: x, healthcheck: {disable: true}}}",
            "service `d` will never be healthy",
        ),
        (
            "services: {w: {image: x, tmpfs: /a, volumes: ['/a']}}",
            "services.w.volumes[0]: `/a` is where tmpfs[0] is, too",
        ),
        (
            "services: {w: {image: x, volumes: ['v:a']}}\nvolumes: {v: }",
            "`a` is no absolute path",
        ),
        (
            "services: {w: {image: x, ports: [{published: '80'}]}}",
            "`target` is missing",
        ),
        (
            "services: {w: {image: x, ports: [{target: 80, published: x}]}}",
            "`x` is no port",
        ),
        (
            "services: {w: {image: x, network_mode: host, ports: ['81:80']}}",
            "the host's network has no other numbers",
        ),
        (
            "services: {w: {image: x, gpus: [{count: 1, device_ids: [a]}]}}",
            "exclude each other",
        ),
        (
            "services: {w: {image: x, develop: {watch: [{path: a, action: sync}]}}}",
            "`sync` needs a `target`",
        ),
        (
            "services: {w: {image: x, develop: {watch: [{path: a, action: rebuild}]}}}",
            "`rebuild` of a service without `build`",
        ),
        (
            "services: {}\nsecrets: {s: {}}",
            "secrets.s: it has none of file, environment",
        ),
        (
            "services: {}\nsecrets: {s: {file: a, environment: b}}",
            "file, environment exclude each other",
        ),
        (
            "services: {}\nconfigs: {s: {labels: {a: b}}}",
            "it has none of file, environment, content",
        ),
        (
            "services: {}\nvolumes: {v: {external: true, driver: x}}",
            "it is external, so `driver` means nothing",
        ),
        (
            "services: {}\nvolumes: {a: {name: n}, b: {name: n}}",
            "`n` is the name of `a`, too",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, links: [c]}, c: {image: x, depends_on: [a]}}",
            "services wait for each other: a → b → c → a",
        ),
        (
            "services: {a: {image: x, depends_on: [a]}}",
            "services wait for each other: a → a",
        ),
    ] {
        let error = errors(&[("a.yml", &format!("{text}\n"))]);
        if !(error.contains(want) && error.starts_with("a.yml:")) {
            wrong.push(format!("{text}\n  {error}\n  {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_of_a_file_are_told_in_their_order() {
    let text = "services:\n  b: {imag: x, ports: [a]}\n  a:\n    user: 1\n";
    let error = try_load(&[("a.yml", text)], |_| {}).unwrap_err();
    let Error::Invalid { problems } = &error else {
        panic!("{error}");
    };
    let places: Vec<_> = problems
        .iter()
        .map(|p| (p.line, p.column, p.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (2, 7, "services.b.imag"),
            (2, 24, "services.b.ports[0]"),
            (4, 11, "services.a.user")
        ]
    );
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `image`?"));
    assert_eq!(
        problems[2].hint.as_deref(),
        Some("put it into quotes: \"1\"")
    );
    assert_eq!(error.kind(), berth_model::ErrorKind::InvalidInput);
    let one = try_load(&[("a.yml", "services: {w: {image: x, cpu: 1}}\n")], |_| {}).unwrap_err();
    assert!(one.hint().is_some_and(|hint| hint.contains("cpus")));
}

#[test]
fn files_that_are_none() {
    assert_eq!(errors(&[("a.yml", "# nothing\n")]), "a.yml: it is empty");
    assert!(errors(&[("a.yml", "a: [")]).starts_with("a.yml:"));
    let error = try_load(&[], |options| options.files = vec!["/p/no.yml".into()]).unwrap_err();
    assert_eq!(error.kind(), berth_model::ErrorKind::NotFound);
    let large = format!("# {}\n", "x".repeat(limits::FILE_BYTES));
    assert!(matches!(
        try_load(&[("a.yml", &large)], |_| {}),
        Err(Error::Read { .. })
    ));
}
