//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/trust_key.rs"]
mod trust_key;
#[path = "../fuzz/fuzz_targets/trust_payload.rs"]
mod trust_payload;
#[path = "../fuzz/fuzz_targets/trust_policy.rs"]
mod trust_policy;

testkit::replay_corpora!(trust_key, trust_payload, trust_policy);
