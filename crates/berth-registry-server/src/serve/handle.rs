//! What a request asks for, who asks, and who answers.

use http::Method;
use http::header::{HOST, ORIGIN};
use http::request::Parts;

use super::answer::Answer;
use super::connection::Context;
use super::intake::Intake;
use super::record::Record;
use super::{blob, list, manifest, status, tag, upload};
use crate::access::{Rights, Scope, User};
use crate::blocking::blocking;
use crate::cache::Cache;
use crate::error::{Code, Failure};
use crate::name::RepositoryName;
use crate::route::{self, Action, Route};
use crate::storage::{Repository, Rules};

/// A request to a repository by one who may.
pub(crate) struct Ask {
    pub(crate) context: Context,
    pub(crate) head: Parts,
    pub(crate) user: User,
    pub(crate) name: RepositoryName,
    pub(crate) repository: Repository,
}

/// Answers a request.
pub(crate) async fn handle(
    context: &Context,
    head: Parts,
    intake: Intake,
    record: &mut Record,
) -> Answer {
    let route = match route::parse(&head.method, head.uri.path(), head.uri.query()) {
        Ok(route) => route,
        Err(refused) => return refused.into(),
    };
    record.label = Some(route.action.label());
    if is_cross_site(&head) {
        let message = "a page of another site may not ask for this";
        return Failure::new(Code::Denied, message).into();
    }
    let registry = &context.registry;
    // Before anything is looked up: the answer to who may not tells nothing (security: G7).
    let mut user = User::default();
    if let Some((scope, rights)) = route.needs(registry.settings.allowed.metrics) {
        match registry.access.decide(&head.headers, scope, rights).await {
            Ok(known) => user = known,
            Err(refusal) => return refusal.into(),
        }
        if let Scope::Repository(name) = scope
            && let Err(failure) = allowed(context, name, rights)
        {
            return failure.into();
        }
        record.user = user.name.clone();
    }
    let Route { repository, action } = route;
    let Some(name) = repository else {
        return status::answer(context, &head, user, action).await;
    };
    let ask = Ask {
        repository: registry.storage.repository(&name),
        context: context.clone(),
        head,
        user,
        name,
    };
    dispatch(ask, action, intake)
        .await
        .unwrap_or_else(Answer::from)
}

/// Whether a browser was led here from elsewhere to change something: it would send along what its user has logged in
/// with. Only browsers say where they come from.
/// Source: RFC 6454, section 7.
fn is_cross_site(head: &Parts) -> bool {
    let text = |name| {
        head.headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    match text(ORIGIN) {
        Some(origin) if !is_read => origin.split_once("://").map(|(_, host)| host) != text(HOST),
        _ => false,
    }
}

fn allowed(context: &Context, name: &RepositoryName, rights: Rights) -> Result<(), Failure> {
    let caches = context.registry.cache.as_ref();
    if let Some(cache) = caches.filter(|cache| rights.push && cache.covers(name)) {
        return Err(cache.refusal());
    }
    let allowed = context.registry.settings.allowed;
    if rights.push && !allowed.push {
        let message = "nothing can be pushed to this registry";
        return Err(Failure::new(Code::Unsupported, message));
    }
    if rights.delete && !allowed.delete {
        let message = "nothing can be removed from this registry";
        return Err(Failure::new(Code::Unsupported, message));
    }
    Ok(())
}

async fn dispatch(ask: Ask, action: Action, intake: Intake) -> Result<Answer, Failure> {
    match action {
        Action::ListTags(page) => list::tags(ask, page).await,
        Action::ListReferrers {
            subject,
            artifact_type,
            page,
        } => list::referrers(ask, subject, artifact_type, page).await,
        Action::GetManifest(selector) => manifest::get(ask, selector).await,
        Action::PutManifest { selector, tags } => manifest::put(ask, selector, tags, intake).await,
        Action::RemoveManifest(selector) => manifest::remove(ask, selector).await,
        Action::GetBlob(digest) => blob::get(ask, digest).await,
        Action::RemoveBlob(digest) => blob::remove(ask, digest).await,
        Action::BeginUpload { digest, mount } => upload::begin(ask, digest, mount, intake).await,
        Action::GetUpload(id) => upload::get(ask, id).await,
        Action::AppendUpload(id) => upload::append(ask, id, intake).await,
        Action::FinishUpload(id, digest) => upload::finish(ask, id, digest, intake).await,
        Action::CancelUpload(id) => upload::cancel(ask, id).await,
        Action::History(tag) => tag::history(ask, tag).await,
        Action::Rollback { tag, to } => tag::rollback(ask, tag, to).await,
        // These are of no repository.
        Action::Version
        | Action::Health
        | Action::Metrics
        | Action::Page(_)
        | Action::Token
        | Action::Catalog(_) => Err(Failure::new(
            Code::NameInvalid,
            "there is no repository here",
        )),
    }
}

impl Ask {
    /// Whether only the headers are wanted.
    pub(crate) fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// The cache that this repository is in.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        let cache = self.context.registry.cache.as_ref();
        cache.filter(|cache| cache.covers(&self.name))
    }

    /// The rules of this repository.
    pub(crate) fn rules(&self) -> Rules {
        self.context.registry.settings.rules.of(&self.name)
    }

    /// Does work on the disk where it stops no other request.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let repository = self.repository.clone();
        blocking(move || work(&repository)).await
    }
}
