//! `login` and `logout`, with a registry that wants a login, and with docker, skopeo and credential helpers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use testkit::registry::{LOGIN, Options};
use testkit::wait::PATIENCE;
use testkit::{Finished, Registry, Sandbox};

/// A registry that wants a login.
fn closed() -> Registry {
    Registry::start(Options {
        login: true,
        ..Options::default()
    })
}

fn login(s: &Sandbox, host: &str) -> Finished {
    let options = ["login", "-u", LOGIN.0, "--password-stdin", host];
    s.berth_with_input(&options, format!("{}\n", LOGIN.1))
}

fn config(s: &Sandbox) -> PathBuf {
    s.home().join(".docker/config.json")
}

fn text(s: &Sandbox) -> String {
    fs::read_to_string(config(s)).unwrap_or_default()
}

/// Docker's own command line, without a daemon.
fn docker(s: &Sandbox, arguments: &[&str], input: &str) -> Finished {
    let mut command = s.command("/usr/bin/docker");
    command
        .args(arguments)
        .env("DOCKER_HOST", "unix:///nonexistent.sock");
    Finished::run(&mut command, input.as_bytes(), PATIENCE)
}

/// Whether docker has a login for this registry: it says so before it misses its daemon.
fn docker_finds(s: &Sandbox, host: &str) -> bool {
    let tried = docker(s, &["login", host], "");
    tried.stdout.contains("existing credentials")
}

/// A helper `test` that keeps one login in a file, and the log of its calls.
fn helper(s: &Sandbox) {
    let home = s.home().display().to_string();
    let script = format!(
        "#!/bin/sh\necho \"$1\" >> {home}/calls\ncase $1 in\n\
         store) cat > {home}/kept ;;\n\
         erase) rm -f {home}/kept ;;\n\
         get) test -e {home}/fail && echo the keyring is locked && exit 1\n\
         test -e {home}/kept && exec cat {home}/kept\n\
         echo credentials not found in native keychain; exit 1 ;;\n\
         esac\n"
    );
    let path = s.path().join("bin/docker-credential-test");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    s.folder(".docker");
    s.file(".docker/config.json", r#"{"credsStore": "test"}"#);
}

#[test]
fn a_private_image_needs_a_login() {
    let registry = closed();
    let source = Sandbox::root().with_busybox();
    let image = format!("oci:{}", source.stored_image());
    registry.push(&image, "bench/busybox:1", &[]);
    let image = format!("{}/bench/busybox:1", registry.host());
    for sandbox in Sandbox::both() {
        let s = sandbox();
        let denied = s.berth(&["pull", &image]);
        assert!(denied.fails(1).contains("berth login"), "{denied}");
        let wrong = ["login", "-u", LOGIN.0, "-p", "wrong", &registry.host()];
        let wrong = s.berth(&wrong);
        assert!(wrong.fails(1).contains("denies access"), "{wrong}");
        assert!(wrong.stderr.contains("--password-stdin"), "{wrong}");
        assert!(!config(&s).exists());
        let done = login(&s, &registry.host());
        assert_eq!(done.ok(), "Login Succeeded");
        assert!(done.stderr.contains("unencrypted"), "{done}");
        let mode = config(&s).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        s.berth(&["pull", "-q", &image]).ok();
        // The same login writes.
        s.file("note", "x");
        let note = format!("{}/team/note:1", registry.host());
        s.berth(&["artifact", "push", "-q", &note, "note"]).ok();
        // What is kept is tried first, and needs no terminal.
        let again = s.berth(&["login", &registry.host()]);
        assert_eq!(again.ok(), "Login Succeeded");
        let out = s.berth(&["logout", &registry.host()]);
        assert!(out.ok().starts_with("Removing login"), "{out}");
        let out = s.berth(&["logout", &registry.host()]);
        assert!(out.ok().starts_with("Removing"), "{out}");
        s.berth(&["pull", "-q", &image]).fails(1);
        assert!(!text(&s).contains(&registry.host()), "{}", text(&s));
    }
}

#[test]
fn docker_reads_what_we_write_and_we_what_it_writes() {
    let s = Sandbox::root();
    let (a, b) = (closed(), closed());
    login(&s, &a.host()).ok();
    assert!(docker_finds(&s, &a.host()));
    let options = ["login", "-u", LOGIN.0, "--password-stdin", &b.host()];
    docker(&s, &options, LOGIN.1).ok();
    for host in [a.host(), b.host()] {
        assert_eq!(s.berth(&["login", &host]).ok(), "Login Succeeded");
    }
    docker(&s, &["logout", &a.host()], "").ok();
    s.berth(&["login", &a.host()]).fails(1);
    assert!(docker_finds(&s, &b.host()));
    s.berth(&["logout", &b.host()]).ok();
    assert!(!docker_finds(&s, &b.host()));
}

#[test]
fn skopeos_logins_are_read() {
    let s = Sandbox::root();
    let registry = closed();
    let mut skopeo = s.command("skopeo");
    let file = s.home().join("auth.json");
    skopeo.args(["login", "--tls-verify=false", "-u", LOGIN.0, "-p", LOGIN.1]);
    skopeo.arg("--authfile").arg(&file).arg(registry.host());
    Finished::run(&mut skopeo, b"", PATIENCE).ok();
    let before = fs::read(&file).unwrap();
    let mut ours = s.berth_command(&["login", &registry.host()]);
    ours.env("REGISTRY_AUTH_FILE", &file);
    Finished::run(&mut ours, b"", PATIENCE).ok();
    // And skopeo reads Docker's.
    login(&s, &registry.host()).ok();
    let mut skopeo = s.command("skopeo");
    skopeo.args(["list-tags", "--tls-verify=false"]);
    skopeo.arg(format!("docker://{}/no/such", registry.host()));
    let listed = Finished::run(&mut skopeo, b"", PATIENCE);
    assert!(!listed.stderr.contains("authentication"), "{listed}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// G3: once a helper fails, nothing is sent and nothing is written.
#[test]
fn a_helper_keeps_the_password() {
    let s = Sandbox::root();
    let registry = closed();
    helper(&s);
    let done = login(&s, &registry.host());
    assert_eq!(done.ok(), "Login Succeeded");
    assert_eq!(done.stderr, "");
    assert!(!text(&s).contains("dXNlcjp"), "{}", text(&s));
    let kept = fs::read_to_string(s.home().join("kept")).unwrap();
    assert!(
        kept.contains(LOGIN.1) && kept.contains(&registry.host()),
        "{kept}"
    );
    let name = format!("{}/no/such:1", registry.host());
    let absent = s.berth(&["pull", "-q", &name]);
    assert!(
        absent.fails(1).contains("is not in the registry"),
        "{absent}"
    );
    // Docker uses the same helper.
    assert!(docker_finds(&s, &registry.host()));
    s.file("fail", "");
    let denied = s.berth(&["pull", "-q", &name]);
    assert!(
        denied.fails(1).contains("the keyring is locked"),
        "{denied}"
    );
    fs::remove_file(s.home().join("fail")).unwrap();
    s.berth(&["logout", &registry.host()]).ok();
    assert!(!s.home().join("kept").exists());
    // A registry that asks for nothing has no helper run.
    let calls = fs::read_to_string(s.home().join("calls")).unwrap();
    let open = Registry::start(Options::default());
    s.berth(&["pull", "-q", &format!("{}/no/such:1", open.host())])
        .fails(1);
    assert_eq!(fs::read_to_string(s.home().join("calls")).unwrap(), calls);
}

#[test]
fn a_terminal_is_asked_without_an_echo() {
    let s = Sandbox::root();
    let registry = closed();
    let berth = s.path().join("bin/berth").display().to_string();
    let script = format!("{berth} login {}; echo code $?; stty -a", registry.host());
    let start = || {
        let mut shell = s.command("/bin/sh");
        shell.args(["-c", &script]);
        testkit::Session::start(&shell)
    };
    let mut session = start();
    session.expect("Username: ");
    session.send(&format!("{}\n", LOGIN.0));
    session.expect("Password: ");
    session.send(&format!("x\x7f{}\r", LOGIN.1));
    let shown = session.expect("Login Succeeded");
    // The line of the question ends at once.
    assert!(shown.starts_with(['\r', '\n']), "{shown}");
    session.expect(" echo ");
    session.wait();
    s.berth(&["logout", &registry.host()]).ok();
    let mut session = start();
    session.expect("Username: ");
    session.send("u\n");
    session.expect("Password: ");
    session.send("secr\x03");
    session.expect("code 130");
    session.expect(" echo ");
    session.wait();
}

#[test]
fn wrong_use_is_told() {
    let s = Sandbox::root();
    for (arguments, word) in [
        (&["login", "--password-stdin"][..], "--username"),
        (
            &["login", "-u", "u", "-p", "p", "--password-stdin"],
            "--password",
        ),
        (&["login", "a b"], "does not name a registry"),
        (&["login", "127.0.0.1:1"], "without a terminal"),
        (&["logout", "user@host"], "does not name a registry"),
    ] {
        let done = s.berth(arguments);
        assert!(
            !done.status.success() && done.stderr.contains(word),
            "{done}"
        );
    }
    s.folder(".docker");
    s.file(".docker/config.json", "{\"auths\": ");
    let done = s.berth(&["logout"]);
    assert!(done.fails(1).contains("config.json"), "{done}");
    assert_eq!(text(&s), "{\"auths\": ");
}
