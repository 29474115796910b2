//! The framing of gzip: any number of members with any header fields are the members' content, in whatever pieces
//! they come; anything cut off, added or changed is an error, never less or other content.
//!
//! Source: RFC 1952.

#![cfg_attr(not(test), no_main)]

use std::io::{Read as _, Write as _};

use berth_layer::Limits;
use berth_layer::decompress::decompress;

#[path = "../recipe.rs"]
mod recipe;
use recipe::{Pieces, Recipe};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let mut recipe = Recipe(bytes);
    let (fault, at, size) = (recipe.below(8), recipe.byte(), recipe.below(64) + 1);
    let (mut archive, mut content, mut last) = (Vec::new(), Vec::new(), 0);
    for _ in 0..=recipe.below(4) {
        last = archive.len();
        member(&mut recipe, &mut archive, &mut content);
    }
    let whole = archive.len();
    match fault {
        // Not at the very beginning, where two bytes tell that it is gzip at all.
        1 => archive.truncate(whole - 1 - usize::from(at) % (whole - last - 2)),
        2 => archive.extend([at].iter().chain(recipe.bytes(32))),
        // The checksum or the length of the last member.
        3 => archive[whole - 1 - usize::from(at) % 8] ^= 1 << (at >> 5),
        // A flag that nobody knows.
        4 => archive[last + 3] |= 0x20 << (at % 3),
        // Another method than deflate.
        5 => archive[last + 2] ^= at | 1,
        _ => {}
    }
    let mut read = Vec::new();
    let pieces = Pieces {
        bytes: &archive,
        size,
    };
    let decoded = decompress(pieces, Limits::default());
    let result = decoded.map(|mut input| input.read_to_end(&mut read));
    let good = matches!(result, Ok(Ok(_)));
    assert_eq!(good, !(1..=5).contains(&fault), "fault {fault}: {result:?}");
    assert!(!good || read == content);
    assert!(content.starts_with(&read));
}

/// Adds a member to the archive, and what is in it to the content.
fn member(recipe: &mut Recipe<'_>, archive: &mut Vec<u8>, content: &mut Vec<u8>) {
    let start = archive.len();
    let flags = recipe.byte() & 0x1f;
    archive.extend([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, recipe.byte()]);
    if flags & 4 != 0 {
        let extra = recipe.bytes(32);
        archive.extend((extra.len() as u16).to_le_bytes());
        archive.extend(extra);
    }
    // A name, a comment.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let text = recipe.bytes(32).iter().filter(|b| **b != 0);
            archive.extend(text.chain(&[0]));
        }
    }
    if flags & 2 != 0 {
        let sum = crc(&archive[start..]) as u16;
        archive.extend(sum.to_le_bytes());
    }
    let data = recipe.bytes(256).repeat(1 + recipe.below(8));
    let level = flate2::Compression::new(recipe.below(10) as u32);
    let mut encoder = flate2::write::DeflateEncoder::new(&mut *archive, level);
    encoder.write_all(&data).expect("memory takes all");
    encoder.finish().expect("memory takes all");
    archive.extend(crc(&data).to_le_bytes());
    archive.extend((data.len() as u32).to_le_bytes());
    content.extend(data);
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
