//! `POST /containers/{id}/update`.

use berth_engine::update::UpdateRequest;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::host::{Resources, RestartPolicy};
use crate::form::limits;
use crate::form::mount::Parsed;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    #[serde(flatten)]
    resources: Resources,
    restart_policy: RestartPolicy,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    warnings: [String; 0],
}

pub(crate) async fn answer(mut ask: Ask, name: &str) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let request = asked.meaning(cpus).map_err(Failure::bad)?;
    let name = name.to_owned();
    ask.work(move |engine| engine.update(&engine.find(&name)?, &request))
        .await?;
    Ok(Answer::json(&Document { warnings: [] }))
}

impl Asked {
    /// What is 0 or empty stays as it is.
    fn meaning(&self, cpus: usize) -> Parsed<UpdateRequest> {
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let limits = limits::meaning(&self.resources, cpus)?;
        let restart = match self.restart_policy.name.as_str() {
            "" => None,
            _ => Some(self.restart_policy.meaning()?),
        };
        Ok(UpdateRequest {
            memory_bytes: limits.memory_bytes,
            memory_reservation_bytes: limits.memory_reservation_bytes,
            memory_swap_bytes: limits.memory_swap_bytes,
            nano_cpus: limits.nano_cpus,
            cpu_shares: limits.cpu.shares,
            cpu_quota_us: limits.cpu.quota_us,
            cpu_period_us: limits.cpu.period_us,
            cpu_realtime_runtime_us: limits.cpu.realtime_runtime_us,
            cpu_realtime_period_us: limits.cpu.realtime_period_us,
            cpus: text(&limits.cpu.cpus),
            mems: text(&limits.cpu.mems),
            pids: self.resources.pids_limit,
            blkio_weight: limits.blkio.weight,
            restart,
        })
    }
}
