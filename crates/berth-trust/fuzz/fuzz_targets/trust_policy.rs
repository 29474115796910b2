//! Any text as policies: no panic; what is read is written so that it is read the same.

#![cfg_attr(not(test), no_main)]

use berth_oci::Reference;
use berth_trust::Policies;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(policies) = Policies::parse(text) else {
        return;
    };
    assert_eq!(
        Policies::parse(&policies.to_toml()).expect("what we wrote is read"),
        policies
    );
    for policy in policies.policies() {
        let below = format!("{}/x/y", policy.prefix);
        let Ok(reference) = Reference::parse(&below) else {
            continue;
        };
        let (prefix, requirement) = policies.of(&reference);
        assert!(prefix.is_some(), "{below}");
        let longer = policies
            .policies()
            .iter()
            .any(|other| &other.require == requirement);
        assert!(longer, "{below}");
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
