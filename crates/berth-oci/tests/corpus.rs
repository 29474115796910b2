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

testkit::replay_corpora!(
    challenge, config, digest, index, link, manifest, platform, range, reference, retry
);
