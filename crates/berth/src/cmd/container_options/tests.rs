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

/// Each option of docker 20.10 and 28 exists, whether or not it can have what it asks for.
#[test]
fn every_option_of_docker_is_there() {
    const DOCKER: &str = "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop \
        cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime \
        cpu-shares cpus cpuset-cpus cpuset-mems device device-cgroup-rule device-read-bps device-read-iops \
        device-write-bps device-write-iops disable-content-trust dns dns-option dns-search domainname entrypoint \
        env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval \
        health-start-period health-timeout hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc \
        isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory \
        memory-reservation memory-swap memory-swappiness mount name network network-alias no-healthcheck \
        oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only \
        restart rm runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit \
        use-api-socket user userns uts volume volume-driver volumes-from workdir";
    const SHORT: &str = "acehilmpPqtuvw";
    let mut command = ContainerOptions::augment_args(Command::new("run")).disable_help_flag(true);
    command.build();
    let known = |name: &str| {
        command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
    };
    for name in DOCKER.split_whitespace() {
        assert!(known(name), "--{name}");
    }
    for short in SHORT.chars() {
        let mut arguments = command.get_arguments();
        assert!(
            arguments.any(|arg| arg.get_short() == Some(short)),
            "-{short}"
        );
    }
}

#[test]
fn each_option_has_its_field() {
    let request = good(&[
        "--memory-reservation=32m",
        "--memory-swap",
        "-1",
        "--memory-swappiness",
        "-1",
        "--oom-kill-disable",
        "--oom-score-adj",
        "-500",
        "-c",
        "512",
        "--cpu-quota",
        "-1",
        "--cpuset-cpus",
        "0",
        "--blkio-weight",
        "0",
        "--device-read-bps",
        "/dev/vda:1mb",
        "--device",
        "/dev/fuse:r",
        "--device-cgroup-rule",
        "c 10:* rw",
        "--sysctl",
        "net.core.somaxconn=5",
        "--group-add",
        "audio",
        "--ipc",
        "host",
        "--pid",
        "container:web",
        "--uts=host",
        "--cgroupns",
        "host",
        "--restart",
        "on-failure:3",
        "--health-cmd",
        "true",
        "--health-interval",
        "1s",
        "--runtime",
        "runc",
        "--annotation",
        "a=b",
        "--domainname",
        "example",
        "-p",
        "127.0.0.1:8080:80",
        "--expose",
        "90/udp",
        "--dns",
        "1.1.1.1",
        "--network",
        "container:web",
        "--volumes-from",
        "db:ro",
        "--log-driver",
        "local",
        "--stop-timeout",
        "-1",
        "--security-opt",
        "systempaths=unconfined",
        "-a",
        "stdout",
        "i",
    ]);
    let made = &request.resources;
    assert_eq!(made.memory_reservation_bytes, Some(32 << 20));
    assert_eq!(
        (made.memory_swap_bytes, made.memory_swappiness),
        (Some(-1), None)
    );
    assert_eq!(
        (made.oom_kill_disable, made.oom_score_adj),
        (true, Some(-500))
    );
    assert_eq!(
        (made.cpu.shares, made.cpu.quota_us, &*made.cpu.cpus),
        (Some(512), Some(-1), "0")
    );
    assert_eq!(
        (made.blkio.weight, made.blkio.read_bps[0].value),
        (None, 1 << 20)
    );
    assert_eq!(
        (&*made.devices[0].permissions, &*made.device_rules[0]),
        ("r", "c 10:* rw")
    );
    assert_eq!(request.security.sysctls["net.core.somaxconn"], "5");
    assert_eq!(request.security.group_add, ["audio"]);
    assert_eq!(request.security.masked_paths, Some(Vec::new()));
    let modes = &request.namespaces;
    assert_eq!(
        [
            modes.ipc.to_string(),
            modes.pid.to_string(),
            modes.uts.to_string(),
            modes.cgroup.to_string()
        ],
        ["host", "container:web", "host", "host"]
    );
    assert_eq!(request.restart.to_string(), "on-failure:3");
    let health = request.health.unwrap();
    assert_eq!(
        (health.test.join(" ").as_str(), health.interval_ns),
        ("CMD-SHELL true", 1_000_000_000)
    );
    assert_eq!(request.network.unwrap().to_string(), "container:web");
    assert_eq!(request.networking.ports[0].host_port_first, 8080);
    let exposed: Vec<String> = request
        .exposed_ports
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(exposed, ["80/tcp", "90/udp"]);
    assert_eq!(request.volumes_from[0].read_only, Some(true));
    assert_eq!(request.log.unwrap().max_files, 5);
    assert_eq!(
        (request.stop_timeout_s, request.attach.len()),
        (Some(-1), 1)
    );
    assert_eq!(
        (&*request.runtime, &*request.domainname),
        ("runc", "example")
    );
    for (setting, cause) in [
        ("memory_swap", "--memory-swap -1"),
        ("ports", "--publish 127.0.0.1:8080:80"),
        ("ipc", "--ipc host"),
        (
            "sysctls.net.core.somaxconn",
            "--sysctl net.core.somaxconn=5",
        ),
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
        &["--network", "container:", "i"][..],
        &["-v", "/a:/b", "--tmpfs", "/b", "i"],
        &["--name", "a/b", "i"],
        &["-w", "relative", "i"],
        &["--cap-add", "nope", "i"],
        &["--security-opt", "label=x", "i"],
        &["--gpus", "all", "i"],
        &["--kernel-memory", "64m", "i"],
        &["--cpu-count", "1", "i"],
        &["--isolation", "hyperv", "i"],
        &["--disable-content-trust=false", "i"],
        &["--health-cmd", "true", "--no-healthcheck", "i"],
        &["--restart", "sometimes", "i"],
        &["-a", "stdboth", "i"],
        &["-p", "http", "i"],
        &["--log-driver", "none", "--log-opt", "max-size=1m", "i"],
        &["--env-file", "/nonexistent", "i"],
        &["--memory", "1k", "i"],
        &["--log-driver", "fluentd", "i"],
    ] {
        assert!(parse(words).is_err(), "{words:?}");
    }
}
