//! Rows T3 and T4: whatever we accept, GNU tar, bsdtar and Python's tarfile list alike; where readers differ,
//! we refuse. Hand-made archives, archives by other writers, and archives with one byte changed.
//!
//! Needs the Debian packages tar, libarchive-tools and python3.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use berth_layer::Limits;
use berth_layer::tar::{Entry, Kind, Reader, Writer};

/// Kind as in `ls -l` (`h` for a hard link), size, name, link target.
type Listing = Vec<(char, u64, String, String)>;

fn ours(bytes: &[u8]) -> Result<Listing, String> {
    let mut reader = Reader::new(bytes, Limits::default());
    let mut listing = Listing::new();
    while let Some(entry) = reader.next().map_err(|error| error.to_string())? {
        let kind = match entry.kind {
            Kind::File => '-',
            Kind::Hardlink => 'h',
            Kind::Symlink => 'l',
            Kind::Dir => 'd',
            Kind::Char { .. } => 'c',
            Kind::Block { .. } => 'b',
            Kind::Fifo => 'p',
        };
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .trim_end_matches('/')
                .to_owned()
        };
        listing.push((kind, entry.size, text(&entry.path), text(&entry.link)));
    }
    Ok(listing)
}

const PYTHON: &str = r#"
import json, sys, tarfile
kinds = {tarfile.REGTYPE: "-", tarfile.AREGTYPE: "-", tarfile.CONTTYPE: "-", tarfile.LNKTYPE: "h", tarfile.SYMTYPE: "l",
         tarfile.DIRTYPE: "d", tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b", tarfile.FIFOTYPE: "p", tarfile.GNUTYPE_SPARSE: "S"}
for path in sys.argv[1:]:
    try:
        with tarfile.open(path, "r:", errorlevel=2, errors="replace") as archive:
            members = [(kinds.get(m.type, "?"), m.size if m.isreg() else 0, m.name.rstrip("/"),
                        m.linkname.rstrip("/") if m.issym() or m.islnk() else "") for m in archive]
        print(json.dumps(members))
    except Exception as error:
        print(json.dumps(str(error)))
"#;

/// What Python lists of each file; `None` where it refuses.
fn python(paths: &[PathBuf]) -> Vec<Option<Listing>> {
    let output = Command::new("python3")
        .args(["-c", PYTHON])
        .args(paths)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Listing>(line).ok())
        .collect()
}

/// What a command line tar lists of a file; `None` where it refuses or complains.
fn command(path: &Path, gnu: bool) -> Option<Listing> {
    let mut command = if gnu {
        let mut command = Command::new("tar");
        command.args(["--numeric-owner", "--quoting-style=literal", "-P", "-tvf"]);
        command
    } else {
        let mut command = Command::new("bsdtar");
        command.args(["--numeric-owner", "-P", "-tvf"]);
        command
    };
    let output = command
        .arg(path)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .output()
        .unwrap();
    if !output.status.success() || !output.stderr.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| parse_line(line, gnu)).collect()
}

/// `-rw-r--r-- 0/0 5 1970-01-01 00:00 name`, or `-rw-r--r--  0 0      0           5 Jan  1  1970 name`.
fn parse_line(line: &str, gnu: bool) -> Option<(char, u64, String, String)> {
    let mut rest = line;
    let mut fields = Vec::new();
    for _ in 0..if gnu { 5 } else { 8 } {
        rest = rest.trim_start();
        let end = rest.find(' ')?;
        fields.push(&rest[..end]);
        rest = &rest[end..];
    }
    // Names may begin with a space: only one is the separator.
    let name = &rest[1..];
    let mut kind = line.chars().next()?;
    let size = fields[if gnu { 2 } else { 4 }].parse().unwrap_or(0);
    let (mut name, mut link) = (name.to_owned(), String::new());
    for (separator, of) in [(" -> ", 'l'), (" link to ", 'h')] {
        if let Some((before, after)) = name.clone().split_once(separator)
            && (of == 'h' || kind == 'l')
        {
            (kind, name, link) = (of, before.to_owned(), after.to_owned());
        }
    }
    // GNU tar's letter for a contiguous file.
    if kind == 'C' {
        kind = '-';
    }
    let size = if kind == '-' { size } else { 0 };
    Some((
        kind,
        size,
        name.trim_end_matches('/').to_owned(),
        link.trim_end_matches('/').to_owned(),
    ))
}

/// Readers escape what is no plain ASCII each in their own way: a run of it becomes one `?`.
fn plain(listing: &Listing, escaped: bool) -> Listing {
    let text = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let escape = rest
                .strip_prefix('\\')
                .filter(|_| escaped)
                .map(str::as_bytes);
            let length = match escape {
                Some(code) if code.len() >= 3 && code[..3].iter().all(u8::is_ascii_digit) => 4,
                Some([_, ..]) => 2,
                _ => character.len_utf8(),
            };
            if length == 1 && (' '..='~').contains(&character) && character != '\\' {
                out.push(character);
            } else if !out.ends_with('?') {
                out.push('?');
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        out
    };
    listing
        .iter()
        .map(|(kind, size, name, link)| (*kind, *size, text(name), text(link)))
        .collect()
}

/// Checks all archives; returns how many we accepted.
fn check(archives: &[(String, Vec<u8>)]) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..archives.len())
        .map(|at| dir.path().join(format!("{at}.tar")))
        .collect();
    for (path, (_, bytes)) in paths.iter().zip(archives) {
        fs::write(path, bytes).unwrap();
    }
    let by_python = python(&paths);
    let mut accepted = 0;
    for ((path, (name, bytes)), by_python) in paths.iter().zip(archives).zip(by_python) {
        let Ok(listing) = ours(bytes) else { continue };
        accepted += 1;
        for (reader, theirs) in [
            ("python", by_python),
            ("GNU tar", command(path, true)),
            ("bsdtar", command(path, false)),
        ] {
            if let Some(theirs) = theirs {
                assert_eq!(
                    plain(&listing, false),
                    plain(&theirs, reader == "bsdtar"),
                    "{name}: {reader} sees another archive than we"
                );
            }
        }
    }
    accepted
}

/// A header by hand.
#[derive(Clone)]
struct Raw([u8; 512]);

impl Raw {
    fn new(name: &str, typeflag: u8, size: u64) -> Raw {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        for (at, text) in [
            (100, "0000644\0"),
            (108, "0000000\0"),
            (116, "0000000\0"),
            (136, "00000000000\0"),
        ] {
            block[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[156] = typeflag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        Raw(block)
    }

    fn with(mut self, at: usize, bytes: &[u8]) -> Raw {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The block with its checksum.
    fn sum(&self, signed: bool) -> Vec<u8> {
        let mut block = self.0.to_vec();
        block[148..156].copy_from_slice(b"        ");
        let sum: i64 = block
            .iter()
            .map(|byte| {
                if signed {
                    i64::from(*byte as i8)
                } else {
                    i64::from(*byte)
                }
            })
            .sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn block(&self) -> Vec<u8> {
        self.sum(false)
    }
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(512), 0);
    data
}

fn member(header: &Raw, data: &[u8]) -> Vec<u8> {
    [header.block(), padded(data)].concat()
}

fn extension(typeflag: u8, data: &[u8]) -> Vec<u8> {
    member(&Raw::new("ext", typeflag, data.len() as u64), data)
}

fn record(key: &str, value: &str) -> String {
    let body = key.len() + value.len() + 3;
    let length = (body + 1..body + 9)
        .find(|length| body + length.to_string().len() == *length)
        .unwrap();
    format!("{length} {key}={value}\n")
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let text: String = records
        .iter()
        .map(|(key, value)| record(key, value))
        .collect();
    extension(b'x', text.as_bytes())
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    member(&Raw::new(name, b'0', data.len() as u64), data)
}

const END: [u8; 1024] = [0; 1024];

/// A data block that is itself a valid header: what a desynchronised reader would see as an entry.
fn smuggled() -> Vec<u8> {
    Raw::new("smuggled", b'0', 0).block()
}

/// Name, archive, and whether it must be refused (`None`: either way, as long as nobody sees another archive).
#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<(&'static str, Vec<u8>, Option<bool>)> {
    let (ok, bad, any) = (Some(false), Some(true), None);
    let after = file("after", b"x");
    let gnu = |header: Raw| header.with(257, b"ustar  \0");
    let closed = |parts: &[&[u8]]| [&parts.concat()[..], &after, &END].concat();
    let sized = |pax_size: &str, ustar_size: u64, data: &[u8]| {
        closed(&[
            &pax(&[("size", pax_size)]),
            &member(&Raw::new("f", b'0', ustar_size), data),
        ])
    };
    vec![
        ("plain", closed(&[&file("f", b"data")]), ok),
        ("pax size over 0", sized("512", 0, &smuggled()), ok),
        (
            "pax size 0 over more",
            closed(&[&pax(&[("size", "0")]), &Raw::new("f", b'0', 512).block()]),
            any,
        ),
        (
            "pax size over less",
            sized("1024", 512, &[smuggled(), smuggled()].concat()),
            ok,
        ),
        ("pax size negative", sized("-1", 0, b""), bad),
        ("pax size not a number", sized("1x", 0, b""), bad),
        (
            "pax size twice",
            closed(&[
                &pax(&[("size", "0"), ("size", "512")]),
                &file("f", &smuggled()),
            ]),
            bad,
        ),
        (
            "two pax headers",
            closed(&[
                &pax(&[("path", "a")]),
                &pax(&[("comment", "b")]),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "pax then long name",
            closed(&[
                &pax(&[("path", "a")]),
                &extension(b'L', b"b\0"),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "long name then pax",
            closed(&[
                &extension(b'L', b"b\0"),
                &pax(&[("path", "a")]),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "pax without an entry",
            [&pax(&[("path", "a")])[..], &END].concat(),
            bad,
        ),
        (
            "malformed pax",
            closed(&[&extension(b'x', b"99 path=a\n"), &file("f", b"")]),
            bad,
        ),
        (
            "pax length too short",
            closed(&[&extension(b'x', b"6 path=a\n"), &file("f", b"")]),
            bad,
        ),
        (
            "pax path",
            closed(&[&pax(&[("path", "long/name")]), &file("f", b"")]),
            ok,
        ),
        (
            "pax path empty",
            closed(&[&pax(&[("path", "")]), &file("f", b"")]),
            bad,
        ),
        (
            "pax path with NUL",
            closed(&[&pax(&[("path", "a\0b")]), &file("f", b"")]),
            bad,
        ),
        (
            "pax linkpath",
            closed(&[
                &pax(&[("linkpath", "t")]),
                &Raw::new("f", b'2', 0).with(157, b"u").block(),
            ]),
            ok,
        ),
        (
            "global comment",
            closed(&[
                &extension(b'g', record("comment", "c").as_bytes()),
                &file("f", b""),
            ]),
            ok,
        ),
        (
            "global size",
            closed(&[
                &extension(b'g', record("size", "512").as_bytes()),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "global path",
            closed(&[
                &extension(b'g', record("path", "x").as_bytes()),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "long name",
            closed(&[
                &extension(b'L', b"a/long/name\0"),
                &gnu(Raw::new("f", b'0', 0)).block(),
            ]),
            ok,
        ),
        (
            "long name without NUL",
            closed(&[&extension(b'L', b"name"), &file("f", b"")]),
            bad,
        ),
        (
            "long name of two",
            closed(&[&extension(b'L', b"a\0b\0"), &file("f", b"")]),
            bad,
        ),
        (
            "long name twice",
            closed(&[
                &extension(b'L', b"a\0"),
                &extension(b'L', b"b\0"),
                &file("f", b""),
            ]),
            bad,
        ),
        (
            "long name and link",
            closed(&[
                &extension(b'L', b"name\0"),
                &extension(b'K', b"target\0"),
                &gnu(Raw::new("f", b'2', 0).with(157, b"u")).block(),
            ]),
            ok,
        ),
        (
            "base-256 size",
            closed(&[&member(
                &Raw::new("f", b'0', 0).with(124, b"\x80\0\0\0\0\0\0\0\0\0\x02\0"),
                &smuggled(),
            )]),
            ok,
        ),
        (
            "negative size",
            closed(&[&Raw::new("f", b'0', 0).with(124, &[0xff; 12]).block()]),
            bad,
        ),
        (
            "other base-256",
            closed(&[&Raw::new("f", b'0', 0)
                .with(124, b"\x81\0\0\0\0\0\0\0\0\0\0\0")
                .block()]),
            bad,
        ),
        (
            "size with spaces",
            closed(&[&member(
                &Raw::new("f", b'0', 0).with(124, b"       1000 "),
                &smuggled(),
            )]),
            ok,
        ),
        (
            "size after a NUL",
            closed(&[&Raw::new("f", b'0', 0)
                .with(124, b"0\x001000\0\0\0\0\0\0")
                .block()]),
            bad,
        ),
        (
            "size with a sign",
            closed(&[&Raw::new("f", b'0', 0).with(124, b"-0000001000\0").block()]),
            bad,
        ),
        (
            "size decimal",
            closed(&[&Raw::new("f", b'0', 0).with(124, b"00000000008\0").block()]),
            bad,
        ),
        (
            "size empty",
            closed(&[&Raw::new("f", b'0', 0).with(124, &[0; 12]).block()]),
            any,
        ),
        (
            "signed checksum",
            closed(&[&Raw::new("\u{e9}", b'0', 0).sum(true)]),
            any,
        ),
        ("wrong checksum", closed(&[&Raw::new("f", b'0', 0).0]), bad),
        (
            "old file",
            closed(&[&member(&Raw::new("f", 0, 3), b"abc")]),
            ok,
        ),
        (
            "old directory",
            closed(&[&Raw::new("d/", 0, 0).block()]),
            ok,
        ),
        (
            "file like a directory",
            closed(&[&Raw::new("d/", b'0', 0).block()]),
            bad,
        ),
        (
            "contiguous",
            closed(&[&member(&Raw::new("f", b'7', 3), b"abc")]),
            ok,
        ),
        (
            "volume label",
            closed(&[&Raw::new("label", b'V', 0).block()]),
            bad,
        ),
        (
            "multi-volume",
            closed(&[&Raw::new("f", b'M', 0).block()]),
            bad,
        ),
        (
            "dump directory",
            closed(&[&Raw::new("d", b'D', 0).block()]),
            bad,
        ),
        (
            "old sparse",
            closed(&[&gnu(Raw::new("f", b'S', 0)).block()]),
            bad,
        ),
        (
            "pax sparse",
            closed(&[&pax(&[("GNU.sparse.major", "1")]), &file("f", b"")]),
            bad,
        ),
        (
            "unknown type",
            closed(&[&Raw::new("f", b'Q', 0).block()]),
            bad,
        ),
        (
            "hard link with data",
            closed(&[
                &Raw::new("f", b'1', 512).with(157, b"t").block(),
                &smuggled(),
            ]),
            bad,
        ),
        (
            "link with data",
            closed(&[
                &Raw::new("f", b'2', 512).with(157, b"t").block(),
                &smuggled(),
            ]),
            bad,
        ),
        (
            "directory with data",
            closed(&[&Raw::new("d", b'5', 512).block(), &smuggled()]),
            bad,
        ),
        (
            "fifo with data",
            closed(&[&Raw::new("p", b'6', 512).block(), &smuggled()]),
            bad,
        ),
        (
            "prefix",
            closed(&[&Raw::new("f", b'0', 0).with(345, b"some/prefix").block()]),
            ok,
        ),
        (
            "no prefix in GNU",
            closed(&[&gnu(Raw::new("f", b'0', 0)).block()]),
            ok,
        ),
        ("full name", closed(&[&file(&"n".repeat(100), b"")]), ok),
        ("no name", closed(&[&file("", b"")]), bad),
        (
            "no magic",
            closed(&[&member(&Raw::new("f", b'0', 3).with(257, &[0; 8]), b"abc")]),
            ok,
        ),
        (
            "other magic",
            closed(&[&Raw::new("f", b'0', 0).with(257, b"UsTaR\x0000").block()]),
            bad,
        ),
        ("no end", [&file("f", b"1")[..], &after].concat(), any),
        (
            "one zero block",
            [&file("f", b"1")[..], &END[..512]].concat(),
            any,
        ),
        (
            "one zero block, then more",
            [&file("f", b"1")[..], &END[..512], &after, &END].concat(),
            bad,
        ),
        (
            "more after the end",
            [&file("f", b"1")[..], &END, &after, &END].concat(),
            bad,
        ),
        (
            "garbage after the end",
            [&file("f", b"1")[..], &END, b"garbage"].concat(),
            bad,
        ),
        ("truncated data", file("f", &[1; 600])[..1000].to_vec(), bad),
        (
            "truncated header",
            [&file("f", b"1")[..], &after[..300]].concat(),
            bad,
        ),
        ("empty archive", END.to_vec(), ok),
    ]
}

#[test]
fn t3_t4_hand_made_archives() {
    let mut archives = Vec::new();
    for (name, bytes, must_fail) in cases() {
        if let Some(must_fail) = must_fail {
            assert_eq!(
                ours(&bytes).is_err(),
                must_fail,
                "{name}: {:?}",
                ours(&bytes)
            );
        }
        archives.push((name.to_owned(), bytes));
    }
    check(&archives);
}

/// A small tree with everything that archives hold, under names that need every kind of long name.
fn tree(root: &Path) {
    let long = root.join("long".repeat(20)).join("name".repeat(30));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("file".repeat(40)), "deep").unwrap();
    fs::write(root.join("file"), "x".repeat(1500)).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::hard_link(root.join("file"), root.join("hard")).unwrap();
    std::os::unix::fs::symlink("file", root.join("soft")).unwrap();
    std::os::unix::fs::symlink("t/".repeat(80) + "t", root.join("softer")).unwrap();
}

#[test]
fn archives_of_other_writers_are_read_alike() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("tree");
    fs::create_dir(&root).unwrap();
    tree(&root);
    let mut archives = Vec::new();
    for (tool, format) in [
        ("tar", "--format=gnu"),
        ("tar", "--format=posix"),
        ("tar", "--format=oldgnu"),
        ("bsdtar", "--format=pax"),
        ("bsdtar", "--format=gnutar"),
        ("bsdtar", "--format=paxr"),
    ] {
        let output = Command::new(tool)
            .args([format, "-cf", "-", "-C"])
            .arg(&root)
            .arg(".")
            .output()
            .unwrap();
        assert!(output.status.success(), "{tool} {format}");
        archives.push((format!("{tool} {format}"), output.stdout));
    }
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", &root).unwrap();
    archives.push(("the tar crate".to_owned(), builder.into_inner().unwrap()));
    let root = fs::File::open(&root).unwrap();
    let ours = berth_layer::write_tree(
        std::os::fd::AsFd::as_fd(&root),
        Vec::new(),
        &Default::default(),
    )
    .unwrap();
    archives.push(("our own".to_owned(), ours));
    assert_eq!(check(&archives), archives.len());
}

#[test]
fn archives_with_one_byte_changed() {
    let mut writer = Writer::new(Vec::new());
    let mut long = Entry::new("n".repeat(300), Kind::File);
    long.size = 700;
    writer.append(&long, &mut &[7; 700][..]).unwrap();
    writer
        .append(&Entry::new("dir", Kind::Dir), &mut std::io::empty())
        .unwrap();
    let mut short = Entry::new("file", Kind::File);
    short.size = 3;
    writer.append(&short, &mut &b"abc"[..]).unwrap();
    let whole = writer.finish().unwrap();
    // Headers: of the records, the long file, the directory, the short file.
    let headers = [0, 1024, 3072, 3584];
    let mut archives = Vec::new();
    // A fixed seed: a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let rounds = if std::env::var_os("BERTH_TEST_FULL").is_some() {
        20_000
    } else {
        300
    };
    for round in 0..rounds {
        let mut bytes = whole.clone();
        let header = headers[random(headers.len())];
        let at = if round % 4 == 0 {
            512 + random(330)
        } else {
            header + random(508)
        };
        let old = bytes[at];
        bytes[at] = [
            0,
            b' ',
            b'0',
            b'1',
            b'7',
            b'9',
            b'x',
            b'g',
            b'L',
            b'/',
            0x80,
            0xff,
            random(256) as u8,
        ][random(13)];
        // The checksum is made right again: the point is what comes after it.
        let block: [u8; 512] = bytes[header..header + 512].try_into().unwrap();
        bytes[header..header + 512].copy_from_slice(&Raw(block).block());
        archives.push((format!("byte {at}: {old:#x} -> {:#x}", bytes[at]), bytes));
    }
    let accepted = archives.chunks(100).map(check).sum::<usize>();
    assert!(
        accepted > rounds / 10,
        "only {accepted} accepted: the test does not test much"
    );
}
