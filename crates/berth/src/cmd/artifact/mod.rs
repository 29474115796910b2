//! `berth artifact`: files in a registry that are no images.

pub mod inspect;
pub mod ls;
pub mod pull;
pub mod push;

use crate::ui::diagnostic::Failure;

/// Whether a reference names a repository alone, so that `latest` would be meant.
fn is_untagged(text: &str) -> bool {
    berth_oci::Reference::parse(&format!("{text}:latest")).is_ok()
}

/// A reference as a user writes it.
fn reference(text: &str) -> Result<berth_oci::Reference, Failure> {
    berth_oci::Reference::parse(text).map_err(|error| Failure::of(&error))
}
