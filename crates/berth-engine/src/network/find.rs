//! What a network is called: names, ids, and which network they mean.

use std::path::PathBuf;

use berth_fs::Durability;

use super::BRIDGE_NETWORK;
use super::record::{PREDEFINED, Record};
use crate::error::files;
use crate::{Engine, Error};

/// The longest name, in bytes.
pub(super) const NAME_MAX: usize = 80;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A network that is always there.
    Predefined(&'static str),
    /// One of somebody's own.
    Own(Box<Record>),
}

impl Engine {
    /// The network that `text` means: its id, its name, or the beginning of just one id.
    pub(crate) fn find_network(&self, text: &str) -> Result<Found, Error> {
        let none = || Error::NoNetwork {
            name: text.to_owned(),
        };
        if let Some(name) = PREDEFINED.into_iter().find(|name| *name == text) {
            return match self.options.rootless && name == BRIDGE_NETWORK {
                true => Err(none()),
                false => Ok(Found::Predefined(name)),
            };
        }
        let own = |id: &str| -> Result<Option<Found>, Error> {
            let record = self.network_record(id)?;
            Ok(record.map(|record| Found::Own(Box::new(record))))
        };
        if let Some(found) = own(text)? {
            return Ok(found);
        }
        if let Some(id) = self.named_network(text)?
            && let Some(found) = own(&id)?
        {
            return Ok(found);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(none());
        }
        let mut matching = Vec::new();
        for name in PREDEFINED {
            if !(self.options.rootless && name == BRIDGE_NETWORK)
                && self.network_id(name)?.starts_with(text)
            {
                matching.push(Found::Predefined(name));
            }
        }
        for id in self.network_ids()? {
            if id.starts_with(text) {
                matching.extend(own(&id)?);
            }
        }
        match matching.len() {
            0 => Err(none()),
            1 => Ok(matching.remove(0)),
            count => Err(Error::AmbiguousNetwork {
                name: text.to_owned(),
                count,
            }),
        }
    }

    /// Whose name it is, by the link alone.
    pub(super) fn named_network(&self, name: &str) -> Result<Option<String>, Error> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(None);
        }
        let link = self.network_name(name);
        match std::fs::read_link(&link) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io {
                action: "read the name",
                path: link,
                source,
            }),
        }
    }

    /// Frees a name that still is `id`'s. The lock of the networks is ours.
    pub(super) fn free_network_name(&self, name: &str, id: &str) -> Result<(), Error> {
        if self.named_network(name)?.as_deref() != Some(id) {
            return Ok(());
        }
        berth_fs::remove_file(&self.network_name(name), Durability::Durable)
            .map_err(files("free the network's name"))
    }

    pub(super) fn network_names(&self) -> PathBuf {
        self.layout.networks().join("names")
    }

    pub(super) fn network_name(&self, name: &str) -> PathBuf {
        self.network_names().join(file_name(name))
    }
}

/// The file that stands for a name: names may have any characters.
fn file_name(name: &str) -> String {
    let mut text = String::new();
    for (place, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => text.push(byte.into()),
            b'.' if place > 0 => text.push('.'),
            other => text.push_str(&format!("%{other:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_file_of_its_own() {
        for (name, file) in [
            ("lan", "lan"),
            ("a.b-c_1", "a.b-c_1"),
            ("..", "%2e."),
            (".", "%2e"),
            ("a/b", "a%2fb"),
            ("a%2fb", "a%252fb"),
            ("test 01", "test%2001"),
            ("é", "%c3%a9"),
        ] {
            assert_eq!(file_name(name), file);
        }
        assert!(file_name(&"é".repeat(NAME_MAX / 2)).len() < 255);
    }
}
