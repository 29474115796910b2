//! `debian:SUITE`: a small Debian by mmdebstrap, from the archive that the host's apt uses.
//!
//! mmdebstrap writes its tar into an unnamed file. It is then read twice: once for the newest file
//! that came from a package as it is (all under `usr/share/doc`), once to write the layer, with no
//! time beyond that and without the traces of the moment: see `rewrite`.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use berth_layer::Limits;
use berth_layer::tar::{Kind, Reader, Writer};
use berth_store::Lease;
use rustix::fs::{Mode, OFlags};

use super::rewrite::Rewriter;
use super::{BootstrapOptions, Made, failed, program, run_config, sources};
use crate::Engine;
use crate::image::Error;
use crate::image::layer::LayerWriter;

const PROGRAM: &str = "mmdebstrap";
const ETC_APT: &str = "/etc/apt";
const STDERR_BYTES: u64 = 1 << 20;

/// What the first reading finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Of the newest file from a package, seconds since 1970.
    newest_s: i64,
    /// Debian's key ring in the image, for its sources.
    pub(super) key_ring: Option<String>,
}

pub(super) fn make(
    engine: &Engine,
    lease: &Lease,
    suite: &str,
    options: &BootstrapOptions,
) -> Result<Made, Error> {
    let variant = options.variant.as_deref().unwrap_or("minbase");
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if !word(suite) || !word(variant) {
        return Err(Error::NoRecipe {
            text: format!("debian:{suite}"),
        });
    }
    let lines = sources::for_suite(Path::new(ETC_APT), suite);
    if lines.is_empty() {
        return Err(Error::NoSources);
    }
    let mode = if engine.options.rootless {
        "unshare"
    } else {
        "root"
    };
    let mut tar = unnamed_file(&lease.store().root().join("ingest"))?;
    run(&mut tar, suite, variant, mode, &lines)?;

    let survey = survey(rewound(&mut tar)?)?;
    let epoch_s = options.epoch_s.unwrap_or(survey.newest_s);
    let rewriter = Rewriter::new(suite, epoch_s, survey.key_ring);
    let writer = Writer::new(LayerWriter::new(lease)?);
    let writer = rewriter.copy(
        BufReader::with_capacity(256 << 10, rewound(&mut tar)?),
        writer,
    )?;
    let layer = writer
        .finish()
        .map_err(|source| Error::WriteArchive { source })?
        .finish()?;
    Ok(Made {
        layer,
        epoch_s,
        config: run_config("bash"),
        created_by: format!("berth image bootstrap debian:{suite} # {PROGRAM} --variant={variant}"),
    })
}

/// A file without a name: gone with its last descriptor, however we end.
fn unnamed_file(dir: &Path) -> Result<File, Error> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR);
    file.map(File::from).map_err(|errno| Error::Io {
        action: "create a file in",
        path: dir.to_owned(),
        source: errno.into(),
    })
}

fn rewound(file: &mut File) -> Result<&mut File, Error> {
    let path = "the root file system's archive".into();
    file.rewind().map_err(|source| Error::Io {
        action: "read",
        path,
        source,
    })?;
    Ok(file)
}

fn run(
    tar: &mut File,
    suite: &str,
    variant: &str,
    mode: &str,
    lines: &[String],
) -> Result<(), Error> {
    let start = |source| Error::Program {
        program: PROGRAM.to_owned(),
        source,
    };
    let mut command = program(PROGRAM);
    command
        .args(["--quiet", "--format=tar"])
        .arg(format!("--mode={mode}"))
        .arg(format!("--variant={variant}"))
        // Logging in to a mirror is part of the host's trust.
        .arg(format!("--aptopt=Dir::Etc::netrc \"{ETC_APT}/auth.conf\""))
        .arg(format!(
            "--aptopt=Dir::Etc::netrcparts \"{ETC_APT}/auth.conf.d\""
        ))
        .args([suite, "-"])
        .args(lines);
    let stdout = tar.try_clone().map_err(start)?;
    let mut child = command
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let mut stderr = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        // Lost words would only make the message shorter; beyond the cap it is drained.
        let mut pipe = pipe.take(STDERR_BYTES);
        let _ = pipe.read_to_end(&mut stderr);
        let _ = std::io::copy(&mut pipe.into_inner(), &mut std::io::sink());
    }
    let status: ExitStatus = child.wait().map_err(start)?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(PROGRAM.to_owned(), status, &stderr))
    }
}

fn survey(tar: impl Read) -> Result<Survey, Error> {
    let archive = |source| Error::Archive { source };
    let input = BufReader::with_capacity(256 << 10, tar);
    let mut reader = Reader::new(input, Limits::default());
    let mut survey = Survey::default();
    while let Some(entry) = reader.next().map_err(archive)? {
        let path = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
        if entry.kind == Kind::File && path.starts_with(b"usr/share/doc/") {
            survey.newest_s = survey.newest_s.max(entry.mtime.secs);
        }
        // Newer releases call it .pgp and keep .gpg as a link.
        for name in ["pgp", "gpg"] {
            let ring = format!("usr/share/keyrings/debian-archive-keyring.{name}");
            let better = survey.key_ring.is_none() || name == "pgp";
            if path == ring.as_bytes() && better {
                survey.key_ring = Some(format!("/{ring}"));
            }
        }
    }
    Ok(survey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_layer::tar::{Entry, Time};

    #[test]
    fn the_newest_packaged_file_sets_the_time() {
        let mut writer = Writer::new(Vec::new());
        for (path, secs) in [
            ("./etc/hostname", 900),
            ("./usr/share/doc/a/copyright", 100),
            ("./usr/share/doc/b/changelog.Debian.gz", 200),
            ("./usr/share/keyrings/debian-archive-keyring.pgp", 1),
            ("./usr/share/keyrings/debian-archive-keyring.gpg", 1),
        ] {
            let mtime = Time { secs, nanos: 0 };
            let entry = Entry {
                mtime,
                ..Entry::new(path, Kind::File)
            };
            writer.append(&entry, &mut std::io::empty()).unwrap();
        }
        let tar = writer.finish().unwrap();
        let key_ring = Some("/usr/share/keyrings/debian-archive-keyring.pgp".to_owned());
        assert_eq!(
            survey(&tar[..]).unwrap(),
            Survey {
                newest_s: 200,
                key_ring
            }
        );
    }
}
