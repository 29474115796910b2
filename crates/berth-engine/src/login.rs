//! Logging in to registries and out: a login is proved before it is kept. Needs no state of an engine.

pub use berth_registry::{Error, Login, Secret, Server, Stored};

use berth_registry::{Client, Config, Credentials};

/// Proves a login to the registry, and keeps it where Docker's `config.json` says; in the file itself, too, if
/// `plain` asks for it and no helper is named there.
///
/// # Errors
/// The registry refuses it or is not there; it cannot be kept.
pub fn log_in(
    config: Config,
    server: &Server,
    username: &str,
    password: Secret,
    plain: bool,
) -> Result<Stored, Error> {
    let credentials = config.credentials.clone();
    let login = Login::Basic {
        username: username.to_owned(),
        password,
    };
    let kept = prove(config, server, login)?;
    credentials.store(server, username, &kept, plain)
}

/// Proves the login that is kept for the registry; `false`: there is none.
///
/// # Errors
/// The registry refuses it or is not there; it cannot be read.
pub fn check(config: Config, server: &Server) -> Result<bool, Error> {
    match config.credentials.find(server)? {
        Some(login) => prove(config, server, login).map(|_| true),
        None => Ok(false),
    }
}

/// Forgets the login for the registry; whether there was one.
///
/// # Errors
/// A helper or the file does not let go of it.
pub fn log_out(credentials: &Credentials, server: &Server) -> Result<bool, Error> {
    credentials.erase(server)
}

/// Proves a login to the registry, and keeps nothing; gives what a client is to keep.
///
/// # Errors
/// The registry refuses it or is not there.
pub fn prove(config: Config, server: &Server, login: Login) -> Result<Login, Error> {
    berth_registry::runtime()?.block_on(Client::new(config).prove(server, login))
}
