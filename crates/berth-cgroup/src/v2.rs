//! Limits in the unified hierarchy.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst; runtime-spec config-linux.md, "Unified".

mod convert;

use berth_oci::spec::Resources;
use rustix::io::Errno;

use crate::apply::Apply;
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::{Cgroup, Options};

pub(crate) use convert::{weights, writes};

/// Controllers that a container on a pure v2 host is always given, for its statistics.
const ALWAYS: [&str; 4] = ["memory", "cpu", "pids", "io"];

/// Files that `unified` may not name: they act on processes and limit nothing.
const ACTIONS: [&str; 4] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.kill",
    "cgroup.freeze",
];

/// The controllers to switch on for the container.
pub(crate) fn needed_controllers(resources: &Resources) -> Vec<&str> {
    let mut needed = ALWAYS.to_vec();
    if resources
        .cpu
        .as_ref()
        .is_some_and(|c| c.cpus.is_some() || c.mems.is_some())
    {
        needed.push("cpuset");
    }
    if !resources.hugepage_limits.is_empty() {
        needed.push("hugetlb");
    }
    if !resources.rdma.is_empty() {
        needed.push("rdma");
    }
    // Whatever controllers there will be.
    let by_file = resources
        .unified
        .keys()
        .filter_map(|key| key.split('.').next());
    needed.extend(by_file.filter(|name| *name != "cgroup"));
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// Lets the children of `dir` use those of `controllers` that `dir` itself has.
///
/// What cannot be switched on (processes in `dir`, no permission) is left: only the limit that
/// needs it will fail, with its own name.
pub(crate) fn pass_down(dir: &Dir, controllers: &[&str]) -> Result<()> {
    if !dir.unified {
        return Ok(());
    }
    let available = dir.read("cgroup.controllers")?;
    let available: Vec<&str> = available.split_whitespace().collect();
    if !controllers.iter().any(|c| available.contains(c)) {
        return Ok(());
    }
    let passed = dir.read("cgroup.subtree_control")?;
    let passed: Vec<&str> = passed.split_whitespace().collect();
    for controller in controllers {
        if available.contains(controller) && !passed.contains(controller) {
            let (file, value) = ("cgroup.subtree_control", format!("+{controller}"));
            match dir.try_write(file, &value) {
                Ok(()) | Err(Errno::BUSY | Errno::ACCESS | Errno::PERM | Errno::NOENT) => {}
                Err(source) => return Err(dir.refused(file, &value, source)),
            }
        }
    }
    Ok(())
}

/// Whether a unified directory has a controller.
pub(crate) fn has_controller(dir: &Dir, controller: &str) -> bool {
    dir.try_read("cgroup.controllers")
        .is_ok_and(|list| list.split_whitespace().any(|c| c == controller))
}

/// Writes the limits that live in the unified hierarchy here.
pub(crate) fn apply(apply: &mut Apply<'_>, resources: &Resources) -> Result<()> {
    let Some(dir) = apply.cgroup.unified() else {
        return refuse_missing(apply.cgroup, resources, apply.options);
    };
    if asks_nothing(resources) {
        return Ok(());
    }
    let list = dir.try_read("cgroup.controllers").unwrap_or_default();
    let list: Vec<&str> = list.split_whitespace().collect();
    let alone = apply.cgroup.v1().next().is_none();
    if let Some(memory) = resources
        .memory
        .as_ref()
        .filter(|_| list.contains(&"memory"))
    {
        apply.check_usage(dir, "memory.current", memory)?;
    }
    let writes = writes(resources, |controller| alone || list.contains(&controller))?;
    if let Some(write) = writes.iter().find(|w| !list.contains(&w.controller)) {
        return Err(missing(write.controller, write.setting, apply.options));
    }
    // Those of cpu bound each other: quota and burst, idleness and weight.
    for group in writes.chunk_by(|one, next| one.controller == "cpu" && next.controller == "cpu") {
        let here = group.iter().filter(|w| !w.optional || dir.has(&w.file));
        let values: Vec<_> = here
            .map(|w| (w.file.as_str(), &w.value, w.setting))
            .collect();
        apply.write_together(dir, &values)?;
    }
    let lines = resources.block_io.as_ref().map(weights).unwrap_or_default();
    if !lines.is_empty() && (alone || list.contains(&"io")) {
        if !list.contains(&"io") {
            return Err(missing("io", "blockIO.weight", apply.options));
        }
        io_weights(apply, dir, &lines)?;
    }
    unified(apply, dir, resources, &list)
}

/// Which file counts depends on the device's scheduler, BFQ has one of its own: so both. One of them
/// has to take it.
fn io_weights<'a>(
    apply: &mut Apply<'a>,
    dir: &'a Dir,
    weights: &[[(&'static str, String); 2]],
) -> Result<()> {
    for both in weights {
        let mut refused = None;
        let mut taken = false;
        for (file, line) in both {
            match apply.write_known(dir, file, line, "blockIO.weight") {
                Ok(()) => taken = true,
                // The other file's error is the one to tell.
                Err(Error::NoFile { .. }) if refused.is_some() => {}
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused.filter(|_| !taken) {
            return Err(error);
        }
    }
    Ok(())
}

/// Files of cgroup v2 by their names, each line a write of its own.
fn unified<'a>(
    apply: &mut Apply<'a>,
    dir: &'a Dir,
    resources: &Resources,
    controllers: &[&str],
) -> Result<()> {
    for (file, value) in &resources.unified {
        if file.contains('/') || !file.contains('.') || ACTIONS.contains(&file.as_str()) {
            return Err(Error::BadValue {
                setting: "unified",
                value: file.clone(),
                why: "it must be the name of a controller's file",
            });
        }
        let controller = file.split('.').next().unwrap_or_default();
        if controller != "cgroup" && !controllers.contains(&controller) {
            return Err(Error::NoUnified {
                file: file.clone(),
                controller: controller.to_owned(),
            });
        }
        if value.is_empty() {
            // It resets; a write of no byte would do nothing.
            apply.write_known(dir, file, "\n", "unified")?;
        }
        for line in value.lines() {
            apply.write_known(dir, file, line, "unified")?;
        }
    }
    Ok(())
}

/// Without a unified leaf its limits cannot be kept, and without any leaf none: better no container
/// than one that runs unlimited.
fn refuse_missing(cgroup: &Cgroup, resources: &Resources, options: &Options) -> Result<()> {
    if let Some(file) = resources.unified.keys().next() {
        return Err(Error::NoUnified {
            file: file.clone(),
            controller: file.split('.').next().unwrap_or_default().to_owned(),
        });
    }
    if !cgroup.is_empty() {
        return Ok(());
    }
    let weight = resources.block_io.as_ref().map(weights);
    let first = match writes(resources, |_| true)?.into_iter().next() {
        Some(write) => Some((write.controller, write.setting)),
        None => weight
            .filter(|lines| !lines.is_empty())
            .map(|_| ("io", "blockIO.weight")),
    };
    first.map_or(Ok(()), |(controller, setting)| {
        Err(missing(controller, setting, options))
    })
}

fn missing(controller: &'static str, setting: &'static str, options: &Options) -> Error {
    Error::NoController {
        controller,
        setting,
        rootless: options.rootless,
    }
}

/// Devices are another's.
fn asks_nothing(resources: &Resources) -> bool {
    let Resources {
        devices: _,
        memory: None,
        cpu: None,
        pids: None,
        block_io: None,
        hugepage_limits,
        network: None,
        rdma,
        unified,
    } = resources
    else {
        return false;
    };
    hugepage_limits.is_empty() && rdma.is_empty() && unified.is_empty()
}
