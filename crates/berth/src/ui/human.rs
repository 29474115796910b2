//! Numbers as docker shows them to humans.

use jiff::Timestamp;

pub use berth_model::elapsed::duration;

/// `4.26MB`: four significant digits, powers of 1000.
///
/// Source: docker/go-units, `HumanSize`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], 4)
}

/// `64MiB`: powers of 1024.
///
/// Source: docker/go-units, `BytesSize`.
pub fn size_binary(bytes: u64) -> String {
    scaled(
        bytes,
        1024.0,
        &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
        4,
    )
}

/// Three significant digits, as image sizes are shown: `4.26MB`.
///
/// Source: docker/go-units, `HumanSizeWithPrecision(…, 3)`.
pub fn image_size(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], 3)
}

fn scaled(bytes: u64, base: f64, units: &[&str], digits: usize) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// C's `%.Ng` for values from 0 up to the base.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let exponent = format!("{value:.*e}", digits - 1)
        .split_once('e')
        .and_then(|(_, power)| power.parse::<i32>().ok())
        .unwrap_or(0);
    if exponent >= digits as i32 {
        // `%.3g` of 1023 is 1.02e+03.
        let text = format!("{value:.*e}", digits - 1);
        let (mantissa, _) = text.split_once('e').unwrap_or((&text, ""));
        return format!("{}e+{exponent:02}", trim_zeros(mantissa));
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    trim_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// `2 minutes ago`; an unreadable or unset time gives `N/A`.
pub fn ago(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) if time.as_second() > 0 => {
            format!("{} ago", duration(now.as_second() - time.as_second()))
        }
        _ => "N/A".into(),
    }
}

/// Seconds from `time` to `now`; 0 when it cannot be read.
pub fn seconds_since(time: &str, now: Timestamp) -> i64 {
    time.parse::<Timestamp>()
        .map_or(0, |time| now.as_second() - time.as_second())
}

/// `2006-01-02 15:04:05 +0000 UTC`, Go's default form, as docker's `CreatedAt`.
pub fn timestamp(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        Err(_) => "N/A".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_go_units_has_them() {
        for (bytes, want) in [
            (0, "0B"),
            (1, "1B"),
            (999, "999B"),
            (1000, "1kB"),
            (1024, "1.024kB"),
            (1_000_000, "1MB"),
            (1_048_576, "1.049MB"),
            (2_000_000, "2MB"),
            (3_420_000_000_000, "3.42TB"),
            (5_372_000_000_000_000, "5.372PB"),
        ] {
            assert_eq!(size(bytes), want, "{bytes}");
        }
        assert_eq!(image_size(4_261_550), "4.26MB");
        assert_eq!(image_size(117_000_000), "117MB");
        assert_eq!(image_size(999_900), "1e+03kB");
        for (bytes, want) in [
            (1024, "1KiB"),
            (64 << 20, "64MiB"),
            (1023, "1023B"),
            (1 << 40, "1TiB"),
        ] {
            assert_eq!(size_binary(bytes), want);
        }
    }

    #[test]
    fn durations_as_go_units_has_them() {
        let (minute, hour, day) = (60, 3600, 86400);
        for (seconds, want) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (45, "45 seconds"),
            (minute, "About a minute"),
            (minute + 45, "About a minute"),
            (3 * minute, "3 minutes"),
            (hour, "About an hour"),
            (hour + 45 * minute, "2 hours"),
            (3 * hour, "3 hours"),
            (day, "24 hours"),
            (2 * day, "2 days"),
            (7 * day, "7 days"),
            (14 * day, "2 weeks"),
            (70 * day, "2 months"),
            (2 * 365 * day, "2 years"),
        ] {
            assert_eq!(duration(seconds), want, "{seconds}");
        }
        let now: Timestamp = "2024-01-01T00:02:00Z".parse().expect("a time");
        assert_eq!(ago("2024-01-01T00:00:00.5Z", now), "2 minutes ago");
        assert_eq!(ago("", now), "N/A");
        assert_eq!(
            timestamp("2024-01-01T00:00:00.5Z"),
            "2024-01-01 00:00:00 +0000 UTC"
        );
    }
}
