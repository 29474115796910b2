//! Sizes as Docker's users write them.

/// `64m`, `1.5g`, `4096`, `10MiB` → bytes; every unit is a power of 1024.
///
/// Source: docker/go-units, `RAMInBytes`.
///
/// # Errors
/// Why it is none.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let bad = || format!("`{text}` is not a size (a number with b, k, m, g, t or p)");
    let digits = text.trim_end_matches(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = (
        digits,
        text[digits.len()..].trim_start().to_ascii_lowercase(),
    );
    let factor = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit.is_empty() || unit == "b" => 1_u64,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        "p" => 1 << 50,
        _ => return Err(bad()),
    };
    if !matches!(unit.get(1..), None | Some("" | "b" | "ib")) {
        return Err(bad());
    }
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(factor)
            .ok_or_else(|| format!("`{text}` is too large"));
    }
    // Rust would take `1e3`, `inf` and `nan` too.
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(bad());
    }
    let value: f64 = number.parse().map_err(|_| bad())?;
    let total = value * factor as f64;
    if !total.is_finite() || !(0.0..9.0e18).contains(&total) {
        return Err(bad());
    }
    Ok(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, want) in [
            ("0", 0),
            ("32", 32),
            ("32b", 32),
            ("32B", 32),
            ("32k", 32 << 10),
            ("32K", 32 << 10),
            ("32kb", 32 << 10),
            ("32Kb", 32 << 10),
            ("32KiB", 32 << 10),
            ("32 kb", 32 << 10),
            ("64m", 64 << 20),
            ("32Mb", 32 << 20),
            ("1.5g", 3 << 29),
            ("32t", 32 << 40),
            ("3p", 3 << 50),
            (" 1k ", 1024),
            ("32.5kB", 33280),
        ] {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for bad in [
            "",
            "hello",
            "-32",
            "32 mm",
            "1kk",
            "1bb",
            "1ib",
            ".3.",
            "1 2",
            "99999999p",
            "k",
            "1e3",
            "NaN",
        ] {
            assert!(bytes(bad).is_err(), "{bad:?} → {:?}", bytes(bad));
        }
    }
}
