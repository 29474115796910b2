//! `--volumes-from`: the mounts of other containers. What is asked for otherwise at the same place goes first.

use berth_model::config::{MountConfig, MountSyntax, VolumesFrom};

use crate::request::CreateRequest;
use crate::{Engine, Error};

impl Engine {
    /// Adds the mounts of the containers that the request names, and their ids in place of their names.
    pub(crate) fn take_volumes_from(&self, request: &mut CreateRequest) -> Result<(), Error> {
        let mut taken: Vec<MountConfig> = Vec::new();
        let mut from = Vec::new();
        for wish in &request.volumes_from {
            let id = self.find(&wish.container)?;
            for mount in self.config(&id)?.mounts {
                let read_only = wish.read_only.unwrap_or(false) || mount.read_only;
                // The last one named counts.
                taken.retain(|other| other.destination != mount.destination);
                taken.push(MountConfig {
                    read_only,
                    no_copy: true,
                    syntax: MountSyntax::From,
                    ..mount
                });
            }
            from.push(VolumesFrom {
                container: id.to_string(),
                ..wish.clone()
            });
        }
        let asked = |mount: &MountConfig| {
            let mut mounts = request.mounts.iter();
            mounts.any(|other| other.destination == mount.destination)
        };
        taken.retain(|mount| !asked(mount));
        for mount in &taken {
            let key = format!("mounts.{}", mount.destination);
            request.causes.insert(key, "--volumes-from".to_owned());
        }
        request.mounts.append(&mut taken);
        request.volumes_from = from;
        Ok(())
    }
}
