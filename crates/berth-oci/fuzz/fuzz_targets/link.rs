//! Link headers, one a line: what leads on was there between `<` and `>`, and is clean (security: G12).

#![cfg_attr(not(test), no_main)]

use berth_oci::header::link::next;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(target) = next(text.split('\n')) else {
        return;
    };
    assert!(text.contains(&format!("<{target}>")));
    assert!(!target.is_empty());
    assert!(!target.contains(|c: char| c.is_control() || c.is_whitespace() || c == '>'));
    let plain = format!("<{target}>; rel=\"next\"");
    // Near the limit the plain form may be longer than what was read.
    if plain.len() < 8 << 10 {
        assert_eq!(next([&plain[..]].into_iter()), Some(target));
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
