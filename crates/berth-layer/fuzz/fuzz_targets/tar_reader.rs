//! Any bytes: the reader neither panics nor gives back what it would not read again from its own writer.
//!
//! `cargo +nightly fuzz run tar_reader` in crates/berth-layer.

#![no_main]

use berth_layer::Limits;
use berth_layer::tar::{Reader, Writer};
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
    let limits = Limits { total_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let mut reader = Reader::new(bytes, limits);
    let mut writer = Writer::new(Vec::new());
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next() {
        let Ok(data) = reader.data().to_vec(1 << 20) else { return };
        if writer.append(&entry, &mut &data[..]).is_err() {
            return;
        }
        entries.push(entry);
    }
    let archive = writer.finish().expect("memory takes all");
    let mut again = Reader::new(&archive[..], Limits::default());
    for entry in entries {
        let mut read = again.next().expect("what we wrote is well-formed").expect("as many as written");
        // The writer closes a directory's name with a slash.
        if entry.path.last() != Some(&b'/') && read.path.last() == Some(&b'/') {
            read.path.pop();
        }
        assert_eq!(read, entry);
    }
});
