//! Why a verb on images failed.

use std::path::PathBuf;

use berth_layer::Error as LayerError;
use berth_model::ErrorKind;
use berth_oci::Digest;

use crate::unpack::UnpackError;

/// A verb on images that failed; nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("no such image: {text}")]
    NoImage { text: String },
    #[error("`{text}` begins the id of several images")]
    Ambiguous { text: String },
    #[error("cannot give an image this name")]
    BadName { source: berth_oci::Error },
    #[error("cannot give an image the name `{text}`: a name has no digest")]
    NameWithDigest { text: String },
    #[error("cannot remove the image {image}: the container {container}, which {state}, uses it")]
    InUse {
        image: String,
        id: String,
        container: String,
        state: &'static str,
        running: bool,
    },
    #[error("cannot remove the image {image} by its id: it has several names")]
    ManyNames { image: String },
    #[error("cannot {action}")]
    Store {
        action: &'static str,
        source: berth_store::Error,
    },
    #[error("cannot read the archive")]
    Archive { source: berth_layer::Error },
    #[error("cannot read the archive: the name `{path}` is in it twice")]
    TwiceInArchive { path: String },
    #[error("cannot read the directory of images")]
    Directory { source: berth_fs::Error },
    #[error(
        "`{path}` in the archive is too large: {size} bytes or more, at most {limit} are allowed"
    )]
    TooLarge { path: String, size: u64, limit: u64 },
    #[error("`{}` is neither empty nor an OCI layout", path.display())]
    NotALayout { path: PathBuf },
    #[error("the images could not be checked")]
    NotChecked,
    #[error("there is only an image for {found}, none for {wanted}")]
    OtherPlatform { wanted: String, found: String },
    #[error("the archive holds no image: neither `manifest.json` nor `index.json`")]
    NoImageInArchive,
    #[error("the archive is not complete: it lacks {what}")]
    Incomplete { what: String },
    #[error("cannot read {what}")]
    Document {
        what: &'static str,
        source: berth_oci::Error,
    },
    #[error(
        "the layer `{path}` is not the one of the image's configuration: expected {expected}, got {found}"
    )]
    WrongLayer {
        path: String,
        expected: Digest,
        found: Digest,
    },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("cannot write the layer")]
    WriteLayer { source: std::io::Error },
    #[error("cannot write the archive")]
    WriteArchive { source: berth_layer::Error },
    #[error("cannot write the image's documents")]
    Encode { source: serde_json::Error },
    #[error("cannot apply the change `{text}`: {reason}")]
    BadChange { text: String, reason: &'static str },
    #[error("cannot {action} `{}`", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot bootstrap `{text}`: it is neither `busybox` nor `debian:SUITE`")]
    NoRecipe { text: String },
    #[error("cannot run `{program}`")]
    Program {
        program: String,
        source: std::io::Error,
    },
    #[error("`{program}` failed ({status})")]
    ProgramFailed {
        program: String,
        status: String,
        source: Output,
    },
    #[error("the host's apt sources name no archive of Debian")]
    NoSources,
    #[error("`{path}` is not a static program")]
    NotStatic { path: String },
    #[error("cannot look at the containers")]
    Containers { source: Box<crate::Error> },
    #[error(transparent)]
    Container(Box<crate::Error>),
    #[error("the container's image cannot be built upon: {reason}")]
    BadBase { reason: &'static str },
}

/// The last lines that a program wrote to standard error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Output(pub String);

impl Error {
    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoImage { .. } => ErrorKind::NotFound,
            Error::Ambiguous { .. }
            | Error::BadName { .. }
            | Error::NameWithDigest { .. }
            | Error::BadChange { .. }
            | Error::NoRecipe { .. } => ErrorKind::InvalidInput,
            Error::InUse { .. } | Error::ManyNames { .. } => ErrorKind::Conflict,
            Error::Store { source, .. } => source.kind(),
            Error::Archive { source } | Error::WriteArchive { source } => source.kind(),
            Error::Document { source, .. } => ErrorKind::from(source),
            Error::Directory { source } => source.kind(),
            Error::OtherPlatform { .. } => ErrorKind::NotFound,
            Error::NotALayout { .. } => ErrorKind::Conflict,
            Error::NotChecked => ErrorKind::Internal,
            Error::TwiceInArchive { .. }
            | Error::TooLarge { .. }
            | Error::NoImageInArchive
            | Error::Incomplete { .. }
            | Error::NotStatic { .. }
            | Error::WrongLayer { .. } => ErrorKind::Corrupt,
            Error::Unpack(source) => source.kind(),
            Error::WriteLayer { .. } | Error::ProgramFailed { .. } => ErrorKind::Unavailable,
            Error::Program { .. } | Error::NoSources => ErrorKind::Unsupported,
            Error::Encode { .. } | Error::Io { .. } => ErrorKind::Internal,
            Error::Containers { source } => source.kind(),
            Error::Container(source) => source.kind(),
            Error::BadBase { .. } => ErrorKind::Corrupt,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoImage { .. } => Some("`berth images` lists all images".into()),
            Error::Ambiguous { .. } => Some("give more digits, or the name".into()),
            Error::InUse { running: true, container, .. } => {
                Some(format!("remove that container first: `berth rm -f {container}`"))
            }
            Error::InUse { container, .. } => Some(format!(
                "remove that container first: `berth rm {container}`; or take only the names away: `berth rmi -f`"
            )),
            Error::ManyNames { .. } => {
                Some("remove it by its names, or with `-f` together with all of them".into())
            }
            Error::Store { source, .. } => source.hint(),
            Error::Archive { source: LayerError::UnsupportedLayer { name } } => {
                Some(format!("decompress it first: `{name} -dc FILE | berth load`"))
            }
            // Its very first header is none.
            Error::Archive { source: LayerError::Archive { offset: ..=512, .. } } => Some(
                "it seems to be something else: `berth load` takes what `berth save`, `docker save` or skopeo wrote, `berth import` the tar of a root file system"
                    .into(),
            ),
            Error::Archive { source } | Error::WriteArchive { source } => source.hint(),
            Error::NotALayout { .. } => Some("name another directory, or one that does not exist".into()),
            Error::NoImageInArchive => {
                Some("for the tar of a root file system use `berth import`".into())
            }
            Error::Unpack(source) => source.hint(),
            Error::WriteLayer { source } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the disk is full: free space, or remove images and containers".into())
            }
            Error::BadChange { .. } => Some(
                "changes are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR, as in a Dockerfile"
                    .into(),
            ),
            Error::Program { program, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(format!("it is in Debian's package {}: install it", package_of(program)))
            }
            Error::ProgramFailed { .. } => {
                Some("is the suite's name right, and can the host's apt reach its archive?".into())
            }
            Error::NoSources => Some("see sources.list(5): an archive of Debian is needed".into()),
            Error::Containers { source } => source.hint(),
            Error::Container(source) => source.hint(),
            _ => None,
        }
    }
}

fn package_of(program: &str) -> &str {
    match program {
        "apt-get" => "apt",
        "dpkg-query" | "dpkg-deb" => "dpkg",
        other => other,
    }
}

/// Shapes an error of the store.
pub(crate) fn store(action: &'static str) -> impl Fn(berth_store::Error) -> Error {
    move |source| Error::Store { action, source }
}
