//! A platform: what is written is read as the same one, its normal form is final, and it fits itself.

#![cfg_attr(not(test), no_main)]

use berth_oci::Platform;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.lines();
    let Some(Ok(one)) = lines.next().map(Platform::parse) else {
        return;
    };
    let again = Platform::parse(&one.to_string()).expect("we wrote it");
    assert_eq!(again, one);
    assert_eq!(one.clone().normalised(), one);
    assert_eq!(one.distance_from(&one), Some(0));
    if let Some(Ok(other)) = lines.next().map(Platform::parse) {
        let (there, back) = (one.distance_from(&other), other.distance_from(&one));
        assert!(there.is_none() || one.architecture == other.architecture);
        // What runs on each other is the same; else the older one runs on the newer.
        assert_eq!(there == Some(0), back == Some(0));
        assert!(there == Some(0) || there.is_none() || back.is_none());
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
