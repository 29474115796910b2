//! Lists, a page at a time: tags, repositories, referrers (security: G4).

use berth_oci::{Descriptor, Digest, media};
use http::header::LINK;
use http::request::Parts;
use serde::Serialize;

use super::answer::{Answer, OCI_FILTERS};
use super::connection::Context;
use super::handle::Ask;
use crate::access::User;
use crate::blocking::blocking;
use crate::error::{Code, Failure};
use crate::name::RepositoryName;
use crate::route::{Page, encode};

/// `GET /v2/NAME/tags/list`
pub(crate) async fn tags(ask: Ask, page: Page) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    struct Tags<'a> {
        name: &'a str,
        tags: Vec<String>,
    }
    let entries = entries(&ask.context, &page);
    let found = ask.work(move |repository| {
        if !repository.exists()? {
            let message = "there is no such repository";
            return Err(Failure::new(Code::NameUnknown, message));
        }
        some(entries, |limit| {
            repository.tags(page.last.as_deref(), limit)
        })
    });
    let found = found.await?;
    let link = found.next(|last| (format!("/v2/{}/tags/list", ask.name), last.clone()));
    let document = Tags {
        name: ask.name.as_str(),
        tags: found.entries,
    };
    Ok(Answer::json(&document, ask.is_head()).with_some(LINK, link))
}

/// `GET /v2/_catalog`: of the repositories those that `user` may see.
pub(crate) async fn catalog(
    context: &Context,
    head: &Parts,
    user: User,
    page: Page,
) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    struct Repositories {
        repositories: Vec<String>,
    }
    let entries = entries(context, &page);
    let (storage, access) = (
        context.registry.storage.clone(),
        context.registry.access.clone(),
    );
    let list = move || {
        some(entries, |limit| {
            let may_see = |name: &String| {
                RepositoryName::parse(name).is_ok_and(|name| access.lists(&user, &name))
            };
            let (mut seen, mut last) = (Vec::new(), page.last);
            while seen.len() < limit {
                let more = storage.repositories(last.as_deref(), limit)?;
                let Some(end) = more.last() else { break };
                last = Some(end.clone());
                seen.extend(more.into_iter().filter(may_see).take(limit - seen.len()));
            }
            Ok(seen)
        })
    };
    let found = blocking(list).await?;
    let link = found.next(|last| ("/v2/_catalog".to_owned(), last.clone()));
    let document = Repositories {
        repositories: found.entries,
    };
    let is_head = head.method == http::Method::HEAD;
    Ok(Answer::json(&document, is_head).with_some(LINK, link))
}

/// `GET /v2/NAME/referrers/DIGEST`; of a repository that is not there, none.
pub(crate) async fn referrers(
    ask: Ask,
    subject: Digest,
    artifact_type: Option<String>,
    page: Page,
) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index {
        schema_version: u8,
        media_type: &'static str,
        manifests: Vec<Descriptor>,
    }
    let path = format!("/v2/{}/referrers/{subject}", ask.name);
    let entries = entries(&ask.context, &page);
    let filter = artifact_type.clone();
    let found = ask.work(move |repository| {
        let mut all = repository.referrers(&subject)?;
        all.retain(|one| {
            let is_after = |last: &String| one.digest.to_string() > *last;
            page.last.as_ref().is_none_or(is_after)
                && (filter.is_none() || one.artifact_type == filter)
        });
        some(entries, |limit| {
            all.truncate(limit);
            Ok(all)
        })
    });
    let found = found.await?;
    let link = found.next(|last| {
        let filter = artifact_type
            .as_ref()
            .map(|text| format!("?artifactType={}", encode(text)));
        (path + &filter.unwrap_or_default(), last.digest.to_string())
    });
    let document = Index {
        schema_version: 2,
        media_type: media::INDEX,
        manifests: found.entries,
    };
    let answer = Answer::document(media::INDEX, &document, ask.is_head()).with_some(LINK, link);
    Ok(answer.with_some(OCI_FILTERS, artifact_type.map(|_| "artifactType")))
}

/// A part of a list.
struct Found<T> {
    entries: Vec<T>,
    has_more: bool,
}

/// How many entries are wanted: no more than the registry gives at once.
fn entries(context: &Context, page: &Page) -> usize {
    let limit = context.registry.settings.limits.page_entries;
    page.entries.map_or(limit, |entries| entries.min(limit))
}

/// Asks for one more than is wanted, to learn whether there is more.
fn some<T>(
    entries: usize,
    list: impl FnOnce(usize) -> Result<Vec<T>, Failure>,
) -> Result<Found<T>, Failure> {
    let mut found = Vec::new();
    if entries > 0 {
        found = list(entries + 1)?;
    }
    let has_more = found.len() > entries;
    found.truncate(entries);
    Ok(Found {
        entries: found,
        has_more,
    })
}

impl<T> Found<T> {
    /// The link to the next part: `at` gives its path, with a query if it has one, and what it comes after.
    fn next(&self, at: impl FnOnce(&T) -> (String, String)) -> Option<String> {
        let last = self.entries.last().filter(|_| self.has_more)?;
        let (path, last) = at(last);
        let joint = if path.contains('?') { '&' } else { '?' };
        let (n, last) = (self.entries.len(), encode(&last));
        Some(format!("<{path}{joint}n={n}&last={last}>; rel=\"next\""))
    }
}
