//! The v1 memory controller.

use berth_oci::spec::Memory;
use rustix::io::Errno;

use crate::apply::Apply;
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::words::set;

const LIMIT: &str = "memory.limit_in_bytes";
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";
const USAGE: &str = "memory.usage_in_bytes";

pub(super) fn apply(apply: &mut Apply<'_>, memory: &Memory) -> Result<()> {
    let (kernel, tcp) = (set(memory.kernel), set(memory.kernel_tcp));
    let reservation = set(memory.reservation);
    let asked = [
        set(memory.limit),
        set(memory.swap),
        reservation,
        kernel,
        tcp,
    ]
    .iter()
    .any(Option::is_some)
        || memory.swappiness.is_some()
        || memory.disable_oom_killer.is_some()
        || memory.use_hierarchy.is_some();
    if !asked {
        return Ok(());
    }
    let Some(dir) = apply.v1("memory", LIMIT, "memory")? else {
        return Ok(());
    };
    if let Some(asked) = memory.use_hierarchy {
        hierarchical(apply, dir, asked)?;
    }
    apply.check_usage(dir, USAGE, memory)?;
    limits(apply, dir, memory)?;
    if let Some(reservation) = reservation {
        apply.write(dir, "memory.soft_limit_in_bytes", &reservation.to_string())?;
    }
    if let Some(kernel) = kernel {
        // Gone from one kernel, refused by the next, without effect since 5.11, where the limit on
        // memory includes the kernel's: not kept by anyone, as other runtimes have it.
        let (file, value) = ("memory.kmem.limit_in_bytes", kernel.to_string());
        match apply.try_write(dir, file, &value) {
            Ok(()) | Err(Errno::NOENT | Errno::OPNOTSUPP) => {}
            Err(source) => return Err(dir.refused(file, &value, source)),
        }
    }
    if let Some(tcp) = tcp {
        let file = "memory.kmem.tcp.limit_in_bytes";
        apply.write_known(dir, file, &tcp.to_string(), "memory.kernelTCP")?;
    }
    match memory.disable_oom_killer {
        Some(true) => apply.write(dir, "memory.oom_control", "1")?,
        // A new cgroup has the killer: no need to say so.
        Some(false) if apply.is_update() => apply.write(dir, "memory.oom_control", "0")?,
        _ => {}
    }
    match memory.swappiness {
        Some(swappiness) if swappiness > 100 => Err(Error::BadValue {
            setting: "memory.swappiness",
            value: swappiness.to_string(),
            why: "it is between 0 and 100",
        }),
        Some(swappiness) => apply.write(dir, "memory.swappiness", &swappiness.to_string()),
        None => Ok(()),
    }
}

/// Since Linux 5.11 children always count for their parents: then the kernel refuses the opposite.
fn hierarchical<'a>(apply: &mut Apply<'a>, dir: &'a Dir, asked: bool) -> Result<()> {
    let value = if asked { "1" } else { "0" };
    match dir.try_read("memory.use_hierarchy") {
        Ok(now) if now.trim() == value => Ok(()),
        Err(Errno::NOENT) if asked => Ok(()),
        _ => apply.write_known(dir, "memory.use_hierarchy", value, "memory.useHierarchy"),
    }
}

/// The kernel insists on limit ≤ limit-with-swap at every moment: growing, the latter goes first;
/// shrinking, last.
fn limits<'a>(apply: &mut Apply<'a>, dir: &'a Dir, memory: &Memory) -> Result<()> {
    let (limit, mut swap) = (set(memory.limit), set(memory.swap));
    if limit == Some(-1) && swap.is_none() && dir.has(WITH_SWAP) {
        swap = Some(-1);
    }
    let Some(swap) = swap else {
        return limit.map_or(Ok(()), |limit| write_limit(apply, dir, limit));
    };
    if !dir.has(WITH_SWAP) {
        return Err(Error::NoFile {
            file: WITH_SWAP.into(),
            setting: "memory.swap",
        });
    }
    let Some(limit) = limit else {
        return apply.write(dir, WITH_SWAP, &swap.to_string());
    };
    if swap >= 0 && limit > swap {
        return Err(Error::BadValue {
            setting: "memory.swap",
            value: swap.to_string(),
            why: "it counts memory and swap together, so it cannot be below the memory limit",
        });
    }
    let now: u64 = dir.read(WITH_SWAP)?.trim().parse().unwrap_or(u64::MAX);
    if limit < 0 || limit as u64 > now {
        apply.write(dir, WITH_SWAP, &swap.to_string())?;
        write_limit(apply, dir, limit)
    } else {
        write_limit(apply, dir, limit)?;
        apply.write(dir, WITH_SWAP, &swap.to_string())
    }
}

fn write_limit<'a>(apply: &mut Apply<'a>, dir: &'a Dir, limit: i64) -> Result<()> {
    match apply.write(dir, LIMIT, &limit.to_string()) {
        // More than that is in use and cannot be dropped.
        Err(Error::WriteFile {
            source: Errno::BUSY,
            ..
        }) => {
            let number = |file| dir.read(file).map(|t| t.trim().parse().unwrap_or_default());
            Err(Error::InUseMemory {
                limit,
                usage: number(USAGE)?,
                peak: number("memory.max_usage_in_bytes")?,
            })
        }
        other => other,
    }
}
