//! Which bytes: `Content-Range` of a download that goes on, `Range` of an upload that does.

use super::number;

/// What a part of something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Its first byte.
    pub first: u64,
    /// Its last byte.
    pub last: u64,
    /// Bytes of the whole; `None`: not known.
    pub total: Option<u64>,
}

/// `bytes 5-9/10`, or `bytes 5-9/*` if it is not known how long the whole is.
/// Source: RFC 9110, section 14.4.
pub fn content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = ends(range)?;
    let total = match total.trim() {
        "*" => None,
        digits => Some(number(digits)?),
    };
    let inside = total.is_none_or(|total| last < total);
    inside.then_some(ContentRange { first, last, total })
}

/// `0-9` → 10, the bytes of an upload that the registry has; some registries write `bytes=0-9`.
///
/// What stands there after no byte at all is `0-0` with some registries, nothing with others: a reader who has
/// sent nothing has to know it.
/// Source: distribution specification, "Pushing a blob in chunks".
pub fn uploaded(text: &str) -> Option<u64> {
    let text = text.trim();
    let (start, end) = ends(text.strip_prefix("bytes=").unwrap_or(text))?;
    (start == 0).then(|| end.checked_add(1)).flatten()
}

fn ends(range: &str) -> Option<(u64, u64)> {
    let (start, end) = range.split_once('-')?;
    let (start, end) = (number(start.trim())?, number(end.trim())?);
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(content_range("bytes 5-9/10"), range(5, 9, Some(10)));
        assert_eq!(content_range("bytes 5-8/10"), range(5, 8, Some(10)));
        assert_eq!(content_range("bytes 0-0/1"), range(0, 0, Some(1)));
        assert_eq!(content_range("bytes 5-9/*"), range(5, 9, None));
        for bad in [
            "bytes 5-10/10",
            "bytes 5-9/0",
            "bytes 9-5/6",
            "bytes */10",
            "5-9/10",
            "bytes 5-9",
            "bytes -1-9/10",
            "bytes +5-9/10",
            "bytes 5-9/+10",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes 0-18446744073709551615/*x",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_uploaded_is_read() {
        assert_eq!(uploaded("0-9"), Some(10));
        assert_eq!(uploaded("bytes=0-0"), Some(1));
        for bad in [
            "",
            "1-9",
            "9",
            "0-",
            "-9",
            "0-18446744073709551615",
            "0-9/10",
        ] {
            assert_eq!(uploaded(bad), None, "{bad}");
        }
    }
}
