//! Any bytes as a key's file: no panic; a public key that is read is written as it was.

#![cfg_attr(not(test), no_main)]

use berth_trust::{LockedKey, PublicKey};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    // Its passphrase is not asked for: that takes a tenth of a second, and is not parsing.
    let _ = LockedKey::from_pem(bytes);
    let Ok(key) = PublicKey::from_pem(bytes) else {
        return;
    };
    let again = PublicKey::from_pem(key.to_pem().as_bytes()).expect("what we wrote is a key");
    assert_eq!(again, key);
    assert!(!key.verifies(bytes, bytes));
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
