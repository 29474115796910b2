//! Any text as policies: no panic; what is read is written so that it is read the same.
//!
//! `cargo +nightly fuzz run trust_policy` in crates/berth-trust.

#![no_main]

use berth_oci::Reference;
use berth_trust::Policies;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(policies) = Policies::parse(text) else { return };
    assert_eq!(Policies::parse(&policies.to_toml()).expect("what we wrote is read"), policies);
    for policy in policies.policies() {
        let below = format!("{}/x/y", policy.prefix);
        let Ok(reference) = Reference::parse(&below) else { continue };
        let (prefix, requirement) = policies.of(&reference);
        assert!(prefix.is_some(), "{below}");
        let longer = policies.policies().iter().any(|other| &other.require == requirement);
        assert!(longer, "{below}");
    }
});
