//! Docker's `config.json`, of which logins are a part. `auth.json` of podman and skopeo has the same form.
//!
//! ```json
//! {"auths": {"https://index.docker.io/v1/": {"auth": "base64(user:password)"},
//!            "registry.example:5000": {"username": "u", "password": "p"},
//!            "other.example": {"auth": "base64(user:)", "identitytoken": "…"},
//!            "helped.example": {}},
//!  "credsStore": "secretservice", "credHelpers": {"helped.example": "pass"}}
//! ```
//! The file is not ours alone: a change keeps every other key as it was, byte by byte and in its order, and is
//! written whole or not at all, with mode 0600. Writers of ours take turns by a lock on the directory.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use berth_fs::{Durability, Lock, LockMode};
use berth_oci::image::parse_strict;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::server::Server;
use super::{Login, Secret};
use crate::Error;
use crate::limits::MAX_LOGINS_BYTES;

/// The file's content.
#[derive(Debug, Default)]
pub(super) struct LoginFile {
    fields: Fields,
    auths: Fields,
    settings: Settings,
}

/// An object whose keys stay in their order and whose values stay as they are written.
#[derive(Debug, Default)]
struct Fields(Vec<(String, Box<RawValue>)>);

/// What is understood of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize, Default, Clone)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl LoginFile {
    /// Reads the file at `path`; `None`: there is none.
    pub(super) fn read(path: &Path) -> Result<Option<LoginFile>, Error> {
        let failed = |source| Error::ReadFile {
            what: "the logins",
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        match std::fs::File::open(path) {
            Ok(file) => file
                .take(MAX_LOGINS_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        LoginFile::parse(&bytes)
            .map(Some)
            .map_err(|source| Error::ParseCredentials {
                path: path.to_owned(),
                source,
            })
    }

    /// Reads a variable in the place of a file.
    pub(super) fn of_text(text: &str) -> Result<LoginFile, Error> {
        LoginFile::parse(text.as_bytes()).map_err(|source| Error::ParseCredentials {
            path: "DOCKER_AUTH_CONFIG".into(),
            source,
        })
    }

    /// The whole as text.
    pub(super) fn text(&self) -> String {
        self.fields.text(0)
    }

    fn parse(bytes: &[u8]) -> Result<LoginFile, berth_oci::Error> {
        let bytes = match bytes.trim_ascii() {
            b"" => b"{}",
            some => some,
        };
        let settings = parse_strict("the logins", bytes)?;
        let raw = |bytes| {
            serde_json::from_slice::<Fields>(bytes).map_err(|source| berth_oci::Error::ParseJson {
                what: "the logins",
                source,
            })
        };
        let fields = raw(bytes)?;
        let auths = match fields.get("auths").filter(|text| *text != "null") {
            Some(text) => raw(text.as_bytes())?,
            None => Fields::default(),
        };
        Ok(LoginFile {
            fields,
            auths,
            settings,
        })
    }

    /// The name of the helper that keeps this registry's login.
    pub(super) fn helper(&self, server: &Server) -> Option<&str> {
        let own = self.settings.helpers.iter().flatten();
        let mut own = own
            .filter(|(key, _)| server.is_key(key))
            .map(|(_, name)| name);
        let name = own.next_back().or(self.settings.store.as_ref())?;
        Some(name.as_str()).filter(|name| !name.is_empty())
    }

    /// The login that stands in the file itself.
    pub(super) fn login(&self, server: &Server) -> Result<Option<Login>, Error> {
        // The key that we would write comes first; older tools wrote others.
        let exact = |key: &str| key == server.key();
        let mut found: Vec<_> = self.settings.auths.iter().flatten().collect();
        found.retain(|(key, _)| server.is_key(key));
        found.sort_by_key(|(key, _)| !exact(key));
        for (key, entry) in found {
            if let Some(login) = login(key, entry.clone())? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }

    /// Whether the file says anything of logins.
    pub(super) fn is_bare(&self) -> bool {
        let helped = self
            .settings
            .helpers
            .as_ref()
            .is_some_and(|h| !h.is_empty());
        let stored = self.settings.store.as_ref().is_some_and(|s| !s.is_empty());
        self.auths.0.is_empty() && !helped && !stored
    }

    /// Puts a login into the file itself.
    pub(super) fn set(&mut self, server: &Server, username: &str, login: &Login) {
        let pair = |password: &str| {
            crate::origin::encode_base64(format!("{username}:{password}").as_bytes())
        };
        let entry = match login {
            Login::Basic { password, .. } => serde_json::json!({"auth": pair(password.expose())}),
            Login::Identity(token) => {
                serde_json::json!({"auth": pair(""), "identitytoken": token.expose()})
            }
            Login::Bearer(token) => serde_json::json!({"registrytoken": token.expose()}),
        };
        self.put(server, &entry);
    }

    /// Notes that a helper keeps the login: an entry without one.
    pub(super) fn set_helped(&mut self, server: &Server) {
        self.put(server, &serde_json::json!({}));
    }

    /// Names the helper for all registries.
    pub(super) fn set_store(&mut self, helper: &str) {
        self.fields.set("credsStore", fresh(&helper, 1));
    }

    /// Names the helper for this registry; others stay with what they have.
    pub(super) fn set_helper(&mut self, server: &Server, helper: &str) {
        let mut helpers = self.settings.helpers.clone().unwrap_or_default();
        helpers.insert(server.key().to_owned(), helper.to_owned());
        self.fields.set("credHelpers", fresh(&helpers, 1));
        self.settings.helpers = Some(helpers);
    }

    /// Takes the registry's entries away.
    pub(super) fn remove(&mut self, server: &Server) -> bool {
        let before = self.auths.0.len();
        self.auths.0.retain(|(key, _)| !server.is_key(key));
        let changed = self.auths.0.len() != before;
        if changed {
            self.fields.set("auths", raw(self.auths.text(1)));
        }
        changed
    }

    fn put(&mut self, server: &Server, entry: &serde_json::Value) {
        // No second entry that means the same stays beside it.
        self.auths
            .0
            .retain(|(key, _)| !server.is_key(key) || key == server.key());
        self.auths.set(server.key(), fresh(entry, 2));
        self.fields.set("auths", raw(self.auths.text(1)));
    }

    fn bytes(&self) -> Vec<u8> {
        self.text().into_bytes()
    }
}

/// Changes the file at `path`, which is made when missing, if `edit` says so.
pub(super) fn change(
    path: &Path,
    edit: impl FnOnce(&mut LoginFile) -> bool,
) -> Result<bool, Error> {
    let failed = |source| Error::WriteCredentials {
        path: path.to_owned(),
        source,
    };
    // Somebody who keeps it elsewhere by a link goes on doing so.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| Error::MakeDirectory {
            path: directory.to_owned(),
            source,
        })?;
    let _lock = Lock::dir(directory, LockMode::Exclusive).map_err(failed)?;
    let mut file = LoginFile::read(&path)?.unwrap_or_default();
    if !edit(&mut file) {
        return Ok(false);
    }
    let owner = std::fs::metadata(&path).ok().map(|m| (m.uid(), m.gid()));
    berth_fs::atomic_write(&path, &file.bytes(), Durability::Durable).map_err(failed)?;
    if let Some((uid, gid)) = owner {
        // Root may work on another user's file. Where that fails we wrote our own.
        let _ = std::os::unix::fs::lchown(&path, Some(uid), Some(gid));
    }
    Ok(true)
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
        let text = String::from_utf8(decoded).map_err(|_| bad("`auth` is not UTF-8"))?;
        let (username, password) = text
            .split_once(':')
            .ok_or_else(|| bad("`auth` has no `:`"))?;
        return Ok(Some(Login::Basic {
            username: username.to_owned(),
            // Docker pads passwords with NULs at times.
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

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.get())
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The object, below a line with so many tabs; values are not touched.
    fn text(&self, tabs: usize) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let indent = "\t".repeat(tabs);
        let line = |(key, value): &(String, Box<RawValue>)| {
            let key = serde_json::Value::from(key.as_str());
            format!("{indent}\t{key}: {}", value.get())
        };
        let lines: Vec<String> = self.0.iter().map(line).collect();
        format!("{{\n{}\n{indent}}}", lines.join(",\n"))
    }
}

/// A value of ours, indented as Docker does below a line with so many tabs.
fn fresh(value: &impl Serialize, tabs: usize) -> Box<RawValue> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = value.serialize(&mut serializer);
    let text = written.ok().and_then(|()| String::from_utf8(bytes).ok());
    let text = text.expect("maps of strings can be written");
    // A line break within a string would be escaped.
    raw(text.replace('\n', &format!("\n{}", "\t".repeat(tabs))))
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("it was just written")
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    fields.push(pair);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
