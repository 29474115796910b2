//! Which namespaces a container has for itself, and which it joins.

use std::path::PathBuf;

use berth_model::ContainerConfig;
use berth_model::config::{CgroupMode, IpcMode, NetworkMode, PidMode, UtsMode};
use berth_oci::spec::{Namespace, NamespaceKind};

use super::SpecInputs;

pub(super) fn all(config: &ContainerConfig, inputs: &SpecInputs) -> Vec<Namespace> {
    let asked = &config.namespaces;
    let joined = &inputs.joined;
    let pid = match asked.pid {
        PidMode::Private => own(NamespaceKind::Pid),
        PidMode::Host => None,
        PidMode::Container(_) => of(NamespaceKind::Pid, &joined.pid),
    };
    let ipc = match asked.ipc {
        IpcMode::Private | IpcMode::Shareable | IpcMode::None => own(NamespaceKind::Ipc),
        IpcMode::Host => None,
        IpcMode::Container(_) => of(NamespaceKind::Ipc, &joined.ipc),
    };
    let uts = match asked.uts {
        UtsMode::Private => own(NamespaceKind::Uts),
        UtsMode::Host => None,
    };
    let cgroup = match asked.cgroup {
        CgroupMode::Private => own(NamespaceKind::Cgroup),
        CgroupMode::Host => None,
    };
    let network = match config.network {
        NetworkMode::None | NetworkMode::Pasta => own(NamespaceKind::Network),
        // The engine has made it; never the host's for want of one.
        NetworkMode::Bridge | NetworkMode::Named(_) => {
            of(NamespaceKind::Network, &joined.network).or_else(|| own(NamespaceKind::Network))
        }
        NetworkMode::Host => None,
        NetworkMode::Container(_) => of(NamespaceKind::Network, &joined.network),
    };
    let all = [pid, own(NamespaceKind::Mount), ipc, uts, cgroup, network];
    all.into_iter().flatten().collect()
}

fn own(kind: NamespaceKind) -> Option<Namespace> {
    Some(Namespace { kind, path: None })
}

fn of(kind: NamespaceKind, path: &Option<PathBuf>) -> Option<Namespace> {
    path.clone().map(|path| Namespace {
        kind,
        path: Some(path),
    })
}
