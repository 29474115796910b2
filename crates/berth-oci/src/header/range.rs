//! Which bytes: `Content-Range` of a download that goes on, `Range` of an upload that does.

use super::number;

/// `bytes 5-9/10` → where it starts, and how long the whole is (`*`: not known). Only a part that reaches to the
/// end, which is what we ask for.
/// Source: RFC 9110, section 14.4.
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = ends(range)?;
    let total = match total.trim() {
        "*" => None,
        digits => Some(number(digits)?),
    };
    let whole = total.is_none_or(|total| end.checked_add(1) == Some(total));
    whole.then_some((start, total))
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
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for bad in [
            "bytes 5-8/10",
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
