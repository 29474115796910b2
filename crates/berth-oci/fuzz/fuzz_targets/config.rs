//! An image's configuration: what is read is written and read again alike.

#![cfg_attr(not(test), no_main)]

use berth_oci::chain::chain_ids;
use berth_oci::image::parse_config;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(config) = parse_config(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&config).expect("words only");
    assert_eq!(parse_config(&written).expect("we wrote it"), config);
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
    let layers = value["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
    assert_eq!(chain_ids(&config.rootfs.diff_ids).len(), layers);
    assert_eq!(config.platform().architecture, config.architecture);
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
