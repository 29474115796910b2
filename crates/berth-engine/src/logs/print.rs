//! Records as text, as `berth logs` prints them.

use std::io::Write;

use super::Error;
use super::record::{LogStream, Record};

/// Writes records to two writers.
pub struct Printer<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    /// Put the time before each line.
    timestamps: bool,
    /// Keep the container from steering the user's terminal (security: D31).
    sanitize: bool,
    /// Put a record's attributes before its line.
    details: bool,
    /// Whether a line of standard output, of standard error, is unfinished.
    unfinished: [bool; 2],
    dropped: u64,
}

impl<'a> Printer<'a> {
    /// `timestamps`: before each line; `sanitize`: when the output is a terminal and the container
    /// has none of its own.
    pub fn new(
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
        timestamps: bool,
        sanitize: bool,
    ) -> Self {
        Printer {
            stdout,
            stderr,
            timestamps,
            sanitize,
            details: false,
            unfinished: [false; 2],
            dropped: 0,
        }
    }

    /// With the attributes of each record before its line, as `docker logs --details` has them.
    pub fn with_details(mut self, details: bool) -> Self {
        self.details = details;
        self
    }

    /// Writes one record.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn print(&mut self, record: &Record) -> Result<(), Error> {
        self.dropped += record.dropped;
        if record.text.is_empty() {
            return Ok(());
        }
        let (index, out) = match record.stream {
            LogStream::Stdout => (0, &mut self.stdout),
            LogStream::Stderr => (1, &mut self.stderr),
        };
        let mut line = String::with_capacity(record.text.len() + 32);
        if !self.unfinished[index] {
            if self.timestamps {
                line.push_str(&format!("{:.9} ", record.time));
            }
            if self.details {
                let pairs = record.attributes.iter();
                let pairs: Vec<String> = pairs
                    .map(|(key, value)| format!("{}={}", escaped(key), escaped(value)))
                    .collect();
                line.push_str(&pairs.join(","));
                line.push(' ');
            }
        }
        self.unfinished[index] = !record.text.ends_with('\n');
        if self.sanitize {
            sanitize(&record.text, &mut line);
        } else {
            line.push_str(&record.text);
        }
        out.write_all(line.as_bytes()).map_err(Error::Write)
    }

    /// Records that the log lost to a full disk: to be told to the user.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Flushes both writers.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.stdout
            .flush()
            .and_then(|()| self.stderr.flush())
            .map_err(Error::Write)
    }
}

/// As in the query of a URL. Source: Go, `url.QueryEscape`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Leaves out control characters but line feed and tab. Colours stay: `ESC [ … m` steers nothing.
pub fn sanitize(text: &str, clean: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(|c| steers(c) && c != '\n' && c != '\t') {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        let keep = colour(rest);
        clean.push_str(&rest[..keep]);
        let skip = if keep > 0 {
            keep
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        rest = &rest[skip..];
    }
    clean.push_str(rest);
}

/// What no text of a container may do to a terminal (security: D31): C0, DEL and C1, and the characters
/// that reorder text (Unicode TR 9).
pub(crate) fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The length of the colour sequence (SGR) at the start of `text`; 0: there is none.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    match parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':') {
        Some(end) if parameters[end..].starts_with('m') => end + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(stream: LogStream, text: &str) -> Record {
        let time = "2026-11-24T12:00:00.5Z".parse().unwrap();
        Record {
            stream,
            time,
            text: text.to_owned(),
            dropped: 0,
            attributes: BTreeMap::new(),
        }
    }

    /// As Docker 20.10 prints them; a record without any has the space alone.
    #[test]
    fn details_come_between_the_time_and_the_line() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(&mut out, &mut err, true, false).with_details(true);
        let attributes = [("b", "x y"), ("a", "1,2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        printer
            .print(&Record {
                attributes: BTreeMap::from(attributes),
                ..record(LogStream::Stdout, "one\n")
            })
            .unwrap();
        printer.print(&record(LogStream::Stdout, "two\n")).unwrap();
        let time = "2026-11-24T12:00:00.500000000Z";
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("{time} a=1%2C2,b=x+y one\n{time}  two\n")
        );
    }

    #[test]
    fn streams_go_their_ways_and_lines_get_one_time() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(&mut out, &mut err, true, false);
        for (stream, text) in [
            (LogStream::Stdout, "a"),
            (LogStream::Stderr, "e\n"),
            (LogStream::Stdout, "b\n"),
            (LogStream::Stdout, "c\x1bc\n"),
        ] {
            printer.print(&record(stream, text)).unwrap();
        }
        printer
            .print(&Record {
                dropped: 3,
                ..record(LogStream::Stderr, "")
            })
            .unwrap();
        assert_eq!(printer.dropped(), 3);
        printer.flush().unwrap();
        let time = "2026-11-24T12:00:00.500000000Z";
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("{time} ab\n{time} c\x1bc\n")
        );
        assert_eq!(String::from_utf8(err).unwrap(), format!("{time} e\n"));
    }

    #[test]
    fn a_container_cannot_steer_the_terminal() {
        for (text, clean) in [
            ("plain\ttext é\n", "plain\ttext é\n"),
            ("\x1b]0;title\x07x", "]0;titlex"),
            ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
            ("\x1b[2Jx\x1b[", "[2Jx["),
            ("a\rb\u{9b}31mc\x7f", "ab31mc"),
            ("\u{202e}evil", "evil"),
        ] {
            let mut made = String::new();
            sanitize(text, &mut made);
            assert_eq!(made, clean);
        }
    }
}
