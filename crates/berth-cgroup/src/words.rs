//! The specification's values in the kernel's words, where both cgroup versions have the same.

use std::path::Path;

use berth_oci::spec::Rdma;

use crate::error::{Error, Result};

/// 0 is "not set".
pub(crate) fn set<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|v| *v != T::default())
}

/// `max` for "no limit".
pub(crate) fn number_or_max(value: i64) -> String {
    if value <= 0 {
        "max".into()
    } else {
        value.to_string()
    }
}

/// For `pids.max`. With none at all not even init could be made in the cgroup; with one, it is the one.
///
/// Source: config-linux.md, "PIDs": 0 is a limit like others.
pub(crate) fn pids(limit: i64) -> String {
    match limit {
        ..0 => "max".into(),
        0 => "1".into(),
        limit => limit.to_string(),
    }
}

/// A line of `rdma.max`.
pub(crate) fn rdma(device: &str, limits: &Rdma) -> Result<String> {
    let mut line = device.to_owned();
    if let Some(handles) = limits.hca_handles {
        line.push_str(&format!(" hca_handle={handles}"));
    }
    if let Some(objects) = limits.hca_objects {
        line.push_str(&format!(" hca_object={objects}"));
    }
    if line == device || device.contains(char::is_whitespace) {
        return Err(Error::BadValue {
            setting: "rdma",
            value: device.to_owned(),
            why: "it needs a device's name, and hcaHandles or hcaObjects",
        });
    }
    Ok(line)
}

/// A page size as files have it in their names (`2MB`), of a size that this host has.
pub(crate) fn page_size(text: &str) -> Result<&str> {
    let bad = |why| Error::BadValue {
        setting: "hugepageLimits",
        value: text.to_owned(),
        why,
    };
    match kibibytes(text) {
        None => Err(bad("a page size is a number and KB, MB or GB")),
        Some(kib) if !Path::new(&format!("{HUGE_PAGES}/hugepages-{kib}kB")).exists() => {
            Err(bad("this kernel has no huge pages of that size"))
        }
        Some(_) => Ok(text),
    }
}

const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

/// The sizes of huge pages that this host has, as files have them in their names; sorted.
pub(crate) fn page_sizes() -> Vec<String> {
    let mut sizes: Vec<u64> = std::fs::read_dir(HUGE_PAGES)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let kib = name.to_str()?.strip_prefix("hugepages-")?;
            kib.strip_suffix("kB")?.parse().ok()
        })
        .collect();
    sizes.sort_unstable();
    sizes.into_iter().map(named).collect()
}

/// 2048 KiB → `2MB`. Source: mem_fmt(), mm/hugetlb_cgroup.c.
fn named(kib: u64) -> String {
    match kib {
        1_048_576.. => format!("{}GB", kib >> 20),
        1024.. => format!("{}MB", kib >> 10),
        _ => format!("{kib}KB"),
    }
}

fn kibibytes(text: &str) -> Option<u64> {
    let (number, shift) = match text.as_bytes() {
        [number @ .., b'K', b'B'] => (number, 0),
        [number @ .., b'M', b'B'] => (number, 10),
        [number @ .., b'G', b'B'] => (number, 20),
        _ => return None,
    };
    let number = std::str::from_utf8(number).ok()?;
    let digits = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    number
        .parse::<u64>()
        .ok()
        .filter(|_| digits)?
        .checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_the_kernels() {
        assert_eq!(kibibytes("64KB"), Some(64));
        assert_eq!(kibibytes("2MB"), Some(2048));
        assert_eq!(kibibytes("1GB"), Some(1 << 20));
        for bad in [
            "", "MB", "2M", "2mb", "02MB", "+2MB", "../2MB", "2MB/x", "-1MB",
        ] {
            assert_eq!(kibibytes(bad), None, "{bad}");
            assert!(page_size(bad).is_err());
        }
        assert!(page_size("3MB").is_err());
        assert_eq!(named(2048), "2MB");
        assert_eq!(named(1 << 20), "1GB");
        assert_eq!(named(64), "64KB");
    }

    #[test]
    fn no_process_at_all_is_one() {
        assert_eq!(pids(-1), "max");
        assert_eq!(pids(0), "1");
        assert_eq!(pids(7), "7");
    }

    /// Source: config-linux.md, "RDMA": at least one of the two MUST be given.
    #[test]
    fn rdma_lines() {
        let limits = |hca_handles, hca_objects| Rdma {
            hca_handles,
            hca_objects,
        };
        assert_eq!(
            rdma("mlx5_1", &limits(Some(3), Some(10000))).unwrap(),
            "mlx5_1 hca_handle=3 hca_object=10000"
        );
        assert_eq!(rdma("x", &limits(None, Some(0))).unwrap(), "x hca_object=0");
        assert!(rdma("x", &limits(None, None)).is_err());
        assert!(rdma("x y", &limits(Some(1), None)).is_err());
    }
}
