//! What a request asks for: from method, path and query to a [`Route`], without any look at what is stored.
//!
//! A repository's name may itself have parts called `blobs` or `tags`, so a path is read from its end. Names, tags and
//! digests are checked here, once: what comes out cannot leave its place (security: G6), and numbers are clamped (G4).
//! Source: distribution specification, "Endpoints".

mod query;

use berth_oci::Digest;
use http::Method;

use crate::access::{Rights, Scope};
use crate::error::{Code, Failure};
use crate::name::{RepositoryName, Selector, Tag, is_upload_id};
use crate::page::{self, Asset};
use query::Query;
pub(crate) use query::{decode, encode};

/// Tags that one push of a manifest may set.
const TAGS_AT_ONCE: usize = 64;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The repository that it is about.
    pub repository: Option<RepositoryName>,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done. `HEAD` is the `GET` of the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `GET /v2/`
    Version,
    /// `GET /healthz`
    Health,
    /// `GET /metrics`
    Metrics,
    /// `GET /` and its files
    Page(Asset),
    /// `GET /token`: for the query, see [`crate::access::Decide::token`]
    Token,
    /// `GET /v2/_catalog`
    Catalog(Page),
    /// `GET /v2/NAME/tags/list`
    ListTags(Page),
    /// `GET /v2/NAME/referrers/DIGEST`
    ListReferrers {
        /// What they refer to.
        subject: Digest,
        /// Only those of this type.
        artifact_type: Option<String>,
        /// Which part of the list.
        page: Page,
    },
    /// `GET /v2/NAME/manifests/SELECTOR`
    GetManifest(Selector),
    /// `PUT /v2/NAME/manifests/SELECTOR`
    PutManifest {
        /// As what.
        selector: Selector,
        /// More tags for it, if it is put by digest.
        tags: Vec<Tag>,
    },
    /// `DELETE /v2/NAME/manifests/SELECTOR`
    RemoveManifest(Selector),
    /// `GET /v2/NAME/blobs/DIGEST`
    GetBlob(Digest),
    /// `DELETE /v2/NAME/blobs/DIGEST`
    RemoveBlob(Digest),
    /// `POST /v2/NAME/blobs/uploads/`
    BeginUpload {
        /// All of the content comes with this request.
        digest: Option<Digest>,
        /// Take this one from another repository instead.
        mount: Option<(Digest, Option<RepositoryName>)>,
    },
    /// `GET /v2/NAME/blobs/uploads/ID`
    GetUpload(String),
    /// `PATCH /v2/NAME/blobs/uploads/ID`
    AppendUpload(String),
    /// `PUT /v2/NAME/blobs/uploads/ID?digest=DIGEST`
    FinishUpload(String, Digest),
    /// `DELETE /v2/NAME/blobs/uploads/ID`
    CancelUpload(String),
    /// `GET /v2/NAME/_berth/tags/history?tag=TAG`
    History(Tag),
    /// `POST /v2/NAME/_berth/tags/rollback?tag=TAG&to=DIGEST`
    Rollback {
        /// The tag to move.
        tag: Tag,
        /// Where it pointed once.
        to: Digest,
    },
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many; not clamped to the registry's limit yet, and at most `usize::MAX` if more were asked for.
    pub entries: Option<usize>,
    /// Only those after this one.
    pub last: Option<String>,
}

/// A request that leads nowhere.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub failure: Failure,
    /// The methods that there are, if it is only the method that is wrong.
    pub allow: Option<&'static str>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused {
            failure,
            allow: None,
        }
    }
}

/// Reads a request's first line.
///
/// # Errors
/// What the client did wrong.
pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Route, Refused> {
    let query = Query(query.unwrap_or_default());
    let Some(below) = path.strip_prefix("/v2/") else {
        return outside(method, path);
    };
    let parts: Vec<String> = below
        .split('/')
        .map(query::part)
        .collect::<Result<_, _>>()?;
    let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        [""] => return only_get(method, Action::Version),
        ["_catalog"] => return only_get(method, Action::Catalog(query.page()?)),
        // `uploads/` and `uploads` are the same.
        [.., "blobs", "uploads", ""] => _ = parts.pop(),
        _ => {}
    }
    let (name, action) = match parts[..] {
        [ref name @ .., "_berth", "tags", verb] => (name, extension(method, verb, query)?),
        [ref name @ .., "blobs", "uploads", id] if !id.contains(':') => {
            (name, upload(method, id, query)?)
        }
        [ref name @ .., "blobs", "uploads"] => (name, begin_upload(method, query)?),
        [ref name @ .., "blobs", digest] => (name, blob(method, digest)?),
        [ref name @ .., "manifests", which] => (name, manifest(method, which, query)?),
        [ref name @ .., "tags", "list"] => (name, only(method, query.page()?, Action::ListTags)?),
        [ref name @ .., "referrers", subject] => (name, referrers(method, subject, query)?),
        _ => return Err(nothing_here()),
    };
    let name = RepositoryName::parse(&name.join("/"))
        .map_err(|reason| Failure::new(Code::NameInvalid, reason))?;
    Ok(Route {
        repository: Some(name),
        action,
    })
}

impl Route {
    /// Where it needs rights, and which; `None`: all may, also read the metrics if `open_metrics`.
    pub fn needs(&self, open_metrics: bool) -> Option<(Scope<'_>, Rights)> {
        let rights = match &self.action {
            Action::Health | Action::Page(_) | Action::Token => return None,
            Action::Metrics if open_metrics => return None,
            Action::Version => return Some((Scope::Registry, Rights::NONE)),
            Action::Catalog(_) | Action::Metrics => return Some((Scope::Catalog, Rights::PULL)),
            Action::ListTags(_)
            | Action::ListReferrers { .. }
            | Action::GetManifest(_)
            | Action::GetBlob(_)
            | Action::History(_) => Rights::PULL,
            Action::RemoveManifest(_) | Action::RemoveBlob(_) => Rights::DELETE,
            Action::PutManifest { .. }
            | Action::BeginUpload { .. }
            | Action::GetUpload(_)
            | Action::AppendUpload(_)
            | Action::FinishUpload(..)
            | Action::CancelUpload(_)
            | Action::Rollback { .. } => Rights::PUSH,
        };
        Some((Scope::Repository(self.repository.as_ref()?), rights))
    }
}

impl Action {
    /// Every label, in the order of [`Action::label`].
    pub const LABELS: [&'static str; 20] = [
        "version",
        "health",
        "metrics",
        "page",
        "token",
        "catalog",
        "tags",
        "referrers",
        "manifest_get",
        "manifest_put",
        "manifest_delete",
        "blob_get",
        "blob_delete",
        "upload_begin",
        "upload_get",
        "upload_append",
        "upload_finish",
        "upload_cancel",
        "history",
        "rollback",
    ];

    /// What it is called in metrics and in the log: an index into [`Action::LABELS`].
    pub fn label(&self) -> usize {
        match self {
            Action::Version => 0,
            Action::Health => 1,
            Action::Metrics => 2,
            Action::Page(_) => 3,
            Action::Token => 4,
            Action::Catalog(_) => 5,
            Action::ListTags(_) => 6,
            Action::ListReferrers { .. } => 7,
            Action::GetManifest(_) => 8,
            Action::PutManifest { .. } => 9,
            Action::RemoveManifest(_) => 10,
            Action::GetBlob(_) => 11,
            Action::RemoveBlob(_) => 12,
            Action::BeginUpload { .. } => 13,
            Action::GetUpload(_) => 14,
            Action::AppendUpload(_) => 15,
            Action::FinishUpload(..) => 16,
            Action::CancelUpload(_) => 17,
            Action::History(_) => 18,
            Action::Rollback { .. } => 19,
        }
    }
}

fn outside(method: &Method, path: &str) -> Result<Route, Refused> {
    let action = match path {
        "/v2" => Action::Version,
        "/healthz" | "/health" => Action::Health,
        "/metrics" => Action::Metrics,
        "/token" => Action::Token,
        _ => Action::Page(page::asset(path).ok_or_else(nothing_here)?),
    };
    only_get(method, action)
}

fn only_get(method: &Method, action: Action) -> Result<Route, Refused> {
    Ok(Route {
        repository: None,
        action: only(method, action, |action| action)?,
    })
}

/// `GET` and `HEAD` of something that has no other methods.
fn only<T>(method: &Method, value: T, make: impl FnOnce(T) -> Action) -> Result<Action, Refused> {
    match *method {
        Method::GET | Method::HEAD => Ok(make(value)),
        _ => Err(not_allowed("GET, HEAD")),
    }
}

fn extension(method: &Method, verb: &str, query: Query<'_>) -> Result<Action, Refused> {
    let tag = || {
        let text = query.one("tag", Code::TagInvalid)?;
        let tag = Tag::parse(&text.unwrap_or_default());
        tag.map_err(|reason| Failure::new(Code::TagInvalid, reason))
    };
    match verb {
        "history" => only(method, tag()?, Action::History),
        "rollback" if method == Method::POST => Ok(Action::Rollback {
            tag: tag()?,
            to: required_digest(query, "to")?,
        }),
        "rollback" => Err(not_allowed("POST")),
        _ => Err(nothing_here()),
    }
}

fn begin_upload(method: &Method, query: Query<'_>) -> Result<Action, Refused> {
    if method != Method::POST {
        return Err(not_allowed("POST"));
    }
    let from = query.one("from", Code::NameInvalid)?;
    let from = from
        .map(|name| RepositoryName::parse(&name))
        .transpose()
        .map_err(|reason| Failure::new(Code::NameInvalid, reason))?;
    // Nothing hangs on it, but what cannot end well need not begin.
    if let Some(algorithm) = query.one("digest-algorithm", Code::DigestInvalid)?
        && !matches!(algorithm.as_str(), "sha256" | "sha512")
    {
        let message = "only sha256 and sha512 are supported";
        return Err(Failure::new(Code::DigestInvalid, message).into());
    }
    Ok(Action::BeginUpload {
        digest: digest(query, "digest")?,
        mount: digest(query, "mount")?.map(|digest| (digest, from)),
    })
}

fn upload(method: &Method, id: &str, query: Query<'_>) -> Result<Action, Refused> {
    if !is_upload_id(id) {
        return Err(Failure::new(Code::BlobUploadUnknown, "there is no such upload").into());
    }
    let id = id.to_owned();
    match *method {
        Method::GET | Method::HEAD => Ok(Action::GetUpload(id)),
        Method::PATCH => Ok(Action::AppendUpload(id)),
        Method::PUT => Ok(Action::FinishUpload(id, required_digest(query, "digest")?)),
        Method::DELETE => Ok(Action::CancelUpload(id)),
        _ => Err(not_allowed("GET, HEAD, PATCH, PUT, DELETE")),
    }
}

fn blob(method: &Method, text: &str) -> Result<Action, Refused> {
    let digest = Digest::parse(text).map_err(bad_digest)?;
    match *method {
        Method::GET | Method::HEAD => Ok(Action::GetBlob(digest)),
        Method::DELETE => Ok(Action::RemoveBlob(digest)),
        _ => Err(not_allowed("GET, HEAD, DELETE")),
    }
}

fn manifest(method: &Method, which: &str, query: Query<'_>) -> Result<Action, Refused> {
    let selector = Selector::parse(which).map_err(|reason| {
        let is_digest = which.contains(':');
        let code = [Code::TagInvalid, Code::DigestInvalid][usize::from(is_digest)];
        Failure::new(code, reason)
    })?;
    match *method {
        Method::GET | Method::HEAD => Ok(Action::GetManifest(selector)),
        Method::PUT => {
            let tags = query.all("tag", TAGS_AT_ONCE)?;
            let tags = tags.iter().map(|text| Tag::parse(text)).collect();
            let tags: Result<Vec<Tag>, _> = tags;
            let tags = tags.map_err(|reason| Failure::new(Code::TagInvalid, reason))?;
            Ok(Action::PutManifest { selector, tags })
        }
        Method::DELETE => Ok(Action::RemoveManifest(selector)),
        _ => Err(not_allowed("GET, HEAD, PUT, DELETE")),
    }
}

fn referrers(method: &Method, subject: &str, query: Query<'_>) -> Result<Action, Refused> {
    let subject = Digest::parse(subject).map_err(bad_digest)?;
    let artifact_type = query.one("artifactType", Code::ManifestInvalid)?;
    let (page, artifact_type) = (query.page()?, artifact_type.filter(|text| !text.is_empty()));
    only(method, subject, |subject| Action::ListReferrers {
        subject,
        artifact_type,
        page,
    })
}

fn digest(query: Query<'_>, key: &str) -> Result<Option<Digest>, Failure> {
    let text = query.one(key, Code::DigestInvalid)?;
    text.map(|text| Digest::parse(&text).map_err(bad_digest))
        .transpose()
}

fn required_digest(query: Query<'_>, key: &str) -> Result<Digest, Failure> {
    digest(query, key)?
        .ok_or_else(|| Failure::new(Code::DigestInvalid, format!("`{key}` is missing")))
}

fn bad_digest(error: berth_oci::Error) -> Failure {
    Failure::new(Code::DigestInvalid, error.to_string())
}

fn nothing_here() -> Refused {
    Failure::new(Code::NameUnknown, "there is nothing at this path").into()
}

fn not_allowed(allow: &'static str) -> Refused {
    Refused {
        failure: Failure::new(Code::Unsupported, "there is no such method here"),
        allow: Some(allow),
    }
}

#[cfg(test)]
mod tests;
