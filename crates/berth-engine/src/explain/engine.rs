//! What no kernel file shows, because the engine itself sees to it.

use berth_model::ContainerConfig;

use super::{Causes, Group, Row};

/// Restarts, health, the end, the logs.
pub(super) fn group(causes: &Causes<'_>) -> Group {
    let config = causes.config;
    let source = "config.json";
    let row = |name: &str, value: String, cause: String| Row {
        name: name.to_owned(),
        value,
        source: source.to_owned(),
        cause,
    };
    let mut rows = vec![
        row(
            "restart",
            config.restart.to_string(),
            causes.of("restart", "default"),
        ),
        row(
            "health",
            health(config),
            causes.of("health", "default: the image has no check"),
        ),
        row("stop", stop(config), stop_cause(causes)),
        row("log", log(config), causes.of("log", "default")),
    ];
    for (key, value) in &config.security.sysctls {
        let cause = causes.of(&format!("sysctls.{key}"), "default");
        rows.push(row(key, value.clone(), cause));
    }
    Group {
        title: "by the engine".to_owned(),
        source: source.to_owned(),
        rows,
    }
}

fn health(config: &ContainerConfig) -> String {
    match &config.health {
        Some(health) if health.is_on() => format!(
            "{} every {:?}, {} failures",
            health.test[1..].join(" "),
            health.interval(),
            health.retries()
        ),
        _ => "not checked".to_owned(),
    }
}

fn stop(config: &ContainerConfig) -> String {
    let signal = berth_model::signal::name(config.stop_signal);
    match config.stop_timeout_s {
        None => format!("{signal}, after 10 s SIGKILL"),
        Some(seconds) if seconds < 0 => format!("{signal}, never SIGKILL"),
        Some(seconds) => format!("{signal}, after {seconds} s SIGKILL"),
    }
}

fn stop_cause(causes: &Causes<'_>) -> String {
    match (
        causes.config.causes.get("stop_signal"),
        causes.config.causes.get("stop_timeout"),
    ) {
        (None, None) => "default".to_owned(),
        (signal, timeout) => {
            let both: Vec<&str> = signal
                .into_iter()
                .chain(timeout)
                .map(String::as_str)
                .collect();
            both.join(" ")
        }
    }
}

fn log(config: &ContainerConfig) -> String {
    let log = &config.log;
    match log.driver.as_str() {
        "none" => "none".to_owned(),
        driver if log.max_bytes == u64::MAX => format!("{driver}, not rotated"),
        driver => format!(
            "{driver}, {} files of {} bytes",
            log.max_files, log.max_bytes
        ),
    }
}
