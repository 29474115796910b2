//! Another registry: where it is, what it calls our repositories, and what it says.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use berth_model::ErrorKind;
use berth_oci::reference::{check_domain, check_path};
use berth_oci::{Descriptor, Digest, Reference};
use berth_registry::{BlobStream, Client, Config, Fetched, Login, Patience, Registry, Secret};

use super::AWAY;
use crate::error::{Code, Failure};
use crate::name::{RepositoryName, Selector, is_below};
use crate::setup::Error;
use crate::sync::lock;
use berth_serve::files::read_text;

/// A client remembers what it has met: after so many requests a new one begins without that.
const REQUESTS_PER_CLIENT: u32 = 10_000;
/// Bytes of a password's file.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

/// Another registry, and for which repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// How the names of the repositories begin that it has, without this; empty: all.
    pub prefix: String,
    /// `host[:port]`, as in references.
    pub host: String,
    /// What goes before the repository's name there; may be empty.
    pub path: String,
    /// How long a tag is believed.
    pub ttl: Duration,
    /// Name, and the file of the password.
    pub login: Option<(String, PathBuf)>,
    /// PEM file of the only authorities to trust.
    pub ca: Option<PathBuf>,
    /// Certificates are not checked, and plain HTTP is taken.
    pub insecure: bool,
}

impl Upstream {
    /// Reads `https://HOST[:PORT][/PATH]`; in plain HTTP, it is insecure.
    ///
    /// # Errors
    /// The reason, when it is not one.
    pub fn parse(url: &str) -> Result<Upstream, &'static str> {
        const SCHEMES: &str = "it begins with https:// (or http://)";
        let (scheme, rest) = url.split_once("://").ok_or(SCHEMES)?;
        let (insecure, port) = match scheme {
            "https" => (false, 443),
            "http" => (true, 80),
            _ => return Err(SCHEMES),
        };
        let rest = rest.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        check_domain(host)?;
        if !path.is_empty() {
            check_path(path)?;
        }
        // In a reference, a name without any of these would be a part of the path.
        let is_host = host.contains(['.', ':']) || host == "localhost";
        Ok(Upstream {
            prefix: String::new(),
            host: match is_host {
                true => host.to_owned(),
                false => format!("{host}:{port}"),
            },
            path: path.to_owned(),
            ttl: Duration::from_secs(600),
            login: None,
            ca: None,
            insecure,
        })
    }

    /// Whether the repository is this registry's.
    pub fn covers(&self, name: &RepositoryName) -> bool {
        self.reference(name).is_some()
    }

    /// What it calls a repository of ours; `None`: it has none.
    fn reference(&self, name: &RepositoryName) -> Option<Reference> {
        if !is_below(&self.prefix, name.as_str()) {
            return None;
        }
        let rest = &name.as_str()[self.prefix.len()..];
        let rest = rest.trim_start_matches('/');
        let parts = [&self.host[..], &self.path, rest];
        let filled = parts.iter().filter(|part| !part.is_empty()).copied();
        let whole: Vec<&str> = filled.collect();
        (!rest.is_empty())
            .then(|| Reference::parse(&whole.join("/")).ok())
            .flatten()
    }
}

/// What upstream says of a manifest.
pub(super) enum Known {
    /// It is what is here.
    Same,
    /// It is this.
    New(Fetched),
}

/// Another registry that is asked.
pub(super) struct Source {
    upstream: Upstream,
    config: Config,
    client: Mutex<(Client, u32)>,
    away_until: Mutex<Option<Instant>>,
}

impl Source {
    /// It is reached as `base` says, but for what is set for it.
    pub(super) fn new(upstream: &Upstream, base: &Config) -> Result<Source, Error> {
        let mut config = base.clone();
        let known = config.registries.get(&upstream.host);
        config.registries = config.registries.with(Registry {
            host: upstream.host.clone(),
            insecure: Some(upstream.insecure),
            ca: upstream.ca.clone().or(known.ca.clone()),
            ..known
        });
        if let Some((username, file)) = &upstream.login {
            let text = read_text(file, "the password for upstream", MAX_PASSWORD_BYTES)?;
            let login = Login::Basic {
                username: username.clone(),
                password: Secret::new(text.trim_end_matches(['\r', '\n'])),
            };
            config.credentials = config.credentials.with(&upstream.host, login);
        }
        // Somebody waits for us in turn.
        config.patience = Patience {
            connect: Duration::from_secs(5).min(base.patience.connect),
            progress: Duration::from_secs(20).min(base.patience.progress),
            attempts: base.patience.attempts.min(3),
            longest_wait: Duration::from_secs(5).min(base.patience.longest_wait),
            ..base.patience
        };
        Ok(Source {
            upstream: upstream.clone(),
            client: Mutex::new((Client::new(config.clone()), 0)),
            config,
            away_until: Mutex::new(None),
        })
    }

    pub(super) fn has(&self, name: &RepositoryName) -> bool {
        self.upstream.covers(name)
    }

    pub(super) fn prefix_length(&self) -> usize {
        self.upstream.prefix.len()
    }

    pub(super) fn ttl(&self) -> Duration {
        self.upstream.ttl
    }

    /// Whether it was away a moment ago.
    pub(super) fn is_away(&self) -> bool {
        lock(&self.away_until).is_some_and(|until| Instant::now() < until)
    }

    /// What it has as `selector`, if that is not `here`.
    pub(super) async fn manifest(
        &self,
        name: &RepositoryName,
        selector: &Selector,
        here: Option<Digest>,
    ) -> Result<Known, Failure> {
        let unknown = Failure::no_manifest;
        let base = self.upstream.reference(name).ok_or_else(unknown)?;
        let reference = match selector {
            Selector::Digest(digest) => base.with_digest(digest.clone()),
            Selector::Tag(tag) => base.with_tag(tag.as_str()).map_err(|_| unknown())?,
        };
        let client = self.client();
        if here.is_some() {
            let now = client.resolve(&reference).await;
            if Some(self.heard(now, unknown)?.digest) == here {
                return Ok(Known::Same);
            }
        }
        let fetched = client.fetch_manifest(&reference).await;
        self.heard(fetched, unknown).map(Known::New)
    }

    pub(super) async fn blob_size(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<u64, Failure> {
        let reference = self.reference(name)?;
        let size = self.client().blob_size(&reference, digest).await;
        self.heard(size, Failure::no_blob)
    }

    /// A blob on its way; what became of each step is for [`Source::heard`].
    pub(super) fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> Result<BlobStream, Failure> {
        let descriptor = Descriptor::new("application/octet-stream", digest.clone(), size);
        let reference = self.reference(name)?;
        Ok(self.client().fetch_blob(&reference, &descriptor, 0))
    }

    /// A mirror that sent a part of a wrong blob is asked no more.
    pub(super) fn blame(&self, name: &RepositoryName, digest: &Digest) {
        if let Ok(reference) = self.reference(name) {
            let _ = self.client().blame(&reference, digest);
        }
    }

    /// What a client of ours is told about an answer, or about none. Takes note whether it is away.
    pub(super) fn heard<T>(
        &self,
        answer: Result<T, berth_registry::Error>,
        unknown: impl FnOnce() -> Failure,
    ) -> Result<T, Failure> {
        let error = match answer {
            Ok(good) => {
                *lock(&self.away_until) = None;
                return Ok(good);
            }
            Err(error) => error,
        };
        let mut failure = match error.kind() {
            // Some registries deny what they have not.
            ErrorKind::NotFound | ErrorKind::Denied => unknown(),
            ErrorKind::Corrupt => {
                let message = "the upstream registry sends something else than it should";
                Failure::new(Code::Unavailable, message)
            }
            _ => {
                *lock(&self.away_until) = Some(Instant::now() + AWAY);
                Failure::new(Code::Unavailable, "the upstream registry does not answer")
            }
        };
        failure.cause = Some(Box::new(error));
        Err(failure)
    }

    fn reference(&self, name: &RepositoryName) -> Result<Reference, Failure> {
        self.upstream.reference(name).ok_or_else(Failure::no_blob)
    }

    fn client(&self) -> Client {
        let mut client = lock(&self.client);
        client.1 += 1;
        if client.1 > REQUESTS_PER_CLIENT {
            *client = (Client::new(self.config.clone()), 1);
        }
        client.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_other_names_upstream() {
        let named = |prefix: &str, url: &str, name: &str| {
            let upstream = Upstream {
                prefix: prefix.into(),
                ..Upstream::parse(url).unwrap()
            };
            let name = RepositoryName::parse(name).unwrap();
            upstream.reference(&name).map(|reference| reference.name())
        };
        for (prefix, url, name, want) in [
            ("", "https://r.example", "a/b", Some("r.example/a/b")),
            (
                "",
                "https://r.example:5000/x/y/",
                "a",
                Some("r.example:5000/x/y/a"),
            ),
            ("hub", "https://r.example", "hub/a/b", Some("r.example/a/b")),
            ("hub", "https://r.example", "hub", None),
            ("hub", "https://r.example", "hubs/a", None),
            ("", "https://registry", "a", Some("registry:443/a")),
            ("", "http://registry", "a", Some("registry:80/a")),
            ("", "http://localhost", "a", Some("localhost/a")),
        ] {
            assert_eq!(
                named(prefix, url, name).as_deref(),
                want,
                "{prefix} {url} {name}"
            );
        }
    }
}
