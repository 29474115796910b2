//! Contexts are docker's files: each client knows the other's. And a dockerd is no berth, and is told apart.

use std::time::Duration;

use testkit::{Dockerd, Finished, Sandbox};

/// Both clients with one directory.
fn ask(s: &Sandbox, program: &str, arguments: &[&str]) -> Finished {
    let mut command = s.command(program);
    command
        .env("DOCKER_CONFIG", s.home().join("config"))
        .args(arguments);
    Finished::run(&mut command, b"", Duration::from_secs(60))
}

#[test]
fn each_client_knows_the_contexts_of_the_other() {
    let s = Sandbox::root();
    let berth = s.path().join("bin/berth").display().to_string();
    let berth = |arguments: &[&str]| ask(&s, &berth, arguments);
    let docker = |arguments: &[&str]| ask(&s, "/usr/bin/docker", arguments);
    testkit::registry::certify(&s.home());
    let files = "ca=ca.pem,cert=client.pem,key=client.key";
    let secure = format!("host=tcp://10.0.0.1:2376,{files}");
    docker(&[
        "context",
        "create",
        "of-docker",
        "--docker",
        &secure,
        "--description",
        "made by docker",
    ])
    .ok();
    berth(&[
        "context",
        "create",
        "of-berth",
        "--docker",
        &secure,
        "--description",
        "made by berth",
    ])
    .ok();
    for name in ["of-docker", "of-berth"] {
        for format in [
            "{{.Name}} {{.Endpoints.docker.Host}} {{.Endpoints.docker.SkipTLSVerify}}",
            "{{json .TLSMaterial}} {{json .Storage}}",
        ] {
            let line = ["context", "inspect", "--format", format, name];
            assert_eq!(berth(&line).ok(), docker(&line).ok());
        }
    }
    let line = [
        "context",
        "ls",
        "--format",
        "{{.Name}}|{{.Description}}|{{.DockerEndpoint}}",
    ];
    let without_default = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("default"))
            .map(str::to_owned)
            .collect()
    };
    let shown = without_default(berth(&line).ok());
    assert_eq!(shown, without_default(docker(&line).ok()));
    assert_eq!(shown.len(), 2);

    // Written by one, taken by the other.
    berth(&["context", "export", "of-docker", "one.tar"]).ok();
    docker(&["context", "import", "copy-one", "one.tar"]).ok();
    docker(&["context", "export", "of-berth", "two.tar"]).ok();
    assert_eq!(
        berth(&["context", "import", "copy-two", "two.tar"]).ok(),
        "copy-two"
    );
    for name in ["copy-one", "copy-two"] {
        let line = [
            "context",
            "inspect",
            "--format",
            "{{.Endpoints.docker.Host}} {{json .TLSMaterial}}",
            name,
        ];
        assert_eq!(berth(&line).ok(), docker(&line).ok());
        assert!(berth(&line).ok().contains("key.pem"));
    }

    // What docker uses is docker's choice, and berth's is berth's.
    docker(&["context", "use", "of-docker"]).ok();
    assert_eq!(berth(&["context", "show"]).ok(), "default");
    assert_eq!(berth(&["context", "use", "of-berth"]).ok(), "of-berth");
    berth(&["context", "rm", "of-berth"]).fails(1);
    berth(&["context", "update", "of-berth", "--description", "changed"]).ok();
    let line = ["context", "ls", "--format", "{{.Name}} {{.Description}}"];
    assert!(docker(&line).ok().contains("of-berth changed"));
    assert_eq!(
        berth(&["context", "rm", "-f", "of-berth", "copy-one"]).ok(),
        "of-berth\ncopy-one"
    );
    assert_eq!(berth(&["context", "show"]).ok(), "default");
    docker(&["context", "inspect", "of-berth"]).fails(1);
    berth(&["context", "create", "default", "--docker", "host=unix:///a"]).fails(1);
    berth(&[
        "context",
        "create",
        "bad",
        "--docker",
        "host=ssh://-oProxyCommand=x",
    ])
    .fails(1);
}

#[test]
fn a_dockerd_is_told_apart() {
    let s = Sandbox::root();
    let dockerd = Dockerd::start(&s);
    let host = format!("unix://{}", s.path().join("d/sock").display());
    let asked = s.berth(&["--host", &host, "ps"]);
    assert!(
        asked.fails(1).contains("is not berth's but docker's"),
        "{asked}"
    );
    drop(dockerd);
}
