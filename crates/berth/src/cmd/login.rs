//! `berth login`.

use std::io::{IsTerminal, Read};

use berth_engine::image::RegistryConfig;
use berth_engine::login::{self, Error, Secret, Server, Stored};

use crate::globals::Globals;
use crate::pull::registries;
use crate::ui::diagnostic::Failure;
use crate::ui::prompt;
use crate::verbs::{Outcome, Verb};

/// Bytes of a password on standard input.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

/// Log in to a registry
///
/// Without a name and a password, a login that is kept already is tried first, then both are asked for.
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The user's name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// The password; others on this machine can see it: better --password-stdin
    #[arg(
        short,
        long,
        value_name = "PASSWORD",
        conflicts_with = "password_stdin"
    )]
    password: Option<String>,
    /// Take the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Write the password into Docker's config.json even if a credential helper is installed
    #[arg(long)]
    plaintext: bool,
    /// The registry, HOST[:PORT]; without it, docker.io
    server: Option<String>,
}

impl Verb for Login {
    fn run(self, _: &Globals) -> Outcome {
        let server = server(self.server.as_deref())?;
        let config = registries()?;
        if self.password.is_some() {
            super::note(
                "warning: --password shows the password to others on this machine: use --password-stdin\n",
            );
        }
        if self.username.is_none() && self.password.is_none() && logged_in(&config, &server)? {
            return succeeded();
        }
        let password_known = self.password.is_some() || self.password_stdin;
        if !(std::io::stdin().is_terminal() || self.username.is_some() && password_known) {
            return Err(
                Failure::new("name and password cannot be asked for without a terminal")
                    .hint("give both: -u NAME --password-stdin"),
            );
        }
        let username = match self.username {
            Some(name) => name,
            None => prompt::line("Username: ")?,
        };
        let password = match (self.password, self.password_stdin) {
            (Some(password), _) => password,
            (None, true) => from_stdin()?,
            (None, false) => prompt::hidden("Password: ")?,
        };
        if username.is_empty() || password.is_empty() {
            return Err(Failure::new("both a name and a password are needed"));
        }
        let password = Secret::new(password);
        match login::log_in(config, &server, &username, password, self.plaintext)? {
            Stored::Helper(_) => {}
            Stored::File(path) => super::note(&format!(
                "warning: the password is kept unencrypted in `{}`: with a credential helper it would not be \
                 (docker-credential-pass, docker-credential-secretservice)\n",
                path.display()
            )),
        }
        succeeded()
    }
}

/// The registry that is meant.
///
/// # Errors
/// It is none.
pub fn server(text: Option<&str>) -> Result<Server, Failure> {
    match text {
        Some(text) => Ok(Server::parse(text)?),
        None => Ok(Server::hub()),
    }
}

/// Whether the login that is kept is good; one that is refused gives way to a new one.
fn logged_in(config: &RegistryConfig, server: &Server) -> Result<bool, Failure> {
    match login::check(config.clone(), server) {
        Ok(true) => {
            super::note("Using the login that is kept\n");
            Ok(true)
        }
        Ok(false) => Ok(false),
        Err(error @ Error::Denied { .. }) if std::io::stdin().is_terminal() => {
            super::note(&format!("The login that is kept is refused: {error}\n"));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn succeeded() -> Outcome {
    super::print("Login Succeeded\n")?;
    Ok(0)
}

/// All of standard input without the line break at its end.
fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_PASSWORD_BYTES)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::of(&error).within("cannot read the password"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
