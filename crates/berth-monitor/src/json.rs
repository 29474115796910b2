//! Bytes of a container as the inside of a JSON string.
//!
//! Whatever comes in, what goes out is valid UTF-8 on one line without `"` or control characters, so
//! a container cannot forge a record (security: D31, N19):
//! `"` and `\` get a backslash; C0, DEL, C1, U+2028 and U+2029 become escapes; each maximal invalid
//! part of UTF-8 becomes one U+FFFD, as `String::from_utf8_lossy` has it.

/// Most bytes that one byte of input can become.
pub const MAX_GROWTH: usize = 6;

/// Where the escaped text goes, piece by piece.
pub trait Sink {
    /// Takes the next piece.
    fn put(&mut self, bytes: &[u8]);
}

/// A sink that only counts.
#[derive(Debug, Default)]
pub struct Count(
    /// Bytes so far.
    pub usize,
);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Writes `bytes` as the inside of a JSON string.
pub fn escape(bytes: &[u8], sink: &mut impl Sink) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        escape_str(text, sink);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        escape_str(chunk.valid(), sink);
        if !chunk.invalid().is_empty() {
            sink.put("\u{fffd}".as_bytes());
        }
    }
}

/// What a byte of valid UTF-8 may need.
const PLAIN: u8 = 0;
const ESCAPED: u8 = 1;
/// 0xC2 begins C1, 0xE2 begins U+2028 and U+2029: look at the rest.
const LEAD: u8 = 2;

const CLASS: [u8; 256] = {
    let mut class = [PLAIN; 256];
    let mut byte = 0;
    while byte < 0x20 {
        class[byte] = ESCAPED;
        byte += 1;
    }
    class[0x7f] = ESCAPED;
    class[b'"' as usize] = ESCAPED;
    class[b'\\' as usize] = ESCAPED;
    class[0xc2] = LEAD;
    class[0xe2] = LEAD;
    class
};

fn escape_str(text: &str, sink: &mut impl Sink) {
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    let mut at = 0;
    while at < bytes.len() {
        let (code, length) = match CLASS[bytes[at] as usize] {
            PLAIN => {
                at += 1;
                continue;
            }
            ESCAPED => (u16::from(bytes[at]), 1),
            _ => match &bytes[at..] {
                [0xc2, second @ 0x80..=0x9f, ..] => (u16::from(*second), 2),
                [0xe2, 0x80, third @ 0xa8..=0xa9, ..] => (0x2000 | u16::from(*third & 0x3f), 3),
                _ => {
                    at += 1;
                    continue;
                }
            },
        };
        sink.put(&bytes[plain_from..at]);
        put_escape(code, sink);
        at += length;
        plain_from = at;
    }
    sink.put(&bytes[plain_from..]);
}

fn put_escape(code: u16, sink: &mut impl Sink) {
    let short = match code {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x22 => b'"',
        0x5c => b'\\',
        _ => {
            let hex = |shift: u32| b"0123456789abcdef"[usize::from(code >> shift & 15)];
            sink.put(&[b'\\', b'u', hex(12), hex(8), hex(4), hex(0)]);
            return;
        }
    };
    sink.put(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Text(Vec<u8>);

    impl Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn escaped(bytes: &[u8]) -> String {
        let mut text = Text(Vec::new());
        escape(bytes, &mut text);
        String::from_utf8(text.0).unwrap()
    }

    fn holds(bytes: &[u8]) {
        let text = escaped(bytes);
        let parsed: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        assert_eq!(parsed, String::from_utf8_lossy(bytes));
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() || c == '\u{2028}' || c == '\u{2029}'),
            "{text:?}"
        );
        assert!(text.len() <= bytes.len() * MAX_GROWTH);
        let mut count = Count::default();
        escape(bytes, &mut count);
        assert_eq!(count.0, text.len());
    }

    #[test]
    fn known_forms() {
        for (bytes, text) in [
            (&b"plain"[..], "plain"),
            (b"a\"b\\c/", "a\\\"b\\\\c/"),
            (
                b"\n\r\t\x08\x0c\0\x1b\x7f",
                "\\n\\r\\t\\b\\f\\u0000\\u001b\\u007f",
            ),
            (
                "\u{9b}1m\u{2028}\u{2029}é€😀".as_bytes(),
                "\\u009b1m\\u2028\\u2029é€😀",
            ),
            (b"\xff\xe2\x80", "\u{fffd}\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(escaped(bytes), text);
        }
    }

    #[test]
    fn every_pair_of_bytes() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                holds(&[first, second]);
                holds(&[0xe2, first, second, b'x']);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_become_one_valid_string(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            holds(&bytes);
        }

        #[test]
        fn any_text_survives(text in "\\PC*|(?s:.{0,80})") {
            let parsed: String = serde_json::from_str(&format!("\"{}\"", escaped(text.as_bytes()))).unwrap();
            prop_assert_eq!(parsed, text);
        }
    }
}
