//! Any bytes as a payload, and any text as its signature: no panic; what is read is a valid name and digest;
//! nothing verifies.

#![cfg_attr(not(test), no_main)]

use std::sync::LazyLock;

use berth_oci::Reference;
use berth_trust::{Candidate, Payload, PrivateKey, PublicKey, Subject};

static KEY: LazyLock<PublicKey> = LazyLock::new(|| PrivateKey::generate().expect("a key").public());

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(payload) = Payload::parse(bytes) else {
        return;
    };
    let name = payload.identity.to_string();
    let reference = Reference::parse(&name).expect("a name that was read is a reference");
    assert_eq!(reference.name(), payload.identity.name);
    let digests = [payload.digest];
    let subject = Subject {
        reference: &reference,
        digests: &digests,
    };
    let candidate = Candidate {
        signature: String::from_utf8_lossy(bytes).into_owned(),
        payload: bytes.to_vec(),
    };
    assert!(
        candidate
            .verify(std::slice::from_ref(&*KEY), &subject)
            .is_err()
    );
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
