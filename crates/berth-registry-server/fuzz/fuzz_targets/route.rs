//! First lines of requests, `METHOD TARGET`: what is understood stays in its place, needs its rights, and means the
//! same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use berth_registry_server::route::{Action, Page, Route, parse};
use berth_registry_server::{Rights, Scope, Selector};
use http::Method;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some((method, target)) = text.split_once(' ') else {
        return;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let route = match parse(&method, path, query) {
        Ok(route) => route,
        Err(refused) => {
            let status = refused.failure.code.status();
            assert!(status.is_client_error(), "{text}: {status}");
            assert_eq!(refused.allow.is_some(), status == 405, "{text}");
            assert!(refused.failure.message.len() < 1000, "{text}");
            return;
        }
    };
    stays_in_its_place(&route);
    needs_its_rights(&route, &method);
    let (method, path, query) = plain(&route);
    let query = Some(query).filter(|query| !query.is_empty());
    let again = parse(&method, &path, query.as_deref()).expect("what was understood before");
    assert_eq!(again, route, "{text}");
}

fn stays_in_its_place(route: &Route) {
    let Some(name) = &route.repository else {
        return;
    };
    assert!((1..=255).contains(&name.as_str().len()));
    for part in name.as_str().split('/') {
        assert!(
            !part.is_empty() && !part.starts_with(['.', '_', '-']),
            "{name}"
        );
        let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        assert!(part.bytes().all(fits), "{name}");
    }
}

fn needs_its_rights(route: &Route, method: &Method) {
    let needs = route.needs(false);
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let Some(name) = &route.repository else {
        assert!(is_read);
        return;
    };
    let (scope, rights) = needs.expect("a repository needs rights");
    assert_eq!(scope, Scope::Repository(name));
    assert_ne!(rights, Rights::NONE);
    assert!(is_read || rights.push || rights.delete);
}

/// The request that means this.
fn plain(route: &Route) -> (Method, String, String) {
    let name = route.repository.as_ref().map_or("", |name| name.as_str());
    let below = |rest: &str| format!("/v2/{name}/{rest}");
    let (method, path, query) = match &route.action {
        Action::Version => (Method::GET, "/v2/".into(), String::new()),
        Action::Health => (Method::GET, "/healthz".into(), String::new()),
        Action::Metrics => (Method::GET, "/metrics".into(), String::new()),
        Action::Token => (Method::GET, "/token".into(), String::new()),
        Action::Page(asset) => {
            let paths = ["/", "/_page/page.css", "/_page/page.js"];
            let is_it = |path: &&str| berth_registry_server::page::asset(path) == Some(*asset);
            let path = paths
                .into_iter()
                .find(is_it)
                .expect("one of the page's files");
            (Method::GET, path.into(), String::new())
        }
        Action::Catalog(page) => (Method::GET, "/v2/_catalog".into(), of_page(page)),
        Action::ListTags(page) => (Method::GET, below("tags/list"), of_page(page)),
        Action::ListReferrers {
            subject,
            artifact_type,
            page,
        } => {
            let filter = artifact_type.as_ref();
            let filter = filter.map(|text| format!("&artifactType={}", encode(text)));
            let query = of_page(page) + &filter.unwrap_or_default();
            (Method::GET, below(&format!("referrers/{subject}")), query)
        }
        Action::GetManifest(selector) => (Method::GET, below(&of(selector)), String::new()),
        Action::PutManifest { selector, tags } => {
            let tags: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
            (Method::PUT, below(&of(selector)), tags.join("&"))
        }
        Action::RemoveManifest(selector) => (Method::DELETE, below(&of(selector)), String::new()),
        Action::GetBlob(digest) => (
            Method::GET,
            below(&format!("blobs/{digest}")),
            String::new(),
        ),
        Action::RemoveBlob(digest) => (
            Method::DELETE,
            below(&format!("blobs/{digest}")),
            String::new(),
        ),
        Action::BeginUpload { digest, mount } => {
            let mut query = String::new();
            if let Some(digest) = digest {
                query += &format!("&digest={digest}");
            }
            if let Some((digest, from)) = mount {
                query += &format!("&mount={digest}");
                if let Some(from) = from {
                    query += &format!("&from={from}");
                }
            }
            (Method::POST, below("blobs/uploads/"), query)
        }
        Action::GetUpload(id) => (
            Method::GET,
            below(&format!("blobs/uploads/{id}")),
            String::new(),
        ),
        Action::AppendUpload(id) => (
            Method::PATCH,
            below(&format!("blobs/uploads/{id}")),
            String::new(),
        ),
        Action::FinishUpload(id, digest) => {
            let query = format!("digest={digest}");
            (Method::PUT, below(&format!("blobs/uploads/{id}")), query)
        }
        Action::CancelUpload(id) => (
            Method::DELETE,
            below(&format!("blobs/uploads/{id}")),
            String::new(),
        ),
        Action::History(tag) => (
            Method::GET,
            below("_berth/tags/history"),
            format!("tag={tag}"),
        ),
        Action::Rollback { tag, to } => {
            let query = format!("tag={tag}&to={to}");
            (Method::POST, below("_berth/tags/rollback"), query)
        }
    };
    (method, path, query)
}

fn of(selector: &Selector) -> String {
    match selector {
        Selector::Digest(digest) => format!("manifests/{digest}"),
        Selector::Tag(tag) => format!("manifests/{tag}"),
    }
}

fn of_page(page: &Page) -> String {
    let n = page.entries.map(|n| format!("n={n}"));
    let last = page
        .last
        .as_ref()
        .map(|last| format!("&last={}", encode(last)));
    n.unwrap_or_default() + &last.unwrap_or_default()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
