//! What the supervisor has done, as Prometheus reads it.

use std::sync::atomic::{AtomicU64, Ordering};

use berth_engine::Status;

/// Counts since the daemon's start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) probes: AtomicU64,
    pub(crate) failed_probes: AtomicU64,
    pub(crate) unhealthy_restarts: AtomicU64,
    pub(crate) events: AtomicU64,
}

impl Counters {
    /// The text of the exposition format, with the states of these containers.
    ///
    /// Source: Prometheus, exposition formats, version 0.0.4; Docker's names where it has them.
    pub fn text(&self, containers: &[Status]) -> String {
        let of = |wanted: fn(&Status) -> bool| containers.iter().filter(|one| wanted(one)).count();
        let paused = of(|status| *status == Status::Paused);
        let running = of(Status::is_up) - paused;
        let stopped = containers.len() - running - paused;
        let mut text = String::new();
        let states = "engine_daemon_container_states_containers";
        text.push_str(&format!(
            "# HELP {states} The count of containers in various states\n# TYPE {states} gauge\n"
        ));
        for (state, count) in [
            ("paused", paused),
            ("running", running),
            ("stopped", stopped),
        ] {
            text.push_str(&format!("{states}{{state=\"{state}\"}} {count}\n"));
        }
        for (name, help, counter) in [
            (
                "engine_daemon_events_total",
                "The number of events logged",
                &self.events,
            ),
            (
                "engine_daemon_health_checks_total",
                "The total number of health checks",
                &self.probes,
            ),
            (
                "engine_daemon_health_checks_failed_total",
                "The total number of failed health checks",
                &self.failed_probes,
            ),
            (
                "berth_unhealthy_restarts_total",
                "The number of restarts of unhealthy containers",
                &self.unhealthy_restarts,
            ),
        ] {
            let count = counter.load(Ordering::Relaxed);
            text.push_str(&format!(
                "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}\n"
            ));
        }
        text
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_comment_or_a_value() {
        let counters = Counters::default();
        count(&counters.probes);
        let text = counters.text(&[]);
        assert!(
            text.contains("\nengine_daemon_health_checks_total 1\n"),
            "{text}"
        );
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<u64>().unwrap();
        }
    }
}
