//! How often an unhealthy container is restarted.

use std::time::{Duration, Instant};

/// After a restart: the wait before the next one. It doubles.
const FIRST: Duration = Duration::from_secs(30);
/// The longest of these waits. Who was not restarted for as long begins anew.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is remembered of a container's restarts for bad health.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    /// With a restart `now`; `None`: it is too early for one.
    pub(crate) fn restart(self, now: Instant) -> Option<Backoff> {
        let wait = match self.last {
            Some((last, wait)) => {
                let since = now.saturating_duration_since(last);
                if since < wait {
                    return None;
                }
                match since < LONGEST {
                    true => (wait * 2).min(LONGEST),
                    false => FIRST,
                }
            }
            None => FIRST,
        };
        Some(Backoff {
            last: Some((now, wait)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_are_forgotten() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut known = Backoff::default().restart(at(0)).unwrap();
        let mut now = 0;
        for wait in [30, 60, 120, 240, 480, 960, 1920] {
            assert!(known.restart(at(now + wait - 1)).is_none(), "{wait}");
            now += wait;
            known = known.restart(at(now)).unwrap();
        }
        assert!(known.restart(at(now + 3599)).is_none());
        now += 3600;
        known = known.restart(at(now)).unwrap();
        assert!(known.restart(at(now + 29)).is_none());
        assert!(known.restart(at(now + 30)).is_some());
    }
}
