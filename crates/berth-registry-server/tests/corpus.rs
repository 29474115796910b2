//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/ranges.rs"]
mod ranges;
#[path = "../fuzz/fuzz_targets/route.rs"]
mod route;

testkit::replay_corpora!(ranges, route);
