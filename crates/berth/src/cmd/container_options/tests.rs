//! Option lines as users type them → requests.

use clap::{Args, Command, FromArgMatches};

use super::*;

fn parse(words: &[&str]) -> Result<CreateRequest, String> {
    let command = ContainerOptions::augment_args(Command::new("run")).disable_help_flag(true);
    let matches = command
        .try_get_matches_from(std::iter::once("run").chain(words.iter().copied()))
        .map_err(|e| e.to_string())?;
    let options = ContainerOptions::from_arg_matches(&matches).map_err(|e| e.to_string())?;
    options.request(true).map_err(|e| e.to_string())
}

fn good(words: &[&str]) -> CreateRequest {
    parse(words).unwrap_or_else(|e| panic!("{words:?}: {e}"))
}

#[test]
fn words_behind_the_image_are_not_options() {
    let request = good(&[
        "-it", "--rm", "busybox", "ls", "-l", "--help", "--rm", "--", "-v",
    ]);
    assert!(request.tty && request.stdin && request.stdin_once && request.auto_remove);
    assert_eq!(request.image, "busybox");
    assert_eq!(
        request.command,
        Some(
            ["ls", "-l", "--help", "--rm", "--", "-v"]
                .map(String::from)
                .to_vec()
        )
    );
    assert_eq!(good(&["busybox"]).command, None);
    assert!(parse(&["--nope", "busybox"]).is_err());
    assert!(parse(&["-t"]).is_err());
}

#[test]
fn all_that_docker_users_type() {
    let request = good(&[
        "--name=web",
        "-eA=1",
        "-e",
        "B=x y",
        "-w",
        "/srv/../app/",
        "-u",
        "1000:1000",
        "--entrypoint",
        "",
        "-h",
        "host1",
        "-l",
        "a=b",
        "--label=c",
        "-v",
        "/tmp:/data:ro",
        "--tmpfs",
        "/run:size=1m",
        "--mount",
        "type=volume,src=vol,dst=/v",
        "-m",
        "64m",
        "--cpus",
        "1.5",
        "--pids-limit",
        "-1",
        "--ulimit",
        "nofile=1:2",
        "--cap-add",
        "net_admin",
        "--cap-drop=ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
        "--init",
        "--network",
        "none",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "3",
        "--shm-size",
        "1g",
        "--log-opt",
        "max-size=1m",
        "--pull=never",
        "img",
    ]);
    assert_eq!(request.name.as_deref(), Some("web"));
    assert_eq!(request.env, ["A=1", "B=x y"]);
    assert_eq!(request.working_dir.as_deref(), Some("/app"));
    assert_eq!(request.entrypoint, Some(vec![]));
    assert_eq!(request.labels.len(), 2);
    assert_eq!(request.mounts.len(), 3);
    assert_eq!(request.make_sources, ["/tmp"]);
    assert_eq!(request.resources.memory_bytes, Some(64 << 20));
    assert_eq!(request.resources.nano_cpus, Some(1_500_000_000));
    assert_eq!(request.resources.pids, Some(-1));
    assert_eq!(request.resources.ulimits["nofile"], (1, 2));
    assert_eq!(
        (request.security.cap_add, request.security.cap_drop),
        (vec!["CAP_NET_ADMIN".to_owned()], vec!["ALL".to_owned()])
    );
    assert!(request.security.no_new_privileges && request.read_only && request.init);
    assert_eq!(
        (request.stop_signal, request.stop_timeout_s),
        (Some(2), Some(3))
    );
    assert_eq!(request.pull, PullPolicy::Never);
    for (setting, cause) in [
        ("memory", "--memory 64m"),
        ("cpus", "--cpus 1.5"),
        ("capabilities.CAP_NET_ADMIN", "--cap-add net_admin"),
        ("network", "--network none"),
        ("mounts./data", "--volume /tmp:/data:ro"),
        ("env.A", "--env A"),
        ("user", "--user 1000:1000"),
    ] {
        assert_eq!(
            request.causes.get(setting).map(String::as_str),
            Some(cause),
            "{setting}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        &["--network", "lan", "i"][..],
        &["-v", "/a:/b", "--tmpfs", "/b", "i"],
        &["--name", "a/b", "i"],
        &["-w", "relative", "i"],
        &["--cap-add", "nope", "i"],
        &["--security-opt", "apparmor=x", "i"],
        &["--env-file", "/nonexistent", "i"],
        &["--memory", "1k", "i"],
        &["--log-driver", "syslog", "i"],
    ] {
        assert!(parse(words).is_err(), "{words:?}");
    }
}
