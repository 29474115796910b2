//! What is wrong with a key, a policy or a payload.

use berth_model::ErrorKind;

/// A file or document that is not what it should be, or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("not a PEM file of a {what}: {reason}")]
    Pem {
        what: &'static str,
        reason: &'static str,
    },
    #[error("not a PEM file of a {what}: it is a `{label}`")]
    PemLabel { what: &'static str, label: String },
    #[error("the key is {found}, not an ECDSA key on the curve P-256")]
    UnsupportedKey { found: &'static str },
    #[error("the {what} key is not a valid ECDSA key on the curve P-256")]
    InvalidKey { what: &'static str },
    #[error("cannot understand the private key")]
    ParseKey { source: berth_oci::Error },
    #[error("cannot write the private key")]
    EncodeKey { source: serde_json::Error },
    #[error("the private key's {what} is not valid base64 of the right length")]
    KeyBase64 { what: &'static str },
    #[error("the private key's {what} is `{found}`, which is not known")]
    UnknownEncryption { what: &'static str, found: String },
    #[error("the private key asks for costs that are not usual: N {n}, r {r}, p {p}")]
    KeyCosts { n: u64, r: u64, p: u64 },
    #[error("the passphrase is wrong, or the private key is damaged")]
    WrongPassphrase,
    #[error("the system gives no random numbers")]
    Random,
    #[error("cannot parse the policies")]
    ParsePolicies { source: Box<toml::de::Error> },
    #[error("policies: `{value}` is not a valid {what}: {reason}")]
    InvalidPolicy {
        what: &'static str,
        value: String,
        reason: &'static str,
    },
    #[error("cannot understand what is signed")]
    ParsePayload { source: berth_oci::Error },
    #[error("cannot understand what is signed: {reason}")]
    InvalidPayload { reason: &'static str },
    #[error("cannot write what is signed")]
    EncodePayload { source: serde_json::Error },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Random | Error::EncodeKey { .. } | Error::EncodePayload { .. } => {
                ErrorKind::Internal
            }
            Error::WrongPassphrase => ErrorKind::Denied,
            Error::UnsupportedKey { .. } | Error::UnknownEncryption { .. } => {
                ErrorKind::Unsupported
            }
            Error::ParsePayload { .. } | Error::InvalidPayload { .. } => ErrorKind::Corrupt,
            _ => ErrorKind::InvalidInput,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Pem { .. } | Error::PemLabel { .. } | Error::UnsupportedKey { .. } => {
                "`berth trust key generate` makes a pair: NAME.key signs, NAME.pub verifies"
            }
            Error::InvalidPolicy { what: "prefix", .. } => {
                "a prefix is a registry, or a registry and the first parts of a repository's name: `docker.io/library`"
            }
            Error::ParsePolicies { .. } | Error::InvalidPolicy { .. } => {
                "`berth trust set --help` shows what can be asked for; until the file is right nothing is pulled"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
