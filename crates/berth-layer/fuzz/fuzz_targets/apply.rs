//! Any bytes as an archive, applied over a lower layer beside a canary: nothing outside the target changes.
//! Runs as root.

#![cfg_attr(not(test), no_main)]

use std::fs::{self, File};

use berth_layer::Limits;
use berth_layer::apply::{Form, Options, apply};
use berth_layer::tar::Reader;

#[path = "../checksums.rs"]
mod checksums;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let bytes = &checksums::with_checksums(bytes)[..];
    rustix::process::umask(rustix::fs::Mode::empty());
    let world = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| world.path().join(name);
    for dir in ["canary", "lower", "lower/d", "target"] {
        fs::create_dir(path(dir)).expect("a new directory");
    }
    fs::write(path("canary/x"), "alive").expect("a new file");
    fs::write(path("lower/d/f"), "low").expect("a new file");
    let limits = Limits {
        total_bytes: 1 << 20,
        entries: 100,
        ..Limits::default()
    };
    let options = Options {
        form: Form::Overlay,
        skip_devices: true,
        limits,
    };
    let open = |name: &str| File::open(path(name)).expect("it was made above").into();
    let mut reader = Reader::new(bytes, limits);
    // Most archives are refused: the point is what they did until then.
    let _ = apply(&mut reader, open("target"), vec![open("lower")], options);
    let read = |name: &str| fs::read_to_string(path(name)).expect("it was made above");
    assert_eq!(read("canary/x"), "alive");
    assert_eq!(
        fs::read_dir(path("canary")).expect("a directory").count(),
        1
    );
    assert_eq!(read("lower/d/f"), "low");
    assert_eq!(fs::read_dir(world.path()).expect("the world").count(), 3);
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
