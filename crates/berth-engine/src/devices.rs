//! Devices of the host, as a spec names them: by their numbers, asked of the host at each start.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use berth_model::config::{BlkioConfig, DeviceConfig, DeviceValue};
use berth_oci::spec::{BlockIo, Device, ThrottleDevice, WeightDevice};

use crate::Error;

/// What a container makes itself, or gets mounted.
const OWN: [&str; 9] = [
    "pts", "shm", "mqueue", "fd", "console", "ptmx", "stdin", "stdout", "stderr",
];

/// All device nodes of the host.
pub(crate) fn all() -> Vec<Device> {
    below(Path::new("/dev"), &OWN)
}

/// All device nodes below a directory.
fn below(dir: &Path, except: &[&str]) -> Vec<Device> {
    let mut found = Vec::new();
    let mut ahead: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = ahead.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            if except.iter().any(|own| entry.file_name() == *own) {
                continue;
            }
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                ahead.push(entry.path());
            }
            found.extend(node(entry.path(), &metadata));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// `None`: it is not a device.
fn node(path: PathBuf, metadata: &Metadata) -> Option<Device> {
    let kind = metadata.file_type();
    let kind = match (kind.is_char_device(), kind.is_block_device()) {
        (true, _) => "c",
        (_, true) => "b",
        _ => return None,
    };
    let number = metadata.rdev();
    Some(Device {
        kind: kind.to_owned(),
        path,
        major: i64::from(rustix::fs::major(number)),
        minor: i64::from(rustix::fs::minor(number)),
        file_mode: Some(metadata.mode() & 0o7777),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
    })
}

/// The devices that `--device` names, with what may be done with each. A directory stands for all that are below
/// it; links of the host are followed.
pub(crate) fn asked(devices: &[DeviceConfig]) -> Result<Vec<(Device, String)>, Error> {
    let mut found = Vec::new();
    for wish in devices {
        let host = real(&wish.host)?;
        let metadata = host
            .metadata()
            .map_err(|error| unusable(&wish.host, &error))?;
        let inside = Path::new(&wish.container);
        let mut nodes: Vec<Device> = node(inside.to_owned(), &metadata).into_iter().collect();
        if metadata.is_dir() {
            nodes = below(&host, &[]);
            for device in &mut nodes {
                if let Ok(rest) = device.path.strip_prefix(&host) {
                    device.path = inside.join(rest);
                }
            }
        }
        if nodes.is_empty() {
            return Err(unusable(&wish.host, &"it is not a device"));
        }
        let allowed = nodes
            .into_iter()
            .map(|node| (node, wish.permissions.clone()));
        found.extend(allowed);
    }
    Ok(found)
}

/// Limits of block devices, by their numbers.
pub(crate) fn block_io(asked: &BlkioConfig) -> Result<BlockIo, Error> {
    let throttle = |list: &[DeviceValue]| -> Result<Vec<ThrottleDevice>, Error> {
        let device = |wish: &DeviceValue| {
            let (major, minor) = numbers(&wish.path)?;
            Ok(ThrottleDevice {
                major,
                minor,
                rate: wish.value,
            })
        };
        list.iter().map(device).collect()
    };
    let weight = |wish: &DeviceValue| {
        let (major, minor) = numbers(&wish.path)?;
        Ok(WeightDevice {
            major,
            minor,
            weight: Some(u16::try_from(wish.value).unwrap_or(u16::MAX)),
            leaf_weight: None,
        })
    };
    let weights: Result<_, Error> = asked.weight_device.iter().map(weight).collect();
    Ok(BlockIo {
        weight_device: weights?,
        throttle_read_bps_device: throttle(&asked.read_bps)?,
        throttle_write_bps_device: throttle(&asked.write_bps)?,
        throttle_read_iops_device: throttle(&asked.read_iops)?,
        throttle_write_iops_device: throttle(&asked.write_iops)?,
        ..BlockIo::default()
    })
}

fn numbers(path: &str) -> Result<(i64, i64), Error> {
    let metadata = real(path)?
        .metadata()
        .map_err(|error| unusable(path, &error))?;
    match node(PathBuf::new(), &metadata) {
        Some(device) if device.kind == "b" => Ok((device.major, device.minor)),
        _ => Err(unusable(path, &"it is not a block device")),
    }
}

fn real(path: &str) -> Result<PathBuf, Error> {
    Path::new(path)
        .canonicalize()
        .map_err(|error| unusable(path, &error))
}

fn unusable(path: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Invalid {
        message: format!("the device `{path}` cannot be used: {why}"),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(host: &str, container: &str) -> DeviceConfig {
        DeviceConfig {
            host: host.into(),
            container: container.into(),
            permissions: "rw".into(),
        }
    }

    #[test]
    fn devices_by_path_link_and_directory() {
        let found = asked(&[wish("/dev/null", "/dev/nothing")]).unwrap();
        let (device, permissions) = &found[0];
        assert_eq!(
            (device.major, device.minor, device.kind.as_str()),
            (1, 3, "c")
        );
        assert_eq!(
            (device.path.as_path(), permissions.as_str()),
            (Path::new("/dev/nothing"), "rw")
        );
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let found = asked(&[wish(link.to_str().unwrap(), "/dev/z")]).unwrap();
        assert_eq!((found[0].0.major, found[0].0.minor), (1, 5));
        for bad in ["/nonexistent", "/etc/passwd", dir.path().to_str().unwrap()] {
            assert!(asked(&[wish(bad, "/dev/x")]).is_err(), "{bad}");
        }
        assert!(
            numbers("/dev/null").is_err(),
            "a character device has no rate"
        );
    }
}
