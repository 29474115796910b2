//! One line of the log, as the monitor writes it (`berth_monitor::record`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// Which of the container's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it came from.
    pub stream: LogStream,
    /// When it was read from the container.
    pub time: Timestamp,
    /// The text; without a line feed at its end the line goes on in the next record of the stream.
    pub text: String,
    /// So many records before this one were lost because the disk was full.
    pub dropped: u64,
    /// What log options such as `labels=` and `env=` had written with it.
    pub attributes: BTreeMap<String, String>,
}

/// The wire form.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    stream: LogStream,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(default)]
    dropped: u64,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
}

impl Record {
    /// Reads one line, its line feed or not; `None` if it is no record.
    pub fn parse(line: &[u8]) -> Option<Record> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let time = line.time.parse().ok()?;
        Some(Record {
            stream: line.stream,
            time,
            text: line.log.into_owned(),
            dropped: line.dropped,
            attributes: line.attrs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_and_dockers_lines_are_read() {
        let ours =
            br#"{"log":"a\u001b\n","stream":"stderr","time":"2026-11-24T21:40:50.000000005Z"}"#;
        let record = Record::parse(ours).unwrap();
        assert_eq!(
            (record.text.as_str(), record.stream),
            ("a\u{1b}\n", LogStream::Stderr)
        );
        assert_eq!(record.time.as_nanosecond() % 1_000_000_000, 5);
        let dockers =
            br#"{"log":"x","stream":"stdout","attrs":{"a":"b"},"time":"2024-01-02T03:04:05.12Z"}"#;
        let dockers = Record::parse(dockers).unwrap();
        assert_eq!(dockers.text, "x");
        assert_eq!(dockers.attributes["a"], "b");
        let dropped =
            br#"{"log":"","stream":"stderr","dropped":17,"time":"2024-01-02T03:04:05.000000000Z"}"#;
        assert_eq!(Record::parse(dropped).unwrap().dropped, 17);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bad in [
            &b""[..],
            b"{",
            br#"{"log":"a"}"#,
            br#"{"log":"a","stream":"x","time":"2024-01-02T03:04:05Z"}"#,
            br#"{"log":"a","stream":"stdout","time":"soon"}"#,
        ] {
            assert_eq!(Record::parse(bad), None);
        }
    }
}
