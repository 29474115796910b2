//! Tokens: a line that is the header, and claims after it, signed properly. What is believed says what it has to say,
//! and is not believed with another signature (security: G11). What comes unsigned is never believed.

#![cfg_attr(not(test), no_main)]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use berth_registry_server::auth::jwt::{Audience, Invalid, Verifier};
use berth_registry_server::auth::keys::PublicKey;

const NOW: u64 = 1_800_000_000;

struct Keys {
    ours: EcdsaKeyPair,
    other: EcdsaKeyPair,
    verifier: Verifier,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let (ours, other) = (pair().expect("a key"), pair().expect("a key"));
    let key = PublicKey::from_der(ours.public_key().as_ref());
    Keys {
        verifier: Verifier {
            key: key.expect("our own"),
            issuer: "i".into(),
            service: "s".into(),
        },
        ours,
        other,
    }
});

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let verify = |token: &str| KEYS.verifier.verify(token, NOW);
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(verify(text).is_err());
    }
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
        return;
    };
    let (header, claims) = (&bytes[..end], &bytes[end + 1..]);
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let token = |key: &EcdsaKeyPair| {
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes());
        format!(
            "{signed}.{}",
            BASE64.encode(signature.expect("random numbers"))
        )
    };
    let Ok(claims) = verify(&token(&KEYS.ours)) else {
        return;
    };
    let header: serde_json::Value = serde_json::from_slice(header).expect("it was understood");
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("crit").is_none_or(serde_json::Value::is_null));
    assert_eq!(claims.iss, "i");
    match &claims.aud {
        Audience::One(name) => assert_eq!(name, "s"),
        Audience::Several(names) => assert!(names.iter().any(|name| name == "s")),
    }
    assert!(claims.exp + 60.0 > NOW as f64);
    let begins = [claims.nbf, claims.iat];
    assert!(
        begins
            .iter()
            .flatten()
            .all(|from| *from <= NOW as f64 + 60.0)
    );
    assert!(!claims.sub.contains(char::is_control));
    assert_eq!(verify(&token(&KEYS.other)), Err(Invalid::Signature));
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
