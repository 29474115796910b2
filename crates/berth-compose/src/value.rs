//! What texts mean: sizes, durations, modes, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::node::Value;

/// `true`, and what YAML 1.1 took for it.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// A whole number between two.
pub(crate) fn whole(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number"))?;
    match (least..=most).contains(&number) {
        true => Ok(number),
        false if most == i64::MAX => Err(format!("{number} is less than {least}")),
        false => Err(format!("{number} is not between {least} and {most}")),
    }
}

/// A number.
pub(crate) fn float(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))?;
    match number.is_finite() && number >= 0.0 {
        true => Ok(number),
        false => Err(format!("`{text}` is not a number from 0")),
    }
}

/// Bytes; -1: no limit.
pub(crate) fn size(text: &str) -> Result<i64, String> {
    if text.trim() == "-1" {
        return Ok(-1);
    }
    let bytes = berth_model::size::bytes(text)?;
    i64::try_from(bytes).map_err(|_| format!("`{text}` is too large"))
}

/// `1m30s`, `1w2d` → nanoseconds.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is not a duration, such as 1m30s");
    let (mut rest, mut days) = (text, 0_u64);
    // Weeks and days come first, if at all; Go knows neither.
    while let Some(end) = rest
        .find(|c: char| !c.is_ascii_digit())
        .filter(|end| *end > 0)
    {
        let count: u64 = rest[..end].parse().map_err(|_| bad())?;
        let factor = match &rest[end..end + rest[end..].chars().next().map_or(0, char::len_utf8)] {
            "w" => 7,
            "d" => 1,
            _ => break,
        };
        days = days
            .checked_add(count.checked_mul(factor).ok_or_else(bad)?)
            .ok_or_else(bad)?;
        rest = &rest[end + 1..];
    }
    let below = match rest {
        "" if rest.len() < text.len() => 0,
        rest => berth_model::duration::nanoseconds(rest).map_err(|_| bad())?,
    };
    days.checked_mul(86_400_000_000_000)
        .and_then(|days| days.checked_add(below))
        .filter(|total| *total <= i64::MAX as u64)
        .ok_or_else(bad)
}

/// Nanoseconds as Go prints them: `1m30s`, `1h0m0s`, `1.5s`, `200ms`.
///
/// Source: Go's time.Duration.String.
pub(crate) fn print_duration(nanoseconds: u64) -> String {
    let fraction = |value: u64, unit: u64, name: &str| {
        let (whole, part) = (value / unit, value % unit);
        let digits = unit.ilog10() as usize;
        let part = format!("{part:0digits$}");
        let part = match unit {
            1 => "",
            _ => part.trim_end_matches('0'),
        };
        match part {
            "" => format!("{whole}{name}"),
            part => format!("{whole}.{part}{name}"),
        }
    };
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => fraction(nanoseconds, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(nanoseconds, 1_000_000, "ms"),
        _ => {
            let minutes = nanoseconds / 60_000_000_000;
            let seconds = fraction(nanoseconds % 60_000_000_000, 1_000_000_000, "s");
            match minutes {
                0 => seconds,
                1..60 => format!("{minutes}m{seconds}"),
                _ => format!("{}h{}m{seconds}", minutes / 60, minutes % 60),
            }
        }
    }
}

/// Microseconds, or a duration.
pub(crate) fn micros(text: &str) -> Result<i64, String> {
    if let Ok(number) = text.trim().parse::<i64>() {
        return Ok(number);
    }
    let nanoseconds = duration(text).map_err(|_| {
        format!("`{text}` is neither a number of microseconds nor a duration, such as 95ms")
    })?;
    Ok((nanoseconds / 1000) as i64)
}

/// A file's mode, as `0440`. A text is octal; a number is what YAML made of it.
pub(crate) fn mode(value: &Value, text: &str) -> Result<String, String> {
    let bad = || format!("`{text}` is not a file's mode, such as 0440");
    let mode = match value {
        Value::Int(mode) => *mode,
        Value::Float(mode) if mode.fract() == 0.0 => *mode as i64,
        Value::Text(text) => {
            let digits = text.strip_prefix("0o").unwrap_or(text);
            i64::from_str_radix(digits, 8).map_err(|_| bad())?
        }
        _ => return Err(bad()),
    };
    match mode {
        0..=0o7777 => Ok(format!("0{mode:o}")),
        _ => Err(bad()),
    }
}

/// A number of devices; `all` is -1.
pub(crate) fn gpu_count(text: &str) -> Result<i64, String> {
    match text {
        "all" => Ok(-1),
        text => whole(text, -1, i64::from(i32::MAX))
            .map_err(|_| format!("`{text}` is neither a number of devices nor `all`")),
    }
}

/// A container's name.
pub(crate) fn container_name(text: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && text.len() > 1 && text.bytes().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is no name of a container: two or more letters, digits, `_`, `.` and `-`, a letter or digit first"
        )),
    }
}

/// When an image is pulled.
pub(crate) fn pull_policy(text: &str) -> Result<(), String> {
    let known = [
        "always",
        "never",
        "build",
        "if_not_present",
        "missing",
        "refresh",
        "daily",
        "weekly",
    ];
    let is_period = |text: &str| duration(text).is_ok_and(|_| !text.contains(['.', 'n', 'u', 'µ']));
    match text.strip_prefix("every_") {
        Some(period) if is_period(period) => Ok(()),
        None if known.contains(&text) => Ok(()),
        _ => Err(format!(
            "`{text}` is none of {}, every_PERIOD",
            known.join(", ")
        )),
    }
}

/// When a container is started again.
pub(crate) fn restart(text: &str) -> Result<(), String> {
    let is_known = match text.split_once(':') {
        Some(("on-failure", count)) => count.parse::<u32>().is_ok(),
        Some(_) => false,
        None => ["", "no", "always", "on-failure", "unless-stopped"].contains(&text),
    };
    match is_known {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is none of no, always, unless-stopped, on-failure, on-failure:COUNT"
        )),
    }
}

/// An address.
pub(crate) fn ip(text: &str) -> Result<(), String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    parsed::<IpAddr>(bare, "an address")
}

/// An address of version 4.
pub(crate) fn ipv4(text: &str) -> Result<(), String> {
    parsed::<Ipv4Addr>(text, "an IPv4 address")
}

/// An address of version 6.
pub(crate) fn ipv6(text: &str) -> Result<(), String> {
    parsed::<Ipv6Addr>(text, "an IPv6 address")
}

fn parsed<T: std::str::FromStr>(text: &str, what: &str) -> Result<(), String> {
    match text.parse::<T>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{text}` is not {what}")),
    }
}

/// What a port speaks.
pub(crate) fn protocol(text: &str) -> Result<(), String> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" | "udp" | "sctp" => Ok(()),
        _ => Err(format!("`{text}` is none of tcp, udp, sctp")),
    }
}

#[cfg(test)]
mod tests;
