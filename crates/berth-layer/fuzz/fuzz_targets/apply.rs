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

fuzz_target!(|bytes: &[u8]| {
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
