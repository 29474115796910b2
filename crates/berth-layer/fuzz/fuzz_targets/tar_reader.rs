//! Any bytes as an archive: the reader neither panics nor gives what it would not read again from its own writer.

#![cfg_attr(not(test), no_main)]

use berth_layer::Limits;
use berth_layer::tar::{Reader, Writer};

#[path = "../checksums.rs"]
mod checksums;

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let bytes = &checksums::with_checksums(bytes)[..];
    let limits = Limits {
        total_bytes: 1 << 20,
        entries: 100,
        ..Limits::default()
    };
    let mut reader = Reader::new(bytes, limits);
    let mut writer = Writer::new(Vec::new());
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next() {
        let Ok(data) = reader.data().to_vec(1 << 20) else {
            return;
        };
        if writer.append(&entry, &mut &data[..]).is_err() {
            return;
        }
        entries.push(entry);
    }
    let archive = writer.finish().expect("memory takes all");
    let mut again = Reader::new(&archive[..], Limits::default());
    for entry in entries {
        let read = again.next().expect("what we wrote is well-formed");
        let mut read = read.expect("as many as written");
        // The writer closes a directory's name with a slash.
        if entry.path.last() != Some(&b'/') && read.path.last() == Some(&b'/') {
            read.path.pop();
        }
        assert_eq!(read, entry);
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
