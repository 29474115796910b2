//! Unpacks a pull's layers while they come.

use std::fs::File;

use berth_oci::{Descriptor, Digest, ImageConfig, Manifest};

use super::arrivals::Arrivals;
use super::{LayerStep, Parts, PullCause, Team};
use crate::unpack::{Blobs, Feed, layers_of, unpack_layers};

/// The layers of the image, lowest first.
struct Coming<'a> {
    parts: &'a Parts<'a>,
    layers: &'a [Descriptor],
    arrivals: &'a Arrivals,
    team: &'a Team,
}

/// Unpacks all of them; gives their chain-ids. `None`: the pull failed, and the team was told.
pub(super) fn all(
    parts: &Parts<'_>,
    manifest: &Manifest,
    settings: &ImageConfig,
    arrivals: &Arrivals,
    team: &Team,
) -> Option<Vec<Digest>> {
    let layers = layers_of(manifest, settings);
    let coming = Coming {
        parts,
        layers: &manifest.layers,
        arrivals,
        team,
    };
    unpack_layers(parts.snapshots, parts.unpack, &layers, &coming)
        .map_err(|cause| team.fail(cause))
        .ok()
}

impl Blobs for Coming<'_> {
    type Error = PullCause;

    fn whole(&self, at: usize) -> Result<File, PullCause> {
        let digest = &self.layers[at].digest;
        if !self.arrivals.wait_whole(digest) {
            // The fetchers have failed, and said so.
            return Err(PullCause::Panicked);
        }
        Ok(self.parts.store.open_blob(digest)?)
    }

    fn early(&self, at: usize) -> Option<Feed<'_>> {
        let Descriptor { digest, size, .. } = &self.layers[at];
        let file = self.arrivals.wait_begun(digest)?;
        Some(Box::new(move |pipe| {
            self.arrivals.feed(digest, *size, &file, &pipe);
        }))
    }

    fn unpacked(&self, at: usize) {
        // Else the fetcher tells it, after `Downloaded`.
        if self.arrivals.unpacked(&self.layers[at].digest) {
            self.team.tell(&self.layers[at], LayerStep::Unpacked);
        }
    }
}
