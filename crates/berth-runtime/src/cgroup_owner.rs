//! Whose a container's cgroup is: on v2 that of the user whose program may write to it.
//!
//! Source: config-linux.md, "Cgroup ownership".

use berth_cgroup::Cgroup;
use berth_oci::spec::{Linux, NamespaceKind, Spec};

use crate::error::Result;
use crate::id_maps::on_host;
use crate::namespaces::is_real_root;

/// Gives the cgroup to the host's user behind `process.user.uid`, if the container has a cgroup namespace
/// of its own and mounts the cgroup writable.
///
/// # Errors
/// The kernel's.
pub(crate) fn give(cgroup: &Cgroup, spec: &Spec, linux: &Linux) -> Result<()> {
    match owner(spec, linux) {
        // Root has it already.
        None | Some(0) => Ok(()),
        // An ordinary user can give nothing away.
        Some(_) if !is_real_root() => Ok(()),
        Some(uid) => Ok(cgroup.give_to(uid)?),
    }
}

fn owner(spec: &Spec, linux: &Linux) -> Option<u32> {
    let writable = spec.mounts.iter().any(|mount| {
        mount.destination == "/sys/fs/cgroup"
            && mount.source.as_deref() == Some("cgroup")
            && !mount.options.iter().any(|o| o == "ro")
    });
    let uid = spec.process.as_ref()?.user.uid;
    if !writable || !linux.makes(NamespaceKind::Cgroup) {
        return None;
    }
    if linux.namespace(NamespaceKind::User).is_none() {
        return Some(uid);
    }
    // In a joined user namespace without maps nobody says who it is.
    on_host(&linux.uid_mappings, uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_hosts_user_behind_the_containers() {
        let spec = |options: &str, namespaces: &str| -> Spec {
            serde_json::from_str(&format!(
                r#"{{"process":{{"user":{{"uid":5,"gid":0}}}},
                "mounts":[{{"destination":"/sys/fs/cgroup","source":"cgroup","type":"cgroup","options":[{options}]}}],
                "linux":{{"namespaces":[{namespaces}],
                "uidMappings":[{{"containerID":0,"hostID":1000,"size":4}},{{"containerID":4,"hostID":7000,"size":9}}]}}}}"#
            ))
            .unwrap()
        };
        let of = |spec: Spec| owner(&spec, spec.linux.as_ref().unwrap());
        let (cgroup, user) = (r#"{"type":"cgroup"}"#, r#"{"type":"user"}"#);
        let both = format!("{cgroup},{user}");
        assert_eq!(of(spec(r#""rw""#, cgroup)), Some(5));
        assert_eq!(of(spec("", &both)), Some(7001));
        assert_eq!(of(spec(r#""nosuid","ro""#, &both)), None);
        assert_eq!(of(spec("", user)), None);
        assert_eq!(
            of(spec("", r#"{"type":"cgroup","path":"/proc/1/ns/cgroup"}"#)),
            None
        );
        assert_eq!(on_host(&[], 0), None);
    }
}
