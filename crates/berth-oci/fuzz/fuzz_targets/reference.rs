//! A reference: both ways of writing it are read as the same one, and its parts can stand in a path and a URL.

#![cfg_attr(not(test), no_main)]

use berth_oci::Reference;
use berth_oci::reference::{check_domain, check_path, check_tag};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(reference) = Reference::parse(text) else {
        return;
    };
    let read = |text: &str| Reference::parse(text).unwrap_or_else(|e| panic!("`{text}`: {e}"));
    assert_eq!(read(&reference.to_string()), reference);
    assert_eq!(read(&reference.familiar()), reference);
    assert!(reference.tag().is_some() || reference.digest().is_some());
    check_domain(reference.domain()).expect("checked when it was parsed");
    check_path(reference.path()).expect("checked when it was parsed");
    let parts: Vec<&str> = reference.path().split('/').collect();
    assert!(
        parts
            .iter()
            .all(|p| !p.is_empty() && *p != "." && *p != "..")
    );
    if let Some(tag) = reference.tag() {
        check_tag(tag).expect("checked when it was parsed");
        assert!(tag != "." && tag != ".." && !tag.contains('/'));
    }
    let odd = |c: char| !c.is_ascii_graphic() || "?#%&\\\"'`".contains(c);
    assert!(!reference.to_string().contains(odd));
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
