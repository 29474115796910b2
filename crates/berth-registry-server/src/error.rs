//! What a client is told when something fails: the specification's codes, each with its HTTP status.

use http::StatusCode;
use serde::Serialize;

/// A code of the distribution specification ("Error Codes"), or of Docker's registry API where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The blob is not in this repository.
    BlobUnknown,
    /// The upload cannot go on like this.
    BlobUploadInvalid,
    /// There is no such upload in this repository.
    BlobUploadUnknown,
    /// The content is not what its digest says, or the digest is none.
    DigestInvalid,
    /// The manifest names a blob that is not in this repository.
    ManifestBlobUnknown,
    /// The manifest cannot be understood.
    ManifestInvalid,
    /// There is no such manifest in this repository.
    ManifestUnknown,
    /// Not a repository's name.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// The length is not what was announced.
    SizeInvalid,
    /// Not a tag.
    TagInvalid,
    /// Who asks is not known.
    Unauthorized,
    /// Who asks may not do this.
    Denied,
    /// This registry does not do that.
    Unsupported,
    /// Too many at once, or there is no more room for them.
    TooManyRequests,
    /// A part of a blob that does not exist, or a chunk out of order.
    RangeInvalid,
    /// Larger than this registry takes.
    TooLarge,
    /// The quota, or the disk, is full.
    NoSpace,
    /// An upstream registry does not answer.
    Unavailable,
    /// A bug, or a failure of the disk; the log has the cause.
    Internal,
}

impl Code {
    /// As it stands in the answer.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The answer's status.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    fn row(self) -> (&'static str, StatusCode) {
        use StatusCode as S;
        match self {
            Code::BlobUnknown => ("BLOB_UNKNOWN", S::NOT_FOUND),
            Code::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", S::BAD_REQUEST),
            Code::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", S::NOT_FOUND),
            Code::DigestInvalid => ("DIGEST_INVALID", S::BAD_REQUEST),
            Code::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", S::NOT_FOUND),
            Code::ManifestInvalid => ("MANIFEST_INVALID", S::BAD_REQUEST),
            Code::ManifestUnknown => ("MANIFEST_UNKNOWN", S::NOT_FOUND),
            Code::NameInvalid => ("NAME_INVALID", S::BAD_REQUEST),
            Code::NameUnknown => ("NAME_UNKNOWN", S::NOT_FOUND),
            Code::SizeInvalid => ("SIZE_INVALID", S::BAD_REQUEST),
            Code::TagInvalid => ("TAG_INVALID", S::BAD_REQUEST),
            Code::Unauthorized => ("UNAUTHORIZED", S::UNAUTHORIZED),
            Code::Denied => ("DENIED", S::FORBIDDEN),
            Code::Unsupported => ("UNSUPPORTED", S::METHOD_NOT_ALLOWED),
            Code::TooManyRequests => ("TOOMANYREQUESTS", S::TOO_MANY_REQUESTS),
            Code::RangeInvalid => ("RANGE_INVALID", S::RANGE_NOT_SATISFIABLE),
            Code::TooLarge => ("SIZE_INVALID", S::PAYLOAD_TOO_LARGE),
            Code::NoSpace => ("DENIED", S::INSUFFICIENT_STORAGE),
            Code::Unavailable => ("UNAVAILABLE", S::BAD_GATEWAY),
            Code::Internal => ("UNKNOWN", S::INTERNAL_SERVER_ERROR),
        }
    }
}

/// A request that failed: what the client is told, and what only the log is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure.
    pub code: Code,
    /// For a person; lower case, no secrets, nothing of the host.
    pub message: String,
    /// For the log of this host.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure that is the client's.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
            cause: None,
        }
    }

    /// There is no such blob here.
    pub(crate) fn no_blob() -> Failure {
        Failure::new(
            Code::BlobUnknown,
            "there is no such blob in this repository",
        )
    }

    /// There is no such manifest here.
    pub(crate) fn no_manifest() -> Failure {
        Failure::new(
            Code::ManifestUnknown,
            "there is no such manifest in this repository",
        )
    }

    /// A bug: what was to be done is lost.
    pub(crate) fn lost() -> Failure {
        Failure::new(Code::Internal, "the registry failed")
    }

    /// The body of the answer.
    pub fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            errors: [Entry<'a>; 1],
        }
        #[derive(Serialize)]
        struct Entry<'a> {
            code: &'a str,
            message: &'a str,
        }
        let errors = [Entry {
            code: self.code.as_str(),
            message: &self.message,
        }];
        serde_json::to_vec(&Body { errors }).expect("strings become JSON")
    }
}

/// A task that panicked.
impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Failure {
        Failure {
            cause: Some(Box::new(error)),
            ..Failure::lost()
        }
    }
}

/// A failing disk is the host's matter: the client learns no path.
impl From<berth_fs::Error> for Failure {
    fn from(error: berth_fs::Error) -> Failure {
        use rustix::io::Errno;
        let (code, message) = match error.errno() {
            Some(Errno::NOSPC | Errno::DQUOT) => (Code::NoSpace, "the registry's disk is full"),
            _ => (Code::Internal, "the registry's disk failed"),
        };
        Failure {
            code,
            message: message.to_owned(),
            cause: Some(Box::new(error)),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        let (code, message) = match error
            .raw_os_error()
            .map(rustix::io::Errno::from_raw_os_error)
        {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                (Code::NoSpace, "the registry's disk is full")
            }
            _ => (Code::Internal, "the registry's disk failed"),
        };
        Failure {
            code,
            message: message.to_owned(),
            cause: Some(Box::new(error)),
        }
    }
}
