//! Logins, as Docker's `config.json` keeps them under `auths`. Read only; helpers are not started yet.
//!
//! ```json
//! {"auths": {"https://index.docker.io/v1/": {"auth": "base64(user:password)"},
//!            "registry.example:5000": {"username": "u", "password": "p"},
//!            "other.example": {"identitytoken": "…"}}}
//! ```
//! A login is looked up by the exact host and port of a registry, never by anything that a server says
//! (security: G3).

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::Error;

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

    /// The text, for sending it.
    pub(crate) fn expose(&self) -> &str {
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

/// All logins, by `host[:port]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    logins: BTreeMap<String, Login>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    /// Reads Docker's `config.json`.
    ///
    /// # Errors
    /// Not JSON, or an `auth` that is not base64 of `user:password`.
    pub fn from_docker_config(bytes: &[u8]) -> Result<Credentials, Error> {
        let file: File = berth_oci::image::parse_strict("config.json", bytes)
            .map_err(|source| Error::ParseCredentials { source })?;
        let mut logins = BTreeMap::new();
        for (key, entry) in file.auths {
            // Where a helper keeps the secret, the entry is empty; one for a part of a host is not for us.
            if let (Some(host), Some(login)) = (host_of(&key), login(&key, entry)?) {
                logins.insert(host, login);
            }
        }
        Ok(Credentials { logins })
    }

    /// The same with one more login.
    pub fn with(mut self, host: &str, login: Login) -> Credentials {
        self.logins.insert(host.to_ascii_lowercase(), login);
        self
    }

    /// The login for exactly this registry (`host[:port]` as in references).
    pub fn get(&self, host: &str) -> Option<&Login> {
        self.logins.get(&host.to_ascii_lowercase())
    }
}

/// The registry that a key of `auths` means.
fn host_of(key: &str) -> Option<String> {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(path.trim_end_matches('/'), "" | "v1" | "v2") || host.is_empty() {
        return None;
    }
    Some(match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_ascii_lowercase(),
    })
}

fn login(key: &str, entry: Entry) -> Result<Option<Login>, Error> {
    let bad = |reason| Error::InvalidCredentials {
        registry: key.to_owned(),
        reason,
    };
    let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
    if let Some(token) = filled(entry.registrytoken) {
        return Ok(Some(Login::Bearer(Secret(token))));
    }
    if let Some(token) = filled(entry.identitytoken) {
        return Ok(Some(Login::Identity(Secret(token))));
    }
    if let Some(auth) = filled(entry.auth) {
        let decoded = decode_base64(&auth).ok_or_else(|| bad("`auth` is not base64"))?;
        // Docker pads passwords with NULs at times.
        let text = String::from_utf8(decoded).map_err(|_| bad("`auth` is not UTF-8"))?;
        let (username, password) = text
            .split_once(':')
            .ok_or_else(|| bad("`auth` has no `:`"))?;
        return Ok(Some(Login::Basic {
            username: username.to_owned(),
            password: Secret(password.trim_matches('\0').to_owned()),
        }));
    }
    Ok(match (filled(entry.username), filled(entry.password)) {
        (Some(username), Some(password)) => Some(Login::Basic {
            username,
            password: Secret(password),
        }),
        _ => None,
    })
}

/// Base64 with the standard alphabet, padding optional. Source: RFC 4648, section 4.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let value = |b: u8| {
        Some(match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for b in text.trim().trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(value(b)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(username: &str, password: &str) -> Login {
        Login::Basic {
            username: username.into(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn dockers_file_is_read() {
        let file = br#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "dXNlcjpwYTpzcw=="},
            "R.example:5000": {"username": "u", "password": "p"},
            "id.example": {"auth": "dTo=", "identitytoken": "tok"},
            "helper.example": {},
            "part.example/some/repo": {"auth": "dXNlcjpwYTpzcw=="}},
            "credsStore": "secretservice"}"#;
        let all = Credentials::from_docker_config(file).unwrap();
        assert_eq!(all.get("docker.io"), Some(&basic("user", "pa:ss")));
        assert_eq!(all.get("r.example:5000"), Some(&basic("u", "p")));
        assert_eq!(
            all.get("id.example"),
            Some(&Login::Identity(Secret::new("tok")))
        );
        for absent in ["helper.example", "part.example", "r.example", "example"] {
            assert_eq!(all.get(absent), None, "{absent}");
        }
        assert!(!format!("{all:?}").contains("pa:ss"));
    }

    #[test]
    fn broken_entries_are_named() {
        for auth in ["???", "bm9jb2xvbg==", "/zo="] {
            let file = format!(r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}}}}}"#);
            let error = Credentials::from_docker_config(file.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("r.example"), "{error}");
        }
        assert!(Credentials::from_docker_config(b"[").is_err());
    }
}
