//! The wall clock, as all files and outputs of ours write it.

use jiff::fmt::strtime;

/// Now: RFC 3339 with nanoseconds, UTC.
pub fn now() -> String {
    format(jiff::Timestamp::now())
}

/// RFC 3339 with nine digits after the second, so that text order is time order.
pub fn format(time: jiff::Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%S.%9fZ", time).unwrap_or_else(|_| time.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn always_nine_digits() {
        let time = jiff::Timestamp::new(1, 5).unwrap();
        assert_eq!(super::format(time), "1970-01-01T00:00:01.000000005Z");
    }
}
