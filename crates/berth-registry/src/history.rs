//! What a tag named before, and back to it: an extension that berth's own registry has.
//!
//! ```text
//! GET  /v2/NAME/_berth/tags/history?tag=TAG                 {"name": …, "tag": …, "history": [Change, …]}, oldest first
//! POST /v2/NAME/_berth/tags/rollback?tag=TAG&to=DIGEST      the tag names DIGEST again
//! ```
//! Source: distribution specification 1.1, "Extensions": their names begin with `_`.

use berth_oci::image::parse_strict;
use berth_oci::{Digest, Reference};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::client::{Ask, Client, Place};
use crate::limits::MAX_LIST_BYTES;
use crate::token::Access;

/// A change of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, as RFC 3339 writes it.
    pub when: String,
    /// Who: a user of the registry.
    pub who: String,
    /// What it named before; `None`: there was no such tag.
    pub from: Option<Digest>,
    /// What it names since; `None`: the tag was deleted.
    pub to: Option<Digest>,
    /// What was done, if it was no push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Client {
    /// What became of the tag of `reference`, oldest first.
    ///
    /// # Errors
    /// Not allowed, not reachable; not there: no such tag, or a registry of another kind.
    pub async fn history(&self, reference: &Reference) -> Result<Vec<Change>, Error> {
        #[derive(Deserialize)]
        struct Page {
            history: Vec<Change>,
        }
        let name = reference.familiar();
        let query = [("tag", reference.tag().unwrap_or("latest"))];
        let ask = Ask {
            place: Place::With("_berth/tags/history", &query),
            ..Ask::get("", &name)
        };
        let answer = self.ask_registry(reference, &ask).await?;
        let bytes = self
            .transport()
            .body(answer, "a history", MAX_LIST_BYTES as u64)
            .await?;
        let page: Page = parse_strict("the history", &bytes).map_err(|source| Error::Document {
            reference: name,
            source,
        })?;
        Ok(page.history)
    }

    /// Has the tag of `reference` name `to` again, or what it named before its last change; says what it names now.
    ///
    /// # Errors
    /// As [`Client::history`]; the tag never named it, or may not change.
    pub async fn rollback(
        &self,
        reference: &Reference,
        to: Option<&Digest>,
    ) -> Result<Digest, Error> {
        let name = reference.familiar();
        let to = match to {
            Some(to) => to.clone(),
            None => {
                let last = self.history(reference).await?.pop();
                last.and_then(|last| last.from).ok_or(Error::NotFound {
                    reference: name.clone(),
                    message: Some("the tag named nothing before".to_owned()),
                })?
            }
        };
        let text = to.to_string();
        let query = [("tag", reference.tag().unwrap_or("latest")), ("to", &text)];
        let ask = Ask {
            method: Method::POST,
            place: Place::With("_berth/tags/rollback", &query),
            access: Access::Push,
            ..Ask::get("", &name)
        };
        self.ask_registry(reference, &ask).await?;
        Ok(to)
    }
}
