//! Where an answer sends us, and whether we go (security: G1): HTTPS does not become HTTP, and nobody leads us
//! nearer than they are themselves (see `reach`), names included: those are checked when they are resolved, so
//! they cannot change in between.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode, Url};

use crate::Error;
use crate::error::printable;
use crate::reach::{self, Reach};
use crate::transport::{Request, shown};

const TOO_NEAR: &str = "it leads into a network that the registry is not in";

/// Where the answer redirects `request`, whose last URL was `from`; `None`: nowhere.
pub(crate) fn redirect(
    from: &Url,
    response: &Response,
    request: &Request<'_>,
) -> Result<Option<Url>, Error> {
    let same_request = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let location = location(response).unwrap_or_default();
    if request.form.is_some() {
        return Err(refused(from, &location, "secrets are not posted twice"));
    }
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    if !reads && !same_request {
        let reason = "what is written would become a request to read";
        return Err(refused(from, &location, reason));
    }
    target(from, &location, request.insecure).map(Some)
}

/// The value of `Location`.
pub(crate) fn location(response: &Response) -> Option<String> {
    let value = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// What `location` means, said by the server of `from`.
pub(crate) fn target(from: &Url, location: &str, insecure: bool) -> Result<Url, Error> {
    let bad = |reason| refused(from, location, reason);
    let next = from.join(location).map_err(|_| bad("it is not a URL"))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") if insecure => {}
        ("https", "http") => return Err(bad("it leads from HTTPS to HTTP")),
        _ => return Err(bad("it is neither HTTPS nor HTTP")),
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err(bad("it holds a name or a password"));
    }
    Ok(next)
}

/// Refuses addresses, and names that are always local; other names are checked when resolved.
pub(crate) fn check_target(from: &Url, to: &Url, led_by: Reach) -> Result<(), Error> {
    let host = to.host_str().unwrap_or_default();
    let local = reach::is_loopback(host).then_some(Reach::Loopback);
    match reach::literal(host).map(Reach::of).or(local) {
        Some(target) if !led_by.may_lead_to(target) => Err(refused(from, to.as_str(), TOO_NEAR)),
        _ => Ok(()),
    }
}

pub(crate) fn refused(from: &Url, to: &str, reason: &'static str) -> Error {
    Error::RefusedRedirect {
        from: shown(from),
        to: Url::parse(to).map_or_else(|_| printable(to), |url| shown(&url)),
        reason,
    }
}

/// Resolves names, but not into networks that the one who named them is not in.
pub(crate) struct Guard {
    pub(crate) led_by: Reach,
}

#[derive(Debug, thiserror::Error)]
#[error("{TOO_NEAR}")]
struct TooNear;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let led_by = self.led_by;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            // One bad address spoils them all: who mixes them is up to something.
            if found.iter().any(|a| !led_by.may_lead_to(Reach::of(a.ip()))) {
                return Err(TooNear.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why [`Guard`] refused, if it did.
pub(crate) fn refusal_in(error: &reqwest::Error) -> Option<&'static str> {
    crate::error::causes(error)
        .contains(TOO_NEAR)
        .then_some(TOO_NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(led_by: Reach) -> Result<usize, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let name = "localhost".parse().unwrap();
        let found = runtime.block_on(Guard { led_by }.resolve(name));
        found.map(Iterator::count).map_err(|e| e.to_string())
    }

    /// G1: names are checked when they are resolved.
    #[test]
    fn names_do_not_lead_nearer() {
        assert!(resolve(Reach::Loopback).unwrap() > 0);
        assert_eq!(resolve(Reach::Public).unwrap_err(), TOO_NEAR);
        assert_eq!(resolve(Reach::Private).unwrap_err(), TOO_NEAR);
    }

    #[test]
    fn addresses_do_not_lead_nearer() {
        let url = |text: &str| Url::parse(text).unwrap();
        let from = url("https://r.example/");
        for (to, from_public, from_private) in [
            ("https://storage.example/", true, true),
            ("https://10.0.0.1/", false, true),
            ("https://[::ffff:7f00:1]/", false, false),
            ("https://localhost/", false, false),
            ("https://2852039166/", false, false),
        ] {
            let may = |reach| check_target(&from, &url(to), reach).is_ok();
            assert_eq!(may(Reach::Public), from_public, "{to}");
            assert_eq!(may(Reach::Private), from_private, "{to}");
        }
    }
}
