//! WWW-Authenticate headers, one a line: what is understood means the same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use berth_oci::header::challenge::{Challenge, choose};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(challenge) = choose(text.split('\n')) else {
        return;
    };
    let plain = match &challenge {
        Challenge::Basic => "Basic realm=\"x\"".to_owned(),
        Challenge::Bearer {
            realm,
            service,
            scope,
        } => {
            assert!(!realm.is_empty());
            let more = [("service", service), ("scope", scope)];
            let more = more.map(|(name, value)| match value {
                Some(value) => format!(", {name}={}", quoted(value)),
                None => String::new(),
            });
            format!("Bearer realm={}{}", quoted(realm), more.concat())
        }
    };
    // Near the limit the plain form may be longer than what was read.
    if plain.len() < 8 << 10 {
        assert_eq!(choose([&plain[..]].into_iter()), Some(challenge));
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
