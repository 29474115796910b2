//! The options of a mount, taken apart: properties of the mount, propagation, data for the file system.
//!
//! ```text
//! ro nosuid …      properties of the one mount; with an `r` before them, of all mounts below, too
//! sync lazytime …  of the file system: a bind mount has none of its own, so they say nothing there
//! size=1m …        any other word is the file system's own; of a bind mount it is refused
//! ```
//!
//! Source: config.md "Mounts" and "Linux mount options"; mount(8), mount_setattr(2).

use std::io;

use berth_oci::spec::Mount;
use berth_sys::mount::{Propagation, attr};

use crate::error::{Error, Result};

/// A mount's options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Properties of the mount itself.
    pub own: Attributes,
    /// Properties of it and all below.
    pub all: Attributes,
    /// It is a bind mount.
    pub bind: bool,
    /// A bind mount with all mounts below.
    pub recursive: bool,
    /// What is at the destination already is changed.
    pub remount: bool,
    /// Propagation, and whether for all mounts below, too; in this order.
    pub propagation: Vec<(Propagation, bool)>,
    /// The file system's own: key and value.
    pub data: Vec<(String, Option<String>)>,
    /// The directory's content is copied into the new tmpfs.
    pub copy_up: bool,
    /// Owners are mapped, and whether on all mounts below, too.
    pub id_map: Option<bool>,
    /// What is below the source is mounted in its stead, resolved as if the source were the root: the engine's own
    /// option, for volumes.
    pub subpath: Option<String>,
    /// Inodes count their changes, which only mount(2) can ask for.
    pub inode_version: bool,
}

/// [`attr`] bits to set and to clear.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// To set.
    pub set: u64,
    /// To clear; with a value for access times this is their whole field, as the kernel wants it.
    pub clear: u64,
}

impl Attributes {
    /// Whether nothing changes.
    pub fn is_empty(self) -> bool {
        self.set | self.clear == 0
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Set(bit) => (self.set, self.clear) = (self.set | bit, self.clear & !bit),
            Effect::Clear(bit) => (self.set, self.clear) = (self.set & !bit, self.clear | bit),
            Effect::Times(value) => {
                (self.set, self.clear) = (self.set & !attr::ATIME | value, self.clear | attr::ATIME)
            }
            Effect::NotTimes(value) => {
                let others = self.clear & attr::ATIME != 0 && self.set & attr::ATIME != value;
                if !others {
                    self.take(Effect::Times(attr::RELATIME));
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Effect {
    Set(u64),
    Clear(u64),
    /// One of the three ways to keep access times.
    Times(u64),
    /// Not this one: then as the kernel does by default.
    NotTimes(u64),
}

const ATTRIBUTES: [(&str, Effect); 18] = [
    ("ro", Effect::Set(attr::RDONLY)),
    ("rw", Effect::Clear(attr::RDONLY)),
    ("nosuid", Effect::Set(attr::NOSUID)),
    ("suid", Effect::Clear(attr::NOSUID)),
    ("nodev", Effect::Set(attr::NODEV)),
    ("dev", Effect::Clear(attr::NODEV)),
    ("noexec", Effect::Set(attr::NOEXEC)),
    ("exec", Effect::Clear(attr::NOEXEC)),
    ("noatime", Effect::Times(attr::NOATIME)),
    ("atime", Effect::NotTimes(attr::NOATIME)),
    ("relatime", Effect::Times(attr::RELATIME)),
    ("norelatime", Effect::NotTimes(attr::RELATIME)),
    ("strictatime", Effect::Times(attr::STRICTATIME)),
    ("nostrictatime", Effect::NotTimes(attr::STRICTATIME)),
    ("nodiratime", Effect::Set(attr::NODIRATIME)),
    ("diratime", Effect::Clear(attr::NODIRATIME)),
    ("nosymfollow", Effect::Set(attr::NOSYMFOLLOW)),
    ("symfollow", Effect::Clear(attr::NOSYMFOLLOW)),
];

const PROPAGATIONS: [(&str, Propagation); 4] = [
    ("private", Propagation::Private),
    ("shared", Propagation::Shared),
    ("slave", Propagation::Slave),
    ("unbindable", Propagation::Unbindable),
];

/// Of any file system, known to the kernel's fsconfig(2) by these names.
const FILE_SYSTEM: [&str; 7] = [
    "sync",
    "async",
    "dirsync",
    "lazytime",
    "nolazytime",
    "mand",
    "nomand",
];

/// Words that say what is so anyway: a new mount is made without messages in the kernel's log.
const IGNORED: [&str; 3] = ["defaults", "silent", "loud"];

/// See [`Options::subpath`].
const SUBPATH: &str = "x-berth.subpath=";

/// Words with a meaning of their own, see [`Options::take`].
const SPECIAL: [&str; 8] = [
    "bind",
    "rbind",
    "remount",
    "idmap",
    "ridmap",
    "tmpcopyup",
    "iversion",
    "noiversion",
];

/// All options that are understood here (what is not goes to the file system), for `features`.
pub fn names() -> Vec<String> {
    let plain = ATTRIBUTES.iter().map(|(name, _)| *name);
    let plain = plain.chain(PROPAGATIONS.iter().map(|(name, _)| *name));
    let words = FILE_SYSTEM.iter().chain(&IGNORED).chain(&SPECIAL);
    let mut names: Vec<String> = plain
        .flat_map(|name| [name.to_owned(), format!("r{name}")])
        .chain(words.map(|name| (*name).to_owned()))
        .collect();
    names.sort_unstable();
    names
}

impl Options {
    /// Takes a mount's options apart.
    ///
    /// # Errors
    /// [`Error::Mount`] for a word that a bind mount does not have: nothing is passed on unread.
    pub fn parse(mount: &Mount) -> Result<Options> {
        let mut options = Options {
            bind: is_bind(mount),
            ..Options::default()
        };
        for option in &mount.options {
            options.take(option);
        }
        if !(mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty()) {
            options.id_map.get_or_insert(false);
        }
        if options.bind {
            options
                .data
                .retain(|(word, _)| !FILE_SYSTEM.contains(&word.as_str()));
            options.inode_version = false;
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

    /// [`Options::data`], as file systems take it.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let pairs = self.data.iter();
        pairs.map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    fn take(&mut self, option: &str) {
        let find = |wanted: &str| ATTRIBUTES.iter().find(|(name, _)| *name == wanted);
        if let Some((_, effect)) = find(option) {
            return self.own.take(*effect);
        }
        let recursive = option.strip_prefix('r');
        if let Some((_, effect)) = recursive.and_then(find) {
            return self.all.take(*effect);
        }
        if let Some(propagation) = propagation(option) {
            return self.propagation.push(propagation);
        }
        match option {
            "bind" => {} // see `is_bind`
            "rbind" => self.recursive = true,
            "remount" => self.remount = true,
            "idmap" => self.id_map = Some(false),
            "ridmap" => self.id_map = Some(true),
            "tmpcopyup" => self.copy_up = true,
            "iversion" => self.inode_version = true,
            "noiversion" => self.inode_version = false,
            word if IGNORED.contains(&word) => {}
            word if self.bind && word.starts_with(SUBPATH) => {
                self.subpath = Some(word[SUBPATH.len()..].to_owned());
            }
            word => self.data.push(match word.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (word.to_owned(), None),
            }),
        }
    }
}

/// Whether it is a bind mount: by its type or by an option.
pub(crate) fn is_bind(mount: &Mount) -> bool {
    mount.kind.as_deref() == Some("bind")
        || mount.options.iter().any(|o| o == "bind" || o == "rbind")
}

/// One of eight words, and nothing else.
fn propagation(word: &str) -> Option<(Propagation, bool)> {
    let recursive = word.strip_prefix('r');
    PROPAGATIONS
        .iter()
        .find(|(name, _)| *name == word || Some(*name) == recursive)
        .map(|(name, kind)| (*kind, *name != word))
}

/// Understands `linux.rootfsPropagation`.
///
/// # Errors
/// [`Error::InvalidSpec`]: it is one of eight words, nothing else (security: R17).
pub fn root_propagation(word: Option<&str>) -> Result<Option<(Propagation, bool)>> {
    match word.filter(|word| !word.is_empty()) {
        None => Ok(None),
        Some(word) => propagation(word)
            .map(Some)
            .ok_or_else(|| Error::InvalidSpec {
                reason: format!("rootfsPropagation `{word}` is not known"),
            }),
    }
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
        let words = [
            "nosuid",
            "strictatime",
            "mode=755",
            "size=65536k",
            "ro",
            "rw",
        ];
        let got = parse(Some("tmpfs"), &words).unwrap();
        assert_eq!(got.own.set, attr::NOSUID | attr::STRICTATIME);
        assert_eq!(got.own.clear, attr::RDONLY | attr::ATIME);
        let data = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(got.data, [data("mode", "755"), data("size", "65536k")]);

        let got = parse(None, &["rbind", "rro", "rprivate", "sync", "ridmap"]).unwrap();
        assert!(got.bind && got.recursive && got.id_map == Some(true));
        assert_eq!(got.all.set, attr::RDONLY);
        assert_eq!(got.propagation, [(Propagation::Private, true)]);
        assert_eq!(got.data, [], "a bind mount is no file system");
        let both = parse(None, &["bind", "rslave", "shared"])
            .unwrap()
            .propagation;
        assert_eq!(
            both,
            [(Propagation::Slave, true), (Propagation::Shared, false)]
        );
        let got = parse(Some("ext4"), &["lazytime", "iversion", "acl"]).unwrap();
        assert_eq!(got.data, [("lazytime".into(), None), ("acl".into(), None)]);
        assert!(got.inode_version);
    }

    /// Access times are one of three values: the last word counts, and one that takes a value back
    /// touches no other.
    #[test]
    fn access_times_are_one_value() {
        let times = |words: &[&str]| {
            let got = parse(None, &[&["bind"], words].concat()).unwrap();
            (got.own.clear & attr::ATIME != 0).then_some(got.own.set & attr::ATIME)
        };
        assert_eq!(times(&["nodiratime"]), None);
        for (words, want) in [
            (&["noatime"][..], attr::NOATIME),
            (&["noatime", "relatime"], attr::RELATIME),
            (&["relatime", "strictatime"], attr::STRICTATIME),
            (&["noatime", "atime"], attr::RELATIME),
            (&["noatime", "nostrictatime"], attr::NOATIME),
            (&["strictatime", "atime", "norelatime"], attr::STRICTATIME),
            (&["atime"], attr::RELATIME),
        ] {
            assert_eq!(times(words), Some(want), "{words:?}");
        }
    }

    /// Source: config.md, "Linux mount options": all words of its table are known.
    #[test]
    fn every_word_of_the_specification_is_known() {
        let table = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand \
            noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid \
            nosymfollow private ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime \
            rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared \
            rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid \
            symfollow sync tmpcopyup unbindable idmap ridmap rnodev";
        let names = names();
        for word in table.split_ascii_whitespace() {
            assert!(names.iter().any(|name| name == word), "{word}");
            let got = parse(Some("tmpfs"), &[word]).unwrap();
            let passed = FILE_SYSTEM.contains(&word);
            assert_eq!(got.data.is_empty(), !passed, "{word}");
        }
        assert_eq!(names.len(), 62);
        assert!(names.is_sorted());
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
        assert_eq!(root_propagation(None).unwrap(), None);
        assert_eq!(root_propagation(Some("")).unwrap(), None);
        let shared = Some((Propagation::Shared, false));
        assert_eq!(root_propagation(Some("shared")).unwrap(), shared);
    }
}
