//! One application of limits to a cgroup: where each goes, and the way back.
//!
//! A controller is in one hierarchy at a time, on hybrid hosts in either kind: it is looked for in the
//! v1 leaves first. An update notes what was in each file before, so that a refused value takes back
//! those before it; a new cgroup has no need of that, it goes as a whole.

use berth_oci::spec::{Memory, Resources};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::{Cgroup, Options, devices, v1, v2};

/// A cgroup that is being given limits.
pub(crate) struct Apply<'a> {
    pub(crate) cgroup: &'a Cgroup,
    pub(crate) options: &'a Options,
    /// What was in the files that were written, oldest first; `None` for a new cgroup.
    before: Option<Vec<(&'a Dir, String, String)>>,
}

impl<'a> Apply<'a> {
    /// Gives a new cgroup its limits.
    ///
    /// # Errors
    /// The refused write.
    pub(crate) fn to_new(
        cgroup: &'a Cgroup,
        resources: &Resources,
        options: &'a Options,
    ) -> Result<()> {
        let before = None;
        Apply {
            cgroup,
            options,
            before,
        }
        .all(resources)
    }

    /// Changes limits; when one is refused, the others are as they were.
    ///
    /// # Errors
    /// The refused write.
    pub(crate) fn to_used(
        cgroup: &'a Cgroup,
        resources: &Resources,
        options: &'a Options,
    ) -> Result<()> {
        let mut apply = Apply {
            cgroup,
            options,
            before: Some(Vec::new()),
        };
        let result = apply.all(resources);
        if result.is_err() {
            apply.take_back();
        }
        result
    }

    fn all(&mut self, resources: &Resources) -> Result<()> {
        v1::apply(self, resources)?;
        v2::apply(self, resources)?;
        // Last, for they are not taken back.
        devices::apply(self, &resources.devices)
    }

    /// Whether the cgroup may be in use.
    pub(crate) fn is_update(&self) -> bool {
        self.before.is_some()
    }

    /// Writes a value.
    pub(crate) fn write(&mut self, dir: &'a Dir, file: &str, value: &str) -> Result<()> {
        self.try_write(dir, file, value)
            .map_err(|source| dir.refused(file, value, source))
    }

    /// As [`Apply::write`], with the bare errno.
    pub(crate) fn try_write(
        &mut self,
        dir: &'a Dir,
        file: &str,
        value: &str,
    ) -> std::result::Result<(), Errno> {
        let old = match &self.before {
            Some(_) => dir
                .try_read(file)
                .ok()
                .map(|text| restoring(file, value, &text)),
            None => None,
        };
        dir.try_write(file, value)?;
        if let (Some(before), Some(old)) = (&mut self.before, old) {
            before.push((dir, file.to_owned(), old));
        }
        Ok(())
    }

    /// Writes to a file that not every kernel has.
    pub(crate) fn write_known(
        &mut self,
        dir: &'a Dir,
        file: &str,
        value: &str,
        setting: &'static str,
    ) -> Result<()> {
        self.try_write(dir, file, value)
            .map_err(|source| match source {
                Errno::NOENT => Error::NoFile {
                    file: file.into(),
                    setting,
                },
                source => dir.refused(file, value, source),
            })
    }

    /// Writes values that bound each other: which order is right depends on what is in force, so
    /// those that are refused are tried again after the others.
    pub(crate) fn write_together(
        &mut self,
        dir: &'a Dir,
        values: &[(&str, impl AsRef<str>, &'static str)],
    ) -> Result<()> {
        let mut refused = Vec::new();
        for (file, value, setting) in values {
            match self.write_known(dir, file, value.as_ref(), setting) {
                Err(Error::WriteFile {
                    source: Errno::INVAL,
                    ..
                }) if values.len() > 1 => refused.push((file, value, setting)),
                other => other?,
            }
        }
        refused.into_iter().try_for_each(|(file, value, setting)| {
            self.write_known(dir, file, value.as_ref(), setting)
        })
    }

    /// The v1 directory of a controller, one of whose files is `file`. `None`: the unified hierarchy
    /// has the controller.
    pub(crate) fn v1(
        &self,
        controller: &'static str,
        file: &str,
        setting: &'static str,
    ) -> Result<Option<&'a Dir>> {
        if let Some(dir) = self.cgroup.v1_of(controller, file) {
            return Ok(Some(dir));
        }
        let in_v2 = if controller == "blkio" {
            "io"
        } else {
            controller
        };
        match self.cgroup.unified() {
            Some(dir) if v2::has_controller(dir, in_v2) => Ok(None),
            _ => Err(Error::NoController {
                controller: in_v2,
                setting,
                rootless: self.options.rootless,
            }),
        }
    }

    /// Refuses a limit below what is in use, where that was asked for.
    pub(crate) fn check_usage(&self, dir: &Dir, file: &str, memory: &Memory) -> Result<()> {
        if memory.check_before_update != Some(true) || !self.is_update() {
            return Ok(());
        }
        let Some(usage) = dir.try_read(file).ok().and_then(|t| t.trim().parse().ok()) else {
            return Ok(());
        };
        for (what, limit) in [("memory+swap", memory.swap), ("memory", memory.limit)] {
            if let Some(limit) = limit.and_then(|l| u64::try_from(l).ok())
                && limit != 0
                && limit <= usage
            {
                return Err(Error::BelowUsage { what, limit, usage });
            }
        }
        Ok(())
    }

    /// Puts everything back, the last first: so each step was in force once, and is permitted. Best
    /// effort: the refusal is the error to report.
    fn take_back(&mut self) {
        for (dir, file, old) in self.before.iter_mut().flatten().rev() {
            let _ = dir.try_write(file, old);
        }
    }
}

/// What brings a file back from `value` to `text`, which was read from it before.
fn restoring(file: &str, value: &str, text: &str) -> String {
    let (key, rest) = value.split_once(' ').unwrap_or((value, ""));
    let nothing = match file {
        "io.max" => "rbps=max wbps=max riops=max wiops=max",
        "rdma.max" => "hca_handle=max hca_object=max",
        "misc.max" => "max",
        "net_prio.ifpriomap" => "0",
        _ if file.starts_with("blkio.throttle.") => "0",
        _ if file.ends_with("weight_device") => "default",
        "io.weight" | "io.bfq.weight" if !rest.is_empty() => "default",
        // `default 100`, `oom_kill_disable 0` and two more lines.
        "io.weight" | "io.bfq.weight" | "memory.oom_control" => {
            let first = text.lines().next().unwrap_or_default();
            return first.rsplit(' ').next().unwrap_or_default().to_owned();
        }
        _ => return text.trim_end().to_owned() + "\n",
    };
    let same = |line: &&str| line.split_once(' ').is_some_and(|(k, _)| k == key);
    match text.lines().find(same) {
        Some(line) => line.to_owned(),
        None => format!("{key} {nothing}"),
    }
}

#[cfg(test)]
mod tests {
    use super::restoring;

    #[test]
    fn files_go_back_to_what_they_were() {
        for (file, value, text, expected) in [
            ("memory.limit_in_bytes", "5", "4096\n", "4096\n"),
            ("cpu.max", "5 10", "max 100000\n", "max 100000\n"),
            ("cpuset.cpus", "0", "\n", "\n"),
            (
                "memory.oom_control",
                "1",
                "oom_kill_disable 0\nunder_oom 0\n",
                "0",
            ),
            ("io.weight", "9", "default 100\n8:0 7\n", "100"),
            ("io.weight", "8:0 9", "default 100\n8:0 7\n", "8:0 7"),
            ("io.bfq.weight", "8:0 9", "default 100\n", "8:0 default"),
            ("blkio.bfq.weight", "9", "100\n", "100\n"),
            (
                "blkio.throttle.read_bps_device",
                "8:0 9",
                "8:16 1\n",
                "8:0 0",
            ),
            (
                "io.max",
                "8:0 rbps=9",
                "",
                "8:0 rbps=max wbps=max riops=max wiops=max",
            ),
            (
                "io.max",
                "8:0 rbps=9",
                "8:0 rbps=5 wbps=max riops=max wiops=max\n",
                "8:0 rbps=5 wbps=max riops=max wiops=max",
            ),
        ] {
            assert_eq!(restoring(file, value, text), expected, "{file} {value}");
        }
    }
}
