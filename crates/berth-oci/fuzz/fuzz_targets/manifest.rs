//! A manifest: what is read is written and read again alike, and is a manifest for every reader (security: T17, T18).

#![cfg_attr(not(test), no_main)]

use berth_oci::image::{Document, parse_document, parse_index, parse_manifest};
use berth_oci::media;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(manifest) = parse_manifest(bytes, None) else {
        return;
    };
    let written = serde_json::to_vec(&manifest).expect("words only");
    let again = parse_manifest(&written, None).expect("we wrote it");
    assert_eq!(again, manifest);
    // A reader that is less strict sees the same.
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
    assert!(
        value
            .get("manifests")
            .is_none_or(serde_json::Value::is_null)
    );
    assert_eq!(
        value["layers"].as_array().map(Vec::len),
        Some(manifest.layers.len())
    );
    assert_eq!(
        value["config"]["digest"],
        manifest.config.digest.to_string()
    );
    // Whatever the transport says, it does not become an index.
    assert!(parse_index(bytes, None).is_err());
    assert!(parse_document(bytes, Some(media::INDEX)).is_err());
    for stated in [
        media::MANIFEST,
        media::DOCKER_MANIFEST,
        "text/plain; charset=utf-8",
    ] {
        if let Ok(document) = parse_document(bytes, Some(stated)) {
            assert_eq!(document, Document::Manifest(manifest.clone()));
        }
    }
    if manifest.check_types().is_ok() {
        let known = |l: &berth_oci::Descriptor| media::layer_compression(&l.media_type).is_some();
        assert!(manifest.layers.iter().all(known));
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
