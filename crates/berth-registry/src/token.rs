//! Answering a challenge: name and password, or a token from the registry's token server.
//!
//! Who gets to see a login (security: G1): the registry's own origin, and a token server that it names over
//! HTTPS on the same site or in `token_hosts`; over HTTP only if the registry is insecure and it is the same host.
//!
//! Source: distribution specification, "Token Authentication" and "OAuth2 Token Authentication".

use berth_oci::header::Challenge;
use berth_oci::image::parse_strict;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use crate::Error;
use crate::credentials::{Login, Secret};
use crate::endpoint::Endpoint;
use crate::error::printable;
use crate::limits::MAX_TOKEN_BYTES;
use crate::origin::{Authorization, Origin, same_site};
use crate::reach::Reach;
use crate::registries::without_port;
use crate::transport::{Request, Transport, shown};

/// What token servers know us as.
const CLIENT_ID: &str = "berth";

/// A registry that wants to know who we are.
pub(crate) struct Asker<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// Where it asked.
    pub(crate) url: &'a Url,
    pub(crate) reach: Reach,
    pub(crate) login: Option<&'a Login>,
    /// More hosts that may see the login.
    pub(crate) token_hosts: &'a [String],
    /// What for.
    pub(crate) access: &'a Access,
}

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
    /// The same, and reading another repository of the registry.
    Mount(String),
    /// Deleting.
    Delete,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// What a token shall be good for.
struct Asked<'a> {
    service: Option<&'a str>,
    scopes: &'a [String],
    /// With an identity token.
    offline: bool,
}

/// What a token server gave.
pub(crate) struct Granted {
    /// For the registry.
    pub(crate) token: Secret,
    /// Good for further tokens, in the place of a password; if one was asked for.
    pub(crate) identity: Option<Secret>,
}

impl Asker<'_> {
    /// What to send with the request that was refused with `challenge`.
    pub(crate) async fn answer(
        &self,
        challenge: &Challenge,
        transport: &Transport,
    ) -> Result<Authorization, Error> {
        let origin = Origin::of(self.url).ok_or_else(|| self.denied(None))?;
        let may_hear = self.url.scheme() == "https" || self.endpoint.insecure;
        let login = self.login.filter(|_| may_hear);
        let made = match (challenge, login) {
            (_, Some(Login::Bearer(token))) => Authorization::bearer(origin, token),
            (Challenge::Basic, Some(Login::Basic { username, password })) => {
                Authorization::basic(origin, username, password)
            }
            (Challenge::Basic, _) => return Err(self.denied(None)),
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                login,
            ) => {
                let realm = self.realm(realm, login.is_some())?;
                let scopes = self.scopes(scope.as_deref());
                let asked = Asked {
                    service: service.as_deref(),
                    scopes: &scopes,
                    offline: false,
                };
                let granted = self.fetch(transport, realm, &asked, login).await?;
                Authorization::bearer(origin, &granted.token)
            }
        };
        made.ok_or_else(|| self.unsendable())
    }

    /// As [`Asker::answer`], for nothing but to see whether the login is good; with it comes the identity token
    /// that is to be kept in its place, if there is one.
    pub(crate) async fn prove(
        &self,
        challenge: &Challenge,
        transport: &Transport,
    ) -> Result<(Authorization, Option<Secret>), Error> {
        let Challenge::Bearer { realm, service, .. } = challenge else {
            return Ok((self.answer(challenge, transport).await?, None));
        };
        let origin = Origin::of(self.url).ok_or_else(|| self.denied(None))?;
        let realm = self.realm(realm, true)?;
        let asked = Asked {
            service: service.as_deref(),
            scopes: &[],
            offline: true,
        };
        let granted = self.fetch(transport, realm, &asked, self.login).await?;
        let made = Authorization::bearer(origin, &granted.token);
        Ok((made.ok_or_else(|| self.unsendable())?, granted.identity))
    }

    fn unsendable(&self) -> Error {
        self.denied(Some("the login or token cannot stand in a header".into()))
    }

    fn denied(&self, message: Option<String>) -> Error {
        Error::Denied {
            registry: self.endpoint.host.clone(),
            message,
            with_credentials: self.login.is_some(),
        }
    }

    /// The token server, if it may be one.
    fn realm(&self, text: &str, with_login: bool) -> Result<Url, Error> {
        let bad = |reason| Error::RefusedRealm {
            registry: self.endpoint.host.clone(),
            realm: Url::parse(text).map_or_else(|_| printable(text), |url| shown(&url)),
            reason,
        };
        let realm = Url::parse(text).map_err(|_| bad("it is not a URL"))?;
        let host = realm.host_str().ok_or_else(|| bad("it has no host"))?;
        if !realm.username().is_empty() || realm.password().is_some() {
            return Err(bad("it holds a name or a password"));
        }
        let own = self.url.host_str().unwrap_or_default();
        match realm.scheme() {
            "https" => {}
            "http" if self.endpoint.insecure && host.eq_ignore_ascii_case(own) => {}
            _ => return Err(bad("it is not HTTPS")),
        }
        let listed = |name: &String| without_port(name).eq_ignore_ascii_case(host);
        if with_login && !same_site(own, host) && !self.token_hosts.iter().any(listed) {
            return Err(bad("a login is not given to another site"));
        }
        Ok(realm)
    }

    /// What the token shall be good for: for reading what the registry asks, but never more than that; for all
    /// else what we know that we need.
    fn scopes(&self, asked: Option<&str>) -> Vec<String> {
        let modest = |text: &&str| {
            let parts: Vec<&str> = text.split(':').collect();
            matches!(parts[..], ["repository", _, "pull"]) && !text.contains(' ')
        };
        let scope = |repository: &str, actions| format!("repository:{repository}:{actions}");
        let own = |actions| scope(&self.endpoint.repository, actions);
        match self.access {
            Access::Pull => vec![
                asked
                    .filter(modest)
                    .map_or_else(|| own("pull"), str::to_owned),
            ],
            Access::Push => vec![own("pull,push")],
            Access::Mount(other) => vec![own("pull,push"), scope(other, "pull")],
            Access::Delete => vec![own("delete")],
        }
    }

    async fn fetch(
        &self,
        transport: &Transport,
        mut realm: Url,
        asked: &Asked<'_>,
        login: Option<&Login>,
    ) -> Result<Granted, Error> {
        let origin = Origin::of(&realm);
        let authorization = match (login, origin) {
            (Some(Login::Basic { username, password }), Some(origin)) => {
                Authorization::basic(origin, username, password)
            }
            _ => None,
        };
        let mut request = Request::get(realm.clone());
        if let Some(Login::Identity(secret)) = login {
            request.method = Method::POST;
            request.form = Some(form(asked, secret));
        } else {
            let mut pairs = realm.query_pairs_mut();
            if let Some(service) = asked.service {
                pairs.append_pair("service", service);
            }
            for scope in asked.scopes {
                pairs.append_pair("scope", scope);
            }
            if asked.offline {
                pairs.append_pair("offline_token", "true");
                pairs.append_pair("client_id", CLIENT_ID);
            }
            if let Some(Login::Basic { username, .. }) = login {
                pairs.append_pair("account", username);
            }
            drop(pairs);
            request.url = realm.clone();
        }
        request.authorization = authorization.as_ref();
        request.led_by = Some(self.reach);
        request.insecure = self.endpoint.insecure;
        request.accept = "application/json";
        let answer = transport.send(&request).await?;
        let status = answer.response.status();
        if matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST
        ) {
            return Err(self.denied(transport.message(answer).await));
        }
        let no_token = |reason| Error::Token {
            realm: shown(&realm),
            reason,
        };
        if status == StatusCode::NOT_FOUND {
            return Err(no_token("it has nothing at this address".to_owned()));
        }
        if !status.is_success() {
            return Err(
                crate::client::refusal(transport, answer, &self.endpoint.host, "", false).await,
            );
        }
        let bytes = transport.body(answer, "the token", MAX_TOKEN_BYTES).await?;
        parse(&bytes).map_err(no_token)
    }
}

fn parse(bytes: &[u8]) -> Result<Granted, String> {
    let answer: Answer = parse_strict("the token", bytes).map_err(|e| e.to_string())?;
    let filled = |text: &String| !text.is_empty();
    let token = answer
        .token
        .filter(filled)
        .or(answer.access_token.filter(filled));
    let token = token.ok_or("neither `token` nor `access_token` is in its answer")?;
    Ok(Granted {
        token: Secret::new(token),
        identity: answer.refresh_token.filter(filled).map(Secret::new),
    })
}

fn form(asked: &Asked<'_>, secret: &Secret) -> String {
    // A URL is at hand that knows the encoding of forms.
    let mut url = Url::parse("https://form.invalid").expect("a constant");
    url.query_pairs_mut()
        .append_pair("grant_type", "refresh_token")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("service", asked.service.unwrap_or_default())
        .append_pair("scope", &asked.scopes.join(" "))
        .append_pair("refresh_token", secret.expose());
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use berth_oci::Reference;

    use super::*;
    use crate::registries::{Registries, Registry};

    fn check(registry: &str, realm: &str, insecure: bool, with_login: bool) -> Result<Url, Error> {
        let registries = Registries::default().with(Registry {
            host: registry.into(),
            insecure: Some(insecure),
            ..Registry::default()
        });
        let reference = Reference::parse(&format!("{registry}/a/b")).unwrap();
        let endpoints = crate::endpoint::of(&reference, &registries).unwrap();
        let url = endpoints[0].url(endpoints[0].bases().last().unwrap(), "x", &[]);
        let asker = Asker {
            endpoint: &endpoints[0],
            url: &url,
            reach: Reach::Public,
            login: None,
            token_hosts: &["listed.example".to_owned()],
            access: &Access::Pull,
        };
        assert_eq!(
            asker.scopes(Some("repository:x:pull")),
            ["repository:x:pull"]
        );
        let own = &endpoints[0].repository;
        let scopes = |access| {
            let greedy = Some("repository:x:pull,push,delete");
            Asker { access, ..asker }.scopes(greedy)
        };
        for greedy in ["repository:x:pull,push", "registry:catalog:*", "a b"] {
            let want = format!("repository:{own}:pull");
            assert_eq!(asker.scopes(Some(greedy)), [want]);
        }
        let push = format!("repository:{own}:pull,push");
        assert_eq!(scopes(&Access::Push).join(" "), push);
        let mount = Access::Mount("team/base".into());
        let both = format!("{push} repository:team/base:pull");
        assert_eq!(scopes(&mount).join(" "), both);
        asker.realm(realm, with_login)
    }

    /// G1.
    #[test]
    fn a_login_is_given_to_its_site_only() {
        for (registry, realm, insecure) in [
            ("docker.io", "https://auth.docker.io/token", false),
            ("r.example:5000", "https://r.example/token", false),
            ("r.example", "https://listed.example/token", false),
            ("r.example", "http://r.example:8080/token", true),
        ] {
            assert!(check(registry, realm, insecure, true).is_ok(), "{realm}");
        }
        for (registry, realm, insecure) in [
            ("r.example", "http://r.example/token", false),
            ("r.example", "https://evil.test/token", false),
            ("r.example", "https://evil.test/token", true),
            ("r.example", "http://evil.test/token", true),
            ("r.example", "https://user:pw@r.example/", false),
            ("r.example", "file:///etc/passwd", true),
            ("r.example", "token", true),
        ] {
            assert!(check(registry, realm, insecure, true).is_err(), "{realm}");
        }
        assert!(check("r.example", "https://other.test/token", false, false).is_ok());
        assert!(check("r.example", "http://other.test/token", true, false).is_err());
    }

    #[test]
    fn both_names_of_a_token_are_read() {
        let token = |text: &str| parse(text.as_bytes()).map(|t| t.token.expose().to_owned());
        assert_eq!(token(r#"{"token": "a", "expires_in": 60}"#).unwrap(), "a");
        assert_eq!(token(r#"{"access_token": "b"}"#).unwrap(), "b");
        assert!(token(r#"{"token": ""}"#).is_err());
        assert!(token("nonsense").is_err());
        let asked = Asked {
            service: Some("s&t"),
            scopes: &["repository:a:pull".into()],
            offline: false,
        };
        let form = form(&asked, &Secret::new("x=y"));
        assert!(form.contains("service=s%26t") && form.contains("refresh_token=x%3Dy"));
    }
}
