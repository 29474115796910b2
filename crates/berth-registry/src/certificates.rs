//! Certificates for one host: whom we trust there, and who we are to it. From `registries.toml`, else from
//! Docker's directories:
//!
//! ```text
//! /etc/docker/certs.d/HOST[:PORT]/*.crt             authorities, trusted besides the system's
//!                                 NAME.cert NAME.key  who we are
//! ```

use std::path::{Path, PathBuf};

use reqwest::{Certificate, Identity};

use crate::Error;

/// Bytes of a file of certificates, or a key.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What a directory of Docker's has for a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) authorities: Vec<PathBuf>,
    /// The first pair of certificate and key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What the first of `directories` that knows `host` has for it.
pub(crate) fn of_docker(directories: &[PathBuf], host: &str) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some((directory, entries)) = directories.iter().find_map(|directory| {
        let directory = directory.join(host);
        Some((directory.clone(), std::fs::read_dir(&directory).ok()?))
    }) else {
        return Ok(found);
    };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    names.sort();
    for path in names {
        match path.extension().and_then(|e| e.to_str()) {
            Some("crt") => found.authorities.push(path),
            Some("cert") if found.identity.is_none() => {
                let key = path.with_extension("key");
                if !key.exists() {
                    return Err(Error::NoKey {
                        certificate: path,
                        directory,
                    });
                }
                found.identity = Some((path, key));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The authorities of a file, at least one.
pub(crate) fn read_authorities(path: &Path) -> Result<Vec<Certificate>, Error> {
    let pem = read("the certificate authorities", path)?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|source| Error::ParseCa {
        path: path.to_owned(),
        source: Some(source),
    })?;
    match found.is_empty() {
        true => Err(Error::ParseCa {
            path: path.to_owned(),
            source: None,
        }),
        false => Ok(found),
    }
}

/// A certificate with its chain, and its key.
pub(crate) fn read_identity(certificate: &Path, key: &Path) -> Result<Identity, Error> {
    let mut pem = read("the client's certificate", certificate)?;
    pem.push(b'\n');
    pem.extend(read("the key of the client's certificate", key)?);
    Identity::from_pem(&pem).map_err(|source| Error::ParseIdentity {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|source| Error::ReadFile {
        what,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_directory_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().join("r.example:5000");
        std::fs::create_dir(&here).unwrap();
        for name in ["b.crt", "a.crt", "me.cert", "me.key", "readme"] {
            std::fs::write(here.join(name), "x").unwrap();
        }
        let directories = [dir.path().join("absent"), dir.path().to_owned()];
        let found = of_docker(&directories, "r.example:5000").unwrap();
        assert_eq!(found.authorities, [here.join("a.crt"), here.join("b.crt")]);
        assert_eq!(
            found.identity,
            Some((here.join("me.cert"), here.join("me.key")))
        );
        assert_eq!(
            of_docker(&directories, "r.example").unwrap(),
            Found::default()
        );
        std::fs::remove_file(here.join("me.key")).unwrap();
        assert!(matches!(
            of_docker(&directories, "r.example:5000"),
            Err(Error::NoKey { .. })
        ));
    }
}
