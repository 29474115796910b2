//! Which registries are reached how: `registries.toml`.
//!
//! ```toml
//! [[registry]]
//! host = "docker.io"                       # as in references; "*": all that have no entry of their own
//! mirrors = ["https://mirror.example:5000/hub"]   # asked first, in order; a path goes before the repository's
//! blocked = false                          # true: never asked (its mirrors are)
//! insecure = false                         # true: certificates are not checked, and plain HTTP is taken
//! ca = "/etc/berth/certs/corp.pem"         # the only authorities trusted for this host
//! client_cert = "/etc/berth/certs/me.pem"  # shown to this host if it asks who we are; both or neither
//! client_key = "/etc/berth/certs/me.key"
//! token_hosts = ["auth.example.net"]       # hosts outside of its domain that may see its credentials
//! ```
//! `insecure`, `ca` and `blocked` of a mirror are in an entry for the mirror's own host. A mirror written with
//! `http://` is spoken to in plain HTTP. Registries on this machine (`localhost`, 127.0.0.0/8, `::1`) are
//! insecure as Docker has it, unless their entry says `insecure = false` or names a `ca`.
//!
//! berth reads the file that BERTH_REGISTRIES names, else `$XDG_CONFIG_HOME/berth/registries.toml`, else
//! `/etc/berth/registries.toml`; the caller finds it, nothing here reads the environment.

use std::path::{Path, PathBuf};

use berth_oci::reference::{check_domain, check_path};
use serde::Deserialize;

use crate::Error;
use crate::reach::is_loopback;

/// Bytes of the file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registries {
    /// One for each host.
    #[serde(default)]
    registry: Vec<Registry>,
}

/// How one registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// `host[:port]` as in references, or `*`.
    pub host: String,
    /// URLs to ask first.
    pub mirrors: Vec<String>,
    /// Never ask it.
    pub blocked: bool,
    /// Certificates are not checked, and HTTP is taken; `None`: only on this machine.
    pub insecure: Option<bool>,
    /// PEM file of the only authorities to trust.
    pub ca: Option<PathBuf>,
    /// PEM file of the certificate that says who we are.
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
    /// More hosts that may see its credentials.
    pub token_hosts: Vec<String>,
}

/// A mirror, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) host: String,
    pub(crate) plain_http: bool,
    pub(crate) prefix: Option<String>,
}

impl Registries {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// Not TOML, unknown keys, hosts or mirrors that are none, a host twice.
    pub fn parse(text: &str) -> Result<Registries, Error> {
        let file: Registries = toml::from_str(text).map_err(|source| Error::ParseRegistries {
            source: Box::new(source),
        })?;
        for (i, entry) in file.registry.iter().enumerate() {
            let bad = |reason| Error::InvalidSetting {
                what: "host",
                value: entry.host.clone(),
                reason,
            };
            if entry.host != "*" {
                check_domain(&entry.host).map_err(bad)?;
            }
            if file.registry[..i].iter().any(|e| e.host == entry.host) {
                return Err(bad("it has two entries"));
            }
            if entry.client_cert.is_some() != entry.client_key.is_some() {
                return Err(bad("`client_cert` and `client_key` go together"));
            }
            // Who we are is for those whom the user has named.
            if entry.host == "*" && entry.client_cert.is_some() {
                return Err(bad("a client's certificate is for one host"));
            }
            for mirror in &entry.mirrors {
                parse_mirror(mirror)?;
            }
        }
        Ok(file)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// As [`Registries::parse`], and when it is too large, absent or cannot be read.
    pub fn load(path: &Path) -> Result<Registries, Error> {
        let text = read(path).map_err(|source| Error::ReadFile {
            what: "the registries file",
            path: path.to_owned(),
            source,
        })?;
        Registries::parse(&text)
    }

    /// The same with this registry in it, in place of any entry that it had.
    pub fn with(mut self, registry: Registry) -> Registries {
        self.registry.retain(|entry| entry.host != registry.host);
        self.registry.push(registry);
        self
    }

    /// The entry of `host`, or that of `*`, or the default.
    pub fn get(&self, host: &str) -> Registry {
        let find = |name: &str| self.registry.iter().find(|entry| entry.host == name);
        find(host)
            .or_else(|| find("*"))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether `host` may be spoken to without TLS, or with any certificate.
    pub(crate) fn is_insecure(&self, host: &str) -> bool {
        let entry = self.get(host);
        let local = || entry.ca.is_none() && is_loopback(without_port(host));
        entry.insecure.unwrap_or_else(local)
    }

    /// The mirrors of `host`.
    pub(crate) fn mirrors(&self, host: &str) -> Result<Vec<Mirror>, Error> {
        self.get(host)
            .mirrors
            .iter()
            .map(|m| parse_mirror(m))
            .collect()
    }
}

/// `host` of `host[:port]`; brackets stay.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    // What it forbids may stand at its end.
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

fn parse_mirror(text: &str) -> Result<Mirror, Error> {
    let bad = |reason| Error::InvalidSetting {
        what: "mirror",
        value: text.to_owned(),
        reason,
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let plain_http = match scheme {
        "https" => false,
        "http" => true,
        _ => return Err(bad("it begins neither with https:// nor with http://")),
    };
    let rest = rest.trim_end_matches('/');
    let (host, prefix) = match rest.split_once('/') {
        Some((host, prefix)) => (host, Some(prefix)),
        None => (rest, None),
    };
    check_domain(host).map_err(bad)?;
    prefix.map_or(Ok(()), check_path).map_err(bad)?;
    Ok(Mirror {
        host: host.to_owned(),
        plain_http,
        prefix: prefix.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let file = Registries::parse(
            r#"
            [[registry]]
            host = "docker.io"
            mirrors = ["https://m.example:5000/hub", "http://10.0.0.5:80/"]
            [[registry]]
            host = "127.0.0.1:5000"
            insecure = false
            [[registry]]
            host = "*"
            blocked = true
            "#,
        )
        .unwrap();
        let mirrors = file.mirrors("docker.io").unwrap();
        assert_eq!(mirrors[0].host, "m.example:5000");
        assert_eq!(mirrors[0].prefix.as_deref(), Some("hub"));
        assert!(!mirrors[0].plain_http && mirrors[1].plain_http);
        assert_eq!(mirrors[1].prefix, None);
        assert!(!file.get("docker.io").blocked);
        assert!(file.get("quay.io").blocked);
        assert!(!file.is_insecure("127.0.0.1:5000"));
        assert!(file.is_insecure("127.0.0.1:5001"));
    }

    #[test]
    fn only_this_machine_is_insecure_by_default() {
        let file = Registries::default();
        for host in ["localhost:5000", "localhost", "127.3.2.1:80", "[::1]:5000"] {
            assert!(file.is_insecure(host), "{host}");
        }
        for host in ["docker.io", "10.0.0.1:5000", "localhost.example:5000"] {
            assert!(!file.is_insecure(host), "{host}");
        }
        let with_ca = file.with(Registry {
            host: "localhost:5000".into(),
            ca: Some("/ca.pem".into()),
            ..Registry::default()
        });
        assert!(!with_ca.is_insecure("localhost:5000"));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "x = 1",
            "[[registry]]\nhost = \"a b\"",
            "[[registry]]\nhost = \"\"",
            "[[registry]]\nhost = \"a.b\"\nmirrors = [\"ftp://x\"]",
            "[[registry]]\nhost = \"a.b\"\nmirrors = [\"https://user@x\"]",
            "[[registry]]\nhost = \"a.b\"\nmirrors = [\"https://x/../y\"]",
            "[[registry]]\nhost = \"a.b\"\ninsecur = true",
            "[[registry]]\nhost = \"a.b\"\n[[registry]]\nhost = \"a.b\"",
            "[[registry]]\nhost = \"a.b\"\nclient_cert = \"/c\"",
            "[[registry]]\nhost = \"*\"\nclient_cert = \"/c\"\nclient_key = \"/k\"",
        ] {
            assert!(Registries::parse(bad).is_err(), "{bad}");
        }
    }
}
