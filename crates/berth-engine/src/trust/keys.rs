//! Files of keys.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use berth_trust::{LockedKey, MAX_KEY_BYTES, Passphrase, PrivateKey, PublicKey};

use super::error::Error;
use super::file::{failed, unusable};

/// The public key in the file.
///
/// # Errors
/// It cannot be read, or is none that can be used.
pub fn read_public(path: &Path) -> Result<PublicKey, Error> {
    let what = "the public key";
    let bytes = read(what, path, MAX_KEY_BYTES)?;
    PublicKey::from_pem(&bytes).map_err(unusable(what, path))
}

/// The private key in the file, which still needs its passphrase.
///
/// # Errors
/// As [`read_public`].
pub fn read_private(path: &Path) -> Result<LockedKey, Error> {
    let what = "the private key";
    let bytes = read(what, path, MAX_KEY_BYTES)?;
    LockedKey::from_pem(&bytes).map_err(unusable(what, path))
}

/// The passphrase in the file, without the line break at its end.
///
/// # Errors
/// It cannot be read.
pub fn read_passphrase(path: &Path) -> Result<Passphrase, Error> {
    read("the passphrase", path, MAX_KEY_BYTES).map(Passphrase::of_file)
}

/// Makes a pair in the files `NAME.key` (0600, under the passphrase) and `NAME.pub`, and gives their paths.
///
/// # Errors
/// One of the files is there already, or cannot be written.
pub fn generate(name: &Path, passphrase: &Passphrase) -> Result<[PathBuf; 2], Error> {
    let with = |ending: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    let paths = [with(".key"), with(".pub")];
    let key = PrivateKey::generate()?;
    let texts = [key.to_pem(passphrase)?, key.public().to_pem()];
    let mut made: Vec<&Path> = Vec::new();
    for ((path, text), mode) in paths.iter().zip(&texts).zip([0o600, 0o644]) {
        let written = create(path, text, mode, &mut made);
        if let Err(source) = written {
            // A half pair is of no use; what was there before was not made here.
            for path in &made {
                let _ = std::fs::remove_file(path);
            }
            return Err(failed("make", "the key", path)(source));
        }
    }
    Ok(paths)
}

fn create<'a>(
    path: &'a Path,
    text: &str,
    mode: u32,
    made: &mut Vec<&'a Path>,
) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    made.push(path);
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A whole small file.
pub(super) fn read(what: &'static str, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(limit + 1).read_to_end(&mut bytes)?;
        // What it forbids may stand at its end.
        if bytes.len() as u64 > limit {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    };
    read().map_err(failed("read", what, path))
}
