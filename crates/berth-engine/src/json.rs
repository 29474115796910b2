//! The engine's own files: one JSON document each.

use std::path::Path;

use berth_fs::{Durability, atomic_write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::error::files;

/// The document at `path`; `None`: there is none.
///
/// # Errors
/// [`Error::Damaged`], [`Error::Io`].
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| Error::Damaged {
                path: path.to_owned(),
                source,
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces the document at `path`.
///
/// # Errors
/// [`Error::Files`].
pub(crate) fn write(
    path: &Path,
    value: &impl Serialize,
    durability: Durability,
) -> Result<(), Error> {
    let text = serde_json::to_vec(value).map_err(|source| Error::Damaged {
        path: path.to_owned(),
        source,
    })?;
    atomic_write(path, &text, durability).map_err(files("write the container's files"))
}
