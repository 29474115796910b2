//! What fuzzing has found, again: the corpora in fuzz/corpus. Runs as root.

#![allow(
    clippy::duplicate_mod,
    reason = "each target is a program of its own elsewhere"
)]

#[path = "../fuzz/fuzz_targets/apply.rs"]
mod apply;
#[path = "../fuzz/fuzz_targets/decompress.rs"]
mod decompress;
#[path = "../fuzz/fuzz_targets/gzip.rs"]
mod gzip;
#[path = "../fuzz/fuzz_targets/tar_reader.rs"]
mod tar_reader;
#[path = "../fuzz/fuzz_targets/whiteouts.rs"]
mod whiteouts;
#[path = "../fuzz/fuzz_targets/zstd.rs"]
mod zstd;

testkit::replay_corpora!(apply, decompress, gzip, tar_reader, whiteouts, zstd);
