//! Any bytes, applied over a lower layer beside a canary: nothing outside the target changes.
//! Run as root.
//!
//! `cargo +nightly fuzz run apply` in crates/berth-layer.

#![no_main]

use std::fs::{self, File};

use berth_layer::Limits;
use berth_layer::apply::{Form, Options, apply};
use berth_layer::tar::Reader;
use libfuzzer_sys::fuzz_target;

/// Makes the checksum of all that looks like a header right: a fuzzer does not find sums.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &with_checksums(bytes)[..];
    rustix::process::umask(rustix::fs::Mode::empty());
    let world = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| world.path().join(name);
    for dir in ["canary", "lower", "lower/d", "target"] {
        fs::create_dir(path(dir)).expect("a new directory");
    }
    fs::write(path("canary/x"), "alive").expect("a new file");
    fs::write(path("lower/d/f"), "low").expect("a new file");
    let limits = Limits { total_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let options = Options { form: Form::Overlay, skip_devices: true, limits };
    let open = |name: &str| File::open(path(name)).expect("it was made above").into();
    // Most archives are refused: the point is what they did until then.
    let _ = apply(&mut Reader::new(bytes, limits), open("target"), vec![open("lower")], options);
    assert_eq!(fs::read_to_string(path("canary/x")).expect("the canary"), "alive");
    assert_eq!(fs::read_dir(path("canary")).expect("the canary").count(), 1);
    assert_eq!(fs::read_to_string(path("lower/d/f")).expect("the lower layer"), "low");
    assert_eq!(fs::read_dir(world.path()).expect("the world").count(), 3);
});
