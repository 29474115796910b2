//! Lists that come in pages: each says in `Link` where the next one is.
//!
//! `Link: </v2/a/tags/list?n=100&last=x>; rel="next"`. Only the server that sent it is asked for more.
//! Source: distribution specification 1.1, "Listing Tags"; RFC 8288.

use berth_oci::Reference;
use berth_oci::header::link;
use berth_oci::image::parse_strict;
use reqwest::header::LINK;
use serde::Deserialize;

use crate::Error;
use crate::client::{Ask, Client, Led, Place};
use crate::endpoint::Endpoint;
use crate::limits::{MAX_LIST_BYTES, MAX_MANIFEST_BYTES, MAX_PAGES};
use crate::origin::Origin;
use crate::redirect::{refused, target};
use crate::transport::{Answer, shown};

/// Tags that are asked for at once.
const TAGS_PER_PAGE: &str = "1000";

impl Client {
    /// The tags of the repository of `reference`, as the registry sorts them.
    ///
    /// # Errors
    /// Not there, not allowed, not reachable, too many.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let page = |bytes: &[u8]| {
            let page: Page =
                parse_strict("the list of tags", bytes).map_err(|source| Error::Document {
                    reference: reference.familiar_name(),
                    source,
                })?;
            Ok(page.tags.unwrap_or_default())
        };
        let query = [("n", TAGS_PER_PAGE)];
        self.pages(reference, "tags/list", &query, page).await
    }

    /// All pages of a list, from the first endpoint that has it.
    pub(crate) async fn pages<T>(
        &self,
        reference: &Reference,
        rest: &str,
        query: &[(&str, &str)],
        page: impl Fn(&[u8]) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let name = reference.familiar_name();
        let mut last = None;
        for endpoint in self.endpoints(reference)?.iter() {
            let first = Ask {
                place: Place::With(rest, query),
                ..Ask::get("", &name)
            };
            match self.pages_of(endpoint, first, &page).await {
                Ok(all) => return Ok(all),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: reference.domain().to_owned(),
        }))
    }

    async fn pages_of<T>(
        &self,
        endpoint: &Endpoint,
        first: Ask<'_>,
        page: &impl Fn(&[u8]) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut answer = self.ask_patiently(endpoint, &first).await?;
        let mut bytes_left = MAX_LIST_BYTES;
        for _ in 0..MAX_PAGES {
            let next = next_page(&answer, endpoint.insecure)?;
            let url = shown(&answer.url);
            let bytes = self
                .transport()
                .body(answer, "a list", MAX_MANIFEST_BYTES)
                .await?;
            let too_large = Error::TooLarge {
                what: "a list",
                url,
                limit: MAX_LIST_BYTES as u64,
            };
            bytes_left = bytes_left.checked_sub(bytes.len()).ok_or(too_large)?;
            all.extend(page(&bytes)?);
            let Some(next) = next else {
                return Ok(all);
            };
            let ask = Ask {
                place: Place::At(&next),
                ..Ask::get("", first.name)
            };
            answer = self.ask_patiently(endpoint, &ask).await?;
        }
        Err(Error::TooLarge {
            what: "a list",
            url: shown(&answer.url),
            limit: MAX_LIST_BYTES as u64,
        })
    }
}

fn next_page(answer: &Answer, insecure: bool) -> Result<Option<Led>, Error> {
    let links = answer.response.headers().get_all(LINK);
    let texts = links.iter().filter_map(|value| value.to_str().ok());
    let Some(link) = link::next(texts) else {
        return Ok(None);
    };
    let url = target(&answer.url, link, insecure)?;
    let bad = |reason| Err(refused(&answer.url, url.as_str(), reason));
    if Origin::of(&url) != Origin::of(&answer.url) {
        return bad("a list does not go on elsewhere");
    }
    if url == answer.url {
        return bad("a page is not followed by itself");
    }
    let by = answer.reach;
    Ok(Some(Led { url, by }))
}
