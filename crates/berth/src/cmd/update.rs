//! `berth update`.

use berth_engine::update::UpdateRequest;
use berth_model::config::RestartPolicy;

use crate::context;
use crate::globals::Globals;
use crate::opts::number;
use crate::ui::diagnostic::Failure;
use crate::verbs::{Outcome, Verb};

/// Change limits and the restart policy of containers, running or not
#[derive(Debug, clap::Args)]
pub struct Update {
    /// Weight of block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Period of the CPU quota, in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// CPU time in each period, in microseconds (-1: no limit)
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Period of real-time scheduling, in microseconds
    #[arg(long, value_name = "US")]
    cpu_rt_period: Option<u64>,
    /// Real-time scheduling in each of its periods, in microseconds
    #[arg(long, value_name = "US", allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// Weight of CPU time, against others' 1024
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<u64>,
    /// Number of CPUs
    #[arg(long, value_name = "NUMBER", value_parser = number::nano_cpus)]
    cpus: Option<u64>,
    /// CPUs that may be used, such as 0-3,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Has no effect: the kernel's memory counts as memory
    #[arg(long, hide = true, value_name = "SIZE")]
    kernel_memory: Option<String>,
    /// Limit of memory
    #[arg(short, long, value_name = "SIZE", value_parser = number::memory)]
    memory: Option<u64>,
    /// Memory that it is pushed back to when memory runs short
    #[arg(long, value_name = "SIZE", value_parser = number::bytes)]
    memory_reservation: Option<u64>,
    /// Memory and swap together (-1: no limit of swap)
    #[arg(long, value_name = "SIZE", value_parser = number::swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Limit of processes and threads (-1: none)
    #[arg(long, value_name = "NUMBER", value_parser = number::pids, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// What happens when it ends: no, always, unless-stopped, on-failure[:MAX]
    #[arg(long, value_name = "POLICY")]
    restart: Option<RestartPolicy>,
    /// Containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Verb for Update {
    fn run(self, globals: &Globals) -> Outcome {
        let request = UpdateRequest {
            memory_bytes: self.memory,
            memory_reservation_bytes: self.memory_reservation,
            memory_swap_bytes: self.memory_swap,
            nano_cpus: self.cpus,
            cpu_shares: self.cpu_shares,
            cpu_quota_us: self.cpu_quota,
            cpu_period_us: self.cpu_period,
            cpu_realtime_runtime_us: self.cpu_rt_runtime,
            cpu_realtime_period_us: self.cpu_rt_period,
            cpus: self.cpuset_cpus,
            mems: self.cpuset_mems,
            pids: self.pids_limit,
            blkio_weight: self.blkio_weight,
            restart: self.restart,
        };
        if request == UpdateRequest::default() && self.kernel_memory.is_none() {
            return Err(Failure::new(
                "you must provide one or more flags when using this command",
            ));
        }
        if self.kernel_memory.is_some() {
            super::note("warning: --kernel-memory has no effect: use --memory\n");
        }
        let engine = context::engine(globals)?;
        super::each::in_turn(&engine, &self.containers, |id| {
            Ok(engine.update(id, &request)?)
        })
    }
}
