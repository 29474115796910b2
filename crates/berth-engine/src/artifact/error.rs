//! Why a verb on artifacts failed.

use std::path::PathBuf;

use berth_model::ErrorKind;

/// A verb on an artifact that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{reference}`")]
pub struct Error {
    /// What was asked for.
    pub action: &'static str,
    /// The artifact.
    pub reference: String,
    /// Why.
    pub source: Cause,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Cause {
    #[error(transparent)]
    Registry(#[from] berth_registry::Error),
    #[error(transparent)]
    Trust(Box<crate::trust::Error>),
    #[error("cannot understand its manifest")]
    Document { source: berth_oci::Error },
    #[error("it is an index")]
    Index,
    #[error("cannot read `{}`", path.display())]
    ReadFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` is no file", path.display())]
    NoFile { path: PathBuf },
    #[error("`{}` has no name that can be kept: {reason}", path.display())]
    BadPath { path: PathBuf, reason: &'static str },
    #[error("`{media_type}` is not a media type")]
    BadType { media_type: String },
    #[error("the subject `{subject}` is in another repository")]
    OtherRepository { subject: String },
    #[error("it names no file")]
    NoFiles,
    #[error("it has a file of the name `{name}`: {reason}")]
    BadTitle { name: String, reason: &'static str },
    #[error("`{name}` is there already in `{}`", directory.display())]
    Exists { name: String, directory: PathBuf },
    #[error("cannot write `{name}` into `{}`", directory.display())]
    WriteFile {
        name: String,
        directory: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use the directory `{}`", directory.display())]
    Directory {
        directory: PathBuf,
        source: berth_fs::Error,
    },
    #[error("the content of `{name}` is not what its digest says")]
    WrongContent { name: String },
}

impl From<crate::trust::Error> for Cause {
    fn from(error: crate::trust::Error) -> Cause {
        Cause::Trust(Box::new(error))
    }
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match &self.source {
            Cause::Registry(source) => source.kind(),
            Cause::Trust(source) => source.kind(),
            Cause::Document { source } => source.into(),
            Cause::Index => ErrorKind::Unsupported,
            Cause::NoFile { .. } | Cause::NoFiles => ErrorKind::NotFound,
            Cause::BadPath { .. } | Cause::BadType { .. } | Cause::OtherRepository { .. } => {
                ErrorKind::InvalidInput
            }
            Cause::BadTitle { .. } | Cause::WrongContent { .. } => ErrorKind::Corrupt,
            Cause::Exists { .. } => ErrorKind::AlreadyExists,
            Cause::Directory { source, .. } => source.kind(),
            Cause::ReadFile { .. } | Cause::WriteFile { .. } => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.source {
            Cause::Registry(source) => return source.hint(),
            Cause::Trust(source) => return source.hint(),
            Cause::Index => {
                "`berth manifest inspect` shows what is in it: name one by its digest".into()
            }
            Cause::BadType { .. } => "such as application/vnd.example.sbom+json".into(),
            Cause::OtherRepository { .. } => {
                "push the artifact into the repository of what it is about".into()
            }
            Cause::NoFiles => {
                "`berth artifact inspect` shows what it is; an image is pulled by `berth pull`"
                    .into()
            }
            Cause::BadTitle { .. } => {
                "whoever made it may mean harm; nothing of it was written".into()
            }
            Cause::Exists { .. } => "--overwrite replaces it; -o DIR names another place".into(),
            Cause::WrongContent { .. } => {
                "the registry, a mirror or a proxy between sends wrong data; nothing of it was kept"
                    .into()
            }
            Cause::Directory { source, .. } => return source.hint(),
            _ => return None,
        })
    }
}
