//! Who may do what: asked before anything is looked up, so that an answer tells nothing of what is there (security: G7).

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::name::RepositoryName;

/// What a request wants to do in a repository. Without any, it only wants to be known: `GET /v2/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// To read.
    pub pull: bool,
    /// To add, and to move tags.
    pub push: bool,
    /// To remove.
    pub delete: bool,
}

impl Rights {
    /// None: only to be known.
    pub const NONE: Rights = Rights {
        pull: false,
        push: false,
        delete: false,
    };
    /// To read.
    pub const PULL: Rights = Rights {
        pull: true,
        ..Rights::NONE
    };
    /// To add; who may, may also read what is there.
    pub const PUSH: Rights = Rights {
        pull: true,
        push: true,
        ..Rights::NONE
    };
    /// To remove.
    pub const DELETE: Rights = Rights {
        delete: true,
        ..Rights::NONE
    };
    /// All of them.
    pub const ALL: Rights = Rights {
        pull: true,
        push: true,
        delete: true,
    };
}

/// What the request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The registry as such: `GET /v2/`.
    Registry,
    /// The list of repositories.
    Catalog,
    /// One repository, there or not.
    Repository(&'a RepositoryName),
}

/// What a request needs to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed<'a> {
    /// Where.
    pub scope: Scope<'a>,
    /// What.
    pub rights: Rights,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// `None`: anybody.
    pub name: Option<String>,
}

impl User {
    /// As it stands in a tag's history and in the log.
    pub fn who(&self) -> &str {
        self.name.as_deref().unwrap_or("anonymous")
    }
}

/// The answer is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 401: who asks has to say who he is; each value is a `WWW-Authenticate` header.
    Challenge(Vec<HeaderValue>),
    /// 403: he did, and may not.
    Denied,
    /// 429: too many passwords are being checked.
    Busy,
}

/// How access is decided.
pub trait Decide: Send + Sync + 'static {
    /// Decides; may compute for long (a password's hash), and so is called where that stops nobody.
    ///
    /// # Errors
    /// What is to be answered instead.
    fn decide(&self, headers: &HeaderMap, needed: &Needed<'_>) -> Result<User, Refusal>;

    /// Decides as [`Decide::decide`] does, if that takes no time: no credentials, a token, a password that was seen before.
    fn quick(&self, headers: &HeaderMap, needed: &Needed<'_>) -> Option<Result<User, Refusal>>;

    /// Whether `user`, who may see the list of repositories, may see this one in it. Takes no time.
    fn lists(&self, user: &User, repository: &RepositoryName) -> bool {
        let _ = (user, repository);
        true
    }

    /// Answers `GET /token?QUERY` with JSON; `None`: this registry hands out no tokens. Called as `decide` is.
    fn token(&self, headers: &HeaderMap, query: &str) -> Option<Result<Vec<u8>, Refusal>> {
        let _ = (headers, query);
        None
    }
}

/// The registry's way to decide.
#[derive(Clone)]
pub struct Access(Arc<dyn Decide>);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

impl Access {
    /// This way.
    pub fn new(how: impl Decide) -> Access {
        Access(Arc::new(how))
    }

    /// All may do all.
    pub fn open() -> Access {
        Access::new(Open)
    }

    /// Decides without stopping other requests.
    ///
    /// # Errors
    /// What is to be answered instead.
    pub async fn decide(
        &self,
        headers: &HeaderMap,
        scope: Scope<'_>,
        rights: Rights,
    ) -> Result<User, Refusal> {
        if let Some(decided) = self.0.quick(headers, &Needed { scope, rights }) {
            return decided;
        }
        let (how, headers) = (self.0.clone(), headers.clone());
        let name = match scope {
            Scope::Repository(name) => Some(name.clone()),
            Scope::Registry | Scope::Catalog => None,
        };
        let is_catalog = scope == Scope::Catalog;
        let work = move || {
            let scope = match &name {
                Some(name) => Scope::Repository(name),
                None if is_catalog => Scope::Catalog,
                None => Scope::Registry,
            };
            how.decide(&headers, &Needed { scope, rights })
        };
        // A panic in there lets nobody in.
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(Refusal::Denied))
    }

    /// Whether `user`, who may see the list of repositories, may see this one in it.
    pub fn lists(&self, user: &User, repository: &RepositoryName) -> bool {
        self.0.lists(user, repository)
    }

    /// Answers `GET /token?QUERY`; `None`: there are no tokens here.
    pub async fn token(
        &self,
        headers: &HeaderMap,
        query: &str,
    ) -> Option<Result<Vec<u8>, Refusal>> {
        let (how, headers, query) = (self.0.clone(), headers.clone(), query.to_owned());
        tokio::task::spawn_blocking(move || how.token(&headers, &query))
            .await
            .unwrap_or(Some(Err(Refusal::Denied)))
    }
}

struct Open;

impl Decide for Open {
    fn decide(&self, _: &HeaderMap, _: &Needed<'_>) -> Result<User, Refusal> {
        Ok(User::default())
    }

    fn quick(&self, _: &HeaderMap, _: &Needed<'_>) -> Option<Result<User, Refusal>> {
        Some(Ok(User::default()))
    }
}
