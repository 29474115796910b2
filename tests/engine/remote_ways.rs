//! The ways to a daemon: TLS with certificates of both sides, ssh, contexts that name them.

use std::time::Duration;

use testkit::daemon::Daemon;
use testkit::registry::certify;
use testkit::{Finished, Sandbox};

/// A client without a choice of its own, whose own engine is empty.
fn berth(s: &Sandbox, arguments: &[&str]) -> Finished {
    let mut command = s.berth_command(arguments);
    let elsewhere = s.home().join("elsewhere");
    command
        .env("BERTH_ROOT", elsewhere.join("root"))
        .env("BERTH_RUN_DIR", elsewhere.join("run"));
    Finished::run(&mut command, b"", Duration::from_secs(60))
}

#[test]
fn by_tls_with_certificates_of_both_sides() {
    let s = Sandbox::root().with_busybox();
    let home = s.home();
    certify(&home);
    let at = |name: &str| home.join(name).display().to_string();
    let (ca, cert, key) = (at("ca.pem"), at("server.pem"), at("server.key"));
    let options = [
        "-H",
        "tcp://127.0.0.1:0",
        "--tlscacert",
        &ca,
        "--tlscert",
        &cert,
        "--tlskey",
        &key,
    ];
    let daemon = Daemon::start(&s, &options);
    let said = daemon.said();
    let mut words = said.split_whitespace();
    let address = words.rfind(|word| word.starts_with("tcp://")).unwrap();
    let (client, client_key) = (at("client.pem"), at("client.key"));
    let ours = [
        "--tlscacert",
        &ca,
        "--tlscert",
        &client,
        "--tlskey",
        &client_key,
    ];
    let line = [&["--host", address], &ours[..], &["images", "-q"]].concat();
    assert_eq!(berth(&s, &line).ok().len(), 12);
    // Much in both directions, and no end before all has come.
    let archive = at("image.tar");
    let line = [
        &["--host", address],
        &ours[..],
        &["save", "-o", &archive, "busybox"],
    ]
    .concat();
    berth(&s, &line).ok();
    let line = [&["--host", address], &ours[..], &["load", "-i", &archive]].concat();
    assert!(
        berth(&s, &line)
            .ok()
            .contains("Loaded image: busybox:latest")
    );

    let docker = format!("host={address},ca={ca},cert={client},key={client_key}");
    assert_eq!(
        berth(&s, &["context", "create", "there", "--docker", &docker]).ok(),
        "there"
    );
    assert_eq!(
        berth(&s, &["--context", "there", "images", "-q"])
            .ok()
            .len(),
        12
    );
    assert_eq!(berth(&s, &["images", "-q"]).ok(), "");
    berth(&s, &["context", "use", "there"]).ok();
    assert_eq!(berth(&s, &["context", "show"]).ok(), "there");
    assert_eq!(berth(&s, &["images", "-q"]).ok().len(), 12);
    assert_eq!(
        berth(&s, &["--context", "default", "images", "-q"]).ok(),
        ""
    );

    assert_eq!(berth(&s, &["context", "use", "default"]).ok(), "default");

    // Without a certificate of ours, or with another authority's for theirs.
    let none = berth(&s, &["--host", address, "images"]);
    assert!(none.fails(1).contains("cannot reach the daemon"), "{none}");
    let other = s.folder("other");
    certify(&other);
    let other_ca = other.join("ca.pem").display().to_string();
    let line = [
        "--host",
        address,
        "--tlscacert",
        &other_ca,
        "--tlscert",
        &client,
        "--tlskey",
        &client_key,
        "images",
    ];
    let stranger = berth(&s, &line);
    assert!(stranger.fails(1).contains("certificate"), "{stranger}");
    drop(daemon);
}

/// sshd of Debian's packages, started by the client's ProxyCommand: no port, and ended with the connection.
fn ssh(s: &Sandbox) {
    let script = "set -e
        for key in host id; do ssh-keygen -q -t ed25519 -N '' -f $key; done
        mv id.pub authorized
        cat >sshd_config <<END
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
SetEnv PATH=$PATH BERTH_ROOT=$BERTH_ROOT BERTH_RUN_DIR=$BERTH_RUN_DIR
END
        cat >sshd.sh <<END
mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd -i -f $PWD/sshd_config
END
        cat >ssh_config <<END
Host machine
    ProxyCommand unshare --mount --propagation private sh $PWD/sshd.sh
    IdentityFile $PWD/id
    IdentitiesOnly yes
    BatchMode yes
    LogLevel error
    UserKnownHostsFile $PWD/known
    StrictHostKeyChecking accept-new
END
        printf '#!/bin/sh\\nexec /usr/bin/ssh -F %s \"$@\"\\n' $PWD/ssh_config >../bin/ssh
        chmod 755 ../bin/ssh";
    s.shell(script).ok();
}

#[test]
fn by_ssh_to_the_daemon_of_a_machine() {
    let s = Sandbox::root().with_busybox();
    ssh(&s);
    let default = format!("unix://{}", s.run_dir().with_extension("sock").display());
    let daemon = Daemon::start(&s, &["-H", &default]);
    assert_eq!(
        berth(&s, &["--host", "ssh://root@machine", "images", "-q"])
            .ok()
            .len(),
        12
    );
    let other = format!("ssh://machine{}", daemon.socket().display());
    let line = [
        "--host",
        &other,
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "busybox",
        "wc",
        "-c",
    ];
    let mut command = s.berth_command(&line);
    command.env("BERTH_ROOT", s.home().join("elsewhere"));
    let counted = Finished::run(&mut command, &vec![b'x'; 1 << 20], Duration::from_secs(60));
    assert_eq!(counted.ok().trim(), "1048576");
    let ended = berth(
        &s,
        &[
            "--host",
            &other,
            "run",
            "--rm",
            "--network",
            "none",
            "busybox",
            "sh",
            "-c",
            "exit 9",
        ],
    );
    assert_eq!(ended.code(), 9, "{ended}");
    berth(
        &s,
        &[
            "context",
            "create",
            "far",
            "--docker",
            &format!("host={other}"),
        ],
    )
    .ok();
    assert_eq!(berth(&s, &["-c", "far", "ps", "-q"]).ok(), "");
    // Nobody listens there.
    let gone = berth(&s, &["--host", "ssh://machine/nonexistent", "ps"]);
    assert!(
        gone.fails(1)
            .contains("cannot reach the daemon at unix:///nonexistent"),
        "{gone}"
    );
    drop(daemon);
}
