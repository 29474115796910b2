//! The HTTP clients, made when needed: one for each set of certificates that is trusted, and one more for hosts
//! that a registry named, which are resolved with care (see `redirect`).

use std::path::PathBuf;
use std::sync::Mutex;

use reqwest::{Response, Url};

use crate::certificates::{of_docker, read_authorities, read_identity};
use crate::limits::{self, Patience};
use crate::proxies::Proxies;
use crate::reach::{self, Reach};
use crate::redirect::Guard;
use crate::registries::Registries;
use crate::{Config, Error};

/// The clients.
pub(crate) struct Clients {
    registries: Registries,
    proxies: Proxies,
    patience: Patience,
    user_agent: String,
    docker_certs: Vec<PathBuf>,
    made: Mutex<Vec<(Key, reqwest::Client)>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    trust: Trust,
    /// Who we are: certificate and key.
    identity: Option<(PathBuf, PathBuf)>,
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
    /// Those that the system trusts, and those that these files' authorities signed.
    System(Vec<PathBuf>),
}

impl Clients {
    pub(crate) fn new(config: &Config) -> Clients {
        Clients {
            registries: config.registries.clone(),
            proxies: config.proxies.clone(),
            patience: config.patience.clone(),
            user_agent: config.user_agent.clone(),
            docker_certs: config.docker_certs.clone(),
            made: Mutex::default(),
        }
    }

    /// The client for `url`, which somebody at `led_by` named, if it is not where the user pointed.
    pub(crate) fn get(&self, url: &Url, led_by: Option<Reach>) -> Result<reqwest::Client, Error> {
        let (trust, identity) = self.certificates(url)?;
        let key = Key {
            trust,
            identity,
            // The name of a proxied host is resolved by the proxy; only addresses can be checked then.
            led_by: led_by.filter(|_| self.proxies.for_url(url).is_none()),
        };
        // Poisoned: another thread panicked; the list is whole at every moment.
        let mut made = self.made.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((_, client)) = made.iter().find(|(k, _)| *k == key) {
            return Ok(client.clone());
        }
        let client = self.build(&key)?;
        made.push((key, client.clone()));
        Ok(client)
    }

    /// How far away who answered is.
    pub(crate) fn reach(&self, url: &Url, response: &Response) -> Reach {
        let literal = url.host_str().and_then(reach::literal);
        let proxied = self.proxies.for_url(url).is_some();
        let peer = response.remote_addr().filter(|_| !proxied);
        let address = literal.or(peer.map(|address| address.ip()));
        address.map_or(Reach::Public, Reach::of)
    }

    /// Whom we trust there, and who we are.
    fn certificates(&self, url: &Url) -> Result<(Trust, Option<(PathBuf, PathBuf)>), Error> {
        if url.scheme() != "https" {
            return Ok((Trust::Nobody, None));
        }
        let host = self.entry_name(url);
        let entry = self.registries.get(&host);
        let dockers = of_docker(&self.docker_certs, &host)?;
        let trust = match entry.ca {
            _ if self.registries.is_insecure(&host) => Trust::Anybody,
            Some(path) => Trust::File(path),
            None => Trust::System(dockers.authorities),
        };
        let own = entry.client_cert.zip(entry.client_key);
        Ok((trust, own.or(dockers.identity)))
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
            Trust::System(more) => {
                let more: Result<Vec<_>, Error> =
                    more.iter().map(|p| read_authorities(p)).collect();
                match more?.concat() {
                    none if none.is_empty() => builder,
                    more => builder.tls_certs_merge(more),
                }
            }
        };
        if let Some((certificate, key)) = &key.identity {
            builder = builder.identity(read_identity(certificate, key)?);
        }
        if let Some(led_by) = key.led_by {
            builder = builder.dns_resolver(std::sync::Arc::new(Guard { led_by }));
        }
        builder.build().map_err(|source| Error::Tls { source })
    }
}
