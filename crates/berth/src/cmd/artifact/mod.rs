//! `berth artifact`: files in a registry that are no images.

pub mod inspect;
pub mod ls;
pub mod pull;
pub mod push;

/// Whether a reference names a repository alone, so that `latest` would be meant.
fn is_untagged(text: &str) -> bool {
    berth_oci::Reference::parse(&format!("{text}:latest")).is_ok()
}
