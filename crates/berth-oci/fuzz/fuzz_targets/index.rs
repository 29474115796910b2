//! An index: what is read is written and read again alike, and what is chosen from it is the nearest.

#![cfg_attr(not(test), no_main)]

use berth_oci::image::{parse_document, parse_index, parse_manifest};
use berth_oci::{Platform, media};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(index) = parse_index(bytes, None) else {
        return;
    };
    let written = serde_json::to_vec(&index).expect("words only");
    assert_eq!(parse_index(&written, None).expect("we wrote it"), index);
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
    assert_eq!(
        value["manifests"].as_array().map(Vec::len),
        Some(index.manifests.len())
    );
    for key in ["layers", "config"] {
        assert!(value.get(key).is_none_or(serde_json::Value::is_null));
    }
    assert!(parse_manifest(bytes, None).is_err());
    assert!(parse_document(bytes, Some(media::MANIFEST)).is_err());
    for host in [
        "linux/amd64",
        "linux/arm/v7",
        "linux/arm64",
        "windows/amd64",
    ] {
        let host = Platform::parse(host).expect("a constant");
        let distance = |d: &berth_oci::Descriptor| d.platform.as_ref()?.distance_from(&host);
        let nearest = index.manifests.iter().filter_map(distance).min();
        match index.select(&host) {
            Ok(chosen) if nearest.is_some() => assert_eq!(distance(chosen), nearest),
            Ok(_) => assert!(index.manifests.iter().all(|d| d.platform.is_none())),
            Err(error) => {
                assert!(nearest.is_none() && error.to_string().len() < 100_000);
            }
        }
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
