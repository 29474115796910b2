//! Unpacks a pull's layers in order, each as soon as it is there.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread::{Scope, ScopedJoinHandle};

use berth_oci::{Descriptor, Digest, ImageConfig, Manifest};

use super::{LayerStep, Parts, PullCause, Team};
use crate::unpack::LayerUnpacker;

/// Starts the thread; it gives the chain-ids of what it unpacked, which is all unless the pull failed.
pub(super) fn start<'s>(
    scope: &'s Scope<'s, '_>,
    parts: &Parts<'s>,
    manifest: &Manifest,
    settings: &ImageConfig,
    arrived: mpsc::Receiver<Digest>,
    team: Team,
) -> ScopedJoinHandle<'s, Vec<Digest>> {
    let layers: Vec<(Descriptor, Digest)> = manifest
        .layers
        .iter()
        .cloned()
        .zip(settings.rootfs.diff_ids.iter().cloned())
        .collect();
    let parts = *parts;
    scope.spawn(move || {
        let mut unpacker = LayerUnpacker::new(parts.snapshots, parts.unpack);
        let mut here = HashSet::new();
        for (layer, diff_id) in &layers {
            if unpacker.skip_next(diff_id) {
                continue;
            }
            while !here.contains(&layer.digest) {
                match arrived.recv() {
                    Ok(digest) => here.insert(digest),
                    // The fetchers have failed, and said so.
                    Err(_) => return unpacker.into_chains(),
                };
            }
            if let Err(cause) = unpack(&mut unpacker, &parts, layer, diff_id) {
                team.fail(cause);
                return unpacker.into_chains();
            }
            team.tell(layer, LayerStep::Unpacked);
        }
        unpacker.into_chains()
    })
}

fn unpack(
    unpacker: &mut LayerUnpacker<'_>,
    parts: &Parts<'_>,
    layer: &Descriptor,
    diff_id: &Digest,
) -> Result<(), PullCause> {
    let blob = parts.store.open_blob(&layer.digest)?;
    unpacker.unpack_next(blob, &layer.media_type, diff_id)?;
    Ok(())
}
