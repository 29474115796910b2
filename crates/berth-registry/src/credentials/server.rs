//! What registries are called in logins: `docker.io` has Docker's old name there, and users write URLs.

use berth_oci::reference::check_domain;

use crate::Error;
use crate::endpoint::{HUB, HUB_NAME};

/// The key of Docker Hub in `config.json`, and what helpers are asked for.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A registry to log in to: `host[:port]` as in references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server(String);

impl Server {
    /// From what a user writes: `registry.example:5000`, `https://registry.example/v2/`, `docker.io`.
    ///
    /// # Errors
    /// [`Error::InvalidServer`].
    pub fn parse(text: &str) -> Result<Server, Error> {
        let host = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let server = Server::named(host);
        check_domain(&server.0).map_err(|reason| Error::InvalidServer {
            server: text.to_owned(),
            reason,
        })?;
        Ok(server)
    }

    /// Docker Hub.
    pub fn hub() -> Server {
        Server(HUB_NAME.to_owned())
    }

    /// The name as in references.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// `host[:port]` of a reference.
    pub(crate) fn named(host: &str) -> Server {
        let host = host.to_ascii_lowercase();
        Server(match host.as_str() {
            "index.docker.io" | HUB => HUB_NAME.to_owned(),
            _ => host,
        })
    }

    /// What the login is filed under.
    pub(super) fn key(&self) -> &str {
        match self.0.as_str() {
            HUB_NAME => HUB_KEY,
            name => name,
        }
    }

    /// Whether a key of `auths` or `credHelpers` means this registry, and all of it.
    pub(super) fn is_key(&self, key: &str) -> bool {
        let rest = key
            .strip_prefix("https://")
            .or_else(|| key.strip_prefix("http://"))
            .unwrap_or(key);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        matches!(path.trim_end_matches('/'), "" | "v1" | "v2") && Server::named(host) == *self
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dockers() {
        for (text, name, key) in [
            ("docker.io", "docker.io", HUB_KEY),
            ("index.docker.io", "docker.io", HUB_KEY),
            ("https://index.docker.io/v1/", "docker.io", HUB_KEY),
            ("R.example:5000", "r.example:5000", "r.example:5000"),
            ("https://r.example/v2/", "r.example", "r.example"),
            ("http://localhost:5000", "localhost:5000", "localhost:5000"),
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!((server.name(), server.key()), (name, key), "{text}");
            assert!(server.is_key(server.key()) && server.is_key(text), "{text}");
        }
        for bad in ["", "a b", "user@r.example", "r.example:x", "https://", "-x"] {
            assert!(Server::parse(bad).is_err(), "{bad}");
        }
    }

    /// G3.
    #[test]
    fn keys_of_others_are_not_ours() {
        let server = Server::parse("r.example").unwrap();
        for key in [
            "r.example:5000",
            "r.example.evil",
            "evil.r.example",
            "r.example/team",
            "evil/r.example",
            "https://index.docker.io/v1/",
            "",
        ] {
            assert!(!server.is_key(key), "{key}");
        }
    }
}
