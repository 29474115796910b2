//! When a log file is full and what its older ones are called: `path`, `path.1`, `path.2`, …

use crate::json::MAX_GROWTH;
use crate::lines::MAX_PIECE;
use crate::record::{OVERHEAD, attributes_length, decimal, joined};

/// Digits of the highest number that [`Rotation::new`] lets through, and the dot.
pub const MAX_SUFFIX: usize = 5;

/// Bounds of a log on disk: at most `max_files` files of `max_bytes` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    max_bytes: u64,
    max_files: u32,
    /// Bytes of a record beside its text.
    overhead: u64,
}

impl Rotation {
    /// `max_bytes` 0: no bound. Less than 1 KiB is taken as 1 KiB, so that a record fits a file;
    /// files are at least one and at most 9999. `attributes`: bytes of them in each record, which count on top.
    pub fn new(max_bytes: u64, max_files: u32, attributes: usize) -> Self {
        let attributes = attributes_length(attributes) as u64;
        let max_bytes = if max_bytes == 0 {
            u64::MAX
        } else {
            max_bytes.max(1024 + attributes)
        };
        Rotation {
            max_bytes,
            max_files: max_files.clamp(1, 9999),
            overhead: OVERHEAD as u64 + attributes,
        }
    }

    /// Most bytes of text in one record, so that the longest record fits an empty file.
    pub fn max_piece(&self) -> usize {
        let room = self.max_bytes - self.overhead;
        (room / MAX_GROWTH as u64).min(MAX_PIECE as u64) as usize
    }

    /// Whether a record of `record_bytes` must go to a new file when the current one has `file_bytes`.
    pub fn is_due(&self, file_bytes: u64, record_bytes: u64) -> bool {
        file_bytes > 0 && file_bytes.saturating_add(record_bytes) > self.max_bytes
    }

    /// The renames `(from, to)` that make room, in order; 0 is the file without a number. Renaming onto
    /// the last one is what removes it. None when only one file is kept: then it is emptied.
    pub fn renames(&self) -> impl Iterator<Item = (u32, u32)> {
        (1..self.max_files).rev().map(|to| (to - 1, to))
    }
}

/// Writes `path.number` with a final NUL into `place`; `path` alone for 0. `None`: it does not fit.
pub fn numbered<'a>(path: &[u8], number: u32, place: &'a mut [u8]) -> Option<&'a core::ffi::CStr> {
    let mut digits = [0; 20];
    let digits = decimal(number.into(), &mut digits);
    let text = match number {
        0 => joined(&[path, b"\0"], place),
        _ if digits.len() < MAX_SUFFIX => joined(&[path, b".", digits, b"\0"], place),
        _ => None,
    };
    core::ffi::CStr::from_bytes_with_nul(text?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_never_passes_its_bound() {
        let rotation = Rotation::new(2000, 3, 0);
        assert!(!rotation.is_due(0, 5000), "an empty file takes any record");
        assert!(!rotation.is_due(1000, 1000));
        assert!(rotation.is_due(1001, 1000));
        assert!(!Rotation::new(0, 3, 0).is_due(u64::MAX - 1, 1000));
    }

    #[test]
    fn the_longest_record_fits_the_smallest_file() {
        for max_bytes in [1, 1024, 5000, 98_304, 98_303, 10 << 20] {
            let rotation = Rotation::new(max_bytes, 1, 0);
            let longest = rotation.max_piece() * MAX_GROWTH + OVERHEAD;
            assert!(longest as u64 <= max_bytes.max(1024), "{max_bytes}");
            assert!(rotation.max_piece() >= 100);
        }
        assert_eq!(Rotation::new(0, 1, 0).max_piece(), MAX_PIECE);
        let attributes = 8192;
        let rotation = Rotation::new(1024, 1, attributes);
        let overhead = OVERHEAD + attributes_length(attributes);
        let longest = rotation.max_piece() * MAX_GROWTH + overhead;
        assert!(!rotation.is_due(1, longest as u64 - 1) && rotation.max_piece() >= 100);
    }

    #[test]
    fn renames_go_from_the_oldest_up() {
        assert_eq!(
            Rotation::new(0, 3, 0).renames().collect::<Vec<_>>(),
            [(1, 2), (0, 1)]
        );
        assert_eq!(
            Rotation::new(0, 2, 0).renames().collect::<Vec<_>>(),
            [(0, 1)]
        );
        assert_eq!(Rotation::new(0, 1, 0).renames().count(), 0);
    }

    #[test]
    fn names() {
        let mut place = [0; 16];
        for (number, name) in [
            (0, c"/l"),
            (1, c"/l.1"),
            (120, c"/l.120"),
            (9999, c"/l.9999"),
        ] {
            assert_eq!(numbered(b"/l", number, &mut place), Some(name));
        }
        assert_eq!(numbered(b"/l", 10_000, &mut place), None);
        assert_eq!(numbered(&[b'a'; 14], 1, &mut place), None);
        assert!(numbered(&[b'a'; 13], 1, &mut place).is_some());
        assert!(numbered(b"a\0b", 1, &mut place).is_none());
    }
}
