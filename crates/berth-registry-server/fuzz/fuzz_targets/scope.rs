//! Scopes, and the query of a request for a token: what is understood is bounded, and means the same when it is written
//! plainly.

#![cfg_attr(not(test), no_main)]

use berth_registry_server::auth::scope::{Grant, MAX_ENTRIES, parse};
use berth_registry_server::auth::tokens::Asked;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(grants) = parse(text) {
        bounded(&grants);
        let plain: Vec<String> = grants.iter().map(Grant::to_string).collect();
        let plain = plain.join(" ");
        assert_eq!(parse(&plain).as_ref(), Some(&grants), "{plain}");
        let encoded: String = plain.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let asked = Asked::parse(&format!("scope={encoded}"));
        assert_eq!(asked.expect("it is encoded").grants, grants);
    }
    if let Some(asked) = Asked::parse(text) {
        bounded(&asked.grants);
    }
}

fn bounded(grants: &[Grant]) {
    assert!(grants.len() <= MAX_ENTRIES);
    for grant in grants {
        assert!(!grant.kind.is_empty() && !grant.name.is_empty());
        let text = grant.to_string();
        assert!(
            !text.contains(char::is_control) && !text.contains(' '),
            "{text}"
        );
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
