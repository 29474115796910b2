//! What can go wrong on the disk.

use std::path::PathBuf;

use berth_model::ErrorKind;
use rustix::io::Errno;

/// A step that failed, with the path it was about.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: Errno },
    #[error("cannot create {path}")]
    Create { path: PathBuf, source: Errno },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: Errno },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: Errno },
    #[error("cannot make {path} durable")]
    Sync { path: PathBuf, source: Errno },
    #[error("cannot rename {from} to {to}")]
    Rename {
        from: PathBuf,
        to: PathBuf,
        source: Errno,
    },
    #[error("cannot remove {path}")]
    Remove { path: PathBuf, source: Errno },
    #[error("cannot lock {path}")]
    Lock { path: PathBuf, source: Errno },
    #[error("{path} is not a directory of this user that can be used: {reason}")]
    BadDirectory { path: PathBuf, reason: &'static str },
}

impl Error {
    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        match self.errno() {
            Some(Errno::NOENT) => ErrorKind::NotFound,
            Some(Errno::EXIST | Errno::NOTEMPTY) => ErrorKind::AlreadyExists,
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::Denied,
            Some(Errno::NOSPC | Errno::DQUOT | Errno::MFILE | Errno::NFILE | Errno::IO) => {
                ErrorKind::Unavailable
            }
            Some(Errno::NOSYS | Errno::OPNOTSUPP) => ErrorKind::Unsupported,
            Some(Errno::LOOP | Errno::XDEV | Errno::NOTDIR) | None => ErrorKind::Denied,
            Some(_) => ErrorKind::Internal,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        if let Error::BadDirectory { .. } = self {
            return Some("`--root` and `--run-dir` name directories of your own".into());
        }
        match self.errno()? {
            Errno::NOSPC => {
                Some("the disk is full: free space, or remove images and containers".into())
            }
            Errno::DQUOT => Some("the disk quota is used up".into()),
            Errno::MFILE | Errno::NFILE => Some("too many open files: raise `ulimit -n`".into()),
            Errno::ROFS => Some("the file system is read-only".into()),
            _ => None,
        }
    }

    /// The kernel's error number, if one is the cause.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Open { source, .. }
            | Error::Create { source, .. }
            | Error::Write { source, .. }
            | Error::Read { source, .. }
            | Error::Sync { source, .. }
            | Error::Rename { source, .. }
            | Error::Remove { source, .. }
            | Error::Lock { source, .. } => Some(*source),
            Error::BadDirectory { .. } => None,
        }
    }
}

/// For errors that name the path themselves: only the cause is left.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        match error.errno() {
            Some(errno) => errno.into(),
            None => std::io::Error::other(error.to_string()),
        }
    }
}
