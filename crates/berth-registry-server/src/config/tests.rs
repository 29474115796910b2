//! Files that are good, and files that are not.

use super::*;
use crate::access::Rights;
use crate::settings::AccessLog;

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("/etc/berth"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The error and its hint.
fn refused(text: &str) -> String {
    let error = parse(text).expect_err(text);
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

#[test]
fn the_example_is_the_default() {
    let (example, default) = (good(EXAMPLE), good(""));
    assert_eq!(format!("{example:?}"), format!("{default:?}"));
    assert_eq!(format!("{default:?}"), format!("{:?}", Config::default()));
}

/// What the example shows behind `#` is right as well.
#[test]
fn the_example_s_other_values_are_known() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.contains(" = ") => format!("{rest}\n"),
            Some(_) => "\n".to_owned(),
            None => format!("{line}\n"),
        })
        .collect();
    // One or the other.
    let outside = uncommented
        .replace("htpasswd = \"users\"", "")
        .replace("lifetime = \"5m\"", "")
        .replace("users = [\"alice\", \"bob\"]", "")
        .replace("allow = [\"pull\", \"push\"] ", "#")
        .replace("insecure = false", "");
    let config = good(&outside);
    assert!(
        matches!(&config.tokens, Tokens::Outside { key, .. } if key == Path::new("/etc/berth/issuer.pub"))
    );
    let rights = config.rights.unwrap();
    assert_eq!(rights.of(None, "team/app"), Rights::PULL);
    let own = uncommented
        .replace("issuer = ", "#")
        .replace("key = \"issuer.pub\"", "");
    let config = good(&own);
    assert!(matches!(&config.tokens, Tokens::Own { lifetime, .. } if lifetime.as_secs() == 300));
    assert_eq!(
        config.htpasswd.as_deref(),
        Some(Path::new("/etc/berth/users"))
    );
    assert_eq!(config.rights.unwrap().of(Some("bob"), "team"), Rights::PUSH);
    let name = crate::RepositoryName::parse("team/x").unwrap();
    let rules = config.settings.rules.of(&name);
    assert_eq!(rules.quota_bytes, Some(50 << 30));
    assert_eq!(rules.retain.untagged, Some(Duration::from_secs(30 * 86400)));
    assert_eq!(
        (rules.retain.tags[0].newest, rules.retain.history),
        (7, 1000)
    );
    assert_eq!(
        (&config.caches[0].host[..], &config.caches[0].prefix[..]),
        ("registry.example", "hub")
    );
    assert!(config.tls.unwrap().client_ca.is_some());
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_its_neighbour() {
    for (text, line, near) in [
        ("adr = \"127.0.0.1:1\"", 1, "addr"),
        ("\n[auth]\nrealn = \"x\"", 3, "realm"),
        ("[auth]\nhtpasswd = \"u\"\n[auth.tokens]\n", 3, "token"),
        ("[[acces]]\nusers = []", 1, "access"),
        ("[[access]]\nuser = [\"a\"]", 2, "users"),
        ("[[access]]\n# x\nanonymus = [\"pull\"]", 3, "anonymous"),
        ("[[access]]\nanonymous = [\"pul\"]", 2, "pull"),
        ("[limits]\nconections = 1", 2, "connections"),
        (
            "[[repository]]\nprefix = \"a\"\nimutable = []",
            3,
            "immutable",
        ),
        (
            "[[repository]]\nkeep = [{ tag = \"x\", newest = 1 }]",
            2,
            "tags",
        ),
        ("[cache]\nupsteam = \"https://x.example\"", 2, "upstream"),
        ("[[cache]]\nupsteam = \"https://x.example\"", 2, "upstream"),
        ("[tls]\ncertificate = \"x\"", 2, "certificates"),
        ("[log]\nacces = \"off\"", 2, "access"),
        ("[allow]\npushes = true", 2, "push"),
        ("[collect]\ngrase = \"2h\"", 2, "grace"),
    ] {
        let said = refused(text);
        assert!(said.contains(&format!("line {line}:")), "{text}: {said}");
        assert!(
            said.contains(&format!("did you mean `{near}`?")),
            "{text}: {said}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.toml");
    std::fs::write(&path, "x = 1").unwrap();
    let said = Config::load(&path).unwrap_err().to_string();
    assert!(said.contains("registry.toml`, line 1: unknown"), "{said}");
    assert!(Config::load(&dir.path().join("none")).is_err());
    std::fs::write(&path, b"\xff").unwrap();
    assert!(Config::load(&path).is_err());
}

#[test]
fn values_of_another_form_are_told_with_their_line() {
    for (text, line, want) in [
        ("addr = \"localhost\"", 1, "socket address"),
        ("addr = 5000", 1, "addr"),
        ("addr = \"a\"\naddr = \"b\"", 2, "duplicate"),
        ("[limits]\nhead_timeout = 30", 2, "string"),
        ("[limits]\nhead_timeout = \"30\"", 2, "no time: write 90s"),
        ("[limits]\nblob_size = \"1GB\"", 2, "no size: write 4096"),
        ("[limits]\nblob_size = -1", 2, "not negative"),
        ("[limits]\nblob_size = \"99999999TiB\"", 2, "no size"),
        ("[limits]\nconnections = -1", 2, ""),
        ("[auth\nhtpasswd = 1", 1, ""),
        ("cache = 1", 1, "a table, or several"),
    ] {
        let said = refused(text);
        assert!(
            said.contains(&format!("line {line}:")) && said.contains(want),
            "{text}: {said}"
        );
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let users = "[auth]\nhtpasswd = \"u\"\n";
    let issuer = "[auth.token]\nrealm = \"https://a.example/t\"\nissuer = \"i\"\nkey = \"k\"\n";
    for (text, want) in [
        ("[tls]\ncertificates = \"a\"", "tls.key"),
        ("[tls]\nkey = \"a\"", "tls.certificates"),
        ("[tls]\nclient_ca = \"a\"", "tls.certificates"),
        ("[auth]\nrealm = \"a\\\"b\"", "auth.realm"),
        ("[auth]\nrealm = \"\"", "auth.realm"),
        ("[auth.token]", "auth.htpasswd"),
        (
            &format!("{users}[auth.token]\nlifetime = \"0s\""),
            "auth.token.lifetime",
        ),
        (
            &format!("{users}[auth.token]\nlifetime = \"2d\""),
            "auth.token.lifetime",
        ),
        (
            &format!("{users}[auth.token]\nrealm = \"auth.example\""),
            "auth.token.realm",
        ),
        (
            &format!("{users}[auth.token]\nrealm = \"https://a\\\"b\""),
            "auth.token.realm",
        ),
        (
            &format!("{users}[auth.token]\nservice = \"a\\nb\""),
            "auth.token.service",
        ),
        (
            &format!("{users}[auth.token]\nissuer = \"i\""),
            "go together",
        ),
        (&format!("{users}{issuer}"), "one or the other"),
        (&format!("{issuer}lifetime = \"1m\""), "auth.token.lifetime"),
        (
            "[auth.token]\nissuer = \"i\"\nkey = \"k\"",
            "auth.token.realm",
        ),
        (
            &format!("{issuer}[[access]]\nusers = [\"a\"]\nallow = [\"*\"]"),
            "access.users",
        ),
        (
            "[[access]]\nusers = [\"a\"]\nallow = [\"*\"]",
            "nobody can log in",
        ),
        (
            &format!("{users}[[access]]\nusers = [\"a\"]"),
            "go together",
        ),
        (
            &format!("{users}[[access]]\nallow = [\"pull\"]"),
            "go together",
        ),
        (
            &format!("{users}[[access]]\nusers = [\"a:b\"]\nallow = [\"*\"]"),
            "access.users",
        ),
        (
            &format!("{users}[[access]]\nprefix = \"Team\"\nanonymous = [\"*\"]"),
            "access.prefix",
        ),
        (
            &format!("{users}[[access]]\nprefix = \"team/\"\nanonymous = [\"*\"]"),
            "access.prefix",
        ),
        (
            &format!("{users}[[access]]\nprefix = \"team/*\"\nanonymous = [\"*\"]"),
            "access.prefix",
        ),
        ("[limits]\nhead_timeout = \"0s\"", "limits.head_timeout"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\nmanifest_size = \"5MiB\"", "limits.manifest_size"),
        ("[limits]\nmanifest_size = 0", "limits.manifest_size"),
        ("[limits]\npage_entries = 1001", "limits.page_entries"),
        ("[limits]\npage_entries = 0", "limits.page_entries"),
        ("[[repository]]\n[[repository]]", "repository.prefix"),
        ("[[repository]]\nprefix = \"../a\"", "repository.prefix"),
        ("[[repository]]\nimmutable = [\"\"]", "repository.immutable"),
        ("[collect]\ngrace = \"10m\"", "collect.grace"),
        ("[cache]\nprefix = \"a\"", "cache.upstream"),
        ("[cache]\nupstream = \"ftp://a.example\"", "cache.upstream"),
        (
            "[cache]\nupstream = \"https://u:p@a.example\"",
            "cache.upstream",
        ),
        (
            "[cache]\nupstream = \"https://a.example/../b\"",
            "cache.upstream",
        ),
        (
            "[[cache]]\nupstream = \"https://a.example\"\n[[cache]]\nupstream = \"https://b.example\"",
            "cache.prefix",
        ),
        (
            "[cache]\nupstream = \"https://a.example\"\nusername = \"u\"",
            "go together",
        ),
        (
            "[cache]\nupstream = \"https://a.example\"\nca = \"c\"\ninsecure = true",
            "cache.insecure",
        ),
    ] {
        let said = refused(text);
        assert!(said.contains(want), "{text}: {said}");
    }
}

#[test]
fn values_are_taken() {
    let config = good(
        "addr = \"[::]:443\"\nroot = \"data\"\n\
         [limits]\nblob_size = \"5 GiB\"\nbody_step = 10\n[collect]\nevery = \"0s\"\n\
         [cache]\nupstream = \"http://127.0.0.1:5001/hub/\"\nttl = \"0s\"\n[log]\naccess = \"log\"",
    );
    assert_eq!(config.addr.to_string(), "[::]:443");
    assert_eq!(config.root, Path::new("/etc/berth/data"));
    assert_eq!(config.settings.limits.blob_bytes, 5 << 30);
    assert_eq!(config.settings.limits.body_step_bytes, 10);
    assert_eq!(config.collect.every, None);
    let cache = &config.caches[0];
    assert_eq!(
        (&cache.host[..], &cache.path[..]),
        ("127.0.0.1:5001", "hub")
    );
    assert!(cache.insecure && cache.ttl.is_zero());
    let log = AccessLog::File("/etc/berth/log".into());
    assert_eq!(config.settings.access_log, log);
    assert_eq!(
        good("[log]\naccess = \"off\"").settings.access_log,
        AccessLog::Off
    );
}

#[test]
fn what_is_open_to_the_network_is_a_concern() {
    let concerns = |text: &str| good(text).concerns().len();
    assert_eq!(concerns(""), 0);
    assert_eq!(concerns("addr = \"0.0.0.0:5000\""), 1);
    assert_eq!(
        concerns("addr = \"0.0.0.0:5000\"\n[allow]\npush = false"),
        0
    );
    let users = "addr = \"0.0.0.0:5000\"\n[auth]\nhtpasswd = \"u\"\n";
    assert_eq!(concerns(users), 1);
    assert_eq!(
        concerns(&format!("{users}[tls]\ncertificates = \"a\"\nkey = \"b\"")),
        0
    );
}

#[test]
fn who_decides_follows_from_the_file() {
    let auth = |text: &str| good(text).auth(Warnings::default());
    assert!(auth("").unwrap().is_none());
    assert!(
        auth("[[access]]\nanonymous = [\"pull\"]")
            .unwrap()
            .is_some()
    );
    assert!(auth("[auth]\nhtpasswd = \"/nowhere/users\"").is_err());
    assert!(good("").handshake(Warnings::default()).unwrap().is_none());
}

/// Docker's client shows a password always or never.
#[test]
fn what_is_for_anybody_and_what_is_for_users_needs_tokens() {
    let users = "[auth]\nhtpasswd = \"u\"\n";
    let tokens = |text: &str| good(text).tokens;
    assert_eq!(tokens(users), Tokens::None);
    let open = "[[access]]\nanonymous = [\"pull\"]\n";
    assert_eq!(tokens(open), Tokens::None);
    let closed = "[[access]]\nusers = [\"a\"]\nallow = [\"*\"]\n";
    assert_eq!(tokens(&format!("{users}{closed}")), Tokens::None);
    assert!(matches!(
        tokens(&format!("{users}{closed}{open}")),
        Tokens::Own { realm: None, .. }
    ));
}
