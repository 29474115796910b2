//! A digest: what parses is written as it was read, and is safe as a file name (security: T16).

#![cfg_attr(not(test), no_main)]

use berth_oci::Digest;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Digest::parse(text) {
        Ok(digest) => {
            assert_eq!(digest.to_string(), text);
            let hex = digest.hex();
            assert!(
                hex.bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            );
            assert_eq!(hex.len(), digest.algorithm().hex_len());
            assert!(["sha256", "sha512"].contains(&digest.algorithm().as_str()));
            assert!(hex.starts_with(digest.short()));
            let json = serde_json::to_string(&digest).expect("a digest is a string");
            let again: Digest = serde_json::from_str(&json).expect("it was written by us");
            assert_eq!(again, digest);
        }
        Err(error) => assert!(error.to_string().len() < 2000, "a message is not endless"),
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
