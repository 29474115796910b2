//! `update`: changes a running container's limits, with the flags of other runtimes.
//!
//! What was asked for is merged into the recorded configuration, because some values count together:
//! a limit on memory and one on memory and swap, a quota and its period. If the kernel refuses one, all
//! are as they were, in the kernel and in the record.
//!
//! Source: runc-update(8).

mod flags;
mod merge;

use std::io::Read as _;

use berth_cgroup::{Cgroup, Options};
use berth_oci::spec::{Linux, Resources};

use super::args::Args;
use super::{Global, wrong_state};
use crate::error::{Error, Result, step};
use crate::namespaces::is_real_root;
use crate::place::session;
use crate::state::Status;
use crate::{bundle, devices, rdt};
use flags::{Asked, Source};

/// Bytes of a description of limits; real ones are below 10 KiB.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let Asked {
        id,
        source,
        l3_cache_schema,
        mem_bw_schema,
    } = flags::read(&mut args)?;
    let dir = global.root.find(&id)?;
    let (mut record, status) = dir.known("update")?;
    if status == Status::Stopped {
        return Err(wrong_state("update", &id, status));
    }
    let wanted = match source {
        Source::Flags(resources) => *resources,
        Source::File(path) => bundle::read_json(&path)?,
        Source::Input => from_input()?,
    };
    let mut spec = dir.spec()?;
    let linux = spec.linux.get_or_insert_with(Linux::default);
    let change = merge::into(
        linux.resources.get_or_insert_with(Resources::default),
        wanted,
    );
    // Without need an update touches no device rule: others may have added theirs.
    let change = Resources {
        devices: match change.devices.is_empty() {
            true => Vec::new(),
            false => devices::with_default_rules(change.devices),
        },
        ..change
    };
    let options = Options {
        rootless: global.rootless.unwrap_or_else(|| !is_real_root()),
    };
    let mut cgroup = Cgroup::open(&record.cgroups)?;
    let coming = cgroup.extension(&change, &options)?;
    if !coming.is_empty() {
        // Before they are made: whoever deletes the container must know of all its cgroups.
        record.cgroups.extend(coming);
        dir.rewrite_record(&record)?;
    }
    let schemata = rdt::update(
        linux.intel_rdt.as_mut(),
        &id,
        l3_cache_schema,
        mem_bw_schema,
    )?;
    let mut updated = cgroup
        .extend(&change, &options)
        .and_then(|()| cgroup.update(&change, &options));
    if let (Ok(()), Some(unit)) = (&updated, &record.unit) {
        // The kernel has no objection. What systemd writes it rounds, so it is written once more.
        updated = unit
            .update(&change, &session())
            .and_then(|()| cgroup.update(&change, &options));
    }
    if let Err(error) = updated {
        schemata.take_back();
        return Err(error.into());
    }
    dir.rewrite_spec(&spec)?;
    Ok(0)
}

fn from_input() -> Result<Resources> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| step("read the limits from standard input", e))?;
    crate::json::read(&bytes).map_err(|source| Error::ParseJson {
        path: "standard input".into(),
        source,
    })
}
