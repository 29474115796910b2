//! What fuzzing has found, again: the corpora in fuzz/corpus.

#[path = "../fuzz/fuzz_targets/authorization.rs"]
mod authorization;
#[path = "../fuzz/fuzz_targets/htpasswd.rs"]
mod htpasswd;
#[path = "../fuzz/fuzz_targets/jwt.rs"]
mod jwt;
#[path = "../fuzz/fuzz_targets/ranges.rs"]
mod ranges;
#[path = "../fuzz/fuzz_targets/route.rs"]
mod route;
#[path = "../fuzz/fuzz_targets/scope.rs"]
mod scope;
#[path = "../fuzz/fuzz_targets/settings.rs"]
mod settings;

testkit::replay_corpora!(authorization, htpasswd, jwt, ranges, route, scope, settings);
