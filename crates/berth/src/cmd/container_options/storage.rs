//! What is mounted.

use std::path::Path;

use berth_engine::request::CreateRequest;
use berth_model::config::{MountConfig, MountKind, VolumesFrom};
use clap::ArgAction::Append;

use super::{Causes, bad};
use crate::opts::{self, Asked, asked, mount, number};
use crate::ui::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct StorageOptions {
    /// Mount a host directory or a volume
    #[arg(short, long, value_name = "[SOURCE:]DESTINATION[:OPTIONS]", action = Append)]
    volume: Vec<String>,
    /// Mount something (type=bind|volume|tmpfs,source=…,target=…[,readonly])
    #[arg(long, value_name = "SPEC", action = Append)]
    mount: Vec<String>,
    /// Mount an empty file system in memory
    #[arg(long, value_name = "DESTINATION[:OPTIONS]", action = Append)]
    tmpfs: Vec<String>,
    /// Mount what another container mounts
    #[arg(long, value_name = "CONTAINER[:ro|rw]", value_parser = asked(str::parse::<VolumesFrom>), action = Append)]
    volumes_from: Vec<Asked<VolumesFrom>>,
    /// Driver of the volumes that --volume makes
    #[arg(long, value_name = "DRIVER")]
    volume_driver: Option<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = asked(number::bytes))]
    shm_size: Option<Asked<u64>>,
    /// Option of the storage driver
    #[arg(long, value_name = "KEY=VALUE", value_parser = opts::annotation, action = Append)]
    storage_opt: Vec<(String, String)>,
}

impl StorageOptions {
    pub(super) fn ask(
        &self,
        request: &mut CreateRequest,
        causes: &mut Causes,
        cwd: &Path,
    ) -> Result<(), Failure> {
        let driver = causes.option("volume_driver", "--volume-driver", &self.volume_driver);
        request.volume_driver = driver.unwrap_or_default();
        request.volumes_from = causes.all("volumes_from", "--volumes-from", &self.volumes_from);
        request.read_only = causes.switch("read_only", "--read-only", self.read_only);
        let shm = causes.asked("shm", "--shm-size", self.shm_size.as_ref());
        request.resources.shm_bytes = shm.filter(|bytes| *bytes > 0);
        request.storage_options = self.storage_opt.iter().cloned().collect();
        let mut add = |flag: &str, text: &str, parsed: opts::Parsed<MountConfig>| {
            let mut mount = parsed.map_err(|e| bad(flag, text, e))?;
            let taken = |other: &MountConfig| other.destination == mount.destination;
            if request.mounts.iter().any(taken) {
                return Err(Failure::new(format!(
                    "two mounts have the destination `{}`",
                    mount.destination
                )));
            }
            causes.add(
                &format!("mounts.{}", mount.destination),
                format!("{flag} {text}"),
            );
            let made = flag == "--volume" || mount.create_source;
            if made && mount.kind == MountKind::Bind {
                request.make_sources.push(mount.source.clone());
            }
            if flag == "--volume" && mount.kind == MountKind::Volume {
                mount.driver.clone_from(&request.volume_driver);
            }
            request.mounts.push(mount);
            Ok(())
        };
        for text in &self.volume {
            add("--volume", text, mount::volume(text, cwd))?;
        }
        for text in &self.mount {
            add("--mount", text, mount::mount(text, cwd))?;
        }
        for text in &self.tmpfs {
            add("--tmpfs", text, mount::tmpfs(text))?;
        }
        Ok(())
    }
}
