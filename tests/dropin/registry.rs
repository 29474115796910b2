//! berth's registry in the place of Debian's docker-registry: each client does the same with both, and has to
//! see the same.

use std::process::Command;

use testkit::registry::Options;
use testkit::{Dockerd, Finished, Registry, Sandbox, Served};

use crate::{containers, run};

/// Does the same with berth's registry and with docker-registry.
#[track_caller]
fn compare(sandbox: &Sandbox, client: impl Fn(&str) -> Vec<String>) {
    let peer = Registry::start(Options {
        delete: true,
        ..Options::default()
    });
    let expected = client(&peer.host());
    let ours = Served::start(sandbox, &[]);
    assert_eq!(client(ours.host()), expected);
}

/// Its lines, sorted, without what names the registry.
fn lines(ended: &Finished, host: &str) -> String {
    let text = ended.ok().replace(host, "HOST");
    // Maps have no order in some outputs.
    let mut lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn skopeo(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    let mut command = sandbox.command("skopeo");
    run(command.arg("--insecure-policy").args(arguments), "")
}

#[test]
fn docker_pushes_and_pulls() {
    let sandbox = Sandbox::root().with_busybox();
    let archive = crate::image(&sandbox);
    let docker = Dockerd::start(&sandbox);
    let call = |arguments: &[&str]| docker.call(&sandbox, arguments);
    call(&["load", "-q", "-i", &archive]).ok();
    compare(&sandbox, |host| {
        let name = format!("{host}/team/app:1");
        let mut seen = Vec::new();
        call(&["tag", "busybox", &name]).ok();
        for _ in 0..2 {
            seen.push(lines(&call(&["push", &name]), host));
        }
        let template = "{{range .RepoDigests}}{{println .}}{{end}}";
        let digests = call(&["inspect", "-f", template, &name]).ok().to_owned();
        let digest = digests
            .lines()
            .find_map(|line| line.strip_prefix(host)?.split_once('@'));
        let digest = digest.expect("it was pushed").1.to_owned();
        call(&["rmi", &name]).ok();
        let by_digest = format!("{host}/team/app@{}", digest.trim());
        seen.push(lines(&call(&["pull", &by_digest]), host));
        call(&["rmi", &by_digest]).ok();
        seen.push(lines(
            &call(&["pull", "-a", &format!("{host}/team/app")]),
            host,
        ));
        call(&["rmi", &name]).ok();
        let missing = call(&["pull", &format!("{host}/team/app:no")]);
        let told = missing.fails(1).replace(host, "HOST");
        // Then each says it in its own words.
        seen.push(told.split_inclusive("manifest unknown").take(1).collect());
        seen.push(digest);
        seen
    });
    drop(docker);
}

#[test]
fn podman_and_buildah_push_and_pull() {
    let sandbox = Sandbox::root().with_busybox();
    let archive = crate::image(&sandbox);
    containers::set_up(&sandbox, "podman", "");
    let podman = |arguments: &[&str]| {
        let mut command = containers::command(&sandbox, "podman");
        command
            .arg("--tmpdir")
            .arg(sandbox.home().join("podman/tmp"));
        command.args(["--cgroup-manager=cgroupfs", "--events-backend=none"]);
        run(command.arg("--log-level=error").args(arguments), "")
    };
    let buildah = |arguments: &[&str]| {
        let mut command = containers::command(&sandbox, "podman");
        let program = command
            .get_args()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>();
        let environment: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        command = Command::new("/usr/bin/buildah");
        command.env_clear().args(program).args(arguments);
        for (name, value) in environment {
            command.env(name, value.unwrap_or_default());
        }
        run(&mut command, "")
    };
    podman(&["load", "-q", "-i", &archive]).ok();
    compare(&sandbox, |host| {
        let name = format!("{host}/team/app:1");
        let mut seen = Vec::new();
        for format in ["oci", "v2s2"] {
            podman(&[
                "push",
                "-q",
                "--tls-verify=false",
                "--format",
                format,
                "busybox",
                &name,
            ])
            .ok();
            podman(&["rmi", "-f", &name]);
            seen.push(
                podman(&["pull", "-q", "--tls-verify=false", &name])
                    .ok()
                    .to_owned(),
            );
        }
        let search = [
            "search",
            "--tls-verify=false",
            "--list-tags",
            "--format",
            "{{.Tag}}",
        ];
        seen.push(lines(
            &podman(&[&search[..], &[&format!("{host}/team/app")]].concat()),
            host,
        ));
        let list = format!("{host}/team/list:1");
        podman(&["manifest", "create", &list]).ok();
        let add = [
            "manifest",
            "add",
            "--tls-verify=false",
            &list,
            &format!("docker://{name}"),
        ];
        podman(&add).ok();
        podman(&[
            "manifest",
            "push",
            "-q",
            "--all",
            "--tls-verify=false",
            &list,
            &format!("docker://{list}"),
        ])
        .ok();
        podman(&["manifest", "rm", &list]).ok();
        podman(&["rmi", "-f", &name]);
        seen.push(
            podman(&["pull", "-q", "--tls-verify=false", &list])
                .ok()
                .to_owned(),
        );
        let base = buildah(&["from", "--tls-verify=false", &name])
            .ok()
            .trim()
            .to_owned();
        let made = format!("docker://{host}/team/made:1");
        buildah(&["commit", "-q", "--tls-verify=false", &base, &made]).ok();
        buildah(&["rm", "-a"]).ok();
        seen.push(lines(
            &podman(&[&search[..], &[&format!("{host}/team/made")]].concat()),
            host,
        ));
        podman(&["rmi", "-f", &name, &list]);
        seen
    });
    containers::unmount(&sandbox, "podman");
}

#[test]
fn skopeo_copies_lists_syncs_and_deletes() {
    let sandbox = Sandbox::root().with_busybox();
    let image = format!("oci:{}", sandbox.stored_image());
    compare(&sandbox, |host| {
        let at = |rest: &str| format!("docker://{host}/{rest}");
        let mut seen = Vec::new();
        for tag in ["a", "b"] {
            let to = at(&format!("team/app:{tag}"));
            skopeo(
                &sandbox,
                &["copy", "-q", "--dest-tls-verify=false", &image, &to],
            )
            .ok();
        }
        let across = [
            "copy",
            "-q",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ];
        skopeo(
            &sandbox,
            &[&across[..], &[&at("team/app:a"), &at("other/app:a")]].concat(),
        )
        .ok();
        let list = |name: &str| {
            lines(
                &skopeo(&sandbox, &["list-tags", "--tls-verify=false", &at(name)]),
                host,
            )
        };
        seen.push(list("team/app"));
        seen.push(list("other/app"));
        let inspect = ["inspect", "--raw", "--tls-verify=false"];
        seen.push(lines(
            &skopeo(&sandbox, &[&inspect[..], &[&at("team/app:b")]].concat()),
            host,
        ));
        let inspected = skopeo(
            &sandbox,
            &["inspect", "--tls-verify=false", &at("team/app:b")],
        );
        seen.push(lines(&inspected, host));
        let synced = sandbox.folder("synced");
        let sync = [
            "sync",
            "--src",
            "docker",
            "--dest",
            "dir",
            "--src-tls-verify=false",
        ];
        let from = format!("{host}/team/app");
        skopeo(
            &sandbox,
            &[&sync[..], &[&from, synced.to_str().unwrap()]].concat(),
        )
        .ok();
        let mut files = Vec::new();
        for tag in ["app:a", "app:b"] {
            let names = std::fs::read_dir(synced.join(tag)).unwrap().flatten();
            files.extend(names.map(|entry| format!("{tag}/{}", entry.file_name().display())));
        }
        files.sort();
        seen.push(files.join("\n"));
        std::fs::remove_dir_all(&synced).unwrap();
        // What it deletes is the manifest, so all tags of it go.
        skopeo(
            &sandbox,
            &["delete", "--tls-verify=false", &at("other/app:a")],
        )
        .ok();
        let gone = skopeo(
            &sandbox,
            &["inspect", "--tls-verify=false", &at("other/app:a")],
        );
        assert_ne!(gone.code(), 0, "{gone}");
        seen.push(list("team/app"));
        seen
    });
}

/// What the other does not have: a history of each tag, and back.
#[test]
fn a_tag_goes_back_to_what_it_named() {
    let sandbox = Sandbox::root().with_busybox();
    let registry = Served::start(&sandbox, &[]);
    let name = format!("{}/team/app:1", registry.host());
    sandbox.berth(&["tag", "busybox", &name]).ok();
    sandbox.berth(&["push", "-q", &name]).ok();
    let again = sandbox.berth(&[
        "import",
        "--change",
        "CMD true",
        &crate::image(&sandbox),
        &name,
    ]);
    again.ok();
    sandbox.berth(&["push", "-q", &name]).ok();
    let to = [
        "registry",
        "history",
        "--format",
        "{{.From}} {{.To}}",
        &name,
    ];
    let history = sandbox.berth(&to).ok().to_owned();
    let [second, first] = &history.lines().collect::<Vec<_>>()[..] else {
        panic!("two changes: {history}");
    };
    let (none, first) = first.split_once(' ').unwrap();
    assert_eq!(none, "none");
    assert!(second.starts_with(first), "{history}");
    let back = sandbox.berth(&["registry", "rollback", &name]);
    assert_eq!(back.ok().trim(), first);
    let inspected = sandbox.berth(&["manifest", "inspect", "--raw", &name]);
    let served = registry.ask(&[], &format!("/v2/team/app/manifests/{first}"));
    assert_eq!(inspected.ok(), served.ok());
    let told = sandbox.berth(&["registry", "history", &name]);
    assert_eq!(told.ok().lines().count(), 4, "{told}");

    let never = format!("sha256:{}", "0".repeat(64));
    let refused = sandbox.berth(&["registry", "rollback", "--to", &never, &name]);
    assert!(refused.fails(1).contains("error: "), "{refused}");
    let peer = Registry::start(Options::default());
    let other = sandbox.berth(&["registry", "history", &format!("{}/a:1", peer.host())]);
    assert!(other.fails(1).contains("served by berth"), "{other}");
    drop(registry);
}
