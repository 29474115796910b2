//! Which images may be used: signatures of sigstore's simple form, the keys that make them, and the policies
//! that ask for them. Bytes in, a verdict out: no I/O, no network.
//!
//! ```text
//! policy     trust.toml → what is required of an image, by the longest prefix of its name
//! key        PEM ↔ public key; PEM, passphrase ↔ private key     (pem, kdf, secretbox below it)
//! payload    what is signed: "this digest, under this name"
//! signature  key + payload → signature; signature + keys + image → verified, or why not
//! ```
//! Nothing of a payload is believed before a key that was asked for has verified its bytes. Whatever is not
//! understood is refused.

mod error;
mod kdf;
mod key;
mod limits;
mod payload;
mod pem;
pub mod policy;
mod secretbox;
mod signature;

pub use error::Error;
pub use kdf::LockedKey;
pub use key::{Passphrase, PrivateKey, PublicKey};
pub use limits::{MAX_KEY_BYTES, MAX_PAYLOAD_BYTES, MAX_POLICY_BYTES, MAX_SIGNATURES};
pub use payload::{Identity, Payload};
pub use policy::{Policies, Policy, Prefix, Requirement};
pub use signature::{ANNOTATION, Candidate, MEDIA_TYPE, Rejection, Subject, Verified, sign, tag};
