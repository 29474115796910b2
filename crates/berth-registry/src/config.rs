//! All that a client is told, and where a face finds it.
//!
//! | what | where |
//! |---|---|
//! | registries | `$BERTH_REGISTRIES`, else `$XDG_CONFIG_HOME/berth/registries.toml` (`~/.config`), else `/etc/berth/registries.toml` |
//! | logins | `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`; then `$REGISTRY_AUTH_FILE`, else `$XDG_RUNTIME_DIR/containers/auth.json` |
//! | certificates | `ca`, `client_cert` and `client_key` of a registry, else `/etc/docker/certs.d/HOST[:PORT]/` |
//! | proxies | `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, or in lower case |

use std::path::PathBuf;

use crate::Error;
use crate::credentials::Credentials;
use crate::limits::{Patience, Ranges};
use crate::proxies::Proxies;
use crate::registries::Registries;
use crate::stop::Stop;

/// The settings of a client.
#[derive(Debug, Clone)]
pub struct Config {
    /// `registries.toml`.
    pub registries: Registries,
    /// Where logins are.
    pub credentials: Credentials,
    /// The environment's proxies.
    pub proxies: Proxies,
    /// How long to wait and how often to try.
    pub patience: Patience,
    /// When several connections fetch one blob.
    pub ranges: Ranges,
    /// Docker's directories of certificates.
    pub docker_certs: Vec<PathBuf>,
    /// What we call ourselves.
    pub user_agent: String,
    /// Ends what is done with the client early, where that is long.
    pub stop: Stop,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            registries: Registries::default(),
            credentials: Credentials::default(),
            proxies: Proxies::default(),
            patience: Patience::default(),
            ranges: Ranges::default(),
            docker_certs: Vec::new(),
            user_agent: concat!("berth/", env!("CARGO_PKG_VERSION")).to_owned(),
            stop: Stop::default(),
        }
    }
}

impl Config {
    /// The settings of whoever has this environment, which the face reads for us.
    ///
    /// # Errors
    /// A registries file that is there and cannot be read or understood; one named by `BERTH_REGISTRIES` that is not
    /// there; a proxy that is none.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let directory = |name: &str| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || directory("HOME");
        let registries = match directory("BERTH_REGISTRIES") {
            Some(path) => Registries::load(&path)?,
            None => {
                let own =
                    directory("XDG_CONFIG_HOME").or_else(|| home().map(|h| h.join(".config")));
                let own = own.map(|dir| dir.join("berth/registries.toml"));
                let own = own.filter(|path| path.exists());
                let path = own.unwrap_or_else(|| PathBuf::from("/etc/berth/registries.toml"));
                match Registries::load(&path) {
                    Err(Error::ReadFile { source, .. })
                        if source.kind() == std::io::ErrorKind::NotFound =>
                    {
                        Registries::default()
                    }
                    loaded => loaded?,
                }
            }
        };
        Ok(Config {
            registries,
            credentials: Credentials::from_env(&get),
            proxies: Proxies::from_env(get)?,
            docker_certs: vec![PathBuf::from("/etc/docker/certs.d")],
            ..Config::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("config/berth")).unwrap();
        std::fs::write(
            path("config/berth/registries.toml"),
            "[[registry]]\nhost = \"a.example\"\nblocked = true",
        )
        .unwrap();
        std::fs::create_dir_all(path("home/.docker")).unwrap();
        std::fs::write(
            path("home/.docker/config.json"),
            r#"{"auths": {"r.example": {"auth": "dTpw"}}}"#,
        )
        .unwrap();
        let text = |name: &str| Some(path(name).to_string_lossy().into_owned());
        let env = |name: &str| match name {
            "XDG_CONFIG_HOME" => text("config"),
            "HOME" => text("home"),
            _ => None,
        };
        let config = Config::from_env(env).unwrap();
        assert!(config.registries.get("a.example").blocked);
        let server = crate::Server::parse("r.example").unwrap();
        assert!(config.credentials.find(&server).unwrap().is_some());
        let named = |name: &str| match name {
            "BERTH_REGISTRIES" => text("absent.toml"),
            _ => None,
        };
        assert!(matches!(
            Config::from_env(named),
            Err(Error::ReadFile { .. })
        ));
        assert!(Config::from_env(|_| None).is_ok());
        // What is forbidden at the end of a file is not forgotten.
        let long = format!(
            "{}\n[[registry]]\nhost = \"*\"\nblocked = true",
            "#".repeat(1 << 20)
        );
        std::fs::write(path("long.toml"), long).unwrap();
        let named = |name: &str| text("long.toml").filter(|_| name == "BERTH_REGISTRIES");
        assert!(matches!(
            Config::from_env(named),
            Err(Error::ReadFile { .. })
        ));
    }
}
