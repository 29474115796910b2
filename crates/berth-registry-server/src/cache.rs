//! A cache for another registry: what is not here is fetched there, and kept.

use std::path::PathBuf;
use std::time::Duration;

use berth_oci::reference::{check_domain, check_path};

/// Another registry, and for which repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// How the names of the repositories begin that it has, without this; empty: all.
    pub prefix: String,
    /// `host[:port]`, as in references.
    pub host: String,
    /// What goes before the repository's name there; may be empty.
    pub path: String,
    /// How long a tag is believed.
    pub ttl: Duration,
    /// Name, and the file of the password.
    pub login: Option<(String, PathBuf)>,
    /// PEM file of the only authorities to trust.
    pub ca: Option<PathBuf>,
    /// Certificates are not checked, and plain HTTP is taken.
    pub insecure: bool,
}

impl Upstream {
    /// Reads `https://HOST[:PORT][/PATH]`; in plain HTTP, it is insecure.
    ///
    /// # Errors
    /// The reason, when it is not one.
    pub fn parse(url: &str) -> Result<Upstream, &'static str> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("it begins with https:// (or http://)")?;
        let insecure = match scheme {
            "https" => false,
            "http" => true,
            _ => return Err("it begins with https:// (or http://)"),
        };
        let rest = rest.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        check_domain(host)?;
        if !path.is_empty() {
            check_path(path)?;
        }
        Ok(Upstream {
            prefix: String::new(),
            host: host.to_owned(),
            path: path.to_owned(),
            ttl: Duration::from_secs(600),
            login: None,
            ca: None,
            insecure,
        })
    }
}
