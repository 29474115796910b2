//! Proving a login to a registry, before it is kept: `GET /v2/`, and what that asks for.
//!
//! Source: distribution specification, "Determining Support"; "Token Authentication" (`offline_token`).

use reqwest::{StatusCode, Url};

use crate::client::{Client, refusal};
use crate::credentials::{Login, Server};
use crate::endpoint::{self, Endpoint};
use crate::origin::{Authorization, Origin};
use crate::token::{Access, Asker};
use crate::transport::{Answer, Request};
use crate::{Error, Secret};

impl Client {
    /// Whether `login` is good for the registry; gives what is to be kept: the identity token that the registry
    /// gave for it, or the login itself. A registry that asks for none takes any.
    ///
    /// # Errors
    /// It is refused; the registry cannot be reached, or is none.
    pub async fn prove(&self, server: &Server, login: Login) -> Result<Login, Error> {
        let endpoint = endpoint::of_host(server.name(), self.registries())?;
        let mut last = None;
        for base in endpoint.bases() {
            match self.prove_at(&endpoint, &base, &login).await {
                // Security G2: a second base exists only for insecure registries.
                Err(error @ Error::Connect { .. }) => last = Some(error),
                Ok(identity) => return Ok(identity.map_or(login, Login::Identity)),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: endpoint.host,
        }))
    }

    async fn prove_at(
        &self,
        endpoint: &Endpoint,
        base: &Url,
        login: &Login,
    ) -> Result<Option<Secret>, Error> {
        let url = Endpoint::root(base);
        let first = self.knock(endpoint, &url, None).await?;
        let own = Origin::of(&first.url) == Origin::of(&url);
        if first.response.status() != StatusCode::UNAUTHORIZED || !own {
            return self.opened(endpoint, first).await.map(|()| None);
        }
        let Some(challenge) = self.challenge(endpoint, &first)? else {
            return self.opened(endpoint, first).await.map(|()| None);
        };
        let settings = self.registries().get(&endpoint.host);
        let asker = Asker {
            endpoint,
            url: &first.url,
            reach: first.reach,
            login: Some(login),
            token_hosts: &settings.token_hosts,
            access: &Access::Pull,
        };
        let (authorization, identity) = asker.prove(&challenge, self.transport()).await?;
        let second = self.knock(endpoint, &url, Some(&authorization)).await?;
        self.opened(endpoint, second).await.map(|()| identity)
    }

    async fn knock(
        &self,
        endpoint: &Endpoint,
        url: &Url,
        authorization: Option<&Authorization>,
    ) -> Result<Answer, Error> {
        let request = Request {
            authorization,
            insecure: endpoint.insecure,
            ..Request::get(url.clone())
        };
        self.transport().send(&request).await
    }

    async fn opened(&self, endpoint: &Endpoint, answer: Answer) -> Result<(), Error> {
        if answer.response.status().is_success() {
            return Ok(());
        }
        Err(refusal(self.transport(), answer, &endpoint.host, "/v2/", true).await)
    }
}
