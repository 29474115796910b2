//! What each mode answers to whom.

use super::*;
use crate::name::RepositoryName;

const USERS: &str = "alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n\
    bob:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

struct Setup {
    directory: tempfile::TempDir,
    auth: Auth,
}

/// alice may push to team, everybody may pull from public, nobody sees secret but alice.
fn rights() -> Table {
    let entry = |prefix: &str, users: &[&str], allow, anonymous| rights::Entry {
        prefix: prefix.into(),
        users: users.iter().map(|&u| u.into()).collect(),
        allow,
        anonymous,
    };
    Table::new(vec![
        entry("team", &["alice"], Rights::PUSH, Rights::NONE),
        entry("public", &["*"], Rights::PUSH, Rights::PULL),
        entry("secret", &["alice"], Rights::PULL, Rights::NONE),
    ])
}

fn setup(tokens: Tokens) -> Setup {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, USERS).unwrap();
    let outside = matches!(tokens, Tokens::Outside { .. });
    let auth = Auth::new(Options {
        htpasswd: (!outside).then_some(users),
        realm: "berth".into(),
        rights: rights(),
        tokens,
        tls: true,
        root: directory.path().to_owned(),
        warnings: Warnings::default(),
    });
    Setup {
        auth: auth.unwrap(),
        directory,
    }
}

fn own() -> Tokens {
    Tokens::Own {
        realm: None,
        service: "reg".into(),
        lifetime: Duration::from_secs(300),
    }
}

fn headers(authorization: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("r.example:5000"));
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    format!("Basic {encoded}")
}

impl Setup {
    fn ask(&self, authorization: Option<&str>, repository: &str, rights: Rights) -> String {
        let name = RepositoryName::parse(repository).unwrap();
        let needed = Needed {
            scope: Scope::Repository(&name),
            rights,
        };
        said(self.auth.decide(&headers(authorization), &needed))
    }

    fn enter(&self, authorization: Option<&str>, scope: Scope<'_>) -> String {
        let needed = Needed {
            scope,
            rights: Rights::NONE,
        };
        said(self.auth.decide(&headers(authorization), &needed))
    }

    fn token(&self, authorization: Option<&str>, query: &str) -> Result<String, String> {
        let answer = self.auth.token(&headers(authorization), query).unwrap();
        let answer = answer.map_err(|refusal| said(Err(refusal)))?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["token"], answer["access_token"]);
        assert_eq!(answer["expires_in"], 300);
        Ok(format!("Bearer {}", answer["token"].as_str().unwrap()))
    }
}

fn said(decided: Result<User, Refusal>) -> String {
    match decided {
        Ok(user) => user.who().to_owned(),
        Err(Refusal::Denied) => "denied".into(),
        Err(Refusal::Busy) => "busy".into(),
        Err(Refusal::Challenge(values)) => {
            let texts: Vec<&str> = values.iter().map(|v| v.to_str().unwrap()).collect();
            texts.join("; ")
        }
    }
}

const BASIC: &str = "Basic realm=\"berth\", charset=\"UTF-8\"";

#[test]
fn passwords_decide() {
    let setup = setup(Tokens::None);
    let (alice, bob) = (basic("alice", "secret"), basic("bob", "secret"));
    let (alice, bob) = (Some(&alice[..]), Some(&bob[..]));
    for (who, repository, rights, want) in [
        (None, "public/x", Rights::PULL, "anonymous"),
        (Some("Basic Og=="), "public/x", Rights::PULL, "anonymous"),
        (None, "public/x", Rights::PUSH, BASIC),
        (None, "team/x", Rights::PULL, BASIC),
        (alice, "team/x", Rights::PUSH, "alice"),
        (alice, "team/x", Rights::DELETE, "denied"),
        (alice, "public", Rights::PULL, "alice"),
        (bob, "team/x", Rights::PULL, "denied"),
        (bob, "elsewhere", Rights::PULL, "denied"),
    ] {
        assert_eq!(setup.ask(who, repository, rights), want, "{repository}");
    }
    assert_eq!(setup.enter(None, Scope::Registry), BASIC);
    assert_eq!(setup.enter(alice, Scope::Registry), "alice");
    assert_eq!(setup.enter(None, Scope::Catalog), "anonymous");
    assert!(setup.auth.token(&headers(alice), "").is_none());
}

#[test]
fn what_is_wrong_is_not_taken_for_nothing() {
    let setup = setup(Tokens::None);
    for wrong in [
        &basic("alice", "wrong")[..],
        &basic("nobody", "secret"),
        &basic("alice", ""),
        "Basic x",
        "Bearer a.b.c",
        "Negotiate x",
        "",
    ] {
        assert_eq!(
            setup.ask(Some(wrong), "public/x", Rights::PULL),
            BASIC,
            "{wrong}"
        );
        assert_eq!(setup.enter(Some(wrong), Scope::Registry), BASIC, "{wrong}");
    }
    let mut two = headers(Some(&basic("alice", "secret")));
    two.append(AUTHORIZATION, HeaderValue::from_static("Basic Og=="));
    let needed = Needed {
        scope: Scope::Registry,
        rights: Rights::NONE,
    };
    assert_eq!(said(setup.auth.decide(&two, &needed)), BASIC);
}

/// G7.
#[test]
fn a_repository_that_one_may_not_see_is_as_one_that_is_not_there() {
    // `secret/x` might be there, `secrets` is not: nothing was asked but the rights.
    let setup = setup(own());
    let bob = basic("bob", "secret");
    let token = setup
        .token(Some(&bob), "service=reg&scope=repository:secret/x:pull")
        .unwrap();
    for who in [None, Some(&bob[..]), Some(&token)] {
        let hidden = setup.ask(who, "secret/x", Rights::PULL);
        let absent = setup.ask(who, "secrets", Rights::PULL);
        assert_eq!(
            hidden.replace("secret/x", "R"),
            absent.replace("secrets", "R")
        );
    }
    let visible = |name: Option<&str>, repository: &str| {
        let user = User {
            name: name.map(str::to_owned),
        };
        setup
            .auth
            .lists(&user, &RepositoryName::parse(repository).unwrap())
    };
    assert!(visible(Some("alice"), "secret/x") && visible(None, "public"));
    assert!(!visible(Some("bob"), "secret/x") && !visible(None, "team/x"));
}

#[test]
fn quick_is_only_what_takes_no_time() {
    let setup = setup(Tokens::None);
    let needed = Needed {
        scope: Scope::Registry,
        rights: Rights::NONE,
    };
    let right = headers(Some(&basic("alice", "secret")));
    let wrong = headers(Some(&basic("alice", "wrong")));
    assert!(setup.auth.quick(&headers(None), &needed).is_some());
    assert!(setup.auth.quick(&right, &needed).is_none());
    assert!(setup.auth.decide(&right, &needed).is_ok());
    assert_eq!(
        setup.auth.quick(&right, &needed).unwrap().unwrap().who(),
        "alice"
    );
    assert!(setup.auth.decide(&wrong, &needed).is_err());
    assert!(setup.auth.quick(&wrong, &needed).is_none());
}

#[test]
fn tokens_are_given_for_what_their_user_may() {
    let setup = setup(own());
    let challenge = "Bearer realm=\"https://r.example:5000/token\",service=\"reg\"";
    assert_eq!(setup.enter(None, Scope::Registry), challenge);
    let asked = setup.ask(None, "team/x", Rights::PUSH);
    assert_eq!(
        asked,
        format!("{challenge},scope=\"repository:team/x:pull,push\"")
    );
    let alice = basic("alice", "secret");
    let query = "service=reg&scope=repository%3Ateam%2Fx%3Apull%2Cpush&account=alice";
    let token = setup.token(Some(&alice), query).unwrap();
    assert_eq!(setup.ask(Some(&token), "team/x", Rights::PUSH), "alice");
    assert_eq!(setup.enter(Some(&token), Scope::Registry), "alice");
    let more = setup.ask(Some(&token), "secret/x", Rights::PULL);
    assert!(
        more.ends_with("scope=\"repository:secret/x:pull\",error=\"insufficient_scope\""),
        "{more}"
    );
    // More than he may is not in it.
    let all = setup
        .token(Some(&alice), "scope=repository:team/x:*")
        .unwrap();
    assert_eq!(setup.ask(Some(&all), "team/x", Rights::PUSH), "alice");
    assert!(
        setup
            .ask(Some(&all), "team/x", Rights::DELETE)
            .contains("insufficient_scope")
    );
    // A login without any scope: to see whether it is right.
    let login = setup
        .token(
            Some(&alice),
            "service=reg&client_id=docker&offline_token=true",
        )
        .unwrap();
    assert_eq!(setup.enter(Some(&login), Scope::Registry), "alice");
    assert!(
        setup
            .ask(Some(&login), "team/x", Rights::PULL)
            .contains("insufficient_scope")
    );
    // Anybody.
    let anybody = setup
        .token(
            None,
            "scope=repository:public/x:pull&scope=repository:team/x:pull",
        )
        .unwrap();
    assert_eq!(
        setup.ask(Some(&anybody), "public/x", Rights::PULL),
        "anonymous"
    );
    assert_ne!(
        setup.ask(Some(&anybody), "team/x", Rights::PULL),
        "anonymous"
    );
    assert_eq!(setup.ask(None, "public/x", Rights::PULL), "anonymous");
    // The list.
    let list = setup
        .token(Some(&alice), "scope=registry:catalog:*")
        .unwrap();
    assert_eq!(setup.enter(Some(&list), Scope::Catalog), "alice");
    assert_ne!(setup.enter(Some(&login), Scope::Catalog), "alice");
}

#[test]
fn tokens_are_refused_to_whom_they_are_not_for() {
    let setup = setup(own());
    let alice = basic("alice", "secret");
    let token = setup.token(Some(&alice), "").unwrap();
    let refused = |who: &str, query: &str| setup.token(Some(who), query).unwrap_err();
    assert_eq!(refused(&basic("alice", "wrong"), ""), BASIC);
    assert_eq!(refused(&basic("nobody", "secret"), ""), BASIC);
    assert_eq!(refused(&token, ""), BASIC);
    assert_eq!(refused(&alice, "service=other"), "denied");
    assert_eq!(refused(&alice, "scope=nonsense"), "denied");
    // Another registry's, by the same server: its key is another.
    let other = self::setup(own());
    assert_eq!(
        other
            .token(Some(&alice), "")
            .map(|t| setup.enter(Some(&t), Scope::Registry))
            .unwrap(),
        "Bearer realm=\"https://r.example:5000/token\",service=\"reg\",error=\"invalid_token\""
    );
    // The key is kept: tokens outlive a restart.
    let again = Auth::new(Options {
        htpasswd: None,
        realm: "berth".into(),
        rights: rights(),
        tokens: own(),
        tls: true,
        root: setup.directory.path().to_owned(),
        warnings: Warnings::default(),
    });
    let needed = Needed {
        scope: Scope::Registry,
        rights: Rights::NONE,
    };
    assert_eq!(
        again
            .unwrap()
            .decide(&headers(Some(&token)), &needed)
            .unwrap()
            .who(),
        "alice"
    );
}

/// What a token says counts no more once its user may no longer do it.
#[test]
fn rights_that_are_taken_away_are_gone_at_once() {
    let mut setup = setup(own());
    let alice = basic("alice", "secret");
    let token = setup
        .token(Some(&alice), "scope=repository:team/x:pull")
        .unwrap();
    assert_eq!(setup.ask(Some(&token), "team/x", Rights::PULL), "alice");
    setup.auth.rights = Table::new(vec![rights::Entry::default()]);
    assert_ne!(setup.ask(Some(&token), "team/x", Rights::PULL), "alice");
}

#[test]
fn an_outside_issuer_decides_by_his_tokens() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("issuer.pub");
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    let der: PublicKeyX509Der = pair.public_key().as_der().unwrap();
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n");
    std::fs::write(&key, pem).unwrap();
    let setup = setup(Tokens::Outside {
        realm: "https://auth.example/token".into(),
        service: "reg".into(),
        issuer: "auth.example".into(),
        key,
    });
    let token = |sub: &str, audience: &str, grants: Vec<Grant>| {
        let now = jiff::Timestamp::now().as_second() as f64;
        let claims = Claims {
            iss: "auth.example".into(),
            sub: sub.into(),
            aud: jwt::Audience::One(audience.into()),
            exp: now + 60.0,
            nbf: None,
            iat: None,
            access: grants,
        };
        format!("Bearer {}", jwt::sign(&claims, &pair).unwrap())
    };
    let good = token(
        "carol",
        "reg",
        vec![
            Grant::repository("any/where", Rights::PUSH),
            Grant::catalog(),
        ],
    );
    assert_eq!(setup.ask(Some(&good), "any/where", Rights::PUSH), "carol");
    assert_eq!(setup.enter(Some(&good), Scope::Catalog), "carol");
    let user = User {
        name: Some("carol".into()),
    };
    assert!(
        setup
            .auth
            .lists(&user, &RepositoryName::parse("secret/x").unwrap())
    );
    let challenge = "Bearer realm=\"https://auth.example/token\",service=\"reg\"";
    assert_eq!(setup.enter(None, Scope::Registry), challenge);
    assert!(
        setup
            .ask(Some(&good), "team/x", Rights::PULL)
            .contains("insufficient_scope")
    );
    let theirs = token(
        "carol",
        "other",
        vec![Grant::repository("any/where", Rights::PUSH)],
    );
    assert!(
        setup
            .ask(Some(&theirs), "any/where", Rights::PULL)
            .contains("invalid_token")
    );
    // Passwords are not ours to check, and tokens not ours to give.
    assert!(
        setup
            .enter(Some(&basic("alice", "secret")), Scope::Registry)
            .contains("invalid_token")
    );
    assert!(setup.auth.token(&headers(None), "").is_none());
    assert_eq!(setup.ask(None, "public/x", Rights::PULL), "anonymous");
}

/// The client's own `Host` leads it back to us, and nothing else gets into the header.
#[test]
fn a_strange_host_is_not_repeated() {
    let setup = setup(own());
    for host in ["a b", "x\"y", "evil/../", "r.example,Bearer realm=x"] {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        let needed = Needed {
            scope: Scope::Registry,
            rights: Rights::NONE,
        };
        assert_eq!(said(setup.auth.decide(&headers, &needed)), BASIC, "{host}");
    }
}

#[test]
fn a_browser_is_asked_for_a_password() {
    let setup = setup(own());
    let mut headers = headers(None);
    headers.insert("sec-fetch-mode", HeaderValue::from_static("cors"));
    let needed = Needed {
        scope: Scope::Registry,
        rights: Rights::NONE,
    };
    assert_eq!(said(setup.auth.decide(&headers, &needed)), BASIC);
    let password = HeaderValue::from_str(&basic("alice", "secret")).unwrap();
    headers.insert(AUTHORIZATION, password);
    assert_eq!(said(setup.auth.decide(&headers, &needed)), "alice");
}
