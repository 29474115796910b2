//! Headers of requests, after a line with the size of what they are about: ranges lie within it, and what is read means
//! the same when it is written plainly.

#![cfg_attr(not(test), no_main)]

use berth_registry_server::range::{Wanted, chunk, names_tag, wanted};

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some((size, header)) = text.split_once('\n') else {
        return;
    };
    let size = size.parse::<u64>().unwrap_or(10);
    match wanted(header, size) {
        Wanted::Part(part) => {
            assert!(part.start < part.end && part.end <= size, "{header}");
            let plain = format!("bytes={}-{}", part.start, part.end - 1);
            assert_eq!(wanted(&plain, size), Wanted::Part(part), "{header}");
        }
        Wanted::Unsatisfiable => assert!(header.contains('-')),
        Wanted::Whole => {}
    }
    if let Some(range) = chunk(header) {
        assert!(range.start < range.end, "{header}");
        let (first, last) = (range.start, range.end - 1);
        assert_eq!(chunk(&format!("{first}-{last}")), Some(range.clone()));
        assert_eq!(chunk(&format!("bytes {first}-{last}/*")), Some(range));
    }
    // Whatever else is there, a tag that is named is found.
    let tag = "sha256:0";
    if !header.is_empty() {
        assert!(names_tag(&format!("{header},\"{tag}\""), tag), "{header}");
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
