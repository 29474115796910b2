//! Health checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a container's health is seen. 0 in a number is Docker's default, which the methods give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthConfig {
    /// `NONE`; `CMD` and words; `CMD-SHELL` and a line.
    pub test: Vec<String>,
    /// Nanoseconds between two probes.
    pub interval_ns: u64,
    /// Nanoseconds that one may take.
    pub timeout_ns: u64,
    /// Failures in a row until it is unhealthy.
    pub retries: u32,
    /// Nanoseconds at the start in which failures do not count.
    pub start_period_ns: u64,
    /// Nanoseconds between two probes in that time.
    pub start_interval_ns: u64,
}

impl HealthConfig {
    /// There is something to run.
    pub fn is_on(&self) -> bool {
        self.test.first().is_some_and(|word| word != "NONE") && self.test.len() > 1
    }

    /// Between two probes: 30 s.
    pub fn interval(&self) -> Duration {
        or(self.interval_ns, 30)
    }

    /// That one may take: 30 s.
    pub fn timeout(&self) -> Duration {
        or(self.timeout_ns, 30)
    }

    /// In which failures do not count: none.
    pub fn start_period(&self) -> Duration {
        Duration::from_nanos(self.start_period_ns)
    }

    /// Between two probes at the start: 5 s.
    pub fn start_interval(&self) -> Duration {
        or(self.start_interval_ns, 5)
    }

    /// Failures until it is unhealthy: 3.
    pub fn retries(&self) -> u32 {
        if self.retries == 0 { 3 } else { self.retries }
    }

    /// What is not said here is said by `base`.
    pub fn over(mut self, base: &HealthConfig) -> HealthConfig {
        if self.test.is_empty() {
            self.test = base.test.clone();
        }
        for (own, other) in [
            (&mut self.interval_ns, base.interval_ns),
            (&mut self.timeout_ns, base.timeout_ns),
            (&mut self.start_period_ns, base.start_period_ns),
            (&mut self.start_interval_ns, base.start_interval_ns),
        ] {
            if *own == 0 {
                *own = other;
            }
        }
        if self.retries == 0 {
            self.retries = base.retries;
        }
        self
    }
}

fn or(nanos: u64, seconds: u64) -> Duration {
    if nanos == 0 {
        Duration::from_secs(seconds)
    } else {
        Duration::from_nanos(nanos)
    }
}
