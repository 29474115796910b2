//! How fast bytes come: over the last moments, smoothed.

use std::time::{Duration, Instant};

/// A rate is measured over at least so long.
const SPAN: Duration = Duration::from_millis(500);

/// Bytes a second.
pub(super) struct Rate {
    since: Instant,
    /// At `since`; `None`: nothing came yet.
    bytes: Option<u64>,
    per_second: Option<f64>,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Rate {
        Rate {
            since: now,
            bytes: None,
            per_second: None,
        }
    }

    /// There are `bytes` now.
    pub(super) fn update(&mut self, now: Instant, bytes: u64) {
        let Some(before) = self.bytes else {
            // What was there from an earlier pull did not come now.
            (self.since, self.bytes) = (now, Some(bytes));
            return;
        };
        let span = now.saturating_duration_since(self.since);
        if span < SPAN {
            return;
        }
        let fresh = bytes.saturating_sub(before) as f64 / span.as_secs_f64();
        self.per_second = Some(self.per_second.map_or(fresh, |old| (old + fresh) / 2.0));
        (self.since, self.bytes) = (now, Some(bytes));
    }

    /// Whether anything came.
    pub(super) fn has_begun(&self) -> bool {
        self.bytes.is_some()
    }

    /// `None`: not known yet.
    pub(super) fn per_second(&self) -> Option<u64> {
        self.per_second.map(|rate| rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_smoothed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::new(start);
        rate.update(at(100), 5_000_000);
        rate.update(at(200), 5_100_000);
        assert_eq!(rate.per_second(), None);
        rate.update(at(1100), 6_000_000);
        assert_eq!(rate.per_second(), Some(1_000_000));
        rate.update(at(2100), 9_000_000);
        assert_eq!(rate.per_second(), Some(2_000_000));
        // A download that begins anew.
        rate.update(at(3100), 0);
        assert_eq!(rate.per_second(), Some(1_000_000));
    }
}
