//! Points in time as users write them for `--since` and `--until`.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::Error;

/// Reads RFC 3339, a date or date and time without zone (UTC), seconds since 1970 (with a fraction or
/// not), or a time before `now`: `90s`, `10m`, `1h30m`, `1.5h`.
///
/// # Errors
/// [`Error::Moment`].
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let in_utc = |civil: DateTime| Offset::UTC.to_timestamp(civil).ok();
    let moment = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| seconds(text))
        .or_else(|| ago(text).and_then(|ago| now.checked_sub(ago).ok()))
        .or_else(|| text.parse::<DateTime>().ok().and_then(in_utc))
        .or_else(|| {
            text.parse::<Date>()
                .ok()
                .and_then(|date| in_utc(date.to_datetime(Default::default())))
        });
    moment.ok_or_else(|| Error::Moment(text.to_owned()))
}

fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(whole.parse().ok()?, nanoseconds).ok()
}

/// Go's durations, as Docker's users write them: numbers with a unit, one after the other.
fn ago(text: &str) -> Option<SignedDuration> {
    let mut rest = text;
    let mut sum = SignedDuration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..unit_at].parse().ok()?;
        rest = &rest[unit_at..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        sum = sum.checked_add(SignedDuration::try_from_secs_f64(number * unit).ok()?)?;
        rest = &rest[end..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        for (text, moment) in [
            ("2026-01-31T01:02:03Z", "2026-01-31T01:02:03Z"),
            ("2026-01-31T01:02:03.5+02:00", "2026-01-30T23:02:03.5Z"),
            ("2026-01-31T01:02:03", "2026-01-31T01:02:03Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1136073600.000000001", "2006-01-01T00:00:00.000000001Z"),
            ("10m", "2026-11-24T11:50:00Z"),
            ("1h30m", "2026-11-24T10:30:00Z"),
            ("1.5h", "2026-11-24T10:30:00Z"),
            ("250ms", "2026-11-24T11:59:59.75Z"),
        ] {
            assert_eq!(
                parse_moment(text, now).unwrap(),
                moment.parse().unwrap(),
                "{text}"
            );
        }
        for bad in [
            "",
            "m",
            "10x",
            "yesterday",
            "1h-1m",
            "2026-13-01",
            "1e3s",
            "..s",
        ] {
            assert!(parse_moment(bad, now).is_err(), "{bad}");
        }
    }
}
