//! One record of the log, as Docker's json-file driver writes it, one a line:
//!
//! ```text
//! {"log":"text\n","stream":"stdout","time":"2026-11-24T21:40:50.000000005Z"}
//! ```
//! Attributes, where the container's log has them, come before the time: `"attrs":{"tag":"web"},`.
//! A piece of a longer line has no `\n` at the end of `log`. When records could not be written (disk
//! full), the next one that can be tells how many: `{"log":"","stream":"stderr","dropped":17,"time":…}`.

use crate::clock::LEN as TIME_LEN;
use crate::json::{self, Count, Sink};

/// Which of the container's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Bytes of a record beyond its escaped text, at most.
pub const OVERHEAD: usize =
    br#"{"log":"\n","stream":"stdout","time":""}"#.len() + TIME_LEN + "\n".len();

/// What comes before the attributes of a record.
const ATTRS: &[u8] = br#","attrs":"#;

/// Bytes that attributes take in a record.
pub const fn attributes_length(attributes: usize) -> usize {
    match attributes {
        0 => 0,
        length => length + ATTRS.len(),
    }
}

/// Writes the record for `text`. `attributes`: an object of JSON, or nothing.
pub fn write(
    text: &[u8],
    whole: bool,
    stream: Stream,
    attributes: &[u8],
    time: &[u8; TIME_LEN],
    sink: &mut impl Sink,
) {
    sink.put(br#"{"log":""#);
    json::escape(text, sink);
    if whole {
        sink.put(br"\n");
    }
    sink.put(match stream {
        Stream::Stdout => br#"","stream":"stdout""#,
        Stream::Stderr => br#"","stream":"stderr""#,
    });
    if !attributes.is_empty() {
        sink.put(ATTRS);
        sink.put(attributes);
    }
    sink.put(br#","time":""#);
    sink.put(time);
    sink.put(b"\"}\n");
}

/// Length in bytes of what [`write`] makes of `text`.
pub fn length(text: &[u8], whole: bool, attributes: &[u8]) -> usize {
    let mut count = Count::default();
    json::escape(text, &mut count);
    count.0 + OVERHEAD + attributes_length(attributes.len()) - if whole { 0 } else { br"\n".len() }
}

/// Writes the record that confesses `dropped` lost ones.
pub fn write_dropped(dropped: u64, time: &[u8; TIME_LEN], sink: &mut impl Sink) {
    sink.put(br#"{"log":"","stream":"stderr","dropped":"#);
    let mut digits = [0; 20];
    sink.put(decimal(dropped, &mut digits));
    sink.put(br#","time":""#);
    sink.put(time);
    sink.put(b"\"}\n");
}

/// The decimal digits of `number`, at the end of `place`.
pub fn decimal(mut number: u64, place: &mut [u8; 20]) -> &[u8] {
    let mut from = place.len();
    loop {
        from -= 1;
        place[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &place[from..];
        }
    }
}

/// The parts one after the other, at the begin of `place`. `None`: they do not fit.
pub fn joined<'a>(parts: &[&[u8]], place: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for part in parts {
        place.get_mut(end..end + part.len())?.copy_from_slice(part);
        end += part.len();
    }
    Some(&place[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::rfc3339;

    struct Text(Vec<u8>);

    impl Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    proptest! {
        #[test]
        fn a_record_is_one_line_of_json(
            text in proptest::collection::vec(any::<u8>(), 0..100), whole: bool, err: bool, more: bool,
        ) {
            let stream = if err { Stream::Stderr } else { Stream::Stdout };
            let mut made = Text(Vec::new());
            let attributes: &[u8] = if more { br#"{"tag":"a"}"# } else { b"" };
            write(&text, whole, stream, attributes, &rfc3339(1, 2), &mut made);
            prop_assert_eq!(made.0.len(), length(&text, whole, attributes));
            prop_assert_eq!(made.0.iter().filter(|&&b| b == b'\n').count(), 1);
            prop_assert_eq!(made.0.last(), Some(&b'\n'));
            let value: serde_json::Value = serde_json::from_slice(&made.0).unwrap();
            let mut log = String::from_utf8_lossy(&text).into_owned();
            if whole {
                log.push('\n');
            }
            prop_assert_eq!(&value["log"], &log);
            prop_assert_eq!(&value["stream"], if err { "stderr" } else { "stdout" });
            prop_assert_eq!(&value["time"], "1970-01-01T00:00:01.000000002Z");
            prop_assert_eq!(value.get("attrs").map(|attrs| &attrs["tag"] == "a"), more.then_some(true));
            prop_assert_eq!(value.as_object().unwrap().len(), 3 + usize::from(more));
        }
    }

    #[test]
    fn a_forged_record_stays_text() {
        let mut made = Text(Vec::new());
        let hostile = b"\x1b]0;x\x07\r{\"log\":\"fake\",\"stream\":\"stdout\"}";
        write(
            hostile,
            true,
            Stream::Stdout,
            b"",
            &rfc3339(0, 0),
            &mut made,
        );
        let value: serde_json::Value = serde_json::from_slice(&made.0).unwrap();
        assert!(value["log"].as_str().unwrap().contains("\"fake\""));
    }

    #[test]
    fn drops_are_confessed() {
        for number in [0, 7, 10, u64::MAX] {
            let mut made = Text(Vec::new());
            write_dropped(number, &rfc3339(0, 0), &mut made);
            let value: serde_json::Value = serde_json::from_slice(&made.0).unwrap();
            assert_eq!(value["dropped"].as_u64(), Some(number));
        }
    }
}
