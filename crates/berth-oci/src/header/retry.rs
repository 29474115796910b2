//! The `Retry-After` header: seconds, or a moment.
//!
//! `120`, or `Fri, 31 Dec 1999 23:59:59 GMT`.
//! Source: RFC 9110, sections 10.2.3 and 5.6.7.

use std::time::Duration;

use super::number;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// How long to wait, if it is `now` (since 1970) and the header says `text`.
pub fn after(text: &str, now: Duration) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        return Some(Duration::from_secs(number(text).unwrap_or(u64::MAX)));
    }
    Some(date(text)?.saturating_sub(now))
}

/// A moment in any of HTTP's three forms, since 1970.
fn date(text: &str) -> Option<Duration> {
    let words: Vec<&str> = text
        .split([' ', ',', '-'])
        .filter(|w| !w.is_empty())
        .collect();
    let (year, month, day, time) = match words[..] {
        [_, day, month, year, time, "GMT"] => (year, month, day, time),
        [_, month, day, time, year] => (year, month, day, time),
        _ => return None,
    };
    let year = match (number(year)?, year.len()) {
        (year, 4) if year >= 1970 => year,
        (year @ 70.., 2) => 1900 + year,
        (year, 2) => 2000 + year,
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let mut parts = time.split(':').map(number);
    let mut part = |limit| parts.next().flatten().filter(|part| *part < limit);
    let seconds = part(24)? * 3600 + part(60)? * 60 + part(61)?;
    let days = days_before(year, month) + day - 1;
    (parts.next().is_none()).then(|| Duration::from_secs(days * 86_400 + seconds))
}

/// Days from 1 January 1970 to the first of this month.
fn days_before(year: u64, month: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize - 1];
    let is_leap = leaps(year) > leaps(year - 1);
    let before = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    before + days + u64::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_moments_are_read() {
        let at = |text: &str, now| after(text, Duration::from_secs(now)).map(|d| d.as_secs());
        assert_eq!(at(" 120 ", 5), Some(120));
        assert_eq!(at("99999999999999999999", 5), Some(u64::MAX));
        for same in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(at(same, 784_111_777 - 7), Some(7), "{same}");
            assert_eq!(at(same, 784_111_777 + 7), Some(0), "{same}");
        }
        assert_eq!(at("Thu, 29 Feb 2024 00:00:00 GMT", 0), Some(1_709_164_800));
        assert_eq!(at("Fri, 01 Mar 2024 00:00:00 GMT", 0), Some(1_709_251_200));
        assert_eq!(at("Thu, 01 Jan 1970 00:00:00 GMT", 0), Some(0));
        for bad in [
            "",
            "soon",
            "-1",
            "+1",
            "1.5",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
        ] {
            assert_eq!(at(bad, 0), None, "{bad}");
        }
    }
}
