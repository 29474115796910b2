//! Ranges: what is read means the same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use berth_oci::header::range::{content_range, uploaded};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some((start, total)) = content_range(text) {
        if let Some(total) = total {
            assert!(start < total);
            let plain = format!("bytes {start}-{}/{total}", total - 1);
            assert_eq!(content_range(&plain), Some((start, Some(total))));
        }
        assert!(uploaded(text).is_none(), "one text is not both");
    }
    if let Some(length) = uploaded(text) {
        assert!(length > 0);
        assert_eq!(uploaded(&format!("0-{}", length - 1)), Some(length));
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
