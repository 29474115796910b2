//! Logins against registries that ask for them: one that is honest, and ones that script tells.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use berth_oci::Reference;
use berth_registry::{
    Client, Config, Credentials, Error, Login, Patience, Registries, Registry, Secret, Server,
};
use testkit::EvilRegistry;
use testkit::evil_registry::{Recorded, Reply};
use testkit::registry::{LOGIN, Options};

fn run<T>(future: impl Future<Output = T>) -> T {
    berth_registry::runtime().unwrap().block_on(future)
}

fn basic(username: &str, password: &str) -> Login {
    Login::Basic {
        username: username.into(),
        password: Secret::new(password),
    }
}

fn once() -> Config {
    Config {
        patience: Patience {
            connect: Duration::from_secs(20),
            progress: Duration::from_secs(20),
            attempts: 1,
            ..Patience::default()
        },
        ..Config::default()
    }
}

fn prove(config: Config, host: &str, login: Login) -> Result<Login, Error> {
    let server = Server::parse(host).unwrap();
    run(Client::new(config).prove(&server, login))
}

/// Debian's registry with htpasswd, over HTTP and HTTPS.
#[test]
fn a_login_is_proved() {
    for tls in [false, true] {
        let registry = testkit::Registry::start(Options {
            tls,
            login: true,
            ..Options::default()
        });
        let config = || Config {
            registries: Registries::default().with(Registry {
                host: registry.host(),
                ca: tls.then(|| registry.authority()),
                ..Registry::default()
            }),
            ..once()
        };
        let right = basic(LOGIN.0, LOGIN.1);
        let kept = prove(config(), &registry.host(), right.clone()).unwrap();
        assert_eq!(kept, right);
        for wrong in [basic(LOGIN.0, "other"), basic("other", LOGIN.1)] {
            let refused = prove(config(), &registry.host(), wrong);
            assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
        }
    }
    let open = testkit::Registry::start(Options::default());
    prove(once(), &open.host(), basic("a", "b")).unwrap();
    let host = open.host();
    drop(open);
    let gone = prove(once(), &host, basic("a", "b"));
    assert!(matches!(gone, Err(Error::Connect { .. })), "{gone:?}");
    let nothing = EvilRegistry::start(|_| Reply::status(404));
    assert!(prove(once(), &nothing.host(), basic("a", "b")).is_err());
}

/// A registry whose tokens come from itself; `grant` answers at `/token`.
fn with_tokens(grant: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> EvilRegistry {
    EvilRegistry::start(move |request| {
        let host = request.header("host").unwrap();
        if request.path.starts_with("/token") {
            return grant(request);
        }
        match request.header("authorization") {
            Some("Bearer good") => Reply::ok("application/json", "{}"),
            _ => Reply::challenge(&format!(
                "Bearer realm=\"http://{host}/token\",service=\"test\""
            )),
        }
    })
}

#[test]
fn an_identity_token_takes_the_passwords_place() {
    let server = with_tokens(|_| {
        let answer = r#"{"token": "good", "refresh_token": "identity"}"#;
        Reply::ok("application/json", answer)
    });
    let kept = prove(once(), &server.host(), basic("u", "p")).unwrap();
    let identity = Login::Identity(Secret::new("identity"));
    assert_eq!(kept, identity);
    let asked = server.requests();
    assert!(asked[1].path.contains("offline_token=true"), "{asked:?}");
    assert!(asked[1].path.contains("client_id=berth"), "{asked:?}");
    assert_eq!(asked[1].header("authorization"), Some("Basic dTpw"));
    assert_eq!(asked[2].header("authorization"), Some("Bearer good"));
    // It is as good as the password, and posted.
    prove(once(), &server.host(), identity).unwrap();
    let asked = server.requests();
    let posted = String::from_utf8(asked[4].body.clone()).unwrap();
    assert!(posted.contains("refresh_token=identity"), "{posted}");
    // A token that the registry does not take proves nothing.
    let server = with_tokens(|_| Reply::ok("application/json", r#"{"token": "bad"}"#));
    let refused = prove(once(), &server.host(), basic("u", "p"));
    assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
}

/// G1: nor is it proved to whom the registry names.
#[test]
fn a_proof_goes_to_the_registry_only() {
    let thief = EvilRegistry::start(|_| Reply::ok("application/json", r#"{"token": "good"}"#));
    let stolen = thief.host();
    let realm = format!("Bearer realm=\"http://localhost.evil.test:1/{stolen}\"");
    let named = EvilRegistry::start(move |_| Reply::challenge(&realm));
    let refused = prove(once(), &named.host(), basic("u", "p"));
    assert!(
        matches!(refused, Err(Error::RefusedRealm { .. })),
        "{refused:?}"
    );
    // A challenge from behind a redirect is not answered.
    let target = format!("http://{}/v2/", thief_with_challenge().host());
    let leads = EvilRegistry::start(move |_| Reply::redirect(&target));
    assert!(prove(once(), &leads.host(), basic("u", "p")).is_err());
    assert!(thief.requests().is_empty());
}

fn thief_with_challenge() -> EvilRegistry {
    EvilRegistry::start(|request| {
        assert_eq!(request.header("authorization"), None);
        Reply::challenge("Basic realm=x")
    })
}

/// A home whose helper writes down what it is asked for, and ends as `script` says.
fn home(script: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".docker")).unwrap();
    let config = r#"{"credsStore": "test"}"#;
    std::fs::write(home.path().join(".docker/config.json"), config).unwrap();
    let path = home.path().join("docker-credential-test");
    let log = home.path().join("log");
    let text = format!(
        "#!/bin/sh\nread server\necho $1 $server >> {}\n{script}\n",
        log.display()
    );
    let written = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\""])
        .arg(&path)
        .arg(text)
        .status();
    assert!(written.unwrap().success());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    home
}

fn at(home: &Path) -> Config {
    let text = home.to_string_lossy().into_owned();
    Config {
        credentials: Credentials::from_env(|name| {
            matches!(name, "HOME" | "PATH").then(|| text.clone())
        }),
        ..once()
    }
}

fn log(home: &Path) -> String {
    std::fs::read_to_string(home.join("log")).unwrap_or_default()
}

/// Helpers are asked once, and only when a registry asks.
#[test]
fn helpers_are_asked_late() {
    let home = home(&format!(
        r#"echo '{{"Username":"{}","Secret":"{}"}}'"#,
        LOGIN.0, LOGIN.1
    ));
    let open = testkit::Registry::start(Options::default());
    let closed = testkit::Registry::start(Options {
        login: true,
        ..Options::default()
    });
    let client = Client::new(at(home.path()));
    let name = |host: &str| Reference::parse(&format!("{host}/no/such:1")).unwrap();
    run(async {
        let absent = client.fetch_manifest(&name(&open.host())).await;
        assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
        assert_eq!(log(home.path()), "");
        for _ in 0..2 {
            let absent = client.fetch_manifest(&name(&closed.host())).await;
            assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
        }
        assert_eq!(log(home.path()), format!("get {}\n", closed.host()));
    });
}

/// G3: after a helper's error no login goes anywhere, and the error is what is told.
#[test]
fn a_helpers_error_is_no_login() {
    let home = home("echo the keyring is locked; exit 1");
    let asks = EvilRegistry::start(|_| Reply::challenge("Basic realm=x"));
    let client = Client::new(at(home.path()));
    let name = Reference::parse(&format!("{}/a/b:1", asks.host())).unwrap();
    let error = run(client.fetch_manifest(&name)).unwrap_err();
    assert!(matches!(error, Error::NoLogin { .. }), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("the keyring is locked"), "{cause}");
    let sent = asks.requests();
    assert!(
        sent.iter().all(|r| r.header("authorization").is_none()),
        "{sent:?}"
    );
    // What needs no login is had without.
    let anonymous = with_tokens(|_| Reply::ok("application/json", r#"{"token": "good"}"#));
    let name = Reference::parse(&format!("{}/a/b:1", anonymous.host())).unwrap();
    let found = run(client.fetch_manifest(&name));
    assert!(matches!(found, Err(Error::Document { .. })), "{found:?}");
    let sent = anonymous.requests();
    let tokens = sent.iter().filter(|r| r.path.starts_with("/token"));
    assert!(tokens.clone().count() > 0);
    assert!(tokens.clone().all(|r| r.header("authorization").is_none()));
}

/// G3: each registry gets the login that is its own.
#[test]
fn each_registry_gets_its_own() {
    let home = home("printf '{\"Username\":\"u\",\"Secret\":\"for-%s\"}' $server");
    let client = Client::new(at(home.path()));
    let registries: Vec<_> = (0..2)
        .map(|_| EvilRegistry::start(|_| Reply::challenge("Basic realm=x")))
        .collect();
    for registry in &registries {
        let name = Reference::parse(&format!("{}/a/b:1", registry.host())).unwrap();
        assert!(run(client.fetch_manifest(&name)).is_err());
    }
    for registry in &registries {
        let sent = registry.requests();
        let last = sent.last().unwrap().header("authorization").unwrap();
        let mut decode = std::process::Command::new("sh");
        let script = format!("echo {} | base64 -d", last.trim_start_matches("Basic "));
        let output = decode.args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, format!("u:for-{}", registry.host()));
    }
}
