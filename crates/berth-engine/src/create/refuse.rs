//! What can be asked for and has no effect here: refused, never passed over.

use berth_model::config::{
    CgroupMode, IpcMode, NetworkConfig, NetworkMode, PidMode, ResourceConfig, RestartPolicy,
    UserMode, UtsMode,
};

use crate::Error;
use crate::request::CreateRequest;

/// Fails with the first such wish.
pub(super) fn unknown(request: &CreateRequest) -> Result<(), Error> {
    let wishes = [
        (
            !matches!(
                request.network,
                None | Some(NetworkMode::None | NetworkMode::Host)
            ),
            "this network",
        ),
        (
            request.networking != NetworkConfig::default(),
            "ports and other options of the network",
        ),
        (limits(&request.resources), "this limit"),
        (namespaces(request), "this namespace mode"),
        (security(request), "this security option"),
        (!request.volumes_from.is_empty(), "--volumes-from"),
        (
            !matches!(request.volume_driver.as_str(), "" | "local"),
            "this volume driver",
        ),
        (
            request.restart != RestartPolicy::default(),
            "a restart policy",
        ),
        (
            request.health.as_ref().is_some_and(|health| health.is_on()),
            "a health check",
        ),
        (!request.runtime.is_empty(), "another runtime"),
        (!request.annotations.is_empty(), "annotations"),
        (!request.domainname.is_empty(), "a domain name"),
        (
            !request.storage_options.is_empty(),
            "options of the storage driver",
        ),
    ];
    match wishes.into_iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::Invalid {
            message: format!("{what} cannot be had"),
            hint: None,
        }),
    }
}

fn limits(asked: &ResourceConfig) -> bool {
    let known = ResourceConfig {
        memory_bytes: asked.memory_bytes,
        nano_cpus: asked.nano_cpus,
        pids: asked.pids,
        ulimits: asked.ulimits.clone(),
        shm_bytes: asked.shm_bytes,
        cgroup_parent: asked.cgroup_parent.clone(),
        ..ResourceConfig::default()
    };
    *asked != known
}

fn namespaces(request: &CreateRequest) -> bool {
    let asked = &request.namespaces;
    asked.ipc != IpcMode::Private
        || asked.pid != PidMode::Private
        || asked.uts != UtsMode::Private
        || asked.user != UserMode::Default
        || asked.cgroup != CgroupMode::Private
}

fn security(request: &CreateRequest) -> bool {
    let asked = &request.security;
    asked.apparmor.is_some()
        || !asked.labels.is_empty()
        || !asked.group_add.is_empty()
        || asked.masked_paths.is_some()
        || asked.readonly_paths.is_some()
        || !asked.sysctls.is_empty()
}
