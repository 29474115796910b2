//! Our own token server: `GET /token?service=…&scope=…`, with name and password or without.
//!
//! A token says who shows it and what for, and is good for some minutes. It gives nothing by itself: when it is shown,
//! the rights that its user has then are looked up again, so that what is taken away is gone at once.
//!
//! Source: distribution specification's "Token Authentication Specification".

use std::time::Duration;

use serde::Serialize;

use super::jwt::{self, Audience, Claims, Verifier};
use super::keys::OwnKey;
use super::rights::{Table, both};
use super::scope::{self, Grant, MAX_ENTRIES};
use crate::route;

/// `iss` of our tokens.
const ISSUER: &str = "berth";

/// Our token server.
#[derive(Debug)]
pub struct TokenServer {
    key: OwnKey,
    verifier: Verifier,
    lifetime: Duration,
}

/// The answer, in the words of the protocol and in those of OAuth 2.
#[derive(Serialize)]
struct Answer<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
}

/// What was asked: the query of the request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which registry.
    pub service: Option<String>,
    /// What for.
    pub grants: Vec<Grant>,
}

impl Asked {
    /// Reads a query; `None`: it makes no sense.
    pub fn parse(query: &str) -> Option<Asked> {
        let mut asked = Asked::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "service" if asked.service.is_none() => asked.service = Some(decode(value)?),
                "service" => return None,
                "scope" => asked.grants.extend(scope::parse(&decode(value)?)?),
                // `account` says what the header says; `client_id` and `offline_token` ask for what we have not.
                _ => {}
            }
            if asked.grants.len() > MAX_ENTRIES {
                return None;
            }
        }
        Some(asked)
    }
}

/// The value of a form's field: as in a path, but for spaces.
fn decode(text: &str) -> Option<String> {
    route::decode(&text.replace('+', " "))
}

impl TokenServer {
    /// With this key, for the registry `service`.
    pub fn new(key: OwnKey, service: &str, lifetime: Duration) -> TokenServer {
        TokenServer {
            verifier: Verifier {
                key: key.public(),
                issuer: ISSUER.into(),
                service: service.to_owned(),
            },
            key,
            lifetime,
        }
    }

    /// What shown tokens are checked with.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A token for `user` (`None`: anybody), good for what of `asked` he may: JSON. `None`: it was asked for another
    /// registry.
    pub fn answer(
        &self,
        user: Option<&str>,
        asked: &Asked,
        table: &Table,
        now: jiff::Timestamp,
    ) -> Option<Vec<u8>> {
        let service = &self.verifier.service;
        if asked.service.as_ref().is_some_and(|name| name != service) {
            return None;
        }
        let lifetime_s = self.lifetime.as_secs();
        let seconds = now.as_second() as f64;
        let claims = Claims {
            iss: ISSUER.into(),
            sub: user.unwrap_or_default().to_owned(),
            aud: Audience::One(service.clone()),
            exp: seconds + lifetime_s as f64,
            nbf: Some(seconds),
            iat: Some(seconds),
            access: granted(user, &asked.grants, table),
        };
        let token = jwt::sign(&claims, self.key.pair())?;
        let answer = Answer {
            token: &token,
            access_token: &token,
            expires_in: lifetime_s,
            issued_at: now.to_string(),
        };
        Some(serde_json::to_vec(&answer).expect("words and numbers"))
    }
}

fn granted(user: Option<&str>, asked: &[Grant], table: &Table) -> Vec<Grant> {
    let grant = |asked: &Grant| {
        if asked.is_catalog() {
            return table.may_pull_somewhere(user).then(Grant::catalog);
        }
        if asked.kind != "repository" {
            return None;
        }
        let rights = both(asked.rights(), table.of(user, &asked.name));
        let grant = Grant::repository(&asked.name, rights);
        (!grant.actions.is_empty()).then_some(grant)
    };
    asked.iter().filter_map(grant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let asked = |query: &str| {
            let asked = Asked::parse(query)?;
            let grants: Vec<String> = asked.grants.iter().map(Grant::to_string).collect();
            Some((asked.service.unwrap_or_default(), grants.join(" ")))
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(asked(""), pair("", ""));
        assert_eq!(
            asked(
                "service=a%20b&scope=repository%3Aa%2Fb%3Apull%2Cpush&account=x&client_id=docker"
            ),
            pair("a b", "repository:a/b:pull,push")
        );
        assert_eq!(
            asked("scope=repository:a:pull&scope=repository:b:pull+registry:catalog:*"),
            pair("", "repository:a:pull repository:b:pull registry:catalog:*")
        );
        for bad in [
            "service=%",
            "service=%4",
            "service=%zz",
            "service=%ff",
            "scope=x",
            "service=a&service=b",
        ] {
            assert_eq!(asked(bad), None, "{bad}");
        }
        let many = "scope=repository:a:pull&".repeat(MAX_ENTRIES + 1);
        assert_eq!(asked(&many), None);
    }
}
