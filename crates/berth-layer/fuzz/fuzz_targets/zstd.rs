//! The framing of zstd: any number of frames and skippable frames are the frames' content, in whatever pieces they
//! come; anything cut off, added or wrong, and a window that is too large, is an error, never less or other content.
//!
//! Source: RFC 8878.

#![cfg_attr(not(test), no_main)]

use std::io::Read as _;

use berth_layer::Limits;
use berth_layer::decompress::decompress;
use berth_layer::limits::ZSTD_WINDOW_LOG_MAX;

#[path = "../recipe.rs"]
mod recipe;
use recipe::{Pieces, Recipe};

/// What must come of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    Bad,
    /// Where the library may do without what would be refused.
    Either,
}

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let mut recipe = Recipe(bytes);
    let (fault, at, size) = (recipe.below(8), recipe.byte(), recipe.below(64) + 1);
    let (mut archive, mut content, mut last) = (Vec::new(), Vec::new(), 0);
    let mut outcome = Outcome::Good;
    for _ in 0..=recipe.below(4) {
        last = archive.len();
        let next = match recipe.below(4) {
            0 => skippable(&mut recipe, &mut archive),
            1 => compressed(&mut recipe, &mut archive, &mut content),
            _ => stored(&mut recipe, &mut archive, &mut content),
        };
        if outcome == Outcome::Good || next == Outcome::Bad {
            outcome = next;
        }
    }
    let whole = archive.len();
    match fault {
        // Not at the very beginning, where four bytes tell that it is zstd at all.
        1 if whole - last > 5 => {
            archive.truncate(whole - 1 - usize::from(at) % (whole - last - 5));
            outcome = Outcome::Bad;
        }
        2 => {
            archive.extend([0].iter().chain(recipe.bytes(32)));
            outcome = Outcome::Bad;
        }
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
    assert!(!good || outcome != Outcome::Bad, "{archive:x?}");
    assert!(good || outcome != Outcome::Good, "{archive:x?}: {result:?}");
    assert!(!good || read == content);
}

fn skippable(recipe: &mut Recipe<'_>, archive: &mut Vec<u8>) -> Outcome {
    archive.extend([0x50 | recipe.below(16) as u8, 0x2a, 0x4d, 0x18]);
    let data = recipe.bytes(64);
    archive.extend((data.len() as u32).to_le_bytes());
    archive.extend(data);
    Outcome::Good
}

fn compressed(recipe: &mut Recipe<'_>, archive: &mut Vec<u8>, content: &mut Vec<u8>) -> Outcome {
    let data = recipe.bytes(256).repeat(1 + recipe.below(8));
    let options = recipe.byte();
    let mut encoder = zstd::bulk::Compressor::new(1 + i32::from(options & 3)).expect("a level");
    let set = |result: std::io::Result<()>| result.expect("a parameter");
    set(encoder.include_checksum(options & 4 != 0));
    set(encoder.include_contentsize(options & 8 != 0));
    archive.extend(encoder.compress(&data).expect("memory takes all"));
    content.extend(data);
    Outcome::Good
}

/// A frame of raw and repeated blocks, its header as the recipe has it.
fn stored(recipe: &mut Recipe<'_>, archive: &mut Vec<u8>, content: &mut Vec<u8>) -> Outcome {
    let (options, window, lie) = (recipe.byte(), recipe.byte(), recipe.below(16));
    let mut data = Vec::new();
    let mut blocks = Vec::new();
    let (count, mut ends_empty) = (1 + recipe.below(3), false);
    for number in 1..=count {
        let raw = recipe.bytes(200);
        ends_empty = raw.is_empty();
        let is_last = u32::from(number == count);
        if options & 1 == 0 {
            let header = is_last | (raw.len() as u32) << 3;
            blocks.extend(&header.to_le_bytes()[..3]);
            blocks.extend(raw);
            data.extend(raw);
        } else {
            let header = is_last | 1 << 1 | (raw.len() as u32) << 3;
            blocks.extend(&header.to_le_bytes()[..3]);
            blocks.push(options);
            data.extend(std::iter::repeat_n(options, raw.len()));
        }
    }
    let sized = options & 2 != 0;
    // The size in four bytes, if at all; no checksum.
    let descriptor = if sized { 0x80 } else { 0 } | if lie == 1 { 8 } else { 0 };
    archive.extend([0x28, 0xb5, 0x2f, 0xfd, descriptor, window]);
    if sized {
        let size = data.len() as u32 + u32::from(lie == 2);
        archive.extend(size.to_le_bytes());
    }
    // The type of the last block is one that does not exist.
    if lie == 3 {
        blocks[0] |= 6;
    }
    archive.extend(blocks);
    content.extend(data);
    let base = 1u64 << (10 + (window >> 3));
    let too_large = base + base / 8 * u64::from(window & 7) > 1 << ZSTD_WINDOW_LOG_MAX;
    match (lie, too_large) {
        (1 | 3, _) => Outcome::Bad,
        // After an empty last block the library does not compare the size; the diff-id will.
        (2, _) if sized && ends_empty => Outcome::Either,
        (2, _) if sized => Outcome::Bad,
        (_, true) if sized => Outcome::Either,
        (_, true) => Outcome::Bad,
        (_, false) => Outcome::Good,
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
