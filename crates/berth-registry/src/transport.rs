//! One request and its answer: TLS, proxies, redirects, limits. Knows nothing of registries' protocol.
//!
//! Redirects are followed here, one by one, never by the HTTP library (security: G1): a secret stays with its
//! origin, HTTPS does not become HTTP, and nobody leads us nearer than they are themselves (see `reach`), names
//! included: they are checked when they are resolved, so they cannot change in between.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RANGE,
    RETRY_AFTER,
};
use reqwest::{Certificate, Method, Response, StatusCode, Url};

use crate::error::printable;
use crate::limits::{self, Patience};
use crate::origin::Authorization;
use crate::proxies::Proxies;
use crate::reach::{self, Reach};
use crate::registries::Registries;
use crate::{Config, Error};

/// What is asked.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The value of `Accept`.
    pub(crate) accept: &'a str,
    /// Leave out this many bytes of the body.
    pub(crate) from: u64,
    /// A form to post.
    pub(crate) form: Option<String>,
    pub(crate) authorization: Option<&'a Authorization>,
    /// Who sent us here, if it is not where the user pointed.
    pub(crate) led_by: Option<Reach>,
    /// Redirects to plain HTTP are followed.
    pub(crate) insecure: bool,
}

impl Request<'_> {
    /// `GET url` of where the user pointed.
    pub(crate) fn get(url: Url) -> Self {
        Request {
            method: Method::GET,
            url,
            accept: "*/*",
            from: 0,
            form: None,
            authorization: None,
            led_by: None,
            insecure: false,
        }
    }
}

/// What came back; the body is still to be read.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Where it came from in the end.
    pub(crate) url: Url,
    /// The farthest of those who had a say.
    pub(crate) reach: Reach,
}

/// The HTTP clients, made when needed.
pub(crate) struct Transport {
    registries: Registries,
    proxies: Proxies,
    patience: Patience,
    user_agent: String,
    clients: Mutex<Vec<(Key, reqwest::Client)>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    trust: Trust,
    led_by: Option<Reach>,
}

/// Whose certificates are good.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trust {
    /// Nobody's: for plain HTTP.
    Nobody,
    /// Anybody's: insecure.
    Anybody,
    /// Those that this file's authorities signed.
    File(PathBuf),
    /// Those that the system trusts.
    System,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Transport {
        Transport {
            registries: config.registries.clone(),
            proxies: config.proxies.clone(),
            patience: config.patience.clone(),
            user_agent: config.user_agent.clone(),
            clients: Mutex::default(),
        }
    }

    /// Sends `request` and follows where it leads, until the header of an answer is there.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let mut url = request.url.clone();
        let mut led_by = request.led_by;
        if let Some(reach) = led_by {
            check_target(&request.url, &url, reach)?;
        }
        for _ in 0..=limits::MAX_REDIRECTS {
            let response = self.send_once(request, &url, led_by).await?;
            let reach = self
                .reach(&url, &response)
                .max(led_by.unwrap_or(Reach::LinkLocal));
            let Some(next) = redirect(&url, &response, request)? else {
                return Ok(Answer {
                    response,
                    url,
                    reach,
                });
            };
            check_target(&url, &next, reach)?;
            led_by = Some(reach);
            url = next;
        }
        Err(refused(
            &request.url,
            url.as_str(),
            "there were too many before it",
        ))
    }

    async fn send_once(
        &self,
        request: &Request<'_>,
        url: &Url,
        led_by: Option<Reach>,
    ) -> Result<Response, Error> {
        // The name of a proxied host is resolved by the proxy; only addresses can be checked then.
        let led_by = led_by.filter(|_| self.proxies.for_url(url).is_none());
        let client = self.client(Key {
            trust: self.trust(url),
            led_by,
        })?;
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .header(ACCEPT, request.accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some(value) = request.authorization.and_then(|a| a.for_url(url)) {
            builder = builder.header(AUTHORIZATION, value);
        }
        if request.from > 0 {
            builder = builder.header(RANGE, format!("bytes={}-", request.from));
        }
        if let Some(form) = &request.form {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
        }
        match tokio::time::timeout(self.patience.progress, builder.send()).await {
            Err(_) => Err(self.silent(url)),
            Ok(Err(source)) => Err(failed(url, source)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// Reads the whole body, at most `limit` bytes.
    pub(crate) async fn body(
        &self,
        answer: Answer,
        what: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let Answer {
            mut response, url, ..
        } = answer;
        check_encoding(&url, &response)?;
        let too_large = || Error::TooLarge {
            what,
            url: shown(&url),
            limit,
        };
        if response.content_length().is_some_and(|n| n > limit) {
            return Err(too_large());
        }
        let reading = async {
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| failed(&url, e))? {
                if (bytes.len() + chunk.len()) as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        match tokio::time::timeout(self.patience.progress, reading).await {
            Ok(result) => result,
            Err(_) => Err(self.silent(&url)),
        }
    }

    /// The next bytes of the body, before `deadline`.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
        deadline: tokio::time::Instant,
    ) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(source)) => Err(failed(response.url(), source)),
            Err(_) => Err(self.silent(response.url())),
        }
    }

    /// The text of an error that a registry sends as JSON, if there is one.
    pub(crate) async fn message(&self, answer: Answer) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<Entry>,
            #[serde(default)]
            details: Option<String>,
        }
        #[derive(serde::Deserialize)]
        struct Entry {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        let bytes = self
            .body(answer, "an error", limits::MAX_ERROR_BYTES)
            .await
            .ok()?;
        let body: Body = berth_oci::image::parse_strict("an error", &bytes).ok()?;
        let first = body.errors.into_iter().next();
        let text = first.map(|e| {
            if e.message.is_empty() {
                e.code
            } else {
                e.message
            }
        });
        text.or(body.details)
            .map(|text| printable(&text))
            .filter(|text| !text.is_empty())
    }

    /// How long to wait and how often to try.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    fn silent(&self, url: &Url) -> Error {
        Error::Silent {
            url: shown(url),
            seconds: self.patience.progress.as_secs(),
        }
    }

    fn trust(&self, url: &Url) -> Trust {
        if url.scheme() != "https" {
            return Trust::Nobody;
        }
        let host = self.entry_name(url);
        if self.registries.is_insecure(&host) {
            return Trust::Anybody;
        }
        match self.registries.get(&host).ca {
            Some(path) => Trust::File(path),
            None => Trust::System,
        }
    }

    /// The name that the entry of this server has in the registries file.
    fn entry_name(&self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        match url.port() {
            Some(port) => format!("{host}:{port}"),
            None if host == crate::endpoint::HUB => crate::endpoint::HUB_NAME.to_owned(),
            None => host.to_owned(),
        }
    }

    fn reach(&self, url: &Url, response: &Response) -> Reach {
        let literal = url.host_str().and_then(reach::literal);
        let proxied = self.proxies.for_url(url).is_some();
        let peer = response.remote_addr().filter(|_| !proxied);
        let address = literal.or(peer.map(|address| address.ip()));
        address.map_or(Reach::Public, Reach::of)
    }

    fn client(&self, key: Key) -> Result<reqwest::Client, Error> {
        // Poisoned: another thread panicked; the list is whole at every moment.
        let mut clients = self.clients.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((_, client)) = clients.iter().find(|(k, _)| *k == key) {
            return Ok(client.clone());
        }
        let client = self.build(&key)?;
        clients.push((key, client.clone()));
        Ok(client)
    }

    fn build(&self, key: &Key) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            .http1_max_headers(limits::MAX_HEADERS)
            .user_agent(&self.user_agent)
            .connect_timeout(self.patience.connect)
            .tcp_nodelay(true)
            .no_proxy();
        if !self.proxies.is_empty() {
            let proxies = self.proxies.clone();
            builder = builder.proxy(reqwest::Proxy::custom(move |url| {
                proxies.for_url(url).cloned()
            }));
        }
        builder = match &key.trust {
            Trust::Nobody => builder.tls_certs_only([]),
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
            Trust::File(path) => builder.tls_certs_only(read_authorities(path)?),
            Trust::System => builder,
        };
        if let Some(led_by) = key.led_by {
            builder = builder.dns_resolver(std::sync::Arc::new(Guard { led_by }));
        }
        builder.build().map_err(|source| Error::Tls { source })
    }
}

/// How a URL is shown: without user, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    printable(url.as_str())
}

/// How long the server asks us to wait.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    berth_oci::header::retry::after(text, now)
}

/// Refuses a body that was packed in another way than it was asked for (security: G13).
pub(crate) fn check_encoding(url: &Url, response: &Response) -> Result<(), Error> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") && !value.is_empty() => {
            Err(Error::Encoded {
                url: shown(url),
                encoding: printable(&String::from_utf8_lossy(value.as_bytes())),
            })
        }
        _ => Ok(()),
    }
}

fn failed(url: &Url, source: reqwest::Error) -> Error {
    let refused = refusal_in(&source);
    let (connect, source) = (source.is_connect(), source.without_url());
    let url_shown = shown(url);
    match (refused, connect) {
        (Some(reason), _) => Error::RefusedRedirect {
            from: "the registry".into(),
            to: url_shown,
            reason,
        },
        (None, true) => Error::Connect {
            url: url_shown,
            source,
        },
        (None, false) => Error::Request {
            url: url_shown,
            source,
        },
    }
}

/// Where the answer sends us; `None`: nowhere.
fn redirect(from: &Url, response: &Response, request: &Request<'_>) -> Result<Option<Url>, Error> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    if !moved {
        return Ok(None);
    }
    let location = response
        .headers()
        .get(LOCATION)
        .map(|v| String::from_utf8_lossy(v.as_bytes()));
    let location = location.unwrap_or_default();
    let bad = |reason| refused(from, &location, reason);
    let next = from.join(&location).map_err(|_| bad("it is not a URL"))?;
    if request.form.is_some() {
        return Err(bad("secrets are not posted twice"));
    }
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") if request.insecure => {}
        ("https", "http") => return Err(bad("it leads from HTTPS to HTTP")),
        _ => return Err(bad("it is neither HTTPS nor HTTP")),
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err(bad("it holds a name or a password"));
    }
    Ok(Some(next))
}

const TOO_NEAR: &str = "it leads into a network that the registry is not in";

/// Refuses addresses, and names that are always local; other names are checked when resolved.
fn check_target(from: &Url, to: &Url, led_by: Reach) -> Result<(), Error> {
    let host = to.host_str().unwrap_or_default();
    let local = reach::is_loopback(host).then_some(Reach::Loopback);
    match reach::literal(host).map(Reach::of).or(local) {
        Some(target) if !led_by.may_lead_to(target) => Err(refused(from, to.as_str(), TOO_NEAR)),
        _ => Ok(()),
    }
}

fn refused(from: &Url, to: &str, reason: &'static str) -> Error {
    Error::RefusedRedirect {
        from: shown(from),
        to: Url::parse(to).map_or_else(|_| printable(to), |url| shown(&url)),
        reason,
    }
}

fn read_authorities(path: &std::path::Path) -> Result<Vec<Certificate>, Error> {
    let pem = std::fs::read(path).map_err(|source| Error::ReadFile {
        what: "the certificate authorities",
        path: path.to_owned(),
        source,
    })?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|source| Error::ParseCa {
        path: path.to_owned(),
        source: Some(source),
    })?;
    match found.is_empty() {
        true => Err(Error::ParseCa {
            path: path.to_owned(),
            source: None,
        }),
        false => Ok(found),
    }
}

/// Resolves names, but not into networks that the one who named them is not in.
struct Guard {
    led_by: Reach,
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

fn refusal_in(error: &reqwest::Error) -> Option<&'static str> {
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

    #[test]
    fn secrets_in_urls_are_not_shown() {
        let url = Url::parse("https://u:p@s.example/a?sig=x#y").unwrap();
        assert_eq!(shown(&url), "https://s.example/a");
    }
}
