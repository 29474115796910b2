//! Which namespaces are made and which are joined, and in which order.
//!
//! ```text
//! new ones only            one clone3 makes them with init
//! joined ones, too         init joins them; but for pid, which counts for children: its maker
//! a user namespace joined  a maker is needed ([`crate::maker`]): what belongs to the host is joined as the
//!   or made beside others, host's root, then the user namespace, then what belongs to that one
//!   clocks set
//! ```
//! A path that leads to the caller's own namespace isolates nothing, and counts as none. Without a mount
//! namespace of its own a container's mounts are in none at all: see [`crate::rootfs::Root::enter_detached`].
//!
//! Source: config-linux.md "Namespaces", "Offset for Time Namespace"; clone(2), setns(2), namespaces(7).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_oci::spec::{Linux, Namespace, NamespaceKind, Spec, TimeOffsets};
use berth_sys::process::{CloneOptions, Forked, clone3, namespace};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Error, Result, invalid};
use crate::sysctl::Own;

/// Mounts of the spec that init's maker has made, detached, by their index.
pub type Ahead = RefCell<BTreeMap<usize, OwnedFd>>;

/// What init's process is made with, and what it joins.
#[derive(Debug, Default)]
pub struct Plan {
    /// [`namespace`] bits of what is made.
    pub new: u64,
    /// A cgroup namespace is made by init itself, once it is in its cgroup.
    pub new_cgroup: bool,
    /// Which ones are not the host's.
    pub own: Own,
    /// The cgroup namespace is not the host's.
    pub own_cgroup: bool,
    /// Init waits until its maker has seen to it: to its id maps, its cgroup, its network devices.
    pub held: bool,
    /// What the maker has mounted.
    pub(crate) ahead: Ahead,
    /// What `timens_offsets` gets.
    pub(crate) offsets: String,
    /// The user namespace to be joined.
    pub(crate) join_user: Option<Join>,
    /// A pid namespace counts for children only, so the maker of init joins it.
    pub(crate) join_pid: Option<Join>,
    /// The others; the mount namespace is last, for after it paths mean something else.
    joins: Vec<Join>,
    /// The runtime's mount namespace, which is the container's, too. Its mounts are made in another one,
    /// which init then leaves.
    outside: Option<Join>,
}

/// A namespace to be joined.
#[derive(Debug)]
pub(crate) struct Join {
    kind: NamespaceKind,
    path: PathBuf,
    file: OwnedFd,
}

impl Join {
    pub(crate) fn enter(&self) -> Result<()> {
        self.try_enter().map_err(|errno| {
            let source = match errno {
                Errno::INVAL if self.kind == NamespaceKind::Pid => {
                    other("it is a namespace of another kind, or none below the runtime's")
                }
                Errno::INVAL => other("it is a namespace of another kind"),
                Errno::PERM => io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "it belongs to a user namespace over which the container's root has no power",
                ),
                errno => errno.into(),
            };
            join_failed(self.kind, &self.path, source)
        })
    }

    fn try_enter(&self) -> std::result::Result<(), Errno> {
        move_into_link_name_space(self.file.as_fd(), Some(link_type(self.kind)))
    }
}

impl Plan {
    /// Opens what is to be joined.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`], [`Error::InvalidSpec`].
    pub fn new(spec: &Spec, linux: &Linux) -> Result<Plan> {
        let mut plan = Plan::default();
        for wanted in &linux.namespaces {
            plan.add(wanted)?;
        }
        let joined = plan.has_joined(NamespaceKind::Mount, &[]);
        if !joined && plan.new & namespace::MOUNT == 0 {
            plan.new |= namespace::MOUNT;
            let path = Path::new("/proc/self/ns/mnt");
            plan.outside = Some(open(NamespaceKind::Mount, path)?);
        }
        // What follows stays usable only as long as paths are the host's.
        plan.joins
            .sort_by_key(|join| join.kind == NamespaceKind::Mount);
        if let Some(offsets) = &linux.time_offsets {
            plan.offsets = offsets_text(offsets);
        }
        plan.held = plan.new_user() || plan.needs_maker() || !linux.net_devices.is_empty();
        plan.check(spec, linux)?;
        Ok(plan)
    }

    fn add(&mut self, wanted: &Namespace) -> Result<()> {
        let own = match &wanted.path {
            None if wanted.kind == NamespaceKind::Cgroup => {
                self.new_cgroup = true;
                true
            }
            None => {
                self.new |= bit(wanted.kind);
                true
            }
            Some(path) => self.join(wanted.kind, path)?,
        };
        match wanted.kind {
            NamespaceKind::Network => self.own.network = own,
            NamespaceKind::Ipc => self.own.ipc = own,
            NamespaceKind::Uts => self.own.uts = own,
            NamespaceKind::Cgroup => self.own_cgroup = own,
            _ => {}
        }
        Ok(())
    }

    /// What would change the host instead of the container.
    fn check(&self, spec: &Spec, linux: &Linux) -> Result<()> {
        let named = !spec.hostname.is_empty() || !spec.domainname.is_empty();
        if named && !self.own.uts {
            return invalid(
                "a host or domain name would be the host's: the uts namespace is".into(),
            );
        }
        if !self.own.network && !linux.net_devices.is_empty() {
            return invalid("netDevices need a network namespace other than the host's".into());
        }
        if self.outside.is_some() && linux.rootfs_propagation.is_some() {
            return invalid(
                "rootfsPropagation needs a mount namespace other than the host's".into(),
            );
        }
        if self.other_user() && self.outside.is_some() {
            // Nobody in there could mount anything.
            return invalid(
                "a user namespace needs a mount namespace other than the host's".into(),
            );
        }
        if self.new_user() && self.new & namespace::MOUNT == 0 {
            return invalid("a new user namespace needs a new mount namespace".into());
        }
        Ok(())
    }

    /// Whether a new user namespace is made.
    pub fn new_user(&self) -> bool {
        self.new & namespace::USER != 0
    }

    /// Whether the container has a user namespace other than its maker's.
    pub fn other_user(&self) -> bool {
        self.new_user() || self.join_user.is_some()
    }

    /// Whether one clone does not do it: see [`crate::maker`].
    pub(crate) fn needs_maker(&self) -> bool {
        let joins = !self.joins.is_empty() || self.join_pid.is_some();
        self.join_user.is_some() || !self.offsets.is_empty() || (self.new_user() && joins)
    }

    /// Whether init can work while its cgroups are still being made: it waits for nothing else, and sees
    /// the host's files until it changes its root.
    pub(crate) fn goes_ahead(&self) -> bool {
        // Of what can be joined, only this leaves the host's files and rights as they are.
        let network = |join: &Join| join.kind == NamespaceKind::Network;
        let joins = self.joins.iter().all(network);
        !self.held && joins && self.join_pid.is_none() && self.outside.is_none()
    }

    /// Namespaces that init makes itself, at the same time as the runtime its cgroups: a network namespace
    /// takes longer than all others.
    pub(crate) fn new_late(&self) -> u64 {
        match self.goes_ahead() {
            true => self.new & !namespace::PID,
            false => 0,
        }
    }

    /// Joins what init joins.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`].
    pub fn join_all(&self) -> Result<()> {
        self.joins.iter().try_for_each(Join::enter)
    }

    /// Joins all but the user namespace, as far as this process may; returns what is left. It may have been
    /// born in the pid namespace.
    pub(crate) fn join_what_may_be(&self, in_pid: bool) -> Result<Vec<&Join>> {
        let mut left = Vec::new();
        let pid = self.join_pid.iter().filter(|_| !in_pid);
        for join in pid.chain(&self.joins) {
            match join.try_enter() {
                Err(Errno::PERM) if self.other_user() => left.push(join),
                Ok(()) => {}
                Err(_) => join.enter()?,
            }
        }
        Ok(left)
    }

    /// Makes init's process in the pid namespace to be joined.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`], [`Error::Clone`].
    pub fn fork(&self, options: CloneOptions<'_>) -> Result<Forked> {
        let fork = || clone3(options).map_err(|source| Error::Clone { source });
        let Some(join) = &self.join_pid else {
            return fork();
        };
        let back = open(NamespaceKind::Pid, Path::new("/proc/self/ns/pid"))?;
        join.enter()?;
        let forked = fork();
        // For the caller's next children. The child itself is in, and could not leave.
        if !matches!(forked, Ok(Forked::Child)) {
            back.enter()?;
        }
        forked
    }

    /// Makes init's maker, in the pid namespace to be joined if that may be: tells which.
    ///
    /// # Errors
    /// [`Error::JoinNamespace`], [`Error::Clone`].
    pub(crate) fn fork_maker(&self) -> Result<(Forked, bool)> {
        match self.fork(CloneOptions::default()) {
            // It is of the user namespace that is joined later.
            Err(Error::JoinNamespace { source, .. })
                if self.other_user() && source.kind() == io::ErrorKind::PermissionDenied =>
            {
                let forked = clone3(CloneOptions::default());
                Ok((forked.map_err(|source| Error::Clone { source })?, false))
            }
            forked => Ok((forked?, self.join_pid.is_some())),
        }
    }

    /// Whether a namespace of this kind is joined, and is not among `left`.
    pub(crate) fn has_joined(&self, kind: NamespaceKind, left: &[&Join]) -> bool {
        let is = |join: &Join| join.kind == kind;
        self.joins.iter().any(is) && !left.iter().any(|join| is(join))
    }

    /// The container's network namespace, when it is one to be joined.
    pub(crate) fn joined_network(&self) -> Option<BorrowedFd<'_>> {
        let join = self.joins.iter().find(|j| j.kind == NamespaceKind::Network);
        join.map(|join| join.file.as_fd())
    }

    /// The runtime's mount namespace, when the container has none of its own.
    pub(crate) fn outside(&self) -> Option<BorrowedFd<'_>> {
        self.outside.as_ref().map(|join| join.file.as_fd())
    }

    fn join(&mut self, kind: NamespaceKind, path: &Path) -> Result<bool> {
        let join = open(kind, path)?;
        let fail = |source| join_failed(kind, path, source);
        let theirs = rustix::fs::fstat(&join.file).map_err(|e| fail(e.into()))?;
        let ours = std::fs::metadata(format!("/proc/self/ns/{}", file_name(kind))).map_err(fail)?;
        if (theirs.st_dev, theirs.st_ino) == (ours.dev(), ours.ino()) {
            // Joining it would change nothing, and one's own user namespace cannot be joined.
            return Ok(false);
        }
        match kind {
            NamespaceKind::Pid => self.join_pid = Some(join),
            NamespaceKind::User => self.join_user = Some(join),
            _ => self.joins.push(join),
        }
        Ok(true)
    }
}

/// The text for `timens_offsets`. Source: time_namespaces(7).
fn offsets_text(offsets: &TimeOffsets) -> String {
    let mut text = String::new();
    let clocks = [
        ("monotonic", offsets.monotonic),
        ("boottime", offsets.boottime),
    ];
    for (clock, offset) in clocks {
        if let Some(offset) = offset {
            let _ = writeln!(text, "{clock} {} {}", offset.secs, offset.nanosecs);
        }
    }
    text
}

/// Checks what can be told without looking at the host.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub(crate) fn check(linux: &Linux) -> Result<()> {
    let relative = |n: &&Namespace| n.path.as_ref().is_some_and(|p| !p.is_absolute());
    if let Some(bad) = linux.namespaces.iter().find(relative) {
        return invalid(format!(
            "the path of the {} namespace is not absolute",
            word(bad.kind)
        ));
    }
    let Some(offsets) = &linux.time_offsets else {
        return Ok(());
    };
    if !linux.makes(NamespaceKind::Time) {
        return invalid("timeOffsets need a new time namespace".into());
    }
    let too_many = |o: &berth_oci::spec::TimeOffset| o.nanosecs > 999_999_999;
    if [offsets.monotonic, offsets.boottime]
        .iter()
        .flatten()
        .any(too_many)
    {
        return invalid("timeOffsets: nanosecs are at most 999999999".into());
    }
    Ok(())
}

fn join_failed(kind: NamespaceKind, path: &Path, source: io::Error) -> Error {
    Error::JoinNamespace {
        kind: word(kind),
        path: path.to_owned(),
        source,
    }
}

fn other(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn open(kind: NamespaceKind, path: &Path) -> Result<Join> {
    let fail = |source| join_failed(kind, path, source);
    let file = OwnedFd::from(File::open(path).map_err(fail)?);
    // A fifo or a device has no business here; setns itself checks the kind of namespace.
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    if crate::mounts::magic(&file).map_err(fail)? != NSFS_MAGIC {
        return Err(fail(other("not a namespace")));
    }
    Ok(Join {
        kind,
        path: path.to_owned(),
        file,
    })
}

/// `CLONE_NEW*` of a kind.
pub fn bit(kind: NamespaceKind) -> u64 {
    match kind {
        NamespaceKind::Pid => namespace::PID,
        NamespaceKind::Network => namespace::NETWORK,
        NamespaceKind::Mount => namespace::MOUNT,
        NamespaceKind::Ipc => namespace::IPC,
        NamespaceKind::Uts => namespace::UTS,
        NamespaceKind::User => namespace::USER,
        NamespaceKind::Cgroup => namespace::CGROUP,
        NamespaceKind::Time => namespace::TIME,
    }
}

fn link_type(kind: NamespaceKind) -> LinkNameSpaceType {
    match kind {
        NamespaceKind::Pid => LinkNameSpaceType::ProcessID,
        NamespaceKind::Network => LinkNameSpaceType::Network,
        NamespaceKind::Mount => LinkNameSpaceType::Mount,
        NamespaceKind::Ipc => LinkNameSpaceType::InterProcessCommunication,
        NamespaceKind::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        NamespaceKind::User => LinkNameSpaceType::User,
        NamespaceKind::Cgroup => LinkNameSpaceType::ControlGroup,
        NamespaceKind::Time => LinkNameSpaceType::Time,
    }
}

/// The spec's word for a kind.
pub fn word(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Pid => "pid",
        NamespaceKind::Network => "network",
        NamespaceKind::Mount => "mount",
        NamespaceKind::Ipc => "ipc",
        NamespaceKind::Uts => "uts",
        NamespaceKind::User => "user",
        NamespaceKind::Cgroup => "cgroup",
        NamespaceKind::Time => "time",
    }
}

/// The name below `/proc/PID/ns`.
pub fn file_name(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Network => "net",
        NamespaceKind::Mount => "mnt",
        other => word(other),
    }
}

/// Whether this process is root, and of no user namespace but the host's first.
pub(crate) fn is_real_root() -> bool {
    rustix::process::geteuid().is_root() && !in_user_namespace()
}

/// Whether this process runs in a user namespace other than the host's first.
pub fn in_user_namespace() -> bool {
    // The first one maps everything to itself, in one line. Source: user_namespaces(7).
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests;
