//! Search, as Docker Hub has it: the one call of the old protocol that lives on.
//!
//! ```text
//! GET https://index.docker.io/v1/search?q=TERM&n=25     {"results": [{"name": …, "description": …, "star_count": …}, …]}
//! ```
//! Hub's index is a host of its own and is asked without a login; other registries are asked as for their images.

use berth_oci::image::parse_strict;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::client::{Ask, Client, Led, Place};
use crate::credentials::Server;
use crate::endpoint::{self, HUB_NAME};
use crate::limits::MAX_LIST_BYTES;
use crate::reach::Reach;

/// Who searches Hub's names.
const HUB_INDEX: &str = "https://index.docker.io";

/// A repository that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Its name, as `pull` takes it behind the registry.
    pub name: String,
    /// What its owner says of it.
    #[serde(default)]
    pub description: String,
    /// How many like it.
    #[serde(default)]
    pub star_count: i64,
    /// Docker's own.
    #[serde(default)]
    pub is_official: bool,
    /// Built by Hub.
    #[serde(default)]
    pub is_automated: bool,
}

impl Client {
    /// The repositories that `server` finds for `term`, at most `limit`.
    ///
    /// # Errors
    /// Not allowed, not reachable; not there: most registries but Docker Hub have no search.
    pub async fn search(&self, server: &Server, term: &str, limit: u32) -> Result<Vec<Hit>, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            results: Vec<Hit>,
        }
        let endpoint = endpoint::of_host(server.name(), self.registries())?;
        let bases = match server.name() {
            HUB_NAME => vec![Url::parse(HUB_INDEX).expect("a constant URL")],
            _ => endpoint.bases(),
        };
        let mut last = None;
        for mut url in bases {
            url.set_path("/v1/search");
            let count = limit.to_string();
            url.query_pairs_mut()
                .extend_pairs([("q", term), ("n", &count)]);
            let led = Led {
                url,
                by: Reach::Public,
            };
            let ask = Ask {
                place: Place::At(&led),
                accept: "application/json",
                ..Ask::get("", "/v1/search")
            };
            match self.ask_patiently(&endpoint, &ask).await {
                Err(Error::NotFound { .. } | Error::Status { status: 405, .. }) => {
                    let registry = server.name().to_owned();
                    return Err(Error::NoSearch { registry });
                }
                Err(error @ Error::Connect { .. }) => last = Some(error),
                Err(error) => return Err(error),
                Ok(answer) => {
                    let bytes = self
                        .transport()
                        .body(answer, "what was found", MAX_LIST_BYTES as u64)
                        .await?;
                    let page: Page = parse_strict("what was found", &bytes).map_err(|source| {
                        Error::Document {
                            reference: server.name().to_owned(),
                            source,
                        }
                    })?;
                    return Ok(page.results);
                }
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: server.name().to_owned(),
        }))
    }
}
