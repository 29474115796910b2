//! Ranges: what is read means the same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use berth_oci::header::range::{content_range, uploaded};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(range) = content_range(text) {
        assert!(range.first <= range.last);
        assert!(range.total.is_none_or(|total| range.last < total));
        let total = range
            .total
            .map_or("*".to_owned(), |total| total.to_string());
        let plain = format!("bytes {}-{}/{total}", range.first, range.last);
        assert_eq!(content_range(&plain), Some(range));
        assert!(uploaded(text).is_none(), "one text is not both");
    }
    if let Some(length) = uploaded(text) {
        assert!(length > 0);
        assert_eq!(uploaded(&format!("0-{}", length - 1)), Some(length));
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
