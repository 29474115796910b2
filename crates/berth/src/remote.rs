//! The engine of another place: a berth daemon that `--host` or a context names runs the verb, and the command here
//! is its terminal and its files.
//!
//! ```text
//! who says it                                          wins over all below
//! --context NAME │ --host ADDRESS                      both: refused
//! BERTH_HOST, DOCKER_HOST                              an address
//! BERTH_CONTEXT, DOCKER_CONTEXT                        a name
//! `berth context use NAME`                             berth.json
//! nothing, or `default`                                the engine in this process
//! ```

pub mod connect;
pub mod contexts;
pub mod host;
mod logins;
pub mod request;
mod served;
pub mod session;
mod tls;

use crate::globals::{Globals, Tls};
use crate::ui::diagnostic::Failure;

use contexts::{Contexts, DEFAULT};
use host::Host;
use request::{Called, Place};

/// A daemon that was chosen, and how it is reached.
#[derive(Debug)]
pub struct Remote {
    /// Where it is.
    pub host: Host,
    /// Of TLS: who has signed its certificate, ours, its key.
    pub tls: Tls,
}

/// Has a daemon run the verb, if one was chosen and the verb is for it; `None`: it is to run here.
///
/// # Errors
/// What the user is told.
pub fn dispatch(globals: &Globals, called: &Called<'_>) -> Result<Option<u8>, Failure> {
    let place = request::place(&called.path);
    if globals.for_client {
        return match place {
            Place::There => served::settle().map(|()| None),
            _ => Err(Failure::new("this verb is not for clients elsewhere")),
        };
    }
    if place == Place::Here {
        return Ok(None);
    }
    let Some(remote) = choose(globals)? else {
        return Ok(None);
    };
    if let Place::Nowhere(why) = place {
        let verb = called.path.join(" ");
        return Err(
            Failure::new(format!("`{verb}` cannot be done elsewhere: {why}"))
                .hint(format!("`berth --context default {verb}` does it here")),
        );
    }
    session::run(&remote, called.request()?).map(Some)
}

/// The daemon that is to run the verbs; `None`: this process is.
///
/// # Errors
/// Two were named, or none that there is.
pub fn choose(globals: &Globals) -> Result<Option<Remote>, Failure> {
    if globals.context.is_some() && globals.host.is_some() {
        return Err(Failure::new("--host and --context exclude each other"));
    }
    if globals.context.is_none() {
        let address = globals
            .host
            .clone()
            .or_else(|| host_variable().and_then(variable));
        if let Some(address) = address {
            let host = Host::parse(&address)?;
            let tls = globals.tls.clone();
            return Ok(Some(Remote { host, tls }));
        }
    }
    let name = context_name(globals)?;
    if name == DEFAULT {
        return Ok(None);
    }
    let contexts = Contexts::open()?;
    let context = contexts.get(&name)?;
    let Some(endpoint) = context.endpoint() else {
        return Err(Failure::new(format!("context `{name}` leads to no daemon")));
    };
    let place = contexts.tls(&name);
    let file = |name: &str| Some(place.join(name)).filter(|path| path.is_file());
    let mut tls = globals.tls.clone();
    tls.tlscacert = file("ca.pem");
    tls.tlscert = file("cert.pem");
    tls.tlskey = file("key.pem");
    let host = Host::parse(&endpoint.host)?;
    Ok(Some(Remote { host, tls }))
}

/// The context that is used.
///
/// # Errors
/// `berth.json` cannot be read.
pub fn context_name(globals: &Globals) -> Result<String, Failure> {
    if let Some(name) = &globals.context {
        return Ok(name.clone());
    }
    if globals.host.is_some() || host_variable().is_some() {
        return Ok(DEFAULT.to_owned());
    }
    let named = variable("BERTH_CONTEXT").or_else(|| variable("DOCKER_CONTEXT"));
    let name = match (named, crate::globals::client_config()) {
        (Some(name), _) => Some(name),
        (None, Some(_)) => Contexts::open()?.current()?,
        (None, None) => None,
    };
    Ok(name.unwrap_or_else(|| DEFAULT.to_owned()))
}

/// Which variable names an address.
pub fn host_variable() -> Option<&'static str> {
    let mut names = ["BERTH_HOST", "DOCKER_HOST"].into_iter();
    names.find(|name| variable(name).is_some())
}

/// The address that programs which ask for the context are told of `default`: the variable's, else the socket of this
/// machine's daemon.
pub fn default_host() -> String {
    match host_variable().and_then(variable) {
        Some(address) => address,
        None => {
            let socket = crate::globals::socket_of(&crate::globals::default_run_directory());
            format!("unix://{}", socket.display())
        }
    }
}

/// What `context ls` says of `default`.
pub fn default_description() -> &'static str {
    match host_variable() {
        Some("BERTH_HOST") => "The daemon that BERTH_HOST names",
        Some(_) => "The daemon that DOCKER_HOST names",
        None => "This machine, without a daemon",
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
