//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/challenge.rs"]
mod challenge;
#[path = "../fuzz/fuzz_targets/config.rs"]
mod config;
#[path = "../fuzz/fuzz_targets/digest.rs"]
mod digest;
#[path = "../fuzz/fuzz_targets/index.rs"]
mod index;
#[path = "../fuzz/fuzz_targets/link.rs"]
mod link;
#[path = "../fuzz/fuzz_targets/manifest.rs"]
mod manifest;
#[path = "../fuzz/fuzz_targets/platform.rs"]
mod platform;
#[path = "../fuzz/fuzz_targets/range.rs"]
mod range;
#[path = "../fuzz/fuzz_targets/reference.rs"]
mod reference;
#[path = "../fuzz/fuzz_targets/retry.rs"]
mod retry;

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

replay!(
    challenge, config, digest, index, link, manifest, platform, range, reference, retry
);
