//! Which namespaces are the container's own.

use berth_engine::request::CreateRequest;
use berth_model::config::{CgroupMode, IpcMode, PidMode, UserMode, UtsMode};

use super::Causes;
use crate::opts::{Asked, asked};

#[derive(Debug, clap::Args)]
pub(super) struct NamespaceOptions {
    /// IPC: private, shareable, none, host or container:NAME
    #[arg(long, value_name = "MODE", value_parser = asked(str::parse::<IpcMode>))]
    ipc: Option<Asked<IpcMode>>,
    /// Processes: host or container:NAME
    #[arg(long, value_name = "MODE", value_parser = asked(str::parse::<PidMode>))]
    pid: Option<Asked<PidMode>>,
    /// Host name: host
    #[arg(long, value_name = "MODE", value_parser = asked(str::parse::<UtsMode>))]
    uts: Option<Asked<UtsMode>>,
    /// Users: host
    #[arg(long, value_name = "MODE", value_parser = asked(str::parse::<UserMode>))]
    userns: Option<Asked<UserMode>>,
    /// Cgroups: private or host
    #[arg(long, value_name = "MODE", value_parser = asked(str::parse::<CgroupMode>))]
    cgroupns: Option<Asked<CgroupMode>>,
}

impl NamespaceOptions {
    pub(super) fn ask(&self, request: &mut CreateRequest, causes: &mut Causes) {
        let into = &mut request.namespaces;
        let ipc = causes.asked("ipc", "--ipc", self.ipc.as_ref());
        into.ipc = ipc.unwrap_or_default();
        let pid = causes.asked("pid", "--pid", self.pid.as_ref());
        into.pid = pid.unwrap_or_default();
        let uts = causes.asked("uts", "--uts", self.uts.as_ref());
        into.uts = uts.unwrap_or_default();
        let user = causes.asked("userns", "--userns", self.userns.as_ref());
        into.user = user.unwrap_or_default();
        let cgroup = causes.asked("cgroupns", "--cgroupns", self.cgroupns.as_ref());
        into.cgroup = cgroup.unwrap_or_default();
    }
}
