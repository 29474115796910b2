//! Which bytes: `Range` of a download, `Content-Range` of an upload, and the validators that go with them.
//!
//! Pure, and fuzzed: the grammar is a client's.

use std::ops::Range;

/// What of a blob is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All: nothing else was asked for, or nothing that is understood.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// What lies beyond the end.
    Unsatisfiable,
}

/// Reads `Range` for a content of so many bytes. Several parts at once are answered with the whole, which is allowed.
/// Source: RFC 9110, section 14.2.
pub fn wanted(text: &str, size: u64) -> Wanted {
    let Some((unit, set)) = text.trim().split_once('=') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return Wanted::Whole;
    };
    let range = match (first, last) {
        ("", last) => match number(last) {
            Some(count) => size.saturating_sub(count)..size,
            None => return Wanted::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => first..size,
            None => return Wanted::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
            _ => return Wanted::Whole,
        },
    };
    if range.start < range.end {
        Wanted::Part(range)
    } else {
        Wanted::Unsatisfiable
    }
}

/// Reads `Content-Range` of a chunk: `5-9` → 5..10. Clients that follow HTTP more than the specification of registries
/// write `bytes 5-9/10` or `bytes 5-9/*`. `None`: it is none.
/// Source: distribution specification, "Pushing a blob in chunks"; RFC 9110, section 14.4.
pub fn chunk(text: &str) -> Option<Range<u64>> {
    let text = text.trim();
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let (range, total) = match text.split_once('/') {
        Some((range, "*")) => (range, None),
        Some((range, total)) => (range, Some(number(total)?)),
        None => (text, None),
    };
    let (first, last) = range.split_once('-')?;
    let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
    (first < end && total.is_none_or(|total| end <= total)).then_some(first..end)
}

/// Whether `If-None-Match` (all of its lines, joined by commas) names what has this tag: `"TAG"`, `W/"TAG"`, or `*`.
/// Source: RFC 9110, section 13.1.2.
pub fn names_tag(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| {
        let strong = one.strip_prefix("W/").unwrap_or(one);
        let quoted = strong
            .strip_prefix('"')
            .and_then(|one| one.strip_suffix('"'));
        one == "*" || quoted == Some(tag)
    })
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More than can be counted is beyond every end.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_downloads_are_read() {
        for (text, want) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("Bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999", Wanted::Part(5..10)),
            ("bytes=9-18446744073709551615", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-11", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(text, 10), want, "{text}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-5", 0), Wanted::Unsatisfiable);
    }

    /// G8.
    #[test]
    fn ranges_of_chunks_are_read() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("bytes 5-9/10"), Some(5..10));
        assert_eq!(chunk("bytes 5-9/*"), Some(5..10));
        for bad in [
            "",
            "-",
            "9-5",
            "0-",
            "-5",
            "0",
            "a-b",
            "+0-5",
            "0-5/5",
            "0-5/x",
            "0 - 5",
            "bytes=0-5",
            "0-18446744073709551615",
            "99999999999999999999-99999999999999999999",
        ] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }

    #[test]
    fn tags_are_compared() {
        for (header, want) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("\"a", false),
            ("", false),
        ] {
            assert_eq!(names_tag(header, "a"), want, "{header}");
        }
    }
}
