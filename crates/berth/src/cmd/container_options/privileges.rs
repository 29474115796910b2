//! What the container may do.

use berth_engine::request::CreateRequest;
use berth_model::config::DeviceConfig;
use clap::ArgAction::Append;

use super::{Causes, bad};
use crate::opts::{self, Asked, asked, device, network, security};
use crate::ui::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct PrivilegeOptions {
    /// Give all privileges
    #[arg(long)]
    privileged: bool,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY", value_parser = asked(opts::capability), action = Append)]
    cap_add: Vec<Asked<String>>,
    /// Drop a capability
    #[arg(long, value_name = "CAPABILITY", value_parser = asked(opts::capability), action = Append)]
    cap_drop: Vec<Asked<String>>,
    /// no-new-privileges, seccomp=FILE, seccomp=unconfined, apparmor=PROFILE, systempaths=unconfined
    #[arg(long, value_name = "OPTION", action = Append)]
    security_opt: Vec<String>,
    /// Add a group to the user's
    #[arg(long, value_name = "GROUP", value_parser = asked(network::word), action = Append)]
    group_add: Vec<Asked<String>>,
    /// Give a device of the host
    #[arg(long, value_name = "HOST[:INSIDE[:rwm]]", value_parser = asked(device::device), action = Append)]
    device: Vec<Asked<DeviceConfig>>,
    /// Allow devices by their numbers
    #[arg(long, value_name = "c|b|a MAJOR:MINOR rwm", value_parser = asked(device::rule), action = Append)]
    device_cgroup_rule: Vec<Asked<String>>,
    /// Set a kernel parameter of the container's namespaces
    #[arg(long, value_name = "KEY=VALUE", value_parser = asked(opts::annotation), action = Append)]
    sysctl: Vec<Asked<(String, String)>>,
}

impl PrivilegeOptions {
    pub(super) fn ask(
        &self,
        request: &mut CreateRequest,
        causes: &mut Causes,
    ) -> Result<(), Failure> {
        let wanted = &mut request.security;
        wanted.privileged = causes.switch("privileged", "--privileged", self.privileged);
        for (flag, list, into) in [
            ("--cap-add", &self.cap_add, &mut wanted.cap_add),
            ("--cap-drop", &self.cap_drop, &mut wanted.cap_drop),
        ] {
            for cap in list {
                let setting = format!("capabilities.{}", cap.value);
                causes.add(&setting, format!("{flag} {cap}"));
                into.push(cap.value.clone());
            }
        }
        for text in &self.security_opt {
            let setting =
                security::security(text, wanted).map_err(|e| bad("--security-opt", text, e))?;
            causes.add(setting, format!("--security-opt {text}"));
        }
        wanted.group_add = causes.all("groups", "--group-add", &self.group_add);
        for asked in &self.sysctl {
            let (key, value) = asked.value.clone();
            causes.add(&format!("sysctls.{key}"), format!("--sysctl {asked}"));
            wanted.sysctls.insert(key, value);
        }
        let resources = &mut request.resources;
        resources.devices = causes.all("devices", "--device", &self.device);
        let rules = &self.device_cgroup_rule;
        resources.device_rules = causes.all("device_rules", "--device-cgroup-rule", rules);
        Ok(())
    }
}
