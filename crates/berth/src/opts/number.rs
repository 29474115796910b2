//! Sizes, times and counts: Docker's byte sizes (powers of 1024), CPUs in billionths, the process limit.

use super::Parsed;

pub use berth_model::duration::nanoseconds;
pub use berth_model::size::bytes;

/// `1.5` → 1 500 000 000 billionths; exact, at most nine decimals.
pub fn nano_cpus(text: &str) -> Parsed<u64> {
    let bad = || format!("`{text}` is not a number of CPUs (such as 1.5)");
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    if fraction.trim_end_matches('0').len() > 9 {
        return Err(format!("`{text}` is too precise (at most nine decimals)"));
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| bad())?
    };
    let fraction: u64 = format!("{fraction:0<9}")[..9].parse().map_err(|_| bad())?;
    let nano = whole
        .checked_mul(1_000_000_000)
        .and_then(|n| n.checked_add(fraction))
        .ok_or_else(bad)?;
    if nano != 0 && nano < 10_000_000 {
        return Err(format!("`{text}` is too small (the least is 0.01 CPUs)"));
    }
    Ok(nano)
}

/// A positive number; `-1` and `0` mean no limit.
pub fn pids(text: &str) -> Parsed<i64> {
    match text.trim().parse::<i64>() {
        Ok(0 | -1) => Ok(-1),
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(format!(
            "`{text}` is not a number of processes (-1: no limit)"
        )),
    }
}

/// Bytes of memory and swap; `-1`: no limit of swap.
pub fn swap(text: &str) -> Parsed<i64> {
    if text.trim() == "-1" {
        return Ok(-1);
    }
    i64::try_from(bytes(text)?).map_err(|_| format!("`{text}` is too large"))
}

/// 0 to 100; `-1`: as the host.
pub fn swappiness(text: &str) -> Parsed<Option<u64>> {
    match text.trim().parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number @ 0..=100) => Ok(Some(number.unsigned_abs())),
        _ => Err(format!("`{text}` is not between 0 and 100")),
    }
}

/// A whole number that is not negative.
pub fn unsigned(text: &str) -> Parsed<u64> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))
}

/// A whole number.
pub fn signed<T: std::str::FromStr>(text: &str) -> Parsed<T> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))
}

/// 10 to 1000; 0: none is asked for.
pub fn weight(text: &str) -> Parsed<u16> {
    match text.trim().parse::<u16>() {
        Ok(weight @ (0 | 10..=1000)) => Ok(weight),
        _ => Err(format!("`{text}` is not between 10 and 1000")),
    }
}

/// A memory limit in bytes; less than 6 MiB cannot start a container. `0`: no limit.
pub fn memory(text: &str) -> Parsed<u64> {
    let limit = bytes(text)?;
    if limit != 0 && limit < 6 << 20 {
        return Err(format!("`{text}` is too small (the least is 6m)"));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_exact() {
        for (text, want) in [
            ("1", 1_000_000_000),
            ("1.5", 1_500_000_000),
            (".5", 500_000_000),
            ("0.1", 100_000_000),
            ("2.", 2_000_000_000),
            ("0.123456789", 123_456_789),
        ] {
            assert_eq!(nano_cpus(text), Ok(want), "{text}");
        }
        for bad in [
            "",
            ".",
            "-1",
            "1e3",
            "x",
            "1.0000000001",
            "0.001",
            "99999999999999",
            "1,5",
        ] {
            assert!(nano_cpus(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn limits_have_floors() {
        assert_eq!(pids("0"), Ok(-1));
        assert_eq!(pids("-1"), Ok(-1));
        assert_eq!(pids("100"), Ok(100));
        assert!(pids("-2").is_err());
        assert_eq!(swap("-1"), Ok(-1));
        assert_eq!(swap("1g"), Ok(1 << 30));
        assert!(swap("-2").is_err());
        assert_eq!(swappiness("-1"), Ok(None));
        assert_eq!(swappiness("0"), Ok(Some(0)));
        assert!(swappiness("101").is_err() && swappiness("-2").is_err());
        assert!(weight("9").is_err() && weight("1001").is_err());
        assert_eq!(weight("0"), Ok(0));
        assert!(memory("5m").is_err());
        assert_eq!(memory("6m"), Ok(6 << 20));
    }
}
