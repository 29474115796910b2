//! The wall clock, as all files and outputs of ours write it; and the one that nobody sets, for how long something took.

use std::time::Duration;

use jiff::fmt::strtime;
use rustix::time::{ClockId, clock_gettime};

/// Now: RFC 3339 with nanoseconds, UTC.
pub fn now() -> String {
    format(jiff::Timestamp::now())
}

/// RFC 3339 with nine digits after the second, so that text order is time order.
pub fn format(time: jiff::Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%S.%9fZ", time).unwrap_or_else(|_| time.to_string())
}

/// Milliseconds since boot, the time of sleep included.
pub(crate) fn since_boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// How old a process is whose start the kernel tells as `start_time` (field 22 of `/proc/PID/stat`).
pub fn age(start_time: u64) -> Duration {
    let began_ms = start_time.saturating_mul(1000) / rustix::param::clock_ticks_per_second();
    Duration::from_millis(since_boot_ms().saturating_sub(began_ms))
}

#[cfg(test)]
mod tests {
    #[test]
    fn we_are_not_old() {
        let began = berth_sys::pid::start_time(std::process::id() as i32).unwrap();
        assert!(super::age(began) < std::time::Duration::from_secs(3600));
    }

    #[test]
    fn always_nine_digits() {
        let time = jiff::Timestamp::new(1, 5).unwrap();
        assert_eq!(super::format(time), "1970-01-01T00:00:01.000000005Z");
    }
}
