//! Logins and rights with the programs that others use: `htpasswd`, curl, skopeo, podman, and docker with dockerd, by
//! passwords and by tokens, in plain HTTP and over TLS.

#![allow(clippy::unwrap_used, reason = "a test")]

mod served;

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use served::Served;
use testkit::Finished;

const PATIENCE: Duration = Duration::from_secs(120);

fn run(program: &str, arguments: &[&str], directory: &Path) -> Finished {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .env("REGISTRY_AUTH_FILE", directory.join("auth.json"));
    Finished::run(&mut command, b"", PATIENCE)
}

/// alice may do all, bob may pull from team, everybody may pull from public.
const RIGHTS: &str = "
[log]
access = \"off\"
[auth]
htpasswd = \"users\"
[[access]]
users = [\"alice\"]
allow = [\"*\"]
[[access]]
prefix = \"team\"
users = [\"alice\"]
allow = [\"*\"]
[[access]]
prefix = \"team\"
users = [\"bob\"]
allow = [\"pull\"]
[[access]]
prefix = \"public\"
users = [\"alice\"]
allow = [\"*\"]
";

/// The last entry goes on: then there are tokens, without being asked for.
const ANYBODY: &str = "anonymous = [\"pull\"]\n";

fn start(directory: &Path, more: &str) -> Served {
    let users = ["alice", "bob"].map(|name| {
        let made = run(
            "htpasswd",
            &["-nbB", "-C", "5", name, "pass word"],
            directory,
        );
        made.ok().trim().to_owned()
    });
    std::fs::write(directory.join("users"), users.join("\n")).unwrap();
    Served::start(directory, &format!("{RIGHTS}{more}"))
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A layout that holds one small image.
fn layout(directory: &Path) -> String {
    let content = directory.join("content");
    std::fs::create_dir(&content).unwrap();
    std::fs::write(content.join("file"), "hello").unwrap();
    let layout = directory.join("layout").display().to_string();
    let image = format!("{layout}:v1");
    for arguments in [
        &["init", "--layout", &layout][..],
        &["new", "--image", &image],
        &[
            "insert",
            "--image",
            &image,
            &content.display().to_string(),
            "/content",
        ],
    ] {
        run("umoci", arguments, directory).ok();
    }
    format!("oci:{image}")
}

const TOKENS: &str = "[auth.token]\nservice = \"test\"\n";

#[test]
fn curl_is_told_what_is_missing() {
    for (more, challenge) in [
        ("", "basic realm=\"berth\""),
        (TOKENS, "bearer realm=\"http://127.0.0.1:"),
    ] {
        let place = directory();
        let served = start(place.path(), more);
        let reply = served.get("/v2/");
        assert_eq!(reply.status, 401);
        assert!(
            reply
                .header("www-authenticate")
                .unwrap()
                .starts_with(challenge),
            "{}",
            reply.head
        );
        let url = |path: &str| format!("http://{}{path}", served.host());
        let code = |user: &str, path: &str| {
            let mut arguments = vec!["-s", "-o", "/dev/null", "-w", "%{http_code}"];
            if !user.is_empty() {
                arguments.extend(["-u", user]);
            }
            let url = url(path);
            arguments.push(&url);
            run("curl", &arguments, place.path()).ok().to_owned()
        };
        for (user, path, want) in [
            ("alice:pass word", "/v2/", "200"),
            ("alice:wrong", "/v2/", "401"),
            ("nobody:pass word", "/v2/", "401"),
            // Whether it is there or not.
            ("bob:pass word", "/v2/secret/manifests/v1", "403"),
            ("bob:pass word", "/v2/team/manifests/v1", "404"),
            ("", "/v2/secret/manifests/v1", "401"),
            (
                "",
                "/v2/public/manifests/v1",
                if more == ANYBODY { "404" } else { "401" },
            ),
        ] {
            assert_eq!(code(user, path), want, "{user} {path}");
        }
    }
}

/// G7: the answers about what is there and what is not are the same, byte for byte, but for the request's number.
#[test]
fn what_one_may_not_see_might_not_be_there() {
    for more in ["", ANYBODY, TOKENS] {
        let place = directory();
        let served = start(place.path(), more);
        let image = layout(place.path());
        let there = format!("docker://{}/hidden/there:v1", served.host());
        let options = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
        let login = ["--dest-creds", "alice:pass word", &image, &there];
        run("skopeo", &[&options[..], &login].concat(), place.path()).ok();
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for rest in [
            "manifests/v1",
            "tags/list",
            &format!("blobs/{digest}"),
            &format!("referrers/{digest}"),
        ] {
            for user in ["", "Authorization: Basic Ym9iOnBhc3Mgd29yZA=="] {
                let ask = |name: &str| {
                    let mut headers = vec![user];
                    headers.retain(|line| !line.is_empty());
                    let reply = served.ask("GET", &format!("/v2/{name}/{rest}"), &headers);
                    let kept =
                        |line: &&str| !line.starts_with("date:") && !line.contains("request-id");
                    let head: Vec<&str> = reply.head.lines().filter(kept).collect();
                    format!("{}\n{}", head.join("\n"), reply.text()).replace(name, "NAME")
                };
                let (there, absent) = (ask("hidden/there"), ask("hidden/gone"));
                assert_eq!(there, absent);
                assert!(
                    there.contains(if user.is_empty() { " 401 " } else { " 403 " }),
                    "{there}"
                );
            }
        }
    }
}

#[test]
fn skopeo_and_podman_log_in_and_do_what_they_may() {
    for more in ["", ANYBODY, TOKENS] {
        let place = directory();
        let served = start(place.path(), more);
        let (host, image) = (served.host(), layout(place.path()));
        let copy = |creds: Option<&str>, from: &str, to: &str| {
            let mut arguments = vec!["--insecure-policy", "copy", "-q"];
            let side = if to.starts_with("docker:") {
                "dest"
            } else {
                "src"
            };
            let (tls, flag) = (
                format!("--{side}-tls-verify=false"),
                format!("--{side}-creds"),
            );
            arguments.push(&tls);
            if let Some(creds) = creds {
                arguments.extend([&flag[..], creds]);
            }
            run(
                "skopeo",
                &[&arguments[..], &[from, to]].concat(),
                place.path(),
            )
        };
        let at = |name: &str| format!("docker://{host}/{name}:v1");
        let (alice, bob) = (Some("alice:pass word"), Some("bob:pass word"));
        for name in ["team/app", "public/app", "other"] {
            copy(alice, &image, &at(name)).ok();
        }
        let dir = |name: &str| format!("dir:{}", place.path().join(name).display());
        copy(bob, &at("team/app"), &dir("bob")).ok();
        assert!(!copy(bob, &image, &at("team/app")).status.success());
        assert!(!copy(bob, &at("other"), &dir("x")).status.success());
        let anybody = copy(None, &at("public/app"), &dir("anybody"));
        assert_eq!(anybody.status.success(), more == ANYBODY);
        assert!(!copy(None, &at("team/app"), &dir("x")).status.success());
        assert!(!copy(None, &image, &at("public/app")).status.success());
        assert!(
            !copy(Some("alice:wrong"), &at("public/app"), &dir("x"))
                .status
                .success()
        );

        let podman = |arguments: &[&str]| run("podman", arguments, place.path());
        let login = |password: &str| {
            podman(&[
                "login",
                "--tls-verify=false",
                "-u",
                "bob",
                "-p",
                password,
                &host,
            ])
        };
        assert!(!login("wrong").status.success());
        login("pass word").ok();
        // With the login that podman has kept.
        copy(None, &at("team/app"), &dir("again")).ok();
        assert!(!copy(None, &image, &at("team/app")).status.success());
        podman(&["logout", &host]).ok();
        assert!(!copy(None, &at("team/app"), &dir("x")).status.success());
    }
}

struct Dockerd(Child, std::path::PathBuf);

impl Dockerd {
    fn start(directory: &Path) -> Dockerd {
        let at = |name: &str| directory.join(name).display().to_string();
        std::fs::create_dir_all(at("d")).unwrap();
        let log = std::fs::File::create(at("d/log")).unwrap();
        let child = Command::new("/usr/sbin/dockerd")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--data-root", &at("d/data"), "--exec-root", &at("d/exec")])
            .args([
                "--pidfile",
                &at("d/pid"),
                "--host",
                &format!("unix://{}", at("d/sock")),
            ])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let mut daemon = Dockerd(child.unwrap(), directory.to_owned());
        let end = Instant::now() + PATIENCE;
        while !daemon.call(&["version"]).status.success() {
            let ended = daemon.0.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "dockerd does not answer"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        daemon
    }

    fn call(&self, arguments: &[&str]) -> Finished {
        let socket = format!("unix://{}", self.1.join("d/sock").display());
        run(
            "/usr/bin/docker",
            &[&["-H", &socket], arguments].concat(),
            &self.1,
        )
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
        // Its own network namespace, which it never lets go of.
        let netns = self.1.join("d/exec/netns/default");
        let _ = Command::new("umount").arg(netns).output();
    }
}

#[test]
fn docker_logs_in_pushes_and_pulls() {
    let daemons = directory();
    let docker = Dockerd::start(daemons.path());
    std::fs::write(daemons.path().join("file"), "hello").unwrap();
    run("tar", &["-cf", "image.tar", "file"], daemons.path()).ok();
    let archive = daemons.path().join("image.tar").display().to_string();
    for more in ["", ANYBODY] {
        let place = directory();
        let served = start(place.path(), more);
        let host = served.host();
        let (team, public) = (format!("{host}/team/app:1"), format!("{host}/public/app:1"));
        for name in [&team, &public] {
            docker.call(&["import", &archive, name]).ok();
        }
        let login =
            |user: &str, password: &str| docker.call(&["login", "-u", user, "-p", password, &host]);
        assert!(!docker.call(&["push", &team]).status.success());
        assert!(!login("alice", "wrong").status.success());
        login("alice", "pass word").ok();
        for name in [&team, &public] {
            docker.call(&["push", name]).ok();
            docker.call(&["rmi", name]).ok();
        }
        docker.call(&["pull", &team]).ok();
        docker.call(&["logout", &host]).ok();
        docker.call(&["rmi", &team]).ok();
        assert!(!docker.call(&["pull", &team]).status.success());
        // Anybody, without a login.
        let anybody = docker.call(&["pull", &public]);
        assert_eq!(anybody.status.success(), more == ANYBODY);
        login("bob", "pass word").ok();
        docker.call(&["pull", &team]).ok();
        docker.call(&["tag", &team, &public]).ok();
        assert!(!docker.call(&["push", &team]).status.success());
        docker.call(&["logout", &host]).ok();
        docker.call(&["rmi", &team, &public]).ok();
    }
}

#[test]
fn over_tls_with_a_token_server_that_says_https() {
    let place = directory();
    testkit::registry::certify(place.path());
    let tls = format!("{TOKENS}[tls]\ncertificates = \"server.pem\"\nkey = \"server.key\"\n");
    let served = start(place.path(), &tls);
    let image = layout(place.path());
    let certs = place.path().join("certs");
    std::fs::create_dir(&certs).unwrap();
    std::fs::copy(place.path().join("ca.pem"), certs.join("ca.crt")).unwrap();
    let certs = certs.display().to_string();
    let target = format!("docker://{}/team/app:v1", served.host());
    let options = ["--insecure-policy", "copy", "-q", "--dest-cert-dir", &certs];
    let login = ["--dest-creds", "alice:pass word", &image, &target];
    run("skopeo", &[&options[..], &login].concat(), place.path()).ok();
    let source = [
        "inspect",
        "--cert-dir",
        &certs,
        "--creds",
        "bob:pass word",
        &target,
    ];
    let seen = run("skopeo", &source, place.path());
    assert!(seen.ok().contains("\"Name\""));
    // Without the authority it is not trusted.
    let source = ["inspect", "--creds", "bob:pass word", &target];
    assert!(!run("skopeo", &source, place.path()).status.success());
}
