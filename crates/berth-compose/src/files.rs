//! Where files come from: who calls knows. The crate itself opens none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::limits;

/// Reads files for the loader, who has no other way to them.
pub trait Files {
    /// The whole content of a file; more than `most` bytes are an error.
    ///
    /// # Errors
    /// It is not there, cannot be read, is no text or too large.
    fn read(&self, path: &Path, most: usize) -> io::Result<String>;

    /// Whether a file is there.
    fn exists(&self, path: &Path) -> bool;
}

/// Reads a file of the project.
pub(crate) fn read(files: &dyn Files, path: &str) -> Result<String, Error> {
    let text = files.read(path.as_ref(), limits::FILE_BYTES);
    text.map_err(|source| Error::Read {
        path: PathBuf::from(path),
        source,
    })
}

/// Files that are only in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path, most: usize) -> io::Result<String> {
        match self.0.get(path) {
            Some(text) => within(text.clone(), most),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
}

fn within(text: String, most: usize) -> io::Result<String> {
    if text.len() > most {
        let size = format!("it is larger than {} MiB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, size));
    }
    Ok(text)
}
