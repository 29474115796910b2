//! Verbs on registries: their tags, the histories of these, search. Needs no state of an engine.

pub use berth_registry::{Change, Error, Hit, Server};

use berth_oci::image::parse_document;
use berth_oci::{Descriptor, Digest, Document, Platform, Reference};
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

/// The tags of the repository of `reference`, as its registry sorts them.
///
/// # Errors
/// Not there, not allowed, not reachable, too many.
pub fn tags(config: Config, reference: &Reference) -> Result<Vec<String>, Error> {
    berth_registry::runtime()?.block_on(Client::new(config).tags(reference))
}

/// The repositories that `server` finds for `term`, at most `limit`.
///
/// # Errors
/// Not allowed, not reachable; it has no search.
pub fn search(config: Config, server: &Server, term: &str, limit: u32) -> Result<Vec<Hit>, Error> {
    berth_registry::runtime()?.block_on(Client::new(config).search(server, term, limit))
}

/// What a registry has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The index, or the one image.
    pub descriptor: Descriptor,
    /// What there are images for.
    pub platforms: Vec<Platform>,
}

/// What the registry has as `reference`, without its layers.
///
/// # Errors
/// Not there, not allowed, not reachable; it is no image.
pub fn offered(config: Config, reference: &Reference) -> Result<Offered, Error> {
    let client = Client::new(config);
    berth_registry::runtime()?.block_on(async {
        let fetched = client.fetch_manifest(reference).await?;
        let unreadable = |source| Error::Document {
            reference: reference.familiar(),
            source,
        };
        let document = parse_document(&fetched.bytes, Some(&fetched.media_type));
        let platforms = match document.map_err(unreadable)? {
            Document::Index(index) => {
                let images = index.manifests.into_iter();
                images.filter_map(|image| image.platform).collect()
            }
            Document::Manifest(manifest) => {
                let bytes = client.fetch_config(reference, &manifest.config).await?;
                let config = berth_oci::image::parse_config(&bytes).map_err(unreadable)?;
                vec![config.platform()]
            }
        };
        Ok(Offered {
            descriptor: fetched.descriptor(),
            platforms,
        })
    })
}
