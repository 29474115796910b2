//! Limits: memory, CPUs, processes, block devices.

use berth_engine::request::CreateRequest;
use berth_model::config::{BlkioConfig, CpuConfig, DeviceValue};
use clap::ArgAction::Append;

use super::Causes;
use crate::opts::{Asked, asked, device, number, ulimit};

#[derive(Debug, clap::Args)]
pub(super) struct LimitOptions {
    /// Limit of memory
    #[arg(short, long, value_name = "SIZE", value_parser = asked(number::memory))]
    memory: Option<Asked<u64>>,
    /// Memory that it is pushed back to when the host runs short
    #[arg(long, value_name = "SIZE", value_parser = asked(number::bytes))]
    memory_reservation: Option<Asked<u64>>,
    /// Limit of memory and swap together (-1: no limit of swap)
    #[arg(long, value_name = "SIZE", value_parser = asked(number::swap), allow_hyphen_values = true)]
    memory_swap: Option<Asked<i64>>,
    /// How readily it is swapped out, 0 to 100 (-1: as the host)
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::swappiness), allow_hyphen_values = true)]
    memory_swappiness: Option<Asked<Option<u64>>>,
    /// Who runs out of memory waits instead of being killed
    #[arg(long)]
    oom_kill_disable: bool,
    /// Likelihood of being killed when the host runs out of memory, -1000 to 1000
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::signed::<i32>), allow_hyphen_values = true)]
    oom_score_adj: Option<Asked<i32>>,
    /// Number of CPUs
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::nano_cpus))]
    cpus: Option<Asked<u64>>,
    /// Weight of the CPU time, against others' 1024
    #[arg(short = 'c', long, value_name = "WEIGHT", value_parser = asked(number::unsigned))]
    cpu_shares: Option<Asked<u64>>,
    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "MICROSECONDS", value_parser = asked(number::signed::<i64>), allow_hyphen_values = true)]
    cpu_quota: Option<Asked<i64>>,
    /// Length of the period
    #[arg(long, value_name = "MICROSECONDS", value_parser = asked(number::unsigned))]
    cpu_period: Option<Asked<u64>>,
    /// Microseconds of real-time scheduling in each real-time period
    #[arg(long, value_name = "MICROSECONDS", value_parser = asked(number::signed::<i64>), allow_hyphen_values = true)]
    cpu_rt_runtime: Option<Asked<i64>>,
    /// Length of the real-time period
    #[arg(long, value_name = "MICROSECONDS", value_parser = asked(number::unsigned))]
    cpu_rt_period: Option<Asked<u64>>,
    /// CPUs that may be used, such as 0-3,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Limit of processes and threads (-1: none)
    #[arg(long, value_name = "NUMBER", value_parser = asked(number::pids), allow_hyphen_values = true)]
    pids_limit: Option<Asked<i64>>,
    /// Resource limit of processes
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = asked(ulimit::parse), action = Append)]
    ulimit: Vec<Asked<(String, (u64, u64))>>,
    /// Weight of block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = asked(number::weight))]
    blkio_weight: Option<Asked<u16>>,
    /// Weight of a block device
    #[arg(long, value_name = "DEVICE:WEIGHT", value_parser = asked(device::weight), action = Append)]
    blkio_weight_device: Vec<Asked<DeviceValue>>,
    /// Limit of bytes read from a device in a second
    #[arg(long, value_name = "DEVICE:SIZE", value_parser = asked(device::bytes), action = Append)]
    device_read_bps: Vec<Asked<DeviceValue>>,
    /// Limit of bytes written to a device in a second
    #[arg(long, value_name = "DEVICE:SIZE", value_parser = asked(device::bytes), action = Append)]
    device_write_bps: Vec<Asked<DeviceValue>>,
    /// Limit of reads from a device in a second
    #[arg(long, value_name = "DEVICE:NUMBER", value_parser = asked(device::operations), action = Append)]
    device_read_iops: Vec<Asked<DeviceValue>>,
    /// Limit of writes to a device in a second
    #[arg(long, value_name = "DEVICE:NUMBER", value_parser = asked(device::operations), action = Append)]
    device_write_iops: Vec<Asked<DeviceValue>>,
    /// Cgroup that holds the container's cgroup
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
}

impl LimitOptions {
    /// 0 is Docker's way to say nothing.
    pub(super) fn ask(&self, request: &mut CreateRequest, causes: &mut Causes) {
        let into = &mut request.resources;
        into.memory_bytes = causes
            .asked("memory", "--memory", self.memory.as_ref())
            .filter(|bytes| *bytes > 0);
        into.memory_reservation_bytes = causes
            .asked(
                "memory_reservation",
                "--memory-reservation",
                self.memory_reservation.as_ref(),
            )
            .filter(|bytes| *bytes > 0);
        into.memory_swap_bytes = causes
            .asked("memory_swap", "--memory-swap", self.memory_swap.as_ref())
            .filter(|bytes| *bytes != 0);
        let swappiness = self.memory_swappiness.as_ref();
        into.memory_swappiness = causes
            .asked("memory_swappiness", "--memory-swappiness", swappiness)
            .flatten();
        let disable = self.oom_kill_disable;
        into.oom_kill_disable = causes.switch("oom_kill_disable", "--oom-kill-disable", disable);
        into.oom_score_adj = causes
            .asked(
                "oom_score_adj",
                "--oom-score-adj",
                self.oom_score_adj.as_ref(),
            )
            .filter(|score| *score != 0);
        into.nano_cpus = causes
            .asked("cpus", "--cpus", self.cpus.as_ref())
            .filter(|nanos| *nanos > 0);
        into.cpu = self.cpu(causes);
        into.pids = causes.asked("pids", "--pids-limit", self.pids_limit.as_ref());
        for asked in &self.ulimit {
            let (name, limits) = &asked.value;
            causes.add(&format!("ulimits.{name}"), format!("--ulimit {asked}"));
            into.ulimits.insert(name.clone(), *limits);
        }
        into.blkio = self.blkio(causes);
        into.cgroup_parent = causes.option("cgroup_parent", "--cgroup-parent", &self.cgroup_parent);
    }

    fn cpu(&self, causes: &mut Causes) -> CpuConfig {
        let mut number = |setting, flag, value: &Option<Asked<u64>>| {
            causes
                .asked(setting, flag, value.as_ref())
                .filter(|n| *n > 0)
        };
        let shares = number("cpu_shares", "--cpu-shares", &self.cpu_shares);
        let period_us = number("cpu_period", "--cpu-period", &self.cpu_period);
        let realtime_period_us = number("cpu_rt_period", "--cpu-rt-period", &self.cpu_rt_period);
        let mut number = |setting, flag, value: &Option<Asked<i64>>| {
            causes
                .asked(setting, flag, value.as_ref())
                .filter(|n| *n != 0)
        };
        let quota_us = number("cpu_quota", "--cpu-quota", &self.cpu_quota);
        let realtime_runtime_us =
            number("cpu_rt_runtime", "--cpu-rt-runtime", &self.cpu_rt_runtime);
        let cpus = causes.option("cpuset_cpus", "--cpuset-cpus", &self.cpuset_cpus);
        let mems = causes.option("cpuset_mems", "--cpuset-mems", &self.cpuset_mems);
        CpuConfig {
            shares,
            quota_us,
            period_us,
            realtime_runtime_us,
            realtime_period_us,
            cpus: cpus.unwrap_or_default(),
            mems: mems.unwrap_or_default(),
        }
    }

    fn blkio(&self, causes: &mut Causes) -> BlkioConfig {
        let weight = causes
            .asked("io_weight", "--blkio-weight", self.blkio_weight.as_ref())
            .filter(|weight| *weight > 0);
        let mut all = |setting, flag, list: &[Asked<DeviceValue>]| causes.all(setting, flag, list);
        BlkioConfig {
            weight,
            weight_device: all(
                "io_weight_device",
                "--blkio-weight-device",
                &self.blkio_weight_device,
            ),
            read_bps: all("io_read_bps", "--device-read-bps", &self.device_read_bps),
            write_bps: all("io_write_bps", "--device-write-bps", &self.device_write_bps),
            read_iops: all("io_read_iops", "--device-read-iops", &self.device_read_iops),
            write_iops: all(
                "io_write_iops",
                "--device-write-iops",
                &self.device_write_iops,
            ),
        }
    }
}
