//! Verbs on tags in a registry that keeps their history. Needs no state of an engine.

pub use berth_registry::{Change, Error};

use berth_oci::{Digest, Reference};
use berth_registry::{Client, Config};

/// What became of the tag of `reference`, oldest first.
///
/// # Errors
/// Not allowed, not reachable; no such tag, or a registry of another kind.
pub fn history(config: Config, reference: &Reference) -> Result<Vec<Change>, Error> {
    berth_registry::runtime()?.block_on(Client::new(config).history(reference))
}

/// Has the tag of `reference` name `to` again, or what it named before its last change; says what it names now.
///
/// # Errors
/// As [`history`]; the tag never named it, or may not change.
pub fn rollback(
    config: Config,
    reference: &Reference,
    to: Option<&Digest>,
) -> Result<Digest, Error> {
    berth_registry::runtime()?.block_on(Client::new(config).rollback(reference, to))
}
