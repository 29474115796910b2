//! Who asks, and what he may: users of a file with their passwords, tokens of ours or of an outside issuer, and rights
//! by repository.
//!
//! | mode | shown | a stranger hears |
//! |---|---|---|
//! | passwords | `Basic` | 401, `WWW-Authenticate: Basic` |
//! | own tokens | `Bearer` from `/token`, or `Basic` | 401, `WWW-Authenticate: Bearer` with our `/token` |
//! | outside issuer | `Bearer` | 401, `WWW-Authenticate: Bearer` with the issuer's realm |
//!
//! Nothing of it depends on what the registry holds: a repository that one may not see is as one that is not there
//! (security: G7). A wrong password or token is never taken for none.

pub mod header;
pub mod htpasswd;
pub mod jwt;
pub mod keys;
pub mod logins;
pub mod rights;
pub mod scope;
pub mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use berth_oci::reference::check_domain;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue};

use self::header::Shown;
use self::jwt::{Claims, Verifier};
use self::keys::{OwnKey, PublicKey};
use self::logins::Logins;
use self::rights::{Table, both, suffices};
use self::scope::Grant;
use self::tokens::{Asked, TokenServer};
use crate::access::{Decide, Needed, Refusal, Rights, Scope, User};
use crate::name::RepositoryName;
use crate::setup::{Error, Warnings};

/// How it is known who asks.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file of users.
    pub htpasswd: Option<PathBuf>,
    /// What a browser shows when it asks for a password: without `"` and control characters.
    pub realm: String,
    /// Who may what.
    pub rights: Table,
    /// Whether tokens are used.
    pub tokens: Tokens,
    /// Whether clients speak TLS to us: our token server's URL says so.
    pub tls: bool,
    /// Where our key is.
    pub root: PathBuf,
    /// Told when a changed file cannot be used.
    pub warnings: Warnings,
}

/// Whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// Nobody's.
    None,
    /// Our own.
    Own {
        /// Our token server's URL, where clients have to be told another one than they used for us.
        realm: Option<String>,
        /// What we call ourselves.
        service: String,
        /// How long a token is good.
        lifetime: Duration,
    },
    /// An outside issuer's.
    Outside {
        /// His URL.
        realm: String,
        /// What he calls us.
        service: String,
        /// What he calls himself.
        issuer: String,
        /// His public key, PEM.
        key: PathBuf,
    },
}

/// Decides as the options say.
#[derive(Debug)]
pub struct Auth {
    logins: Option<Logins>,
    rights: Table,
    mode: Mode,
    basic: HeaderValue,
    tls: bool,
}

#[derive(Debug)]
enum Mode {
    Passwords,
    Own {
        server: Box<TokenServer>,
        realm: Option<String>,
    },
    Outside {
        verifier: Box<Verifier>,
        realm: String,
    },
}

/// Who asks, once that is known.
enum Known {
    Anybody,
    User(String),
    /// Only for what the token says.
    Token(Claims),
}

/// What a request shows leads to nobody.
enum Unknown {
    /// It is wrong.
    Wrong,
    /// It has to be computed.
    Later,
    /// Too many others are computed.
    Busy,
}

impl Auth {
    /// As `options` say.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub fn new(options: Options) -> Result<Auth, Error> {
        let logins = options.htpasswd.as_deref();
        let logins = logins
            .map(|path| Logins::load(path, options.warnings.clone()))
            .transpose()?;
        let mode = match options.tokens {
            Tokens::None => Mode::Passwords,
            Tokens::Own {
                realm,
                service,
                lifetime,
            } => {
                let key = OwnKey::open(&options.root)?;
                let server = Box::new(TokenServer::new(key, &service, lifetime));
                Mode::Own { server, realm }
            }
            Tokens::Outside {
                realm,
                service,
                issuer,
                key,
            } => {
                let verifier = Box::new(Verifier {
                    key: PublicKey::load(&key)?,
                    issuer,
                    service,
                });
                Mode::Outside { verifier, realm }
            }
        };
        let basic = format!("Basic realm=\"{}\", charset=\"UTF-8\"", options.realm);
        Ok(Auth {
            logins,
            rights: options.rights,
            mode,
            basic: HeaderValue::from_str(&basic).map_err(|_| Error::InvalidSetting {
                key: "auth.realm".into(),
                reason: "it cannot stand in a header".into(),
            })?,
            tls: options.tls,
        })
    }

    /// Who shows this, by what takes no time, or (`patient`) by what does.
    fn known(&self, headers: &HeaderMap, patient: bool) -> Result<Known, Unknown> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (first, second) = (values.next(), values.next());
        let Some(value) = first else {
            return Ok(Known::Anybody);
        };
        // Of two, one might be read here and the other one by a proxy.
        let shown = header::parse(value.as_bytes()).filter(|_| second.is_none());
        match (shown.ok_or(Unknown::Wrong)?, self.verifier()) {
            (Shown::Nothing, _) => Ok(Known::Anybody),
            (Shown::Bearer(token), Some(verifier)) => {
                let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
                let claims = verifier.verify(&token, now);
                claims.map(Known::Token).map_err(|_| Unknown::Wrong)
            }
            (Shown::Basic { user, password }, _) => {
                let logins = self.logins.as_ref().ok_or(Unknown::Wrong)?;
                if logins.remembers(&user, &password) {
                    return Ok(Known::User(user));
                }
                if !patient {
                    return Err(Unknown::Later);
                }
                match logins.check(&user, &password) {
                    Ok(true) => Ok(Known::User(user)),
                    Ok(false) => Err(Unknown::Wrong),
                    Err(logins::Busy) => Err(Unknown::Busy),
                }
            }
            (Shown::Bearer(_), None) => Err(Unknown::Wrong),
        }
    }

    fn verifier(&self) -> Option<&Verifier> {
        match &self.mode {
            Mode::Passwords => None,
            Mode::Own { server, .. } => Some(server.verifier()),
            Mode::Outside { verifier, .. } => Some(verifier),
        }
    }

    fn judge(
        &self,
        headers: &HeaderMap,
        needed: &Needed<'_>,
        known: Result<Known, Unknown>,
    ) -> Result<User, Refusal> {
        let challenge = |error| Err(Refusal::Challenge(self.challenge(headers, needed, error)));
        let known = match known {
            Ok(known) => known,
            Err(Unknown::Busy) => return Err(Refusal::Busy),
            Err(_) => return challenge(Some("invalid_token")),
        };
        let name = known.name().map(str::to_owned);
        if self.may(&known, needed) {
            return Ok(User { name });
        }
        match known {
            Known::Anybody => challenge(None),
            Known::User(_) => Err(Refusal::Denied),
            // Another token may be good enough: the client is to ask for it.
            Known::Token(_) => challenge(Some("insufficient_scope")),
        }
    }

    fn may(&self, known: &Known, needed: &Needed<'_>) -> bool {
        let name = known.name();
        let granted = match (&self.mode, known) {
            (_, Known::Token(claims)) => Some(&claims.access),
            _ => None,
        };
        let own = !matches!(self.mode, Mode::Outside { .. }) || granted.is_none();
        match needed.scope {
            // Docker's client asks here whether it has to log in at all.
            Scope::Registry => !matches!(known, Known::Anybody),
            Scope::Catalog => {
                granted.is_none_or(|grants| grants.iter().any(Grant::is_catalog))
                    && (!own || self.rights.may_pull_somewhere(name))
            }
            Scope::Repository(repository) => {
                let repository = repository.as_str();
                let ours = self.rights.of(name, repository);
                let rights = match granted {
                    None => ours,
                    Some(grants) => {
                        let of_token = grants
                            .iter()
                            .filter(|grant| grant.is_for(repository))
                            .map(Grant::rights)
                            .fold(Rights::NONE, rights::plus);
                        if own { both(of_token, ours) } else { of_token }
                    }
                };
                suffices(rights, needed.rights)
            }
        }
    }

    fn challenge(
        &self,
        headers: &HeaderMap,
        needed: &Needed<'_>,
        error: Option<&str>,
    ) -> Vec<HeaderValue> {
        // A browser knows nothing of tokens, and asks its user for a password.
        let is_browser = headers.contains_key("sec-fetch-mode");
        let (realm, service) = match &self.mode {
            Mode::Own { .. } if is_browser => return vec![self.basic.clone()],
            Mode::Passwords => return vec![self.basic.clone()],
            Mode::Own { server, realm } => {
                let realm = realm.clone().or_else(|| self.own_realm(headers));
                (realm, &server.verifier().service)
            }
            Mode::Outside { verifier, realm } => (Some(realm.clone()), &verifier.service),
        };
        let Some(realm) = realm else {
            return vec![self.basic.clone()];
        };
        let mut text = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
        if let Some(scope) = scope::needed(needed) {
            text += &format!(",scope=\"{scope}\"");
        }
        if let Some(error) = error {
            text += &format!(",error=\"{error}\"");
        }
        let value = HeaderValue::from_str(&text);
        vec![value.unwrap_or_else(|_| self.basic.clone())]
    }

    /// Our token server, where the client found us.
    fn own_realm(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(HOST)?.to_str().ok()?;
        check_domain(host).ok()?;
        let scheme = if self.tls { "https" } else { "http" };
        Some(format!("{scheme}://{host}/token"))
    }
}

impl Known {
    fn name(&self) -> Option<&str> {
        match self {
            Known::Anybody => None,
            Known::User(name) => Some(name),
            Known::Token(claims) => Some(&claims.sub[..]).filter(|name| !name.is_empty()),
        }
    }
}

impl Decide for Auth {
    fn decide(&self, headers: &HeaderMap, needed: &Needed<'_>) -> Result<User, Refusal> {
        self.judge(headers, needed, self.known(headers, true))
    }

    fn quick(&self, headers: &HeaderMap, needed: &Needed<'_>) -> Option<Result<User, Refusal>> {
        match self.known(headers, false) {
            Err(Unknown::Later) => None,
            known => Some(self.judge(headers, needed, known)),
        }
    }

    fn lists(&self, user: &User, repository: &RepositoryName) -> bool {
        let outside = matches!(self.mode, Mode::Outside { .. });
        // The issuer's token was for the whole list.
        let by_token = outside && user.name.is_some();
        by_token
            || self
                .rights
                .of(user.name.as_deref(), repository.as_str())
                .pull
    }

    fn token(&self, headers: &HeaderMap, query: &str) -> Option<Result<Vec<u8>, Refusal>> {
        let Mode::Own { server, .. } = &self.mode else {
            return None;
        };
        let user = match self.known(headers, true) {
            Ok(Known::Anybody) => None,
            Ok(Known::User(name)) => Some(name),
            Err(Unknown::Busy) => return Some(Err(Refusal::Busy)),
            // A token is not exchanged for a fresh one: it would be good for ever.
            Ok(Known::Token(_)) | Err(_) => {
                return Some(Err(Refusal::Challenge(vec![self.basic.clone()])));
            }
        };
        let answer = Asked::parse(query).and_then(|asked| {
            server.answer(
                user.as_deref(),
                &asked,
                &self.rights,
                jiff::Timestamp::now(),
            )
        });
        Some(answer.ok_or(Refusal::Denied))
    }
}

#[cfg(test)]
mod tests;
