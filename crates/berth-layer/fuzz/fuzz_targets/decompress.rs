//! Any bytes as a compressed layer: no panic, and no more output than the limits allow.

#![cfg_attr(not(test), no_main)]

use std::io::Read as _;

use berth_layer::Limits;
use berth_layer::decompress::decompress;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let limits = Limits {
        total_bytes: 1 << 20,
        ratio_after_bytes: 1 << 16,
        ..Limits::default()
    };
    let Ok(mut input) = decompress(bytes, limits) else {
        return;
    };
    let (mut buffer, mut total) = ([0; 4096], 0u64);
    while let Ok(length @ 1..) = input.read(&mut buffer) {
        total += length as u64;
    }
    assert!(total <= limits.total_bytes);
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
