//! Memory, and huge pages.

use std::collections::BTreeMap;

use super::{Pressure, count_in, keyed, value_of};
use crate::Cgroup;
use crate::dir::Dir;
use crate::words::page_sizes;

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryUse {
    /// The page cache.
    pub cache: u64,
    /// In all.
    pub usage: Usage,
    /// Memory and swap together.
    pub with_swap: Usage,
    /// The kernel's (v1).
    pub kernel: Usage,
    /// Buffers of TCP (v1).
    pub kernel_tcp: Usage,
    /// `memory.stat`, whole.
    pub raw: BTreeMap<String, u64>,
    /// Waiting for memory.
    pub pressure: Option<Pressure>,
}

/// One counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Now.
    pub usage: u64,
    /// The greatest so far; 0 when that is not known.
    pub peak: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// The limit; the greatest number for none.
    pub limit: u64,
}

pub(super) fn all(cgroup: &Cgroup) -> MemoryUse {
    let stat = cgroup.first("memory.stat").unwrap_or_default();
    let raw: BTreeMap<String, u64> = keyed(&stat).map(|(k, n)| (k.to_owned(), n)).collect();
    let pressure = cgroup.pressure("memory.pressure");
    if let Some(dir) = cgroup.unified().filter(|dir| dir.has("memory.current")) {
        return MemoryUse {
            cache: raw.get("file").copied().unwrap_or(0),
            raw,
            pressure,
            ..v2(dir)
        };
    }
    let of = |name: &str| Usage {
        usage: cgroup.count(&format!("memory.{name}usage_in_bytes")),
        peak: cgroup.count(&format!("memory.{name}max_usage_in_bytes")),
        failures: cgroup.count(&format!("memory.{name}failcnt")),
        limit: cgroup.count(&format!("memory.{name}limit_in_bytes")),
    };
    MemoryUse {
        cache: raw.get("cache").copied().unwrap_or(0),
        usage: of(""),
        with_swap: of("memsw."),
        kernel: of("kmem."),
        kernel_tcp: of("kmem.tcp."),
        raw,
        pressure,
    }
}

fn v2(dir: &Dir) -> MemoryUse {
    let of = |name: &str| {
        let count = |what: &str| count_in(dir, &format!("{name}.{what}"));
        Usage {
            usage: count("current"),
            peak: count("peak"),
            failures: 0,
            limit: count("max"),
        }
    };
    let (usage, swap) = (of("memory"), of("memory.swap"));
    MemoryUse {
        usage,
        // v1 counts both together. When each was greatest nobody knows.
        with_swap: Usage {
            usage: usage.usage + swap.usage,
            limit: usage.limit.saturating_add(swap.limit),
            ..Usage::default()
        },
        ..MemoryUse::default()
    }
}

/// Reserved pages, where they are counted, else those in use.
pub(super) fn huge_pages(cgroup: &Cgroup) -> BTreeMap<String, Usage> {
    let of = |size: &String| {
        let (v1, v2) = (
            format!("hugetlb.{size}.usage_in_bytes"),
            format!("hugetlb.{size}.current"),
        );
        let dir = cgroup
            .dirs
            .iter()
            .find(|dir| dir.has(&v1) || dir.has(&v2))?;
        let (now, peak, limit) = if dir.unified {
            ("current", "", "max")
        } else {
            ("usage_in_bytes", "max_usage_in_bytes", "limit_in_bytes")
        };
        let reserved = format!("hugetlb.{size}.rsvd");
        let prefix = match dir.has(&format!("{reserved}.{now}")) {
            true => reserved,
            false => format!("hugetlb.{size}"),
        };
        let count = |what: &str| count_in(dir, &format!("{prefix}.{what}"));
        let usage = Usage {
            usage: count(now),
            peak: if peak.is_empty() { 0 } else { count(peak) },
            failures: match dir.unified {
                true => value_of(dir, &format!("hugetlb.{size}.events"), "max"),
                false => count("failcnt"),
            },
            limit: count(limit),
        };
        Some((size.clone(), usage))
    };
    page_sizes().iter().filter_map(of).collect()
}
