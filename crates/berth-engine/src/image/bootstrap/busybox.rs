//! `busybox`: Debian's static busybox, a link for each of its applets, and the few files that a
//! root file system needs. About 2 MB.

use std::io::Read;
use std::path::Path;

use berth_layer::Limits;
use berth_layer::tar::{Entry, Kind, Reader, Time, Writer};
use berth_store::Lease;

use super::{BootstrapOptions, Made, output, program, run_config};
use crate::Engine;
use crate::image::Error;
use crate::image::layer::LayerWriter;

const PACKAGE: &str = "busybox-static";
const PROGRAM_BYTES: u64 = 16 << 20;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    daemon:x:1:1:daemon:/usr/sbin:/bin/false\n\
    www-data:x:33:33:www-data:/var/www:/bin/false\n\
    nobody:x:65534:65534:nobody:/home:/bin/false\n";
const GROUP: &str =
    "root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nwww-data:x:33:\nnogroup:x:65534:\n";
const SHADOW: &str = "root:*:::::::\ndaemon:*:::::::\nwww-data:*:::::::\nnobody:*:::::::\n";

const DIRECTORIES: &[(&str, u32)] = &[
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("var", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// The program as the package has it.
struct Busybox {
    bytes: Vec<u8>,
    version: String,
    /// When the package was made.
    mtime_s: i64,
    /// Paths of the applets, without the leading slash.
    applets: Vec<String>,
}

pub(super) fn make(
    engine: &Engine,
    lease: &Lease,
    options: &BootstrapOptions,
) -> Result<Made, Error> {
    let busybox = match installed()? {
        Some(busybox) => busybox,
        None => downloaded(engine.layout.run_dir())?,
    };
    let epoch_s = options.epoch_s.unwrap_or(busybox.mtime_s);
    let mut writer = Writer::new(LayerWriter::new(lease)?);
    for (mut entry, data) in entries(&busybox) {
        entry.mtime = Time {
            secs: epoch_s,
            nanos: 0,
        };
        let written = writer.append(&entry, &mut &data[..]);
        written.map_err(|source| Error::WriteArchive { source })?;
    }
    let layer = writer
        .finish()
        .map_err(|source| Error::WriteArchive { source })?
        .finish()?;
    Ok(Made {
        layer,
        epoch_s,
        config: run_config("sh"),
        created_by: format!(
            "berth image bootstrap busybox # {PACKAGE} {}",
            busybox.version
        ),
    })
}

fn entries(busybox: &Busybox) -> Vec<(Entry, &[u8])> {
    let mut entries: Vec<(Entry, &[u8])> = Vec::new();
    for (path, mode) in DIRECTORIES {
        entries.push((
            Entry {
                mode: *mode,
                ..Entry::new(*path, Kind::Dir)
            },
            &[],
        ));
    }
    let mut file = |path: &str, mode: u32, data| {
        let size = <[u8]>::len(data) as u64;
        entries.push((
            Entry {
                size,
                mode,
                ..Entry::new(path, Kind::File)
            },
            data,
        ));
    };
    file("bin/busybox", 0o755, &busybox.bytes);
    file("etc/passwd", 0o644, PASSWD.as_bytes());
    file("etc/group", 0o644, GROUP.as_bytes());
    file("etc/shadow", 0o640, SHADOW.as_bytes());
    for applet in &busybox.applets {
        let mut entry = Entry::new(applet.as_str(), Kind::Symlink);
        entry.link = b"/bin/busybox".to_vec();
        entries.push((entry, &[]));
    }
    entries.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    entries.dedup_by(|(a, _), (b, _)| a.path == b.path);
    entries
}

/// The program of the installed package, if it is installed.
fn installed() -> Result<Option<Busybox>, Error> {
    let query = [
        "--show",
        "--showformat=${db:Status-Status} ${Version}",
        PACKAGE,
    ];
    let Ok(status) = output(program("dpkg-query").args(query)) else {
        return Ok(None);
    };
    let status = String::from_utf8_lossy(&status).into_owned();
    let Some(version) = status.strip_prefix("installed ") else {
        return Ok(None);
    };
    let path = ["/usr/bin/busybox", "/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let Some(path) = path else { return Ok(None) };
    let io = |source| Error::Io {
        action: "read",
        path: path.into(),
        source,
    };
    let bytes = std::fs::read(path).map_err(io)?;
    // dpkg keeps the time that the package has.
    let mtime_s = rustix::fs::stat(path)
        .map_err(|errno| io(errno.into()))?
        .st_mtime;
    check_static(path, &bytes)?;
    let applets = applets_of(Path::new(path))?;
    Ok(Some(Busybox {
        bytes,
        version: version.to_owned(),
        mtime_s,
        applets,
    }))
}

/// The program of the package from the host's apt archive. Nothing is installed.
fn downloaded(scratch: &Path) -> Result<Busybox, Error> {
    let dir = scratch.join(format!("bootstrap-{}", std::process::id()));
    let io = |source| Error::Io {
        action: "use",
        path: dir.clone(),
        source,
    };
    std::fs::create_dir(&dir).map_err(io)?;
    let found = download_into(&dir);
    // The first failure is the one to tell.
    let removed = std::fs::remove_dir_all(&dir).map_err(io);
    found.and_then(|busybox| removed.map(|()| busybox))
}

fn download_into(dir: &Path) -> Result<Busybox, Error> {
    // apt's own user could not write here.
    let download = ["-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE];
    output(program("apt-get").args(download).current_dir(dir))?;
    let io = |source| Error::Io {
        action: "read",
        path: dir.to_owned(),
        source,
    };
    let mut names = std::fs::read_dir(dir).map_err(io)?;
    let deb = names.next().ok_or_else(|| Error::Incomplete {
        what: PACKAGE.to_owned(),
    })?;
    let deb = deb.map_err(io)?.path();
    let version = output(
        program("dpkg-deb")
            .args(["--field"])
            .arg(&deb)
            .arg("Version"),
    )?;
    let tar = output(program("dpkg-deb").arg("--fsys-tarfile").arg(&deb))?;
    let (bytes, mtime_s) = program_in(&tar)?;
    check_static("busybox", &bytes)?;
    let path = dir.join("busybox");
    write_program(&path, &bytes)?;
    Ok(Busybox {
        applets: applets_of(&path)?,
        bytes,
        version: String::from_utf8_lossy(&version).trim().to_owned(),
        mtime_s,
    })
}

fn write_program(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let io = |source| Error::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(path)
        .map_err(io)?;
    file.write_all(bytes).map_err(io)
}

fn program_in(tar: &[u8]) -> Result<(Vec<u8>, i64), Error> {
    let archive = |source| Error::Archive { source };
    let mut reader = Reader::new(tar, Limits::default());
    while let Some(entry) = reader.next().map_err(archive)? {
        if entry.kind == Kind::File && entry.path.ends_with(b"bin/busybox") {
            let mut bytes = Vec::new();
            reader
                .data()
                .take(PROGRAM_BYTES)
                .read_to_end(&mut bytes)
                .map_err(|source| Error::Io {
                    action: "read",
                    path: PACKAGE.into(),
                    source,
                })?;
            return Ok((bytes, entry.mtime.secs));
        }
    }
    Err(Error::Incomplete {
        what: "bin/busybox".to_owned(),
    })
}

fn applets_of(path: &Path) -> Result<Vec<String>, Error> {
    let text = output(std::process::Command::new(path).arg("--list-full"))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let usable = |line: &&str| {
        let (dir, name) = line.rsplit_once('/').unwrap_or(("", line));
        matches!(dir, "bin" | "sbin" | "usr/bin" | "usr/sbin") && !name.is_empty()
    };
    Ok(text
        .lines()
        .map(str::trim)
        .filter(usable)
        .map(str::to_owned)
        .collect())
}

/// An ELF program without an interpreter needs no library.
///
/// Source: elf(5), `PT_INTERP`.
fn check_static(path: &str, bytes: &[u8]) -> Result<(), Error> {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at + size)?;
        // All of Debian's current architectures but s390x are little endian.
        let mut value = [0; 8];
        value[..size].copy_from_slice(field);
        match bytes.get(5)? {
            2 => {
                value[..size].reverse();
                Some(u64::from_le_bytes(value))
            }
            _ => Some(u64::from_le_bytes(value)),
        }
    };
    let interpreted = || -> Option<bool> {
        if bytes.get(..4)? != b"\x7fELF" {
            return None;
        }
        let wide = *bytes.get(4)? == 2;
        let (start, size, count) = match wide {
            true => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
            false => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
        };
        let mut found = false;
        for i in 0..count {
            let at = usize::try_from(start + i * size).ok()?;
            found |= number(at, 4)? == u64::from(PT_INTERP);
        }
        Some(found)
    };
    match interpreted() {
        Some(false) => Ok(()),
        _ => Err(Error::NotStatic {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_each_is_in_a_directory() {
        let busybox = Busybox {
            bytes: b"program".to_vec(),
            version: "1".into(),
            mtime_s: 5,
            applets: vec!["bin/sh".into(), "usr/bin/awk".into(), "bin/sh".into()],
        };
        let entries = entries(&busybox);
        let paths: Vec<&[u8]> = entries.iter().map(|(entry, _)| &entry.path[..]).collect();
        assert!(paths.is_sorted());
        assert_eq!(paths.iter().filter(|path| **path == b"bin/sh").count(), 1);
        for (at, path) in paths.iter().enumerate() {
            if let Some(slash) = path.iter().rposition(|b| *b == b'/') {
                assert!(
                    paths[..at].contains(&&path[..slash]),
                    "{}",
                    path.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn static_programs_are_told_from_others() {
        let ours = std::fs::read("/bin/busybox").unwrap();
        assert!(check_static("busybox", &ours).is_ok());
        let dynamic = std::fs::read("/bin/sh").unwrap();
        assert!(check_static("sh", &dynamic).is_err());
        assert!(check_static("text", b"#!/bin/sh\n").is_err());
        assert!(check_static("short", b"\x7fELF\x02\x01").is_err());
    }
}
