//! What a receiver of the log is told of one record: a template, which the engine makes, with holes.
//!
//! ```text
//! %M  the text                         %S  the time as `Nov  4 21:40:50`
//! %L  its length (64 bits, little-     %R  as RFC 3339, to the second
//!     endian), then the text           %U  to the microsecond
//! %I  the monitor's pid                %N  to the nanosecond
//! %%  a per cent sign                  %o … %;  only of standard output
//! %#HH  a byte in hexadecimal digits   %e … %;  only of standard error
//! %x  first: none for an empty line    %p … %;  only for a piece of a longer line
//! ```
//! A text has no line feed, so it cannot forge a further record where a line feed ends one (security: D31).

use crate::clock::LEN as TIME_LEN;
use crate::json::{Count, Sink};
use crate::record::{Stream, decimal};

/// The variable with the template. It can hold secrets, and everybody sees a command line.
pub const TEMPLATE: &[u8] = b"BERTH_LOG_TEMPLATE=";

/// A record to be told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its text, without the line feed.
    pub text: &'a [u8],
    /// The line goes on in the next record.
    pub partial: bool,
    /// Where it came from.
    pub stream: Stream,
    /// When, as [`crate::clock::rfc3339`] has it.
    pub time: &'a [u8; TIME_LEN],
    /// The monitor's pid.
    pub pid: u32,
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// Whether the receiver is told of this record at all.
pub fn tells(template: &[u8], told: &Told<'_>) -> bool {
    !told.text.is_empty() || !template.starts_with(b"%x")
}

/// Length in bytes of what [`fill`] makes.
pub fn length(template: &[u8], told: &Told<'_>) -> usize {
    let mut count = Count::default();
    fill(template, told, &mut count);
    count.0
}

/// Writes what the receiver is told.
pub fn fill(template: &[u8], told: &Told<'_>, sink: &mut impl Sink) {
    let mut rest = template;
    let mut silent = false;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let (before, from) = rest.split_at(at);
        let hole = from.get(1).copied().unwrap_or_default();
        rest = from.get(2..).unwrap_or_default();
        if !silent {
            sink.put(before);
        }
        match hole {
            b'o' => silent = told.stream != Stream::Stdout,
            b'e' => silent = told.stream != Stream::Stderr,
            b'p' => silent = !told.partial,
            b';' => silent = false,
            _ if silent => {}
            b'#' => {
                let mut byte = [0];
                let digits = rest.get(..2).unwrap_or_default();
                if crate::args::bytes(digits, &mut byte) == Some(1) {
                    sink.put(&byte);
                }
                rest = rest.get(2..).unwrap_or_default();
            }
            hole => fill_hole(hole, told, sink),
        }
    }
    if !silent {
        sink.put(rest);
    }
}

fn fill_hole(hole: u8, told: &Told<'_>, sink: &mut impl Sink) {
    let time = told.time;
    match hole {
        b'M' => sink.put(told.text),
        b'L' => {
            sink.put(&(told.text.len() as u64).to_le_bytes());
            sink.put(told.text);
        }
        b'I' => sink.put(decimal(told.pid.into(), &mut [0; 20])),
        b'S' => {
            let month = usize::from((time[5] - b'0') * 10 + (time[6] - b'0'));
            let month = month.clamp(1, 12) * 3;
            sink.put(&MONTHS[month - 3..month]);
            // The day has a blank for a leading zero.
            sink.put(if time[8] == b'0' { b"  " } else { b" " });
            sink.put(&time[if time[8] == b'0' { 9 } else { 8 }..10]);
            sink.put(b" ");
            sink.put(&time[11..19]);
        }
        b'R' => {
            sink.put(&time[..19]);
            sink.put(b"Z");
        }
        b'U' => {
            sink.put(&time[..26]);
            sink.put(b"Z");
        }
        b'N' => sink.put(time),
        b'%' => sink.put(b"%"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    struct Text(Vec<u8>);

    impl Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    #[test]
    fn holes_are_filled() {
        let early = rfc3339(1_709_251_199, 123_456_789);
        let late = rfc3339(1_795_556_450, 5);
        let nth = rfc3339(1_793_569_250, 0);
        let told = |text, stream, partial, time| Told {
            text,
            partial,
            stream,
            time,
            pid: 42,
        };
        let out = told(b"a%Mb", Stream::Stdout, false, &early);
        let err = told(b"", Stream::Stderr, true, &late);
        let day = told(b"x", Stream::Stdout, true, &nth);
        for (template, record, made) in [
            (&b"plain"[..], &out, &b"plain"[..]),
            (b"<%o6%;%e3%;>%M\n", &out, b"<6>a%Mb\n"),
            (b"<%o6%;%e3%;>%M\n", &err, b"<3>\n"),
            (b"%S|%I", &out, b"Feb 29 23:59:59|42"),
            (b"%S", &day, b"Nov  1 21:40:50"),
            (
                b"%R %U",
                &out,
                b"2024-02-29T23:59:59Z 2024-02-29T23:59:59.123456Z",
            ),
            (b"%N", &err, b"2026-11-24T21:40:50.000000005Z"),
            (
                b"M\n%L\n%pPART%%\n%;E",
                &out,
                b"M\n\x04\0\0\0\0\0\0\0a%Mb\nE",
            ),
            (b"%pPART%%%M\n%;E", &err, b"PART%\nE"),
            (b"100%% %#00%#fF.%?%#f", &out, b"100% \0\xff."),
        ] {
            let mut text = Text(Vec::new());
            fill(template, record, &mut text);
            assert_eq!(text.0, made, "{}", String::from_utf8_lossy(template));
            assert_eq!(length(template, record), made.len());
        }
        assert!(tells(b"%x%M", &out) && tells(b"%M", &err));
        assert!(!tells(b"%x%M", &err));
    }
}
