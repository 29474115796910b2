//! Times as `logs --since` and filters take them: a point in time, or a Go duration back from now.

use std::time::Duration;

use jiff::Timestamp;

use super::Parsed;

/// A Go duration: `1h30m`, `90s`, `1.5h`, `300ms`.
///
/// Source: Go, `time.ParseDuration` (without negative values).
pub fn duration(text: &str) -> Parsed<Duration> {
    let bad = || format!("`{text}` is not a duration (such as 1h30m)");
    let mut rest = text;
    let mut total_ns: f64 = 0.0;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let unit_len = rest[number_len..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len() - number_len);
        let number: f64 = rest[..number_len].parse().map_err(|_| bad())?;
        let unit_ns = match &rest[number_len..number_len + unit_len] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" if number == 0.0 && rest == text => 0.0,
            _ => return Err(bad()),
        };
        total_ns += number * unit_ns;
        rest = &rest[number_len + unit_len..];
    }
    if total_ns > 9.2e18 {
        return Err(bad());
    }
    Ok(Duration::from_nanos(total_ns as u64))
}

/// RFC 3339 (in UTC when it names no zone, shorter forms allowed), seconds since 1970 with a fraction,
/// or a duration before `now`.
pub fn moment(text: &str, now: Timestamp) -> Parsed<Timestamp> {
    let bad = || {
        format!("`{text}` is not a time (RFC 3339, seconds since 1970, or a duration such as 10m)")
    };
    if let Ok(back) = duration(text) {
        return if text == "0" {
            Ok(Timestamp::UNIX_EPOCH)
        } else {
            now.checked_sub(back).map_err(|_| bad())
        };
    }
    if let Some((whole, fraction)) = seconds(text) {
        return Timestamp::new(whole, fraction).map_err(|_| bad());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // `2024-01-02T03:04`, `2024-01-02`: what is missing is zero.
    let padded = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        13 => format!("{text}:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => format!("{text}Z"),
    };
    padded.parse().map_err(|_| bad())
}

fn seconds(text: &str) -> Option<(i64, i32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((whole.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, ms) in [
            ("1h30m", 5_400_000),
            ("90s", 90_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("0", 0),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "1", "h", "1d", "-1h", "1h1", "1..5h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_in_every_form() {
        let now: Timestamp = "2024-05-06T07:08:09Z".parse().expect("a time");
        for (text, want) in [
            ("10m", "2024-05-06T06:58:09Z"),
            ("1136073845", "2006-01-01T00:04:05Z"),
            ("1136073845.5", "2006-01-01T00:04:05.5Z"),
            ("2006-01-02T15:04:05Z", "2006-01-02T15:04:05Z"),
            ("2006-01-02T15:04:05+01:00", "2006-01-02T14:04:05Z"),
            ("2006-01-02T15:04:05.123", "2006-01-02T15:04:05.123Z"),
            ("2006-01-02T15:04", "2006-01-02T15:04:00Z"),
            ("2006-01-02", "2006-01-02T00:00:00Z"),
        ] {
            assert_eq!(
                moment(text, now).map(|t| t.to_string()),
                Ok(want.to_owned()),
                "{text}"
            );
        }
        for bad in ["", "yesterday", "2006-13-01"] {
            assert!(moment(bad, now).is_err(), "{bad}");
        }
    }
}
