//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/trust_key.rs"]
mod trust_key;
#[path = "../fuzz/fuzz_targets/trust_payload.rs"]
mod trust_payload;
#[path = "../fuzz/fuzz_targets/trust_policy.rs"]
mod trust_policy;

/// One test a target.
macro_rules! replay {
    ($($target:ident),*) => {
        $(
            #[test]
            fn $target() {
                let name = stringify!($target);
                testkit::corpus::replay(env!("CARGO_MANIFEST_DIR"), name, $target::check);
            }
        )*

        #[test]
        fn every_target_is_here() {
            let targets = [$(stringify!($target)),*];
            testkit::corpus::assert_complete(env!("CARGO_MANIFEST_DIR"), &targets);
        }
    };
}

replay!(trust_key, trust_payload, trust_policy);
