//! The order in which blobs go: a document before what it names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_oci::Digest;

use super::mark::Marker;
use crate::Error;

/// Sorts blobs so. Digests name each other without circles.
pub(super) fn documents_first(
    blobs: Vec<(Digest, PathBuf)>,
    marker: &Marker<'_>,
) -> Result<Vec<(Digest, PathBuf)>, Error> {
    let mut left: BTreeMap<Digest, PathBuf> = blobs.into_iter().collect();
    let mut named: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    // By how many that are still left a blob is named.
    let mut namers: BTreeMap<Digest, usize> = BTreeMap::new();
    for digest in left.keys() {
        let mut children = marker.named_by(digest)?;
        children.retain(|child| left.contains_key(child));
        for child in &children {
            *namers.entry(child.clone()).or_default() += 1;
        }
        if !children.is_empty() {
            named.insert(digest.clone(), children);
        }
    }
    let free = |digest: &&Digest| !namers.contains_key(*digest);
    let mut ready: Vec<Digest> = left.keys().filter(free).cloned().collect();
    let mut sorted = Vec::new();
    while let Some(digest) = ready.pop() {
        for child in named.remove(&digest).unwrap_or_default() {
            if let Some(count) = namers.get_mut(&child) {
                *count -= 1;
                if *count == 0 {
                    ready.push(child);
                }
            }
        }
        if let Some(path) = left.remove(&digest) {
            sorted.push((digest, path));
        }
    }
    Ok(sorted)
}
