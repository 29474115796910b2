//! How the container begins, is watched, ends, and what is kept of what it says.

use berth_engine::request::CreateRequest;
use berth_model::config::{HealthConfig, RestartPolicy};
use berth_model::signal;
use clap::ArgAction::Append;

use super::{Causes, bad};
use crate::opts::{Asked, asked, number, security};
use crate::ui::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct LifeOptions {
    /// Run a small init as process 1, which forwards signals and reaps orphans
    #[arg(long)]
    init: bool,
    /// Restart when it ends: no, on-failure[:MAX], always, unless-stopped
    #[arg(long, value_name = "POLICY", value_parser = asked(str::parse::<RestartPolicy>))]
    restart: Option<Asked<RestartPolicy>>,
    /// Signal that stops the container
    #[arg(long, value_name = "SIGNAL", value_parser = asked(signal::parse))]
    stop_signal: Option<Asked<i32>>,
    /// Seconds that `stop` waits before it kills (-1: for ever)
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    stop_timeout: Option<i32>,
    /// Runtime
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,

    /// Command that tells its health
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks of its health
    #[arg(long, value_name = "DURATION", value_parser = asked(number::nanoseconds))]
    health_interval: Option<Asked<u64>>,
    /// Time that a check may take
    #[arg(long, value_name = "DURATION", value_parser = asked(number::nanoseconds))]
    health_timeout: Option<Asked<u64>>,
    /// Time at its start in which failures do not count
    #[arg(long, value_name = "DURATION", value_parser = asked(number::nanoseconds))]
    health_start_period: Option<Asked<u64>>,
    /// Time between two checks in that time
    #[arg(long, value_name = "DURATION", value_parser = asked(number::nanoseconds))]
    health_start_interval: Option<Asked<u64>>,
    /// Failures in a row until it is unhealthy
    #[arg(long, value_name = "NUMBER")]
    health_retries: Option<u32>,
    /// Do not check its health, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,

    /// Log driver: json-file (the default), local, journald, syslog or none
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Log option: max-size=SIZE, max-file=NUMBER, labels=…, env=…, tag=…, mode=non-blocking, max-buffer-size=SIZE,
    /// syslog-address=unixgram://PATH|udp://HOST:PORT|tcp://HOST:PORT, syslog-facility=…, syslog-format=rfc5424, …;
    /// of what goes elsewhere `logs` reads a copy: cache-max-size=SIZE, cache-max-file=NUMBER, cache-disabled=true
    #[arg(long, value_name = "KEY=VALUE", action = Append)]
    log_opt: Vec<String>,
}

impl LifeOptions {
    pub(super) fn ask(
        &self,
        request: &mut CreateRequest,
        causes: &mut Causes,
    ) -> Result<(), Failure> {
        request.init = causes.switch("init", "--init", self.init);
        let restart = causes.asked("restart", "--restart", self.restart.as_ref());
        request.restart = restart.unwrap_or_default();
        request.stop_signal =
            causes.asked("stop_signal", "--stop-signal", self.stop_signal.as_ref());
        request.stop_timeout_s =
            causes.option("stop_timeout", "--stop-timeout", &self.stop_timeout);
        let runtime = causes.option("runtime", "--runtime", &self.runtime);
        request.runtime = runtime.unwrap_or_default();
        request.health = self.health(causes)?;
        request.log = security::log(self.log_driver.as_deref(), &self.log_opt).map_err(|e| {
            match &self.log_driver {
                Some(driver) if self.log_opt.is_empty() => bad("--log-driver", driver, e),
                _ => bad("--log-opt", &self.log_opt.join(" "), e),
            }
        })?;
        if request.log.is_some() {
            causes.add("log", "--log-driver, --log-opt".into());
        }
        Ok(())
    }

    fn health(&self, causes: &mut Causes) -> Result<Option<HealthConfig>, Failure> {
        let mut time = |setting: &str, flag: &str, value: &Option<Asked<u64>>| {
            let value = causes.asked(setting, flag, value.as_ref());
            value.unwrap_or(0)
        };
        let mut health = HealthConfig {
            test: Vec::new(),
            interval_ns: time(
                "health.interval",
                "--health-interval",
                &self.health_interval,
            ),
            timeout_ns: time("health.timeout", "--health-timeout", &self.health_timeout),
            start_period_ns: time(
                "health.start_period",
                "--health-start-period",
                &self.health_start_period,
            ),
            start_interval_ns: time(
                "health.start_interval",
                "--health-start-interval",
                &self.health_start_interval,
            ),
            retries: self.health_retries.unwrap_or(0),
        };
        if let Some(command) = &self.health_cmd {
            health.test = vec!["CMD-SHELL".to_owned(), command.clone()];
            causes.add("health", format!("--health-cmd {command}"));
        }
        let asked = health != HealthConfig::default();
        if self.no_healthcheck {
            if asked {
                return Err(Failure::new(
                    "--no-healthcheck conflicts with --health-* options".to_owned(),
                ));
            }
            causes.add("health", "--no-healthcheck".into());
            health.test = vec!["NONE".to_owned()];
        }
        Ok((asked || self.no_healthcheck).then_some(health))
    }
}
