//! Time of day as RFC 3339 text in UTC, always nine digits of nanoseconds: equal length, so text sorts as time.

/// Length of what [`rfc3339`] makes.
pub const LEN: usize = 30;

/// `2026-11-24T21:40:50.000000123Z` for a time since 1970 in seconds and nanoseconds.
///
/// Years outside 0–9999 do not occur in a kernel's clock and are clamped.
///
/// Source: the days-to-date algorithm of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub fn rfc3339(seconds: i64, nanoseconds: u32) -> [u8; LEN] {
    // 0000-01-01 and 9999-12-31T23:59:59.
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let (days, of_day) = (
        seconds.div_euclid(86_400),
        seconds.rem_euclid(86_400) as u32,
    );
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * from_march + 2) / 5 + 1) as u32;
    let month = (if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    }) as u32;
    let year = (year_of_era + era * 400 + i64::from(month <= 2)) as u32;

    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], of_day / 3600);
    digits(&mut text[14..16], of_day / 60 % 60);
    digits(&mut text[17..19], of_day % 60);
    digits(&mut text[20..29], nanoseconds);
    text
}

/// Fills `place` with the last digits of `number`.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (1_709_251_199, 999_999_999, "2024-02-29T23:59:59.999999999Z"),
            (1_795_556_450, 5, "2026-11-24T21:40:50.000000005Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
            (-1, 0, "1969-12-31T23:59:59.000000000Z"),
            (i64::MAX, 0, "9999-12-31T23:59:59.000000000Z"),
            (i64::MIN, 0, "0000-01-01T00:00:00.000000000Z"),
        ] {
            let made = rfc3339(seconds, nanoseconds);
            assert_eq!(core::str::from_utf8(&made), Ok(text), "{seconds}");
        }
    }

    #[test]
    fn text_sorts_as_time() {
        let mut last = rfc3339(-1, 0);
        for day in 0..80_000_i64 {
            let now = rfc3339(day * 86_400 + day % 86_400, day as u32);
            assert!(last < now, "day {day}");
            last = now;
        }
    }
}
