//! What a commit is to say instead of what its container was asked for.

use std::collections::BTreeMap;

use berth_oci::image::{Empty, Healthcheck, RunConfig};

use crate::form;
use crate::form::config::Config;

/// In an image's words.
pub(crate) fn overrides(config: Config) -> Result<RunConfig, String> {
    let set = |set: BTreeMap<String, form::Empty>| {
        let keys = set.into_keys();
        keys.map(|key| (key, Empty {})).collect()
    };
    Ok(RunConfig {
        user: config.user,
        exposed_ports: set(config.exposed_ports),
        env: config.env.unwrap_or_default(),
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        volumes: set(config.volumes.unwrap_or_default()),
        working_dir: config.working_dir,
        labels: config.labels,
        stop_signal: config.stop_signal,
        healthcheck: config.healthcheck.map(healthcheck).transpose()?,
        shell: config.shell.unwrap_or_default(),
        on_build: config.on_build.unwrap_or_default(),
    })
}

fn healthcheck(check: form::config::Healthcheck) -> Result<Healthcheck, String> {
    // Refused now, not by each container of the image.
    check.meaning()?;
    Ok(Healthcheck {
        test: check.test,
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries.into(),
    })
}
