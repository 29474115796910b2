//! Durations as Go writes them.

/// `1m30s`, `500ms`, `1.5h` → nanoseconds.
///
/// # Errors
/// A sentence that says what it is not.
///
/// Source: Go's time.ParseDuration.
pub fn nanoseconds(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is not a duration, such as 1m30s");
    if text == "0" {
        return Ok(0);
    }
    let (mut rest, mut total) = (text, 0.0_f64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(digits.ok_or_else(bad)?);
        let unit = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let factor = match &tail[..unit] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(bad()),
        };
        total += number.parse::<f64>().map_err(|_| bad())? * factor;
        rest = &tail[unit..];
    }
    if text.is_empty() || !(0.0..9.2e18).contains(&total) {
        return Err(bad());
    }
    Ok(total.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn durations_as_go_has_them() {
        for (text, want) in [
            ("0", 0),
            ("0s", 0),
            ("1ms", 1_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("2us3ns", 2_003),
        ] {
            assert_eq!(nanoseconds(text), Ok(want), "{text}");
        }
        for bad in ["", "1", "s", "1x", "-1s", "1s2", "1 s", "999999999h"] {
            assert!(nanoseconds(bad).is_err(), "{bad}");
        }
    }
}
