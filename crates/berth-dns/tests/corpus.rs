//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/dns_answer.rs"]
mod dns_answer;
#[path = "../fuzz/fuzz_targets/dns_question.rs"]
mod dns_question;

testkit::replay_corpora!(dns_answer, dns_question);
