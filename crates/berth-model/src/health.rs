//! A container's health: `tasks/<id>/health.json`, in Docker's form. Without the file nothing is known yet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::HealthConfig;

/// Results that are kept.
const KEPT: usize = 5;

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// How it is.
    pub status: Condition,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last results, the newest last.
    pub log: Vec<Probe>,
}

/// How a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Not known yet.
    #[default]
    Starting,
    /// The last probes succeeded.
    Healthy,
    /// So many failed that it counts.
    Unhealthy,
}

impl Condition {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            Condition::Starting => "starting",
            Condition::Healthy => "healthy",
            Condition::Unhealthy => "unhealthy",
        }
    }

    /// As docker's lists have it behind the time that a container is up.
    pub fn in_list(self) -> &'static str {
        match self {
            Condition::Starting => " (health: starting)",
            Condition::Healthy => " (healthy)",
            Condition::Unhealthy => " (unhealthy)",
        }
    }
}

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Probe {
    /// RFC 3339, UTC.
    pub start: String,
    /// Likewise.
    pub end: String,
    /// 0: healthy; -1: it took too long, or could not be run.
    pub exit_code: i32,
    /// What it wrote, cut.
    pub output: String,
}

impl Health {
    /// With one more result, of a probe that began `age` after the container's start. Whether the condition changed.
    ///
    /// Source: moby, `daemon/health.go`, `handleProbeResult`.
    pub fn take(&mut self, config: &HealthConfig, probe: Probe, age: Duration) -> bool {
        let before = self.status;
        let succeeded = probe.exit_code == 0;
        self.log.push(probe);
        let surplus = self.log.len().saturating_sub(KEPT);
        self.log.drain(..surplus);
        let counts = before != Condition::Starting || age >= config.start_period();
        if succeeded {
            self.failing_streak = 0;
            self.status = Condition::Healthy;
        } else if counts {
            self.failing_streak = self.failing_streak.saturating_add(1);
            if self.failing_streak >= config.retries() {
                self.status = Condition::Unhealthy;
            }
        }
        self.status != before
    }

    /// How long to wait for the next probe of a container of this age.
    pub fn interval(&self, config: &HealthConfig, age: Duration) -> Duration {
        if self.status == Condition::Starting && age < config.start_period() {
            config.start_interval()
        } else {
            config.interval()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn probe(exit_code: i32) -> Probe {
        Probe {
            start: String::new(),
            end: String::new(),
            exit_code,
            output: String::new(),
        }
    }

    #[test]
    fn failures_count_after_the_start_period_and_a_success_forgets_them() {
        let config = HealthConfig {
            retries: 2,
            start_period_ns: 10 * SECOND,
            ..HealthConfig::default()
        };
        let mut health = Health::default();
        let early = Duration::from_secs(5);
        assert_eq!(health.interval(&config, early), Duration::from_secs(5));
        for _ in 0..7 {
            assert!(!health.take(&config, probe(1), early));
        }
        assert_eq!((health.failing_streak, health.log.len()), (0, 5));
        let late = Duration::from_secs(11);
        assert_eq!(health.interval(&config, late), Duration::from_secs(30));
        assert!(!health.take(&config, probe(1), late));
        assert!(health.take(&config, probe(-1), late));
        assert_eq!(health.status, Condition::Unhealthy);
        assert!(health.take(&config, probe(0), late));
        assert_eq!(
            (health.status, health.failing_streak),
            (Condition::Healthy, 0)
        );
        // Once healthy, failures count whatever the age.
        assert!(!health.take(&config, probe(1), early));
        assert!(health.take(&config, probe(1), early));
    }

    #[test]
    fn the_form_is_dockers() {
        let mut health = Health::default();
        health.log.push(probe(3));
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"Status":"starting","FailingStreak":0,"Log":[{"Start":"","End":"","ExitCode":3,"Output":""}]}"#
        );
    }
}
