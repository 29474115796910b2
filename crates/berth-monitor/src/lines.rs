//! Cutting a stream into log records: a line each, longer lines in pieces as Docker cuts them.

/// Longest piece of a line in one record, in bytes. Source: moby `daemon/logger/copier.go`, `defaultBufSize`.
pub const MAX_PIECE: usize = 16 * 1024;

/// The next record at the start of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of its text, without the line feed.
    pub text: usize,
    /// Bytes that it takes from the data.
    pub used: usize,
    /// The line ends here; else it goes on in the next record.
    pub whole: bool,
}

/// The record at the start of `data`, if one is complete: a line, or `limit` bytes without line feed.
///
/// The first `seen` bytes are known to hold no line feed (a byte-wise writer must not cost O(n²)).
/// A piece never ends inside a character.
pub fn next(data: &[u8], seen: usize, limit: usize) -> Option<Piece> {
    let window = &data[..data.len().min(limit)];
    if let Some(at) = find_line_feed(&window[seen.min(window.len())..]) {
        let text = seen + at;
        return Some(Piece {
            text,
            used: text + 1,
            whole: true,
        });
    }
    if data.len() < limit {
        return None;
    }
    let cut = before_split_character(window);
    Some(Piece {
        text: cut,
        used: cut,
        whole: false,
    })
}

/// Eight bytes at a time: the log's speed is this loop and the escaping.
fn find_line_feed(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(eight) = data.get(at..at + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(eight);
        // Zero where the byte is a line feed; the classic test for a zero byte.
        let word = u64::from_le_bytes(word) ^ 0x0a0a_0a0a_0a0a_0a0a;
        let zero = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
        if zero != 0 {
            return Some(at + zero.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    data[at..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map(|found| at + found)
}

/// The length of `window` without an unfinished character at its end.
fn before_split_character(window: &[u8]) -> usize {
    let length = window.len();
    for back in 1..=3.min(length.saturating_sub(1)) {
        let byte = window[length - back];
        let needed = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if needed > back { length - back } else { length };
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_and_pieces() {
        let whole = |text| {
            Some(Piece {
                text,
                used: text + 1,
                whole: true,
            })
        };
        let part = |text| {
            Some(Piece {
                text,
                used: text,
                whole: false,
            })
        };
        assert_eq!(next(b"ab\ncd", 0, 10), whole(2));
        assert_eq!(next(b"\n", 0, 10), whole(0));
        assert_eq!(next(b"abc", 0, 10), None);
        assert_eq!(next(b"abc", 0, 3), part(3));
        assert_eq!(next(b"abc\n", 0, 3), part(3));
        assert_eq!(next("aé€".as_bytes(), 0, 5), part(3));
        assert_eq!(next("aé€".as_bytes(), 0, 6), part(6));
        assert_eq!(next("aé".as_bytes(), 0, 2), part(1));
        assert_eq!(next(b"\xff\xff\xff\xff\xff", 0, 4), part(4));
        assert_eq!(next(b"\x80\x80\x80\x80\x80", 0, 4), part(4));
        assert_eq!(next("😀".as_bytes(), 0, 1), part(1));
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_input(
            data in proptest::collection::vec(prop_oneof![3 => Just(b'\n'), 20 => any::<u8>()], 0..400),
            limit in 1usize..40,
        ) {
            let (mut at, mut joined) = (0, Vec::new());
            while let Some(piece) = next(&data[at..], 0, limit) {
                prop_assert!(piece.used > 0 && piece.text <= limit);
                joined.extend_from_slice(&data[at..at + piece.text]);
                prop_assert!(!data[at..at + piece.text].contains(&b'\n'));
                if piece.whole {
                    joined.push(b'\n');
                }
                at += piece.used;
            }
            prop_assert!(data.len() - at < limit);
            joined.extend_from_slice(&data[at..]);
            prop_assert_eq!(joined, data);
        }

        #[test]
        fn valid_text_is_never_torn(text in "[a-zé€😀]{0,60}", limit in 4usize..20) {
            let data = text.as_bytes();
            let mut at = 0;
            while let Some(piece) = next(&data[at..], 0, limit) {
                at += piece.used;
                prop_assert!(text.is_char_boundary(at));
            }
        }

        #[test]
        fn what_was_seen_need_not_be_seen_again(text in "[a-z]{0,40}\n[a-z]{0,9}", seen in 0usize..40) {
            let first = text.find('\n').unwrap_or(0);
            prop_assert_eq!(next(text.as_bytes(), seen.min(first), 100), next(text.as_bytes(), 0, 100));
        }
    }
}
