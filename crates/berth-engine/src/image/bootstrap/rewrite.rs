//! From the archive that mmdebstrap made to the layer of the image: the same files, without what a
//! machine or a moment put among them.

use std::io::{BufRead, Write};

use berth_layer::Limits;
use berth_layer::tar::{Data, Entry, Kind, Reader, Time, Writer};

use super::sources::{is_rolling, security_suite};
use crate::image::Error;

/// Left out with all below them: device nodes (the runtime makes its own), caches, logs, copies
/// that package tools keep, the bootstrap's own settings.
const LEFT_OUT: &[&str] = &[
    "etc/.pwd.lock",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/0000mmdebstrap.list",
    "etc/group-",
    "etc/gshadow-",
    "etc/hostname",
    "etc/passwd-",
    "etc/resolv.conf",
    "etc/shadow-",
    "var/cache/ldconfig/aux-cache",
];

/// Directories that stay, empty.
const EMPTIED: &[&str] = &[
    "dev/",
    "run/",
    "tmp/",
    "var/cache/apt/",
    "var/cache/debconf/",
    "var/lib/apt/lists/",
    "var/lib/systemd/random-seed/",
    "var/log/",
    "var/tmp/",
];

/// Bytes of a file that is looked into.
const EDITED_BYTES: u64 = 1 << 20;

pub(super) struct Rewriter {
    suite: String,
    epoch_s: i64,
    key_ring: Option<String>,
}

impl Rewriter {
    pub(super) fn new(suite: &str, epoch_s: i64, key_ring: Option<String>) -> Rewriter {
        Rewriter {
            suite: suite.to_owned(),
            epoch_s,
            key_ring,
        }
    }

    /// Copies the archive and adds the sources; the caller closes it.
    pub(super) fn copy<R: BufRead, W: Write>(
        &self,
        input: R,
        mut writer: Writer<W>,
    ) -> Result<Writer<W>, Error> {
        let archive = |source| Error::Archive { source };
        let mut reader = Reader::new(input, Limits::default());
        while let Some(mut entry) = reader.next().map_err(archive)? {
            let path = clean(&entry.path).to_vec();
            if is_left_out(&path, entry.kind) {
                continue;
            }
            entry.path = if path.is_empty() {
                b"./".to_vec()
            } else {
                path
            };
            if entry.kind == Kind::Hardlink {
                entry.link = clean(&entry.link).to_vec();
            }
            entry.mtime = Time {
                secs: entry.mtime.secs.min(self.epoch_s),
                nanos: 0,
            };
            self.append(&mut writer, entry, reader.data())?;
        }
        let text = self.sources();
        self.add(
            &mut writer,
            "etc/apt/sources.list.d/debian.sources",
            text.as_bytes(),
        )?;
        Ok(writer)
    }

    fn append<R: BufRead, W: Write>(
        &self,
        writer: &mut Writer<W>,
        mut entry: Entry,
        mut data: Data<'_, R>,
    ) -> Result<(), Error> {
        let write = |source| Error::WriteArchive { source };
        let edited = match (entry.kind, &entry.path[..]) {
            // Each container of an image is a new machine.
            (Kind::File, b"etc/machine-id") => Vec::new(),
            (Kind::File, b"etc/shadow") => {
                let text = data.to_vec(EDITED_BYTES);
                self.shadow(&text.map_err(|source| Error::Archive { source })?)
            }
            _ => return writer.append(&entry, &mut data).map_err(write),
        };
        entry.size = edited.len() as u64;
        writer.append(&entry, &mut &edited[..]).map_err(write)
    }

    fn add<W: Write>(
        &self,
        writer: &mut Writer<W>,
        path: &str,
        mut bytes: &[u8],
    ) -> Result<(), Error> {
        let entry = Entry {
            size: bytes.len() as u64,
            mtime: Time {
                secs: self.epoch_s,
                nanos: 0,
            },
            ..Entry::new(path, Kind::File)
        };
        writer
            .append(&entry, &mut bytes)
            .map_err(|source| Error::WriteArchive { source })
    }

    /// The third field is the day on which a password was set last: the day of the bootstrap.
    fn shadow(&self, text: &[u8]) -> Vec<u8> {
        let day = (self.epoch_s / 86_400).to_string();
        let line = |line: &[u8]| -> Vec<u8> {
            let mut fields: Vec<&[u8]> = line.split(|b| *b == b':').collect();
            if let Some(field) = fields.get_mut(2).filter(|field| !field.is_empty()) {
                *field = day.as_bytes();
            }
            fields.join(&b':')
        };
        let lines: Vec<Vec<u8>> = text.split(|b| *b == b'\n').map(line).collect();
        lines.join(&b'\n')
    }

    /// Debian's own defaults, whatever mirror the host uses.
    fn sources(&self) -> String {
        let suite = &self.suite;
        let signed = self
            .key_ring
            .as_ref()
            .map(|path| format!("Signed-By: {path}\n"));
        let signed = signed.unwrap_or_default();
        let stanza = |uri: &str, suites: &str| {
            format!("Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n{signed}")
        };
        let main = "http://deb.debian.org/debian";
        if is_rolling(suite) {
            return stanza(main, suite);
        }
        let security = stanza(
            "http://deb.debian.org/debian-security",
            &security_suite(suite),
        );
        format!(
            "{}\n{security}",
            stanza(main, &format!("{suite} {suite}-updates"))
        )
    }
}

fn clean(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = if path == b"." { b"" } else { path };
    path.strip_suffix(b"/").unwrap_or(path)
}

fn is_left_out(path: &[u8], kind: Kind) -> bool {
    let below = |dir: &&str| path.starts_with(dir.as_bytes());
    let in_emptied = EMPTIED.iter().any(below);
    // Packages rely on some directories in there, such as var/cache/apt/archives/partial.
    if in_emptied && !(kind == Kind::Dir && path.starts_with(b"var/")) {
        return true;
    }
    let old = path.starts_with(b"var/lib/dpkg/") && path.ends_with(b"-old");
    old || LEFT_OUT.iter().any(|name| path == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(entries: &[(&str, Kind, &str, i64)]) -> Vec<(String, String, i64)> {
        let mut writer = Writer::new(Vec::new());
        for (path, kind, text, secs) in entries {
            let mut entry = Entry::new(*path, *kind);
            entry.mtime = Time {
                secs: *secs,
                nanos: 7,
            };
            match kind {
                Kind::File => entry.size = text.len() as u64,
                _ => entry.link = text.as_bytes().to_vec(),
            }
            let data = if *kind == Kind::File {
                text.as_bytes()
            } else {
                b""
            };
            writer.append(&entry, &mut &data[..]).unwrap();
        }
        let tar = writer.finish().unwrap();
        let rewriter = Rewriter::new("trixie", 864_000, Some("/k.pgp".into()));
        let out = rewriter
            .copy(&tar[..], Writer::new(Vec::new()))
            .unwrap()
            .finish()
            .unwrap();
        let mut reader = Reader::new(&out[..], Limits::default());
        let mut found = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            let text = match entry.kind {
                Kind::File => reader.data().to_vec(1 << 20).unwrap(),
                _ => entry.link.clone(),
            };
            assert_eq!(entry.mtime.nanos, 0);
            let [path, text] = [entry.path, text].map(|bytes| String::from_utf8(bytes).unwrap());
            found.push((path, text, entry.mtime.secs));
        }
        found
    }

    #[test]
    fn traces_of_the_moment_are_gone() {
        let found = rewrite(&[
            ("./", Kind::Dir, "", 999_999_999),
            ("./etc/", Kind::Dir, "", 5),
            (
                "./etc/shadow",
                Kind::File,
                "root:*:20000:0:\nx:!::0:\n",
                999_999_999,
            ),
            ("./dev/", Kind::Dir, "", 5),
            ("./dev/console", Kind::Char { major: 5, minor: 1 }, "", 5),
            ("./var/log/", Kind::Dir, "", 5),
            ("./var/log/apt/", Kind::Dir, "", 5),
            ("./var/log/dpkg.log", Kind::File, "now", 5),
            ("./var/lib/dpkg/status-old", Kind::File, "x", 5),
        ]);
        let paths: Vec<&str> = found
            .iter()
            .map(|(path, ..)| path.trim_end_matches('/'))
            .collect();
        let sources = "etc/apt/sources.list.d/debian.sources";
        assert_eq!(
            paths,
            [
                ".",
                "etc",
                "etc/shadow",
                "dev",
                "var/log",
                "var/log/apt",
                sources
            ]
        );
        assert!(found.iter().all(|(.., secs)| *secs <= 864_000));
        assert_eq!(found[2].1, "root:*:10:0:\nx:!::0:\n");
    }

    #[test]
    fn passwords_were_set_on_the_images_day() {
        let rewriter = Rewriter::new("trixie", 864_000, None);
        let text = rewriter.shadow(b"root:*:20000:0:\nx:!::0:\n");
        assert_eq!(text, b"root:*:10:0:\nx:!::0:\n");
    }

    #[test]
    fn the_sources_are_debians_defaults() {
        let text = Rewriter::new("trixie", 0, Some("/k.pgp".into())).sources();
        assert!(
            text.contains("URIs: http://deb.debian.org/debian\nSuites: trixie trixie-updates\n")
        );
        assert!(text.contains(
            "debian-security\nSuites: trixie-security\nComponents: main\nSigned-By: /k.pgp\n"
        ));
        let text = Rewriter::new("sid", 0, None).sources();
        assert_eq!(text.lines().count(), 4);
    }
}
