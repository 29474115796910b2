//! What can go wrong between us and a registry.

use std::path::PathBuf;
use std::time::Duration;

use berth_model::ErrorKind;
use berth_oci::Digest;

/// A request to a registry that came to nothing.
///
/// URLs in it have no query: those of storage behind a registry are signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("cannot read {what} `{}`", path.display())]
    ReadFile {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot parse the registries file")]
    ParseRegistries { source: Box<toml::de::Error> },
    #[error("registries file: `{value}` is not a valid {what}: {reason}")]
    InvalidSetting {
        what: &'static str,
        value: String,
        reason: &'static str,
    },
    #[error("cannot understand the logins in `{}`", path.display())]
    ParseCredentials {
        path: PathBuf,
        source: berth_oci::Error,
    },
    #[error("the login for `{registry}` is not valid: {reason}")]
    InvalidCredentials {
        registry: String,
        reason: &'static str,
    },
    #[error("cannot write the logins to `{}`", path.display())]
    WriteCredentials {
        path: PathBuf,
        source: berth_fs::Error,
    },
    #[error("cannot make the directory `{}`", path.display())]
    MakeDirectory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("there is no place for logins: neither DOCKER_CONFIG nor HOME is set")]
    NoHome,
    #[error("the credential helper `{helper}` is not installed")]
    NoHelper { helper: String },
    #[error(
        "the credential helper `{helper}` cannot {action} the login for `{registry}`: {reason}"
    )]
    Helper {
        helper: String,
        action: &'static str,
        registry: String,
        reason: String,
    },
    #[error("`{server}` does not name a registry: {reason}")]
    InvalidServer {
        server: String,
        reason: &'static str,
    },
    /// It asks for a login, and the one for it cannot be had.
    #[error("registry `{registry}` denies access, and the login for it cannot be read")]
    NoLogin {
        registry: String,
        source: std::sync::Arc<Error>,
    },
    #[error("`{}` holds no usable certificate", path.display())]
    ParseCa {
        path: PathBuf,
        source: Option<reqwest::Error>,
    },
    #[error("cannot set up the network")]
    Network { source: std::io::Error },
    #[error("the certificate `{}` has no key", certificate.display())]
    NoKey {
        certificate: PathBuf,
        directory: PathBuf,
    },
    #[error("`{}` and `{}` are no certificate with its key", certificate.display(), key.display())]
    ParseIdentity {
        certificate: PathBuf,
        key: PathBuf,
        source: reqwest::Error,
    },
    #[error("cannot set up TLS")]
    Tls { source: reqwest::Error },
    #[error("`{url}` is not a usable proxy")]
    InvalidProxy { url: String },
    #[error("registry `{registry}` is blocked by the registries file")]
    Blocked { registry: String },
    #[error("cannot connect to {url}")]
    Connect { url: String, source: reqwest::Error },
    #[error("request to {url} failed")]
    Request { url: String, source: reqwest::Error },
    #[error("{url} gave no answer for {seconds} s")]
    Silent { url: String, seconds: u64 },
    #[error("{url} answered {status}{}", detail(message))]
    Status {
        url: String,
        status: u16,
        message: Option<String>,
        /// What `Retry-After` says.
        wait: Option<Duration>,
    },
    #[error("`{reference}` is not in the registry{}", detail(message))]
    NotFound {
        reference: String,
        message: Option<String>,
    },
    #[error("registry `{registry}` denies access{}", detail(message))]
    Denied {
        registry: String,
        message: Option<String>,
        with_credentials: bool,
    },
    #[error("registry `{registry}` asks for fewer requests{}", detail(message))]
    RateLimited {
        registry: String,
        message: Option<String>,
        /// What `Retry-After` says.
        wait: Option<Duration>,
    },
    #[error("redirect from {from} to `{to}` is not followed: {reason}")]
    RefusedRedirect {
        from: String,
        to: String,
        reason: &'static str,
    },
    #[error("registry `{registry}` names `{realm}` as its token server: {reason}")]
    RefusedRealm {
        registry: String,
        realm: String,
        reason: &'static str,
    },
    #[error(
        "registry `{registry}` asks for an authentication that is not understood: `{challenge}`"
    )]
    UnknownChallenge { registry: String, challenge: String },
    #[error("token server {realm} gave no token: {reason}")]
    Token { realm: String, reason: String },
    #[error("{what} from {url} is larger than {limit} bytes")]
    TooLarge {
        what: &'static str,
        url: String,
        limit: u64,
    },
    #[error("`{reference}` is an image of schema version 1, which nobody makes any more")]
    SchemaOne { reference: String },
    #[error("`{reference}` is an artifact ({artifact_type}), not an image")]
    Artifact {
        reference: String,
        artifact_type: String,
    },
    #[error("cannot understand what the registry has as `{reference}`")]
    Document {
        reference: String,
        source: berth_oci::Error,
    },
    #[error("{what} is not what its digest says: expected {expected}, got {actual}")]
    DigestMismatch {
        what: String,
        expected: Digest,
        actual: Digest,
    },
    #[error("blob {digest} should have {expected} bytes, but the registry sends {actual}")]
    WrongLength {
        digest: Digest,
        expected: u64,
        actual: u64,
    },
    #[error("blob {digest} should have {expected} bytes, but the registry sends more")]
    TooLong { digest: Digest, expected: u64 },
    #[error("blob {digest}: the registry sent a wrong range")]
    WrongRange { digest: Digest },
    #[error("{url}: content encoding `{encoding}` was not asked for")]
    Encoded { url: String, encoding: String },
    #[error("{url} does not say how long the blob is")]
    NoLength { url: String },
    #[error("cannot read what is to be pushed")]
    ReadSource { source: std::io::Error },
    #[error("registry `{registry}` breaks the protocol of pushes: {reason}")]
    BadUpload {
        registry: String,
        reason: &'static str,
    },
    #[error("registry `{registry}` has no search")]
    NoSearch { registry: String },
    #[error("it was stopped: nobody waits for it any more")]
    Stopped,
    #[error("blob {digest} was cut off after {received} of {expected} bytes")]
    CutOff {
        digest: Digest,
        received: u64,
        expected: u64,
        source: Option<Box<Error>>,
    },
}

fn detail(message: &Option<String>) -> String {
    message
        .as_ref()
        .map(|m| format!(": {m}"))
        .unwrap_or_default()
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::ReadFile { .. }
            | Error::ParseRegistries { .. }
            | Error::InvalidSetting { .. }
            | Error::ParseCredentials { .. }
            | Error::InvalidCredentials { .. }
            | Error::NoHome
            | Error::NoHelper { .. }
            | Error::InvalidServer { .. }
            | Error::ParseCa { .. }
            | Error::NoKey { .. }
            | Error::ParseIdentity { .. }
            | Error::InvalidProxy { .. } => ErrorKind::InvalidInput,
            Error::Tls { .. }
            | Error::Network { .. }
            | Error::MakeDirectory { .. }
            | Error::ReadSource { .. } => ErrorKind::Internal,
            Error::WriteCredentials { source, .. } => source.kind(),
            Error::Helper { .. } => ErrorKind::Unavailable,
            Error::Blocked { .. }
            | Error::Denied { .. }
            | Error::NoLogin { .. }
            | Error::RefusedRedirect { .. }
            | Error::RefusedRealm { .. } => ErrorKind::Denied,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::UnknownChallenge { .. }
            | Error::SchemaOne { .. }
            | Error::NoSearch { .. }
            | Error::Artifact { .. } => ErrorKind::Unsupported,
            Error::Document { source, .. } => source.into(),
            Error::Connect { .. }
            | Error::Request { .. }
            | Error::Silent { .. }
            | Error::Status { .. }
            | Error::RateLimited { .. }
            | Error::Token { .. }
            | Error::Stopped
            | Error::CutOff { .. } => ErrorKind::Unavailable,
            Error::TooLarge { .. }
            | Error::DigestMismatch { .. }
            | Error::WrongLength { .. }
            | Error::TooLong { .. }
            | Error::WrongRange { .. }
            | Error::Encoded { .. }
            | Error::NoLength { .. }
            | Error::BadUpload { .. } => ErrorKind::Corrupt,
        }
    }

    /// What the user can do, when that is known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Connect { url, source } if is_certificate(source) => format!(
                "if you trust it, give its certificate authority as `ca`, or `insecure = true`, for {} in registries.toml",
                host_of(url)
            ),
            Error::NoKey { directory, .. } => format!(
                "put the key beside it, as NAME.key for NAME.cert, in {}",
                directory.display()
            ),
            Error::Connect { .. } => "check the name and that the registry runs".into(),
            Error::Silent { .. } => "try again: what has arrived is kept".into(),
            Error::CutOff { .. } => {
                "pull again: what has arrived is kept, and the download goes on from there".into()
            }
            Error::Status { status: 405, .. } => "the registry does not allow that".into(),
            Error::Status { status: 413, .. } => {
                "the registry, or a proxy before it, takes no bodies of this size".into()
            }
            Error::Denied {
                with_credentials: false,
                ..
            } => "the repository may not exist, or need a login: `berth login`".into(),
            Error::Denied { registry, .. } => {
                format!("the login may be out of date: `berth login {registry}`")
            }
            Error::WriteCredentials { source, .. } => return source.hint(),
            Error::NoHelper { .. } => {
                "`credsStore` or `credHelpers` in Docker's config.json names it: install it, or take that away"
                    .into()
            }
            Error::ParseCredentials { .. } | Error::InvalidCredentials { .. } => {
                "mend the file, or take the entry away and log in again".into()
            }
            Error::InvalidServer { .. } => "a registry is named HOST or HOST:PORT".into(),
            Error::NoLogin { source, .. } => return source.hint(),
            Error::RateLimited { .. } => "try again later, log in, or set a mirror in registries.toml".into(),
            Error::NoSearch { .. } => "most have none; `berth pull` asks for a name at once".into(),
            Error::NotFound { .. } => "check the name and the tag".into(),
            Error::RefusedRealm { realm, .. } if realm.starts_with("https:") => {
                "if that is right, list its host in `token_hosts` of the registry in registries.toml".into()
            }
            Error::RefusedRealm { .. } | Error::RefusedRedirect { .. } => {
                "the registry, or somebody between, may be lying".into()
            }
            Error::Artifact { .. } => "`berth artifact pull` fetches its files".into(),
            Error::SchemaOne { .. } => "push the image again with a current tool".into(),
            Error::DigestMismatch { .. } | Error::WrongLength { .. } | Error::TooLong { .. } => {
                "the registry, a mirror or a proxy between sends wrong data; nothing of it was kept".into()
            }
            _ => return None,
        };
        Some(text)
    }

    /// Whether somebody broke off, or sent what cannot be, so that another may do better.
    pub(crate) fn is_bad_answer(&self) -> bool {
        let broke_off = matches!(
            self,
            Error::CutOff { .. } | Error::Request { .. } | Error::Silent { .. }
        );
        broke_off || self.kind() == ErrorKind::Corrupt
    }

    /// Whether the same request may go better a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Connect { source, .. } => !is_certificate(source),
            Error::Request { .. } | Error::Silent { .. } | Error::RateLimited { .. } => true,
            Error::Status { status, .. } => matches!(status, 408 | 425 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

/// Whether TLS found the other side's certificate wanting.
pub(crate) fn is_certificate(error: &reqwest::Error) -> bool {
    causes(error).contains("certificate")
}

/// The messages of all causes.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    for cause in berth_model::error::causes(error) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Text of a server as it may be shown: one line, no control characters, not endless.
pub(crate) fn printable(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        short.push('…');
    }
    short.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_made_harmless() {
        assert_eq!(printable("a\r\nb\x1b[31mc "), "a  b [31mc");
        assert_eq!(printable(&"x".repeat(500)).chars().count(), 201);
    }

    #[test]
    fn busy_is_passing_and_absent_is_not() {
        let status = |status| Error::Status {
            url: "https://r/".into(),
            status,
            message: None,
            wait: None,
        };
        assert!(status(503).is_passing());
        assert!(!status(400).is_passing());
        assert_eq!(host_of("https://a:5000/v2/x"), "a:5000");
    }
}
