//! Which images may be pulled: the policies of `trust.toml`, and the signatures that they ask for.
//!
//! ```text
//! file        where trust.toml is, reading and changing it
//! gate        what a reference needs (before anything is asked of a registry), and whether an image has it
//! signatures  what is stored beside an image in its registry
//! sign        `trust sign`
//! check       `trust verify` and `trust inspect`: the same for what is here already
//! keys        files of keys
//! ```
//! What cannot be read or understood accepts nothing. A policy holds for names: what is loaded, imported or
//! bootstrapped is not pulled, so no policy is asked.

mod check;
mod error;
mod file;
mod gate;
mod keys;
mod sign;
mod signatures;

pub use berth_trust::{Policies, Policy, Prefix, Requirement};
pub use check::{Approval, Signed};
pub use error::{Error, Reasons};
pub use file::{Files, Trust};
pub use keys::{generate, read_passphrase, read_private, read_public};

pub use berth_trust::Error as PolicyError;
pub use berth_trust::{LockedKey, Passphrase, PrivateKey, PublicKey};
