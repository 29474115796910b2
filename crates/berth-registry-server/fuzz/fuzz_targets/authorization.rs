//! `Authorization` headers: what is understood has no control characters, and means the same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_registry_server::auth::header::{Shown, parse};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Some(shown) = parse(bytes) else {
        return;
    };
    let plain = match &shown {
        Shown::Nothing => "Basic Og==".to_owned(),
        Shown::Basic { user, password } => {
            assert!(!user.is_empty() && !user.contains(':'));
            let pair = format!("{user}:{}", &**password);
            assert!(!pair.contains(char::is_control));
            format!("Basic {}", STANDARD.encode(pair))
        }
        Shown::Bearer(token) => {
            assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
            format!("Bearer {token}")
        }
    };
    assert!(parse(plain.as_bytes()) == Some(shown));
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
