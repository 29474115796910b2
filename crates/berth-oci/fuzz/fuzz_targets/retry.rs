//! Retry-After: a moment is as far away as it is later, and never in the past.

#![cfg_attr(not(test), no_main)]

use std::time::Duration;

use berth_oci::header::retry::after;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let at = |now| after(text, Duration::from_secs(now));
    let Some(wait) = at(0) else {
        return assert!(at(1 << 40).is_none());
    };
    let seconds = text.trim().bytes().all(|b| b.is_ascii_digit());
    let later = at(1000).expect("it was understood before");
    let expected = match seconds {
        true => wait,
        false => wait.saturating_sub(Duration::from_secs(1000)),
    };
    assert_eq!(later, expected);
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
