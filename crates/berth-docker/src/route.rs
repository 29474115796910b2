//! Which handler answers which path: the list of endpoints.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use http::header::{HOST, HeaderName, ORIGIN, REFERER, SERVER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::answer::Answer;
use crate::api::{
    build, command, commit, containers, distribution, exec, images, networks, system, volumes,
};
use crate::ask::Ask;
use crate::error::Failure;
use crate::query::Query;
use crate::serve::body::Body;
use crate::serve::upload::Upload;
use crate::version::MAX;
use crate::{Docker, Version};

/// The longest path, in bytes.
const MAX_PATH: usize = 8 << 10;

/// Answers a request.
pub(crate) async fn answer(
    docker: Arc<Docker>,
    peer: Arc<OwnedFd>,
    request: Request<Incoming>,
) -> Response<Body> {
    let connection = peer.clone();
    let answer = match ask(docker, peer, request) {
        Ok((ask, path)) => dispatch(ask, &path).await.unwrap_or_else(Answer::from),
        Err(failure) => Answer::from(failure),
    };
    let text = |text: &str| HeaderValue::from_str(text).expect("a version has no other characters");
    answer
        .header(
            HeaderName::from_static("api-version"),
            text(&MAX.to_string()),
        )
        .header(
            HeaderName::from_static("docker-experimental"),
            HeaderValue::from_static("false"),
        )
        .header(
            HeaderName::from_static("ostype"),
            HeaderValue::from_static("linux"),
        )
        .header(
            SERVER,
            text(&format!("Berth/{} (linux)", env!("CARGO_PKG_VERSION"))),
        )
        .into_response()
        .map(|body| body.watched(&connection))
}

/// The request, and the parts of its path behind the version.
fn ask(
    docker: Arc<Docker>,
    peer: Arc<OwnedFd>,
    mut request: Request<Incoming>,
) -> Result<(Ask, Vec<String>), Failure> {
    let upgrade = Some(hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    // From here on: whatever comes of the request, its client may send it.
    let body = Upload::new(body);
    check_sender(&head.headers)?;
    let path = head.uri.path();
    if path.len() > MAX_PATH {
        return Err(Failure::new(
            StatusCode::URI_TOO_LONG,
            "the request's path is too long",
        ));
    }
    let mut parts = path.split('/').skip(1).peekable();
    let version = match parts.peek().and_then(|part| Version::parse(part)) {
        Some(version) => {
            parts.next();
            version.check()?
        }
        None => MAX,
    };
    let decoded: Result<Vec<String>, _> = parts
        .map(|part| {
            percent_decode_str(part)
                .decode_utf8()
                .map(|text| text.into_owned())
        })
        .collect();
    let decoded = decoded.map_err(|_| Failure::bad("the request's path is not UTF-8"))?;
    let ask = Ask {
        docker,
        version,
        query: Query::parse(head.uri.query().unwrap_or("")),
        method: head.method,
        headers: head.headers,
        body,
        upgrade,
        peer,
    };
    Ok((ask, decoded))
}

/// Browsers say where a page is from, clients of Docker never do: what a page sends is refused, whatever it asks for
/// (security: D14).
fn check_sender(headers: &HeaderMap) -> Result<(), Failure> {
    let from_page = [ORIGIN, REFERER, HeaderName::from_static("sec-fetch-site")];
    if from_page.iter().any(|name| headers.contains_key(name)) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "a browser's page may not use this interface",
        ));
    }
    if headers.get_all(HOST).iter().count() > 1 {
        return Err(Failure::bad("several Host headers"));
    }
    Ok(())
}

async fn dispatch(ask: Ask, path: &[String]) -> Result<Answer, Failure> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let method = ask.method.clone();
    match (method.as_str(), &path[..]) {
        ("GET" | "HEAD", ["_ping"]) => Ok(system::ping::answer(&ask)),
        ("POST", ["berth", "v1", "command"]) => command::answer(ask).await,
        ("GET", ["version"]) => system::version::answer(ask).await,
        (_, ["images", ..]) => on_images(ask, &method, &path[1..]).await,
        ("POST", ["auth"]) => system::auth::answer(ask).await,
        (_, ["networks", ..]) => on_networks(ask, &method, &path[1..]).await,
        ("GET", ["events"]) => system::events::answer(ask).await,
        ("GET", ["info"]) => system::info::answer(ask).await,
        ("GET", ["plugins"]) => Ok(Answer::json(&[(); 0])),
        ("GET", ["plugins", name @ .., "json"]) => {
            let name = name.join("/");
            Err(Failure::absent(format!("plugin \"{name}\" not found")))
        }
        (_, ["plugins", ..]) => Err(Failure::not_here("managing plugins")),
        ("POST", ["session"]) => Err(Failure::not_here("a session of a builder")),
        (_, ["containers", ..]) => on_containers(ask, &method, &path[1..]).await,
        ("GET", ["exec", id, "json"]) => exec::inspect::answer(ask, id).await,
        ("POST", ["exec", id, "start"]) => exec::start::answer(ask, id).await,
        ("POST", ["exec", id, "resize"]) => exec::resize::answer(ask, id).await,
        // Who tidies up asks for it, and takes this for done.
        ("POST", ["swarm", "leave"]) => Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "This node is not part of a swarm",
        )),
        (
            _,
            [
                "swarm" | "services" | "tasks" | "nodes" | "secrets" | "configs",
                ..,
            ],
        ) => Err(Failure::not_here(
            "a cluster (swarm, services, tasks, nodes, secrets, configs)",
        )),
        ("GET", ["system", "df"]) => system::df::answer(ask).await,
        (_, ["volumes", ..]) => on_volumes(ask, &method, &path[1..]).await,
        ("POST", ["commit"]) => commit::answer(ask).await,
        ("GET", ["distribution", name @ .., "json"]) => {
            distribution::answer(ask, &name.join("/")).await
        }
        ("POST", ["build", "prune"]) => build::prune(ask).await,
        ("POST", ["build", ..]) => Err(Failure::not_here("building images")),
        _ => Err(Failure::absent("page not found")),
    }
}

async fn on_volumes(ask: Ask, method: &Method, path: &[&str]) -> Result<Answer, Failure> {
    use volumes as v;
    match (method.as_str(), path) {
        ("GET", []) => v::list::answer(ask).await,
        ("POST", ["create"]) => v::create::answer(ask).await,
        ("POST", ["prune"]) => v::prune::answer(ask).await,
        ("GET", [name]) => v::inspect::answer(ask, name).await,
        ("DELETE", [name]) => v::remove::answer(ask, name).await,
        ("PUT", [_]) => Err(Failure::not_here("updating a cluster's volume")),
        _ => Err(Failure::absent("page not found")),
    }
}

/// Names of networks may have slashes in them, too.
async fn on_networks(ask: Ask, method: &Method, path: &[&str]) -> Result<Answer, Failure> {
    use networks as n;
    match (method.as_str(), path) {
        ("GET", []) => n::list::answer(ask).await,
        ("POST", ["create"]) => n::create::answer(ask).await,
        ("POST", ["prune"]) => n::prune::answer(ask).await,
        ("POST", [name @ .., "connect"]) => n::connect::answer(ask, &name.join("/")).await,
        ("POST", [name @ .., "disconnect"]) => n::disconnect::answer(ask, &name.join("/")).await,
        ("GET", name) => n::inspect::answer(ask, &name.join("/")).await,
        ("DELETE", name) => n::remove::answer(ask, &name.join("/")).await,
        _ => Err(Failure::absent("page not found")),
    }
}

/// Names of images have slashes in them.
async fn on_images(ask: Ask, method: &Method, path: &[&str]) -> Result<Answer, Failure> {
    use images as i;
    match (method.as_str(), path) {
        ("GET", ["json"]) => i::list::answer(ask).await,
        ("POST", ["create"]) => i::create::answer(ask).await,
        ("GET", [name @ .., "json"]) => i::inspect::answer(ask, &name.join("/")).await,
        ("GET", [name @ .., "history"]) => i::history::answer(ask, &name.join("/")).await,
        ("GET", ["search"]) => i::search::answer(ask).await,
        ("GET", ["get"]) => {
            let names = i::save::names(&ask);
            i::save::answer(ask, names).await
        }
        ("GET", [name @ .., "get"]) => i::save::answer(ask, vec![name.join("/")]).await,
        ("POST", ["load"]) => i::load::answer(ask).await,
        ("POST", ["prune"]) => i::prune::answer(ask).await,
        ("POST", [name @ .., "push"]) => i::push::answer(ask, &name.join("/")).await,
        ("DELETE", name) => i::remove::answer(ask, &name.join("/")).await,
        ("POST", [name @ .., "tag"]) => i::tag::answer(ask, &name.join("/")).await,
        _ => Err(Failure::absent("page not found")),
    }
}

async fn on_containers(ask: Ask, method: &Method, path: &[&str]) -> Result<Answer, Failure> {
    use containers as c;
    match (method.as_str(), path) {
        ("GET", ["json"]) => c::list::answer(ask).await,
        ("POST", ["create"]) => c::create::answer(ask).await,
        ("POST", ["prune"]) => c::prune::answer(ask).await,
        ("GET", [id, "changes"]) => c::changes::answer(ask, id).await,
        ("GET", [id, "export"]) => c::export::answer(ask, id).await,
        ("GET", [id, "json"]) => c::inspect::answer(ask, id).await,
        ("POST", [id, "start"]) => c::start::answer(ask, id).await,
        ("POST", [id, "stop"]) => c::stop::answer(ask, id).await,
        ("POST", [id, "restart"]) => c::restart::answer(ask, id).await,
        ("POST", [id, "kill"]) => c::kill::answer(ask, id).await,
        ("POST", [id, "pause"]) => c::pause::answer(ask, id).await,
        ("POST", [id, "unpause"]) => c::unpause::answer(ask, id).await,
        ("POST", [id, "rename"]) => c::rename::answer(ask, id).await,
        ("POST", [id, "wait"]) => c::wait::answer(ask, id).await,
        ("POST", [id, "attach"]) => c::attach::answer(ask, id).await,
        ("GET", [id, "attach", "ws"]) => c::attach::answer_websocket(ask, id).await,
        ("POST", [id, "resize"]) => c::resize::answer(ask, id).await,
        ("POST", [id, "exec"]) => exec::create::answer(ask, id).await,
        ("GET", [id, "logs"]) => c::logs::answer(ask, id).await,
        ("GET", [id, "top"]) => c::top::answer(ask, id).await,
        ("POST", [id, "update"]) => c::update::answer(ask, id).await,
        ("GET", [id, "stats"]) => c::stats::answer(ask, id).await,
        ("GET", [id, "stats", "history"]) => c::stats::history(ask, id).await,
        ("GET", [id, "archive"]) => c::archive::get(ask, id).await,
        ("HEAD", [id, "archive"]) => c::archive::stat(ask, id).await,
        ("PUT", [id, "archive"]) => c::archive::put(ask, id).await,
        ("DELETE", [id]) => c::remove::answer(ask, id).await,
        ("DELETE", [id, alias]) => c::remove::answer(ask, &format!("{id}/{alias}")).await,
        _ => Err(Failure::absent("page not found")),
    }
}
