//! Intel RDT: the share of cache and of memory bandwidth that a container has, by resctrl's groups.
//!
//! ```text
//! /sys/fs/resctrl/              the default group; `closID` "/"
//! ├── info/last_cmd_status      why the kernel said no
//! └── CLOSID/                   a group: `closID`, else the container's id
//!     ├── schemata  tasks
//!     └── mon_groups/ID/tasks   what the container itself uses, with `enableMonitoring`
//! ```
//! Each process is in one group and its children are born into it. A group that was there before the
//! container outlives it.
//!
//! Source: config-linux.md, "IntelRdt"; Documentation/filesystems/resctrl.rst.

mod stats;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use berth_oci::spec::IntelRdt;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, invalid};

pub use stats::stats;

/// The mounted file system.
#[derive(Debug)]
pub struct Resctrl {
    root: PathBuf,
}

/// A container's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where its processes are.
    pub dir: PathBuf,
    /// Where its own use is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<PathBuf>,
    /// What goes with the container, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<PathBuf>,
}

impl Resctrl {
    /// Finds where it is mounted.
    ///
    /// # Errors
    /// [`Error::Rdt`]: it is not.
    pub fn find() -> Result<Resctrl> {
        let path = Path::new("/proc/self/mountinfo");
        let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile {
            path: path.to_owned(),
            source,
        })?;
        match mount_point(&text) {
            Some(root) => Ok(Resctrl { root: root.into() }),
            None => Err(failed(
                "find a mounted resctrl file system".to_owned(),
                io::ErrorKind::NotFound.into(),
            )),
        }
    }

    /// It is mounted there.
    pub fn at(root: &Path) -> Resctrl {
        Resctrl {
            root: root.to_owned(),
        }
    }

    /// Makes or finds the groups that a container asks for.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`], [`Error::Rdt`]; nothing is left behind.
    pub fn prepare(&self, asked: &IntelRdt, id: &str) -> Result<Group> {
        check(asked)?;
        let mut group = Group {
            dir: self.group(asked, id),
            ..Group::default()
        };
        match self.fill(&mut group, asked, id) {
            Ok(()) => Ok(group),
            Err(error) => {
                let _ = group.remove();
                Err(error)
            }
        }
    }

    fn fill(&self, group: &mut Group, asked: &IntelRdt, id: &str) -> Result<()> {
        let lines = schemata(asked);
        let named = asked.clos_id.is_some();
        if named && lines.is_empty() && !group.dir.join("tasks").exists() {
            let dir = group.dir.display();
            return Err(failed(
                format!(
                    "use the class of service {dir}: without a schema it must be there already"
                ),
                io::ErrorKind::NotFound.into(),
            ));
        }
        if self.make(&group.dir)? {
            if !named {
                group.made.push(group.dir.clone());
            }
        } else if named {
            compare(asked, &group.dir)?;
        }
        if !lines.is_empty() {
            self.write(&group.dir.join("schemata"), &lines)?;
        }
        if let Some(monitor) = monitor_of(asked, &group.dir, id) {
            if self.make(&monitor)? {
                group.made.insert(0, monitor.clone());
            }
            group.monitor = Some(monitor);
        }
        Ok(())
    }

    fn group(&self, asked: &IntelRdt, id: &str) -> PathBuf {
        match asked.clos_id.as_deref() {
            Some("/") => self.root.clone(),
            name => self.root.join(name.unwrap_or(id)),
        }
    }

    /// Makes a group; `false` when it was there.
    fn make(&self, dir: &Path) -> Result<bool> {
        match std::fs::create_dir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed(
                format!("make the resctrl group {}{}", dir.display(), self.why()),
                error,
            )),
        }
    }

    fn write(&self, file: &Path, text: &str) -> Result<()> {
        write(file, text).map_err(|error| {
            let text = text.trim_end().replace('\n', ", ");
            failed(
                format!("write `{text}` to {}{}", file.display(), self.why()),
                error,
            )
        })
    }

    /// What the kernel says about its last refusal.
    fn why(&self) -> String {
        let status = std::fs::read_to_string(self.root.join("info/last_cmd_status"));
        match status.unwrap_or_default().trim() {
            "" | "ok" => String::new(),
            status => format!(" ({status})"),
        }
    }
}

impl Group {
    /// Takes a process in, before it has children.
    ///
    /// # Errors
    /// [`Error::Rdt`].
    pub fn join(&self, pid: i32) -> Result<()> {
        for dir in std::iter::once(&self.dir).chain(&self.monitor) {
            let file = dir.join("tasks");
            write(&file, &pid.to_string())
                .map_err(|error| failed(format!("write `{pid}` to {}", file.display()), error))?;
        }
        Ok(())
    }

    /// Removes what was made for the container.
    ///
    /// # Errors
    /// The first refusal; what is gone is fine.
    pub fn remove(&self) -> Result<()> {
        let mut first = Ok(());
        for dir in &self.made {
            match std::fs::remove_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound && first.is_ok() => {
                    first = Err(failed(
                        format!("remove the resctrl group {}", dir.display()),
                        error,
                    ));
                }
                _ => {}
            }
        }
        first
    }
}

/// Groups on their way to a container: they go with this, unless they are kept.
#[derive(Debug)]
pub struct Made(Option<Group>);

impl Made {
    /// What the configuration asks for; without it no resctrl is touched.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`], [`Error::Rdt`].
    pub fn of(asked: Option<&IntelRdt>, id: &str) -> Result<Made> {
        let group = asked.map(|asked| Resctrl::find()?.prepare(asked, id));
        group.transpose().map(Made)
    }

    /// The container has them.
    pub fn keep(mut self) -> Option<Group> {
        self.0.take()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            let _ = group.remove();
        }
    }
}

/// Takes a further process into a container's groups.
///
/// # Errors
/// [`Error::Rdt`].
pub fn join(asked: &IntelRdt, id: &str, pid: i32) -> Result<()> {
    let dir = Resctrl::find()?.group(asked, id);
    let group = Group {
        monitor: monitor_of(asked, &dir, id),
        dir,
        made: Vec::new(),
    };
    group.join(pid)
}

/// Where a container's own use is counted, in the group that it has.
fn monitor_of(asked: &IntelRdt, group: &Path, id: &str) -> Option<PathBuf> {
    let monitor = || group.join("mon_groups").join(id);
    asked.enable_monitoring.then(monitor)
}

/// The schemata before an update.
#[derive(Debug, Default)]
pub struct Before(Option<(PathBuf, String)>);

impl Before {
    /// Puts them back. Best effort: there is an error to report already.
    pub fn take_back(self) {
        if let Some((file, text)) = self.0 {
            let _ = write(&file, &text);
        }
    }
}

/// Changes a container's schemas, and its configuration with them.
///
/// # Errors
/// [`Error::Rdt`], also where the container began without.
pub fn update(
    held: Option<&mut IntelRdt>,
    id: &str,
    l3_cache: Option<String>,
    mem_bw: Option<String>,
) -> Result<Before> {
    if l3_cache.is_none() && mem_bw.is_none() {
        return Ok(Before::default());
    }
    update_in(&Resctrl::find()?, held, id, l3_cache, mem_bw)
}

fn update_in(
    resctrl: &Resctrl,
    held: Option<&mut IntelRdt>,
    id: &str,
    l3_cache: Option<String>,
    mem_bw: Option<String>,
) -> Result<Before> {
    // The words are runc's.
    for (asked, info, refusal) in [
        (
            &l3_cache,
            "L3",
            "Intel RDT/CAT: l3 cache schema is not enabled",
        ),
        (
            &mem_bw,
            "MB",
            "Intel RDT/MBA: memory bandwidth schema is not enabled",
        ),
    ] {
        if asked.is_some() && !resctrl.root.join("info").join(info).exists() {
            return Err(failed(
                refusal.to_owned(),
                io::ErrorKind::Unsupported.into(),
            ));
        }
    }
    let held = held.ok_or_else(|| {
        failed(
            "updating a non-existent Intel RDT configuration is not supported".to_owned(),
            io::ErrorKind::Unsupported.into(),
        )
    })?;
    let asked = IntelRdt {
        l3_cache_schema: l3_cache.or(held.l3_cache_schema.take()),
        mem_bw_schema: mem_bw.or(held.mem_bw_schema.take()),
        ..held.clone()
    };
    check(&asked)?;
    let file = resctrl.group(&asked, id).join("schemata");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    resctrl.write(&file, &schemata(&asked))?;
    *held = asked;
    Ok(Before(Some((file, before))))
}

/// What has to be written: the two schemas first, as the specification orders it.
fn schemata(asked: &IntelRdt) -> String {
    let two = asked.l3_cache_schema.iter().chain(&asked.mem_bw_schema);
    let lines = two.chain(&asked.schemata).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// Source: config-linux.md, "IntelRdt"; a group is one directory's name.
fn check(asked: &IntelRdt) -> Result<()> {
    if let Some(name) = asked.clos_id.as_deref()
        && name != "/"
        && (name.contains(['/', '\n', '\0']) || matches!(name, "" | "." | ".."))
    {
        return invalid(format!(
            "linux.intelRdt.closID `{name}` is no name of a group"
        ));
    }
    if let Some(schema) = asked.mem_bw_schema.as_deref().filter(|s| !s.is_empty())
        && (!schema.starts_with("MB:") || schema.contains('\n'))
    {
        return invalid(format!(
            "linux.intelRdt.memBwSchema `{schema}` is no line that begins with `MB:`"
        ));
    }
    match asked.schemata.iter().find(|line| line.contains('\n')) {
        Some(line) => invalid(format!(
            "linux.intelRdt.schemata has two lines in one: `{line}`"
        )),
        None => Ok(()),
    }
}

/// Another's group is used only as it is.
fn compare(asked: &IntelRdt, dir: &Path) -> Result<()> {
    let two = asked.l3_cache_schema.iter().chain(&asked.mem_bw_schema);
    let lines: Vec<&str> = two
        .flat_map(|s| s.lines())
        .filter(|l| !l.is_empty())
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let file = dir.join("schemata");
    let text = std::fs::read_to_string(&file).map_err(|source| Error::ReadFile {
        path: file.clone(),
        source,
    })?;
    let has = |line: &str| {
        let asked = domains(line)?;
        let held = text.lines().filter_map(domains).find(|d| d.0 == asked.0)?;
        let same = |(id, value): (&u64, &u64)| held.1.get(id) == Some(value);
        asked.1.iter().all(same).then_some(())
    };
    match lines.into_iter().find(|line| has(line).is_none()) {
        Some(line) => Err(failed(
            format!("use `{line}`: {} has something else", file.display()),
            io::ErrorKind::AlreadyExists.into(),
        )),
        None => Ok(()),
    }
}

/// `L3:0=7f0;1=1f`: the kernel answers in its own order, with spaces and leading zeros.
fn domains(line: &str) -> Option<(&str, BTreeMap<u64, u64>)> {
    let (resource, rest) = line.trim().split_once(':')?;
    // Bandwidth is a number, the others are masks.
    let radix = if resource == "MB" { 10 } else { 16 };
    let pair = |pair: &str| {
        let (id, value) = pair.split_once('=')?;
        let value = u64::from_str_radix(value.trim().trim_start_matches("0x"), radix).ok()?;
        Some((id.trim().parse().ok()?, value))
    };
    let pairs = rest.split(';').filter(|p| !p.trim().is_empty());
    Some((resource, pairs.map(pair).collect::<Option<_>>()?))
}

fn mount_point(mountinfo: &str) -> Option<&str> {
    let line = mountinfo
        .lines()
        .find(|line| line.contains(" - resctrl "))?;
    line.split(' ').nth(4)
}

/// In one write, as resctrl wants it. Its files are there with their directory.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut open = OpenOptions::new();
    let mut file = open
        .write(true)
        .create(cfg!(test))
        .truncate(cfg!(test))
        .open(file)?;
    file.write_all(text.as_bytes())
}

fn failed(action: String, source: io::Error) -> Error {
    Error::Rdt { action, source }
}

#[cfg(test)]
mod tests;
