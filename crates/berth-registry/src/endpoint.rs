//! Where the repository of a reference is to be asked for: mirrors first, then the registry itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use berth_oci::{Digest, Reference};
use reqwest::Url;

use crate::Error;
use crate::registries::Registries;

/// What Docker Hub is called in references.
pub(crate) const HUB_NAME: &str = "docker.io";
/// Docker Hub's registry.
pub(crate) const HUB: &str = "registry-1.docker.io";

/// One registry or mirror, for one repository.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The name as in references and in the registries file.
    pub(crate) host: String,
    /// The repository, as this registry calls it.
    pub(crate) repository: String,
    /// Certificates are not checked, and HTTP is taken.
    pub(crate) insecure: bool,
    /// It is asked in place of the registry.
    pub(crate) mirror: bool,
    /// It has lied: asked no more.
    distrusted: AtomicBool,
    /// It has shown that several ranges at once are too much for it.
    one_at_a_time: AtomicBool,
    /// Blobs that it sent bytes of.
    sent: Mutex<HashSet<Digest>>,
    /// `https://host`, `http://host`, or both.
    bases: Vec<Url>,
    /// Which of `bases` answered.
    answered: Mutex<Option<Url>>,
}

impl Endpoint {
    /// The bases to try, in order: only the one that answered, once one did.
    pub(crate) fn bases(&self) -> Vec<Url> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        match &*answered {
            Some(base) => vec![base.clone()],
            None => self.bases.clone(),
        }
    }

    /// Remembers that `base` answered.
    pub(crate) fn found(&self, base: &Url) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.is_none() {
            *answered = Some(base.clone());
        }
    }

    /// `base/v2/`: what every registry has.
    pub(crate) fn root(base: &Url) -> Url {
        let mut url = base.clone();
        url.set_path("/v2/");
        url
    }

    /// Remembers that it sent bytes of this blob.
    pub(crate) fn has_sent(&self, digest: &Digest) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(digest.clone());
    }

    /// Whether it is a mirror that sent bytes of this blob, which are no longer there.
    pub(crate) fn forget_sent(&self, digest: &Digest) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.remove(digest) && self.mirror
    }

    /// Asks it no more, if it is a mirror. True: it is one.
    pub(crate) fn distrust(&self) -> bool {
        self.distrusted.store(self.mirror, Ordering::Relaxed);
        self.mirror
    }

    pub(crate) fn is_trusted(&self) -> bool {
        !self.distrusted.load(Ordering::Relaxed)
    }

    /// Asks it for no more ranges besides what is being read.
    pub(crate) fn forgo_ranges(&self) {
        self.one_at_a_time.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_ranges(&self) -> bool {
        !self.one_at_a_time.load(Ordering::Relaxed)
    }

    /// `base/v2/repository/rest?query`.
    pub(crate) fn url(&self, base: &Url, rest: &str, query: &[(&str, &str)]) -> Url {
        let mut url = base.clone();
        // The parts were checked when they were parsed: none of them can leave the path.
        url.set_path(&format!("/v2/{}/{rest}", self.repository));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Those that have not lied; all, if all have.
pub(crate) fn trusted(endpoints: &[Endpoint]) -> impl Iterator<Item = &Endpoint> {
    let none = !endpoints.iter().any(Endpoint::is_trusted);
    endpoints
        .iter()
        .filter(move |endpoint| none || endpoint.is_trusted())
}

/// The registry itself among the endpoints of `reference`: mirrors are never written to.
pub(crate) fn registry<'a>(
    endpoints: &'a [Endpoint],
    reference: &Reference,
) -> Result<&'a Endpoint, Error> {
    // It comes last; a mirror of the same name is one all the same.
    let last = endpoints.last().filter(|endpoint| !endpoint.mirror);
    last.ok_or_else(|| Error::Blocked {
        registry: reference.domain().to_owned(),
    })
}

/// Where to ask for the repository of `reference`, in order.
pub(crate) fn of(reference: &Reference, registries: &Registries) -> Result<Vec<Endpoint>, Error> {
    let domain = reference.domain();
    let mut found = Vec::new();
    for mirror in registries.mirrors(domain)? {
        if registries.get(&mirror.host).blocked {
            continue;
        }
        let repository = match &mirror.prefix {
            Some(prefix) => format!("{prefix}/{}", reference.path()),
            None => reference.path().to_owned(),
        };
        let schemes: &[&str] = if mirror.plain_http {
            &["http"]
        } else {
            &["https", "http"]
        };
        let mut mirror = endpoint(&mirror.host, repository, schemes, registries)?;
        mirror.mirror = true;
        found.push(mirror);
    }
    if !registries.get(domain).blocked {
        let repository = reference.path().to_owned();
        found.push(endpoint(
            domain,
            repository,
            &["https", "http"],
            registries,
        )?);
    }
    if found.is_empty() {
        return Err(Error::Blocked {
            registry: domain.to_owned(),
        });
    }
    Ok(found)
}

/// The registry itself, for what is not about a repository.
pub(crate) fn of_host(host: &str, registries: &Registries) -> Result<Endpoint, Error> {
    match registries.get(host).blocked {
        true => Err(Error::Blocked {
            registry: host.to_owned(),
        }),
        false => endpoint(host, String::new(), &["https", "http"], registries),
    }
}

fn endpoint(
    host: &str,
    repository: String,
    schemes: &[&str],
    registries: &Registries,
) -> Result<Endpoint, Error> {
    let insecure = registries.is_insecure(host);
    let server = if host == HUB_NAME { HUB } else { host };
    let usable = |scheme: &&&str| **scheme == "https" || insecure || schemes.len() == 1;
    let bases = schemes.iter().filter(usable).map(|scheme| {
        Url::parse(&format!("{scheme}://{server}")).map_err(|_| Error::InvalidSetting {
            what: "registry",
            value: host.to_owned(),
            reason: "it cannot stand in a URL",
        })
    });
    Ok(Endpoint {
        host: host.to_owned(),
        repository,
        insecure,
        mirror: false,
        distrusted: AtomicBool::new(false),
        one_at_a_time: AtomicBool::new(false),
        sent: Mutex::default(),
        bases: bases.collect::<Result<_, _>>()?,
        answered: Mutex::new(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(reference: &str, file: &str) -> Vec<String> {
        let reference = Reference::parse(reference).unwrap();
        let found = of(&reference, &Registries::parse(file).unwrap()).unwrap();
        let urls = found.iter().flat_map(|e| {
            let all: Vec<_> = e
                .bases()
                .iter()
                .map(|b| e.url(b, "x", &[]).to_string())
                .collect();
            all
        });
        urls.collect()
    }

    #[test]
    fn mirrors_come_first_and_plain_http_only_where_allowed() {
        assert_eq!(
            urls("busybox", ""),
            ["https://registry-1.docker.io/v2/library/busybox/x"]
        );
        assert_eq!(
            urls("localhost:5000/a", ""),
            [
                "https://localhost:5000/v2/a/x",
                "http://localhost:5000/v2/a/x"
            ]
        );
        let file = r#"
            [[registry]]
            host = "docker.io"
            mirrors = ["m.example/hub", "http://n.example:5000", "gone.example"]
            blocked = true
            [[registry]]
            host = "gone.example"
            blocked = true"#;
        assert_eq!(
            urls("busybox", file),
            [
                "https://m.example/v2/hub/library/busybox/x",
                "http://n.example:5000/v2/library/busybox/x"
            ]
        );
    }

    #[test]
    fn blocked_without_a_mirror_is_an_error() {
        let file = Registries::parse("[[registry]]\nhost = \"*\"\nblocked = true").unwrap();
        let error = of(&Reference::parse("busybox").unwrap(), &file).unwrap_err();
        assert!(matches!(error, Error::Blocked { .. }));
    }
}
