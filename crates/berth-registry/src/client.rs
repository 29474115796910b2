//! The client: requests to a repository, with mirrors, logins and second attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_oci::header::challenge::{self, Challenge};
use berth_oci::{Digest, Reference};
use reqwest::header::{HeaderName, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::content::Content;
use crate::credentials::{Login, Server};
use crate::endpoint::{self, Endpoint};
use crate::error::printable;
use crate::limits::Ranges;
use crate::origin::{Authorization, Origin};
use crate::reach::Reach;
use crate::registries::Registries;
use crate::token::{Access, Asker};
use crate::transport::{Answer, Request, Transport, retry_after, shown};
use crate::{Error, blob};

/// A client of registries. Clones share connections and tokens.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    transport: Transport,
    /// By domain and path of a reference.
    endpoints: Mutex<HashMap<String, Arc<[Endpoint]>>>,
    /// By the origin, repository and access that they are for.
    authorizations: Mutex<HashMap<(Origin, String, Access), Authorization>>,
    /// By registry, of those that asked.
    logins: Mutex<HashMap<String, Known>>,
    passed_over: Mutex<Vec<PassedOver>>,
    range_room: Arc<Semaphore>,
}

/// What is known of our login for a registry.
#[derive(Clone, Default)]
struct Known {
    login: Option<Login>,
    /// Why it cannot be read.
    failure: Option<Arc<Error>>,
}

/// A mirror that was not believed: another one was asked, or the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its host, and port.
    pub mirror: String,
    /// What it did.
    pub reason: String,
}

/// What is asked of a repository.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) place: Place<'a>,
    pub(crate) accept: &'a str,
    /// Leave out this many bytes,
    pub(crate) from: u64,
    /// and those from here on.
    pub(crate) until: Option<u64>,
    pub(crate) content: Content,
    pub(crate) headers: &'a [(HeaderName, String)],
    pub(crate) access: Access,
    /// For messages.
    pub(crate) name: &'a str,
}

/// Where something of a repository is.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// `manifests/latest`, `blobs/sha256:…`
    Of(&'a str),
    /// The same with a query.
    With(&'a str, &'a [(&'a str, &'a str)]),
    /// Where the registry sent us.
    At(&'a Led),
}

/// A URL that a registry named.
#[derive(Debug, Clone)]
pub(crate) struct Led {
    pub(crate) url: Url,
    /// Of who named it.
    pub(crate) by: Reach,
}

impl<'a> Ask<'a> {
    /// `GET rest`.
    pub(crate) fn get(rest: &'a str, name: &'a str) -> Ask<'a> {
        Ask {
            method: Method::GET,
            place: Place::Of(rest),
            accept: "*/*",
            from: 0,
            until: None,
            content: Content::None,
            headers: &[],
            access: Access::Pull,
            name,
        }
    }
}

impl Client {
    /// A client that has not connected to anything yet.
    pub fn new(config: Config) -> Client {
        Client(Arc::new(Inner {
            transport: Transport::new(&config),
            config,
            endpoints: Mutex::default(),
            authorizations: Mutex::default(),
            logins: Mutex::default(),
            passed_over: Mutex::default(),
            range_room: blob::room(),
        }))
    }

    /// Where the repository of `reference` is to be asked for.
    pub(crate) fn endpoints(&self, reference: &Reference) -> Result<Arc<[Endpoint]>, Error> {
        let mut known = lock(&self.0.endpoints);
        if let Some(found) = known.get(&reference.name()) {
            return Ok(found.clone());
        }
        let found: Arc<[Endpoint]> = endpoint::of(reference, &self.0.config.registries)?.into();
        known.insert(reference.name(), found.clone());
        Ok(found)
    }

    pub(crate) fn registries(&self) -> &Registries {
        &self.0.config.registries
    }

    /// The mirrors that were passed over since this was asked last.
    pub fn passed_over(&self) -> Vec<PassedOver> {
        std::mem::take(&mut *lock(&self.0.passed_over))
    }

    /// Takes note that `endpoint`, if it is a mirror, did what `error` says; the next one is asked.
    pub(crate) fn pass_over(&self, endpoint: &Endpoint, error: &Error) {
        // Once is enough.
        if endpoint.mirror && endpoint.is_trusted() && error.is_bad_answer() {
            lock(&self.0.passed_over).push(PassedOver {
                mirror: endpoint.host.clone(),
                reason: error.to_string(),
            });
        }
    }

    /// To be called when the bytes of a whole blob were not what its digest says: the mirrors that sent some of
    /// them are asked no more. True: there were such, so it is worth fetching the blob again.
    ///
    /// # Errors
    /// The reference's registry is blocked and has no mirror.
    pub fn blame(&self, reference: &Reference, digest: &Digest) -> Result<bool, Error> {
        let endpoints = self.endpoints(reference)?;
        let mut found = false;
        for endpoint in endpoints.iter().filter(|e| e.forget_sent(digest)) {
            found = true;
            if endpoint.is_trusted() {
                lock(&self.0.passed_over).push(PassedOver {
                    mirror: endpoint.host.clone(),
                    reason: format!("blob {digest} is not what its digest says"),
                });
            }
            endpoint.distrust();
        }
        Ok(found && endpoints.iter().any(Endpoint::is_trusted))
    }

    pub(crate) fn ranges(&self) -> &Ranges {
        &self.0.config.ranges
    }

    /// For ranges that are fetched before their turn.
    pub(crate) fn range_room(&self) -> Arc<Semaphore> {
        self.0.range_room.clone()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Asks one endpoint after the other, each as often as patience allows, for a good answer; gives the error
    /// of the last one, which is the registry itself unless it is blocked.
    pub(crate) async fn ask(&self, reference: &Reference, ask: &Ask<'_>) -> Result<Answer, Error> {
        let endpoints = self.endpoints(reference)?;
        let mut last = None;
        for endpoint in endpoint::trusted(&endpoints) {
            match self.ask_patiently(endpoint, ask).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: reference.domain().to_owned(),
        }))
    }

    /// Asks the registry itself, for what no mirror may answer; as often as patience allows.
    pub(crate) async fn ask_registry(
        &self,
        reference: &Reference,
        ask: &Ask<'_>,
    ) -> Result<Answer, Error> {
        let endpoints = self.endpoints(reference)?;
        let endpoint = endpoint::registry(&endpoints, reference)?;
        self.ask_patiently(endpoint, ask).await
    }

    pub(crate) async fn ask_patiently(
        &self,
        endpoint: &Endpoint,
        ask: &Ask<'_>,
    ) -> Result<Answer, Error> {
        let patience = self.transport().patience();
        let mut attempt = 1;
        loop {
            let error = match self.ask_once(endpoint, ask).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // A server that is not there is reported at once; one that is busy is asked again.
            let hopeless = matches!(error, Error::Connect { .. } | Error::Silent { .. });
            if hopeless || !error.is_passing() || attempt >= patience.attempts {
                return Err(error);
            }
            tokio::time::sleep(patience.wait_after(attempt, wait_asked(&error))).await;
            attempt += 1;
        }
    }

    /// Asks one endpoint once; an answer that is not a success is an error.
    pub(crate) async fn ask_once(
        &self,
        endpoint: &Endpoint,
        ask: &Ask<'_>,
    ) -> Result<Answer, Error> {
        if let Place::At(led) = ask.place {
            let answer = self.ask_url(endpoint, &led.url, Some(led.by), ask).await?;
            return self.check(endpoint, ask, answer).await;
        }
        let mut last = None;
        for base in endpoint.bases() {
            let url = match ask.place {
                Place::Of(rest) => endpoint.url(&base, rest, &[]),
                Place::With(rest, query) => endpoint.url(&base, rest, query),
                Place::At(led) => led.url.clone(),
            };
            match self.ask_url(endpoint, &url, None, ask).await {
                // Security G2: a second base exists only for insecure registries.
                Err(error @ Error::Connect { .. }) => last = Some(error),
                Err(error) => return Err(error),
                Ok(answer) => {
                    endpoint.found(&base);
                    return self.check(endpoint, ask, answer).await;
                }
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: endpoint.host.clone(),
        }))
    }

    async fn check(
        &self,
        endpoint: &Endpoint,
        ask: &Ask<'_>,
        answer: Answer,
    ) -> Result<Answer, Error> {
        if answer.response.status().is_success() {
            return Ok(answer);
        }
        let host = &endpoint.host;
        let known = lock(&self.0.logins).get(host).cloned().unwrap_or_default();
        let with_login = known.login.is_some();
        Err(known.explain(refusal(self.transport(), answer, host, ask.name, with_login).await))
    }

    async fn ask_url(
        &self,
        endpoint: &Endpoint,
        url: &Url,
        led_by: Option<Reach>,
        ask: &Ask<'_>,
    ) -> Result<Answer, Error> {
        let origin = Origin::of(url);
        // Security G1: where it sends us may be elsewhere, and that is not the registry's origin.
        let home = led_by.is_none() || endpoint.bases().iter().any(|b| Origin::of(b) == origin);
        let key = origin
            .clone()
            .filter(|_| home)
            .map(|origin| (origin, endpoint.repository.clone(), ask.access.clone()));
        let mut authorization = key
            .as_ref()
            .and_then(|key| lock(&self.0.authorizations).get(key).cloned());
        let mut may_authenticate = home;
        loop {
            let request = Request {
                method: ask.method.clone(),
                accept: ask.accept,
                from: ask.from,
                until: ask.until,
                content: ask.content.clone(),
                headers: ask.headers,
                authorization: authorization.as_ref(),
                led_by: led_by.filter(|_| !home),
                insecure: endpoint.insecure,
                ..Request::get(url.clone())
            };
            let answer = self.transport().send(&request).await?;
            // A challenge by somebody whom we were redirected to is not the registry's.
            let own = Origin::of(&answer.url) == origin;
            let asked = answer.response.status() == StatusCode::UNAUTHORIZED && own;
            if !asked || !may_authenticate {
                return Ok(answer);
            }
            may_authenticate = false;
            let Some(challenge) = self.challenge(endpoint, &answer)? else {
                return Ok(answer);
            };
            let fresh = self
                .authenticate(endpoint, &answer, &challenge, &ask.access)
                .await?;
            if let Some(key) = &key {
                lock(&self.0.authorizations).insert(key.clone(), fresh.clone());
            }
            authorization = Some(fresh);
        }
    }

    pub(crate) fn challenge(
        &self,
        endpoint: &Endpoint,
        answer: &Answer,
    ) -> Result<Option<Challenge>, Error> {
        let headers = answer.response.headers().get_all(WWW_AUTHENTICATE);
        let texts: Vec<&str> = headers.iter().filter_map(|v| v.to_str().ok()).collect();
        match challenge::choose(texts.iter().copied()) {
            None if !texts.is_empty() => Err(Error::UnknownChallenge {
                registry: endpoint.host.clone(),
                challenge: printable(texts[0]),
            }),
            found => Ok(found),
        }
    }

    async fn authenticate(
        &self,
        endpoint: &Endpoint,
        answer: &Answer,
        challenge: &Challenge,
        access: &Access,
    ) -> Result<Authorization, Error> {
        let settings = self.0.config.registries.get(&endpoint.host);
        let known = self.login(&endpoint.host).await;
        let asker = Asker {
            endpoint,
            url: &answer.url,
            reach: answer.reach,
            login: known.login.as_ref(),
            token_hosts: &settings.token_hosts,
            access,
        };
        let answered = asker.answer(challenge, self.transport()).await;
        answered.map_err(|error| known.explain(error))
    }
}

impl Client {
    /// Our login for a registry that asks: sought once. One that cannot be read is as none, until we are refused.
    async fn login(&self, host: &str) -> Known {
        if let Some(known) = lock(&self.0.logins).get(host) {
            return known.clone();
        }
        let (credentials, server) = (self.0.config.credentials.clone(), Server::named(host));
        // A helper is waited for, but not by the other requests.
        let found = tokio::task::spawn_blocking(move || credentials.find(&server)).await;
        let known = match found {
            Ok(Ok(login)) => Known {
                login,
                failure: None,
            },
            Ok(Err(error)) => Known {
                login: None,
                failure: Some(Arc::new(error)),
            },
            // It panicked, or the program ends.
            Err(_) => Known::default(),
        };
        lock(&self.0.logins).insert(host.to_owned(), known.clone());
        known
    }
}

impl Known {
    /// If we are refused because a login could not be read, that is what has to be told.
    fn explain(&self, error: Error) -> Error {
        match (error, self.failure.clone()) {
            (Error::Denied { registry, .. }, Some(source)) => Error::NoLogin { registry, source },
            (error, _) => error,
        }
    }
}

/// The error that an answer with a bad status is.
pub(crate) async fn refusal(
    transport: &Transport,
    answer: Answer,
    host: &str,
    name: &str,
    with_credentials: bool,
) -> Error {
    let status = answer.response.status();
    let wait = retry_after(&answer.response);
    let url = shown(&answer.url);
    let message = transport.message(answer).await;
    let registry = host.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Denied {
            registry,
            message,
            with_credentials,
        },
        StatusCode::NOT_FOUND => Error::NotFound {
            reference: name.to_owned(),
            message,
        },
        StatusCode::TOO_MANY_REQUESTS => Error::RateLimited {
            registry,
            message,
            wait,
        },
        status => Error::Status {
            url,
            status: status.as_u16(),
            message,
            wait,
        },
    }
}

/// How long the registry asked us to wait.
pub(crate) fn wait_asked(error: &Error) -> Option<Duration> {
    match error {
        Error::Status { wait, .. } | Error::RateLimited { wait, .. } => *wait,
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The maps are whole at every moment, so a panic elsewhere does not spoil them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
