//! The options of a mount, taken apart: properties of the mount, propagation, data for the file system.
//!
//! Source: config.md "Mounts" and "Linux mount options"; mount(8).

use std::io;

use berth_oci::spec::Mount;
use berth_sys::mount::{Propagation, attr};

use crate::error::{Error, Result};

/// A mount's options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// [`attr`] bits to set on the mount itself.
    pub set: u64,
    /// [`attr`] bits to clear.
    pub clear: u64,
    /// [`attr`] bits to set on it and all below.
    pub recursive_set: u64,
    /// [`attr`] bits to clear on it and all below.
    pub recursive_clear: u64,
    /// It is a bind mount.
    pub bind: bool,
    /// A bind mount with all mounts below.
    pub recursive: bool,
    /// Propagation, and whether for all mounts below, too.
    pub propagation: Option<(Propagation, bool)>,
    /// The file system's own: key and value.
    pub data: Vec<(String, Option<String>)>,
    /// The directory's content is copied into the new tmpfs.
    pub copy_up: bool,
}

/// Name, bits, and whether they are set (else cleared).
const ATTRIBUTES: [(&str, u64, bool); 18] = [
    ("ro", attr::RDONLY, true),
    ("rw", attr::RDONLY, false),
    ("nosuid", attr::NOSUID, true),
    ("suid", attr::NOSUID, false),
    ("nodev", attr::NODEV, true),
    ("dev", attr::NODEV, false),
    ("noexec", attr::NOEXEC, true),
    ("exec", attr::NOEXEC, false),
    ("noatime", attr::NOATIME, true),
    ("atime", attr::NOATIME, false),
    ("nodiratime", attr::NODIRATIME, true),
    ("diratime", attr::NODIRATIME, false),
    ("strictatime", attr::STRICTATIME, true),
    ("nostrictatime", attr::STRICTATIME, false),
    ("nosymfollow", attr::NOSYMFOLLOW, true),
    ("symfollow", attr::NOSYMFOLLOW, false),
    // The kernel's default.
    ("relatime", 0, true),
    ("norelatime", 0, true),
];

const PROPAGATIONS: [(&str, Propagation); 4] = [
    ("private", Propagation::Private),
    ("shared", Propagation::Shared),
    ("slave", Propagation::Slave),
    ("unbindable", Propagation::Unbindable),
];

/// Words that mean nothing to a bind mount, or nothing at all.
const IGNORED: [&str; 5] = ["defaults", "async", "nomand", "silent", "loud"];

impl Options {
    /// Takes a mount's options apart.
    ///
    /// # Errors
    /// [`Error::Mount`] for a word that a bind mount does not have: nothing is passed on unread.
    pub fn parse(mount: &Mount) -> Result<Options> {
        let mut options = Options {
            bind: mount.kind.as_deref() == Some("bind"),
            ..Options::default()
        };
        for option in &mount.options {
            options.take(option);
        }
        // Data for a new file system, which a bind mount is not: other tools write it all the same.
        let harmless = |word: &str| matches!(word, "mode" | "size" | "uid" | "gid");
        if options.bind
            && let Some((word, _)) = options.data.iter().find(|(word, _)| !harmless(word))
        {
            return Err(Error::Mount {
                destination: mount.destination.clone(),
                what: "a directory".into(),
                source: io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("unknown option `{word}`"),
                ),
            });
        }
        Ok(options)
    }

    fn take(&mut self, option: &str) {
        if let Some((_, bits, set)) = ATTRIBUTES.iter().find(|(name, ..)| *name == option) {
            match set {
                true => (self.set, self.clear) = (self.set | bits, self.clear & !bits),
                false => (self.set, self.clear) = (self.set & !bits, self.clear | bits),
            }
            return;
        }
        let recursive = option.strip_prefix('r');
        if let Some((_, bits, set)) = ATTRIBUTES
            .iter()
            .find(|(name, ..)| Some(*name) == recursive)
        {
            match set {
                true => {
                    (self.recursive_set, self.recursive_clear) =
                        (self.recursive_set | bits, self.recursive_clear & !bits)
                }
                false => {
                    (self.recursive_set, self.recursive_clear) =
                        (self.recursive_set & !bits, self.recursive_clear | bits)
                }
            }
            return;
        }
        if let Some((name, kind)) = PROPAGATIONS
            .iter()
            .find(|(name, _)| *name == option || Some(*name) == recursive)
        {
            self.propagation = Some((*kind, *name != option));
            return;
        }
        match option {
            "bind" => self.bind = true,
            "rbind" => (self.bind, self.recursive) = (true, true),
            "tmpcopyup" => self.copy_up = true,
            word if IGNORED.contains(&word) => {}
            word => self.data.push(match word.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (word.to_owned(), None),
            }),
        }
    }
}

/// Understands `linux.rootfsPropagation`.
///
/// # Errors
/// [`Error::InvalidSpec`]: it is one of eight words, nothing else (security: R17).
pub fn root_propagation(word: Option<&str>) -> Result<(Propagation, bool)> {
    let Some(word) = word.filter(|w| !w.is_empty()) else {
        return Ok((Propagation::Slave, true));
    };
    let known = PROPAGATIONS
        .iter()
        .find(|(name, _)| *name == word || Some(*name) == word.strip_prefix('r'));
    known
        .map(|(name, kind)| (*kind, *name != word))
        .ok_or_else(|| Error::InvalidSpec {
            reason: format!("rootfsPropagation `{word}` is not known"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: Option<&str>, options: &[&str]) -> Result<Options> {
        Options::parse(&Mount {
            destination: "/x".into(),
            kind: kind.map(Into::into),
            options: options.iter().map(|o| (*o).into()).collect(),
            ..Mount::default()
        })
    }

    #[test]
    fn words_find_their_places() {
        let got = parse(
            Some("tmpfs"),
            &[
                "nosuid",
                "strictatime",
                "mode=755",
                "size=65536k",
                "ro",
                "rw",
            ],
        )
        .unwrap();
        assert_eq!(got.set, attr::NOSUID | attr::STRICTATIME);
        assert_eq!(got.clear, attr::RDONLY);
        assert_eq!(
            got.data,
            [
                ("mode".into(), Some("755".into())),
                ("size".into(), Some("65536k".into()))
            ]
        );

        let got = parse(None, &["rbind", "rro", "rprivate"]).unwrap();
        assert!(got.bind && got.recursive);
        assert_eq!(got.recursive_set, attr::RDONLY);
        assert_eq!(got.propagation, Some((Propagation::Private, true)));
        assert_eq!(
            parse(None, &["bind", "shared"]).unwrap().propagation,
            Some((Propagation::Shared, false))
        );
    }

    /// R17.
    #[test]
    fn nothing_unknown_passes() {
        for bad in ["shared,dev", "propagation=shared", "RO", "what=1"] {
            assert!(parse(Some("bind"), &[bad]).is_err(), "{bad}");
        }
        for bad in ["shared,dev", "rrshared", "x"] {
            assert!(root_propagation(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(root_propagation(None).unwrap(), (Propagation::Slave, true));
        assert_eq!(
            root_propagation(Some("shared")).unwrap(),
            (Propagation::Shared, false)
        );
    }
}
