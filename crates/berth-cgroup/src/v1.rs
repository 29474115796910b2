//! Limits in the v1 hierarchies: which file takes which value, and in which order.
//!
//! Source: Documentation/admin-guide/cgroup-v1/*.rst; runtime-spec config-linux.md.

mod block;
mod cpu;
mod memory;

use berth_oci::spec::{HugepageLimit, Network, Resources};

use crate::apply::Apply;
use crate::dir::Dir;
use crate::error::Result;
use crate::layout::Hierarchy;
use crate::words;

/// Readies a fresh directory: a cpuset without CPUs and memory nodes takes no process.
pub(crate) fn prepare(dir: &Dir, hierarchy: &Hierarchy) -> Result<()> {
    if hierarchy.is_of("cpuset") {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if dir.read(file)?.trim().is_empty() {
                // The parent's file, through our own descriptor: `..` is the parent cgroup.
                let inherited = dir.read(&format!("../{file}"))?;
                dir.write(file, inherited.trim())?;
            }
        }
    }
    Ok(())
}

/// Writes the limits that live in v1 hierarchies, here where they exist.
pub(crate) fn apply(apply: &mut Apply<'_>, resources: &Resources) -> Result<()> {
    if apply.cgroup.v1().next().is_none() {
        return Ok(());
    }
    if let Some(memory) = &resources.memory {
        memory::apply(apply, memory)?;
    }
    if let Some(cpu) = &resources.cpu {
        cpu::apply(apply, cpu)?;
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|p| p.limit)
        && let Some(dir) = apply.v1("pids", "pids.max", "pids.limit")?
    {
        apply.write(dir, "pids.max", &words::pids(limit))?;
    }
    if let Some(block) = &resources.block_io {
        block::apply(apply, block)?;
    }
    for limit in &resources.hugepage_limits {
        hugepages(apply, limit)?;
    }
    if let Some(network) = &resources.network {
        self::network(apply, network)?;
    }
    for (device, limits) in &resources.rdma {
        let line = words::rdma(device, limits)?;
        if let Some(dir) = apply.v1("rdma", "rdma.max", "rdma")? {
            apply.write(dir, "rdma.max", &line)?;
        }
    }
    Ok(())
}

/// Limits the pages in use and, where the kernel counts them, the reserved ones: who reserves beyond
/// the limit is refused then, and not killed later.
fn hugepages(apply: &mut Apply<'_>, limit: &HugepageLimit) -> Result<()> {
    let size = words::page_size(&limit.page_size)?;
    let file = format!("hugetlb.{size}.limit_in_bytes");
    if let Some(dir) = apply.v1("hugetlb", &file, "hugepageLimits")? {
        let value = limit.limit.to_string();
        apply.write_known(dir, &file, &value, "hugepageLimits")?;
        let reserved = format!("hugetlb.{size}.rsvd.limit_in_bytes");
        if dir.has(&reserved) {
            apply.write(dir, &reserved, &value)?;
        }
    }
    Ok(())
}

/// Marks packets for the host's traffic control. Neither controller is part of v2.
fn network(apply: &mut Apply<'_>, network: &Network) -> Result<()> {
    if let Some(class) = network.class_id
        && let Some(dir) = apply.v1("net_cls", "net_cls.classid", "network.classID")?
    {
        apply.write(dir, "net_cls.classid", &class.to_string())?;
    }
    for priority in &network.priorities {
        if let Some(dir) = apply.v1("net_prio", "net_prio.ifpriomap", "network.priorities")? {
            let line = format!("{} {}", priority.name, priority.priority);
            apply.write(dir, "net_prio.ifpriomap", &line)?;
        }
    }
    Ok(())
}
