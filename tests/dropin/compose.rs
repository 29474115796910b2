//! `berth compose config` against Debian's docker-compose 1.29: what it prints of a project is, read by us, the same
//! project as the one that we read from its files; and both refuse the same.

use testkit::{Finished, Sandbox};

/// A project: files, and the arguments before `config`.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "services of all sorts",
        files: &[
            ("docker-compose.yml", include_str!("compose/services.yml")),
            ("web.env", "# words\nF=1\nQUOTED=\"a b\"\n"),
            ("key", "k"),
            ("conf", "c"),
            ("db/Dockerfile", "FROM scratch\n"),
        ],
        arguments: &[],
    },
    Case {
        name: "an override file, merged",
        files: &[
            ("docker-compose.yml", include_str!("compose/base.yml")),
            (
                "docker-compose.override.yml",
                include_str!("compose/override.yml"),
            ),
        ],
        arguments: &[],
    },
    Case {
        name: "named files, .env and interpolation",
        files: &[
            ("a.yml", include_str!("compose/variables.yml")),
            (
                ".env",
                "TAG=1.2\nEMPTY=\nexport WORDS='two words'\nDOLLAR=a\n",
            ),
        ],
        arguments: &["-f", "a.yml", "-p", "named"],
    },
    Case {
        name: "extends, in the file and from another one",
        files: &[
            (
                "docker-compose.yml",
                "version: '2.4'\nservices:\n  web:\n    extends: {file: sub/base.yml, service: base}\n    environment: {B: own}\n  more:\n    extends: web\n    image: more\n",
            ),
            (
                "sub/base.yml",
                "version: '2.4'\nservices:\n  base:\n    image: base\n    build: ./ctx\n    environment: {A: base, B: base}\n    volumes: ['./data:/data']\n    mem_limit: 64m\n    cpus: 0.5\n",
            ),
            ("sub/ctx/Dockerfile", "FROM scratch\n"),
        ],
        arguments: &[],
    },
    Case {
        name: "profiles",
        files: &[(
            "docker-compose.yml",
            "version: '3.9'\nservices:\n  a: {image: x}\n  b: {image: x, profiles: [debug]}\n  c: {image: x, profiles: [other]}\n",
        )],
        arguments: &["--profile", "debug"],
    },
];

/// Each is refused by both.
const REFUSED: &[&str] = &[
    "services: {w: {imag: x}}",
    "services: {w: {image: x, ports: '80'}}",
    "services: {w: {image: x, ports: ['8080-8082:80-81']}}",
    "services: {w: {image: x, volumes: ['no:/a']}}",
    "services: {w: {image: x, depends_on: [v]}, v: {image: x, depends_on: [w]}}",
    "services: {w: {image: x, network_mode: host, networks: [default]}}",
    "services: {w: {image: '${NO:?why}'}}",
    "services: {w: {user: x}}",
    "services: {w: {image: x, extends: w}}",
    "services: {w: {image: x}",
];

fn settle(sandbox: &Sandbox, files: &[(&str, &str)]) {
    for (name, text) in files {
        if let Some((folder, _)) = name.rsplit_once('/') {
            sandbox.folder(folder);
        }
        sandbox.file(name, text);
    }
}

fn theirs(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    let mut command = sandbox.command("/usr/bin/docker-compose");
    command.args(["--no-ansi"]).args(arguments).arg("config");
    super::run(&mut command, "")
}

fn ours(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    sandbox.berth(&[&["compose"], arguments, &["config"]].concat())
}

/// Without keys of the user's own: 1.29 drops them.
fn known(text: &str) -> String {
    let end = text.find("\nx-").map_or(text.len(), |at| at + 1);
    text[..end].to_owned()
}

#[test]
fn projects_are_understood_as_docker_compose_does() {
    for case in CASES {
        let sandbox = Sandbox::root();
        settle(&sandbox, case.files);
        let printed = theirs(&sandbox, case.arguments);
        sandbox.file("theirs.yaml", printed.ok());
        let own = ours(&sandbox, case.arguments);
        let name = own
            .ok()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("name: ");
        let profiles: Vec<&str> = match case.arguments.first() {
            Some(&"--profile") => case.arguments.to_vec(),
            _ => Vec::new(),
        };
        let again = [&profiles[..], &["-p", name, "-f", "theirs.yaml"]].concat();
        let again = ours(&sandbox, &again);
        let (own, again) = (
            known(&format!("{}\n", own.ok())),
            known(&format!("{}\n", again.ok())),
        );
        assert_eq!(own, again, "{}\n{printed}", case.name);
        assert!(own.contains("services:"), "{own}");
    }
}

#[test]
fn what_docker_compose_refuses_is_refused() {
    let sandbox = Sandbox::root();
    for text in REFUSED {
        sandbox.file("docker-compose.yml", format!("version: '3.9'\n{text}\n"));
        let (them, us) = (theirs(&sandbox, &[]), ours(&sandbox, &[]));
        assert_ne!(them.code(), 0, "{text}: {them}");
        assert_eq!(us.code(), 1, "{text}: {us}");
        assert!(
            us.stderr.starts_with("error: docker-compose.yml:"),
            "{text}: {us}"
        );
        assert_eq!(us.stdout, "");
    }
}

#[test]
fn config_prints_what_was_asked_for() {
    let sandbox = Sandbox::root();
    sandbox.file("compose.yaml", include_str!("compose/base.yml"));
    let line = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        sandbox.berth(&[&["compose", "-p", "shop"], &words[..]].concat())
    };
    for (words, want) in [
        ("config --services", "db\nweb"),
        ("config --volumes", "data"),
        ("config --networks", "back"),
        ("config --images", "postgres\nnginx"),
        ("config --quiet", ""),
        ("convert --services db", "db"),
    ] {
        assert_eq!(line(words).ok(), want, "{words}");
    }
    let hash = line("config --hash web");
    let hash = hash.ok().strip_prefix("web ").unwrap();
    assert!(hash.len() == 64 && line("config --hash *").ok().contains(hash));
    assert!(
        line("config --format json")
            .ok()
            .starts_with("{\n  \"name\": \"shop\",")
    );
    line("config -o out.yaml").ok();
    let written = std::fs::read_to_string(sandbox.home().join("out.yaml")).unwrap();
    assert_eq!(written.trim_end(), line("config").ok());
    let input = sandbox.berth_with_input(
        &["compose", "-f", "-", "config", "--services"],
        "services: {piped: {image: x}}\n",
    );
    assert_eq!(input.ok(), "piped");
    let missing = line("config nope");
    assert_eq!((missing.code(), missing.stdout.as_str()), (1, ""));
    assert!(
        missing.stderr.contains("hint: there are db, web"),
        "{missing}"
    );
}
