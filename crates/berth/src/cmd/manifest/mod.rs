//! `berth manifest`: indexes made by hand.

pub mod annotate;
pub mod create;
pub mod inspect;
pub mod push;
pub mod rm;

use crate::ui::diagnostic::Failure;

/// A reference as a user writes it.
fn reference(text: &str) -> Result<berth_oci::Reference, Failure> {
    berth_oci::Reference::parse(text).map_err(|error| Failure::of(&error))
}
