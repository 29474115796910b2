//! Starting a container again after its end: the policy applied to what has happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{RestartKind, RestartPolicy};

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Who ran as long as this waits for the first time again.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// `containers/<id>/restart.json`: what is remembered from one start to the next. A start by a user forgets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    /// How often it was started again.
    pub count: u32,
    /// The last wait in milliseconds.
    pub delay_ms: u64,
    /// A user has stopped it.
    #[serde(default)]
    pub stopped: bool,
}

/// `tasks/<id>/backoff.json`: the container waits for its next start. Who does the waiting holds the file's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// When it is due: milliseconds since boot, the time of sleep included.
    pub due_ms: u64,
}

impl Restarts {
    /// What to remember, and after which wait to start again, now that it has ended with `code` after it `ran` for a
    /// time. `None`: it stays as it is.
    ///
    /// Source: moby, `restartmanager/restartmanager.go`.
    pub fn after(&self, policy: RestartPolicy, code: i32, ran: Duration) -> Option<Restarts> {
        let again = !self.stopped
            && match policy.kind {
                RestartKind::No => false,
                RestartKind::Always | RestartKind::UnlessStopped => true,
                RestartKind::OnFailure => {
                    code != 0 && (policy.max_retries == 0 || self.count < policy.max_retries)
                }
            };
        again.then(|| Restarts {
            count: self.count.saturating_add(1),
            delay_ms: self.next_delay(ran).as_millis() as u64,
            stopped: false,
        })
    }

    /// What to remember of a start at once, whatever the policy and the end.
    pub fn again(&self) -> Restarts {
        Restarts {
            count: self.count.saturating_add(1),
            delay_ms: 0,
            stopped: false,
        }
    }

    fn next_delay(&self, ran: Duration) -> Duration {
        if self.delay_ms == 0 || ran >= LONG_ENOUGH {
            FIRST
        } else {
            Duration::from_millis(self.delay_ms.saturating_mul(2)).min(LONGEST)
        }
    }

    /// Whether a container that does not run is started when the daemon starts, after a reboot, say. `code`: how it
    /// ended.
    pub fn at_daemon_start(&self, policy: RestartPolicy, code: i32) -> bool {
        match policy.kind {
            RestartKind::No => false,
            RestartKind::Always => true,
            RestartKind::UnlessStopped => !self.stopped,
            RestartKind::OnFailure => self.after(policy, code, LONG_ENOUGH).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn policy(text: &str) -> RestartPolicy {
        text.parse().unwrap()
    }

    #[test]
    fn who_starts_again() {
        let (fresh, stopped) = (
            Restarts::default(),
            Restarts {
                stopped: true,
                ..Restarts::default()
            },
        );
        for (text, code, after, when_stopped) in [
            ("no", 1, false, false),
            ("always", 0, true, false),
            ("always", 1, true, false),
            ("unless-stopped", 0, true, false),
            ("on-failure", 0, false, false),
            ("on-failure", 137, true, false),
        ] {
            let policy = policy(text);
            assert_eq!(
                fresh.after(policy, code, SHORT).is_some(),
                after,
                "{text} {code}"
            );
            assert_eq!(
                stopped.after(policy, code, SHORT).is_some(),
                when_stopped,
                "{text} {code}"
            );
        }
    }

    #[test]
    fn on_failure_counts() {
        let mut restarts = Restarts::default();
        for count in 1..=2 {
            restarts = restarts
                .after(policy("on-failure:2"), 3, SHORT)
                .expect("once more");
            assert_eq!(restarts.count, count);
        }
        assert_eq!(restarts.after(policy("on-failure:2"), 3, SHORT), None);
    }

    /// N22.
    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_ten_seconds() {
        let mut restarts = Restarts::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            restarts = restarts.after(policy("always"), 1, SHORT).unwrap();
            waits.push(restarts.delay_ms);
        }
        assert_eq!(waits[..4], [100, 200, 400, 800]);
        assert_eq!(waits[9..], [51_200, 60_000, 60_000]);
        let long = restarts.after(policy("always"), 1, Duration::from_secs(10));
        assert_eq!(long.unwrap().delay_ms, 100);
    }

    #[test]
    fn what_a_daemon_starts() {
        let restarts = |stopped| Restarts {
            stopped,
            count: 1,
            ..Restarts::default()
        };
        for (text, stopped, code, starts) in [
            ("no", false, 1, false),
            ("always", true, 0, true),
            ("unless-stopped", false, 0, true),
            ("unless-stopped", true, 1, false),
            ("on-failure", false, 137, true),
            ("on-failure", false, 0, false),
            ("on-failure:1", false, 1, false),
        ] {
            let found = restarts(stopped).at_daemon_start(policy(text), code);
            assert_eq!(found, starts, "{text} {stopped} {code}");
        }
    }
}
