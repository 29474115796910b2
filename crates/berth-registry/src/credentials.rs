//! Logins: where they are kept, and who they are for.
//!
//! A login is looked up by the exact host and port of a registry, never by anything that a server says, and only
//! once that registry has asked who we are. Places, in order: Docker's `config.json` with its helpers, then the
//! `auth.json` of podman and skopeo, which is only read. Where a helper is named for a registry it alone is asked:
//! what it cannot give is not sought elsewhere (security: G3).

mod file;
mod helper;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use server::Server;

use crate::Error;
use file::LoginFile;
use helper::Helper;

/// What proves who we are to one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Name and password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth refresh token, good for a token server.
    Identity(Secret),
    /// A token for the registry itself.
    Bearer(Secret),
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for sending it to whom it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Basic { .. } => "Login::Basic(…)",
            Login::Identity(_) => "Login::Identity(…)",
            Login::Bearer(_) => "Login::Bearer(…)",
        })
    }
}

/// Where logins are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Given by the caller, by `host[:port]`.
    given: BTreeMap<String, Login>,
    /// `DOCKER_AUTH_CONFIG`: in the form of Docker's file.
    carried: Option<String>,
    /// Docker's `config.json`.
    docker: Option<PathBuf>,
    /// `auth.json`.
    containers: Option<PathBuf>,
    /// Where helpers are.
    search: Vec<PathBuf>,
}

/// Where a login went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// To this helper.
    Helper(String),
    /// Into this file, for everybody who can read it.
    File(PathBuf),
}

impl Credentials {
    /// In the places that whoever has this environment uses; nothing is read yet.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Credentials {
        let path = |name: &str| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let docker =
            path("DOCKER_CONFIG").or_else(|| path("HOME").map(|home| home.join(".docker")));
        let containers = path("REGISTRY_AUTH_FILE").or_else(|| {
            path("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json"))
        });
        let search = get("PATH").unwrap_or_default();
        Credentials {
            given: BTreeMap::new(),
            carried: get("DOCKER_AUTH_CONFIG").filter(|text| !text.is_empty()),
            docker: docker.map(|directory| directory.join("config.json")),
            containers,
            // A relative place would be somebody else's tomorrow.
            search: std::env::split_paths(&search)
                .filter(|place| place.is_absolute())
                .collect(),
        }
    }

    /// The same with one more login.
    pub fn with(mut self, host: &str, login: Login) -> Credentials {
        self.given
            .insert(Server::named(host).name().to_owned(), login);
        self
    }

    /// The login for exactly this registry. Reads files and may run a helper.
    ///
    /// # Errors
    /// A file that cannot be read or understood; a helper that fails.
    pub fn find(&self, server: &Server) -> Result<Option<Login>, Error> {
        if let Some(login) = self.given.get(server.name()) {
            return Ok(Some(login.clone()));
        }
        if let Some(text) = &self.carried {
            let file = LoginFile::of_text(text)?;
            if let Some(login) = file.login(server)? {
                return Ok(Some(login));
            }
        }
        for path in self.docker.iter().chain(&self.containers) {
            let Some(file) = LoginFile::read(path)? else {
                continue;
            };
            let found = match file.helper(server) {
                Some(name) => Helper::find(name, &self.search)?.get(server)?,
                None => file.login(server)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The logins for these registries as `DOCKER_AUTH_CONFIG` takes them, for a process of another place; `None`: there
    /// is none.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub fn carry(&self, servers: &[Server]) -> Result<Option<String>, Error> {
        let mut file = LoginFile::default();
        for server in servers {
            if let Some(login) = self.find(server)? {
                let username = match &login {
                    Login::Basic { username, .. } => username,
                    Login::Identity(_) | Login::Bearer(_) => "<token>",
                };
                file.set(server, username, &login);
            }
        }
        Ok((!file.is_bare()).then(|| file.text()))
    }

    /// Keeps a login: with the helper that Docker's file names, else with one that is installed, else, or if
    /// `plain` asks for it, in the file itself.
    ///
    /// # Errors
    /// Neither helper nor file takes it.
    pub fn store(
        &self,
        server: &Server,
        username: &str,
        login: &Login,
        plain: bool,
    ) -> Result<Stored, Error> {
        let path = self.docker.as_ref().ok_or(Error::NoHome)?;
        let file = LoginFile::read(path)?.unwrap_or_default();
        let named = file.helper(server).map(str::to_owned);
        let found = named.clone().or_else(|| {
            let installed = helper::installed(&self.search).filter(|_| !plain);
            installed.map(str::to_owned)
        });
        let Some(name) = found else {
            file::change(path, |file| {
                file.set(server, username, login);
                true
            })?;
            return Ok(Stored::File(path.clone()));
        };
        Helper::find(&name, &self.search)?.store(server, login)?;
        file::change(path, |file| {
            match named {
                Some(_) => {}
                // Docker would no more look at the entries of others, once there is a helper for all.
                None if !file.is_bare() => file.set_helper(server, &name),
                None => file.set_store(&name),
            }
            file.set_helped(server);
            true
        })?;
        Ok(Stored::Helper(name))
    }

    /// Forgets the login of a registry; whether there was one.
    ///
    /// # Errors
    /// Neither helper nor file lets go of it.
    pub fn erase(&self, server: &Server) -> Result<bool, Error> {
        let path = self.docker.as_ref().ok_or(Error::NoHome)?;
        let Some(file) = LoginFile::read(path)? else {
            return Ok(false);
        };
        if let Some(name) = file.helper(server) {
            Helper::find(name, &self.search)?.erase(server)?;
        }
        file::change(path, |file| file.remove(server))
    }
}

#[cfg(test)]
mod tests;
