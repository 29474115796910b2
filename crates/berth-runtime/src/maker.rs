//! The maker of init: a process between the runtime and init, where one clone does not do.
//!
//! ```text
//! runtime ── maker   joins what the host's root may join; joins or makes the user namespace;
//!    │               joins the rest; sets the clocks to come; makes init; ends
//!    └────── init    the maker's sibling: the runtime's child
//!
//! maker → runtime    'U': write my id maps, then answer;  'P': this is init
//! ```
//! The maker is in no cgroup of the container (a limit of one process holds for init alone): the runtime
//! moves init into them before it lets it go on.
//!
//! What shows the host's namespaces (procfs, sysfs, message queues) is mounted while it may be, for init.
//!
//! Namespaces that belong to different user namespaces (a network namespace of the host for a container of
//! a user namespace) are why this is done in two rounds; unsharing a time namespace counts for children
//! only, and its clocks can be set as long as it is empty.
//!
//! Source: setns(2), user_namespaces(7), time_namespaces(7).

use std::os::fd::{AsFd, OwnedFd};

use berth_cgroup::Cgroup;
use berth_oci::spec::{Linux, NamespaceKind};
use berth_sys::process::{Child, CloneOptions, Forked, clone3, exit_now, namespace, unshare};
use berth_sys::signals;
use rustix::fs::{Mode, OFlags};

use crate::error::{Error, Result, step};
use crate::init::{Init, die_with_the_runtime};
use crate::launch::{fail_and_exit, wait};
use crate::mount_options::Options;
use crate::mount_source::new_file_system;
use crate::namespaces::is_real_root;
use crate::process::hide_from_others;
use crate::sync::{Message, Sync};
use crate::{id_maps, labels};

/// Makes init's process, which waits for its first go.
///
/// # Errors
/// The first step that failed; nothing is left behind.
pub(crate) fn make_init(init: &Init<'_>, cgroup: &Cgroup) -> Result<(Child, Sync)> {
    let (ours, theirs) = Sync::pair()?;
    let (forked, in_pid) = init.namespaces.fork_maker()?;
    match forked {
        Forked::Child => {
            drop(ours);
            let error = match be_the_maker(init, &theirs, in_pid) {
                Ok(Forked::Parent(child)) => {
                    match theirs.send_process(child.pid, child.pidfd.as_fd()) {
                        Ok(()) => exit_now(0),
                        Err(error) => error,
                    }
                }
                Ok(Forked::Child) => match init.run(&theirs, cgroup) {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                Err(error) => error,
            };
            fail_and_exit(&theirs, &error)
        }
        Forked::Parent(maker) => {
            drop(theirs);
            let made = follow(&maker, &ours, init.linux);
            if made.is_err() {
                let _ = signals::send(&maker.pidfd, signals::KILL);
            }
            wait(&maker.pidfd)?;
            Ok((made?, ours))
        }
    }
}

/// The runtime's side, until the maker has made init.
fn follow(maker: &Child, sync: &Sync, linux: &Linux) -> Result<Child> {
    loop {
        match sync.receive_from(&maker.pidfd)? {
            Message::Maps => {
                id_maps::write(maker.pid, linux)?;
                sync.go()?;
            }
            Message::Process(pid, pidfd) => {
                // The number is of the pid namespace that was joined: ask in ours.
                let pid = crate::pid::number(&pidfd).unwrap_or(pid);
                return Ok(Child { pid, pidfd });
            }
            Message::Failed(failure) => return Err(Error::Child { failure }),
            _ => {
                return Err(Error::EndedEarly {
                    how: "before init was made".to_owned(),
                });
            }
        }
    }
}

fn be_the_maker(init: &Init<'_>, sync: &Sync, in_pid: bool) -> Result<Forked> {
    let plan = &init.namespaces;
    die_with_the_runtime()?;
    // Both files are where the host's procfs is.
    init.process.set_oom_score()?;
    let clocks = (!plan.offsets.is_empty()).then(open_offsets).transpose()?;
    if !plan.new_user() || is_real_root() {
        // Nobody else could write the maps of a process that is hidden.
        hide_from_others()?;
    }
    let left = plan.join_what_may_be(in_pid)?;
    if plan.other_user() {
        mount_ahead(init, |kind| match kind {
            "proc" => in_pid,
            "sysfs" => plan.has_joined(NamespaceKind::Network, &left),
            "mqueue" => plan.has_joined(NamespaceKind::Ipc, &left),
            _ => false,
        })?;
    }
    if plan.new_user() {
        unshare(namespace::USER).map_err(|source| Error::Clone { source })?;
        sync.send(b'U')?;
        sync.wait_go()?;
    } else if let Some(user) = &plan.join_user {
        user.enter()?;
    }
    if plan.other_user() {
        id_maps::become_root(init.process.user())?;
        // The change of user has undone both.
        die_with_the_runtime()?;
        hide_from_others()?;
    }
    left.into_iter().try_for_each(|join| join.enter())?;
    let mut new = plan.new & !namespace::USER;
    if let Some(clocks) = clocks {
        new &= !namespace::TIME;
        unshare(namespace::TIME).map_err(|source| Error::Clone { source })?;
        rustix::io::write(&clocks, plan.offsets.as_bytes())
            .map_err(|e| step("set the clocks of the time namespace", e))?;
    }
    let options = CloneOptions {
        namespaces: new,
        parent: true,
        ..CloneOptions::default()
    };
    clone3(options).map_err(|source| Error::Clone { source })
}

/// Mounts what shows namespaces of the host's: root of another user namespace may not.
fn mount_ahead(init: &Init<'_>, shows: impl Fn(&str) -> bool) -> Result<()> {
    let label = labels::mount_label(init.linux);
    for (index, mount) in init.spec.mounts.iter().enumerate() {
        let Some(kind) = mount.kind.as_deref().filter(|kind| shows(kind)) else {
            continue;
        };
        let options = Options::parse(mount)?;
        if !options.bind {
            let made = new_file_system(kind, mount, &options, None, label).map_err(|source| {
                Error::Mount {
                    destination: mount.destination.clone(),
                    what: kind.to_owned(),
                    source,
                }
            })?;
            init.namespaces.ahead.borrow_mut().insert(index, made);
        }
    }
    Ok(())
}

fn open_offsets() -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/timens_offsets", flags, Mode::empty())
        .map_err(|e| step("open /proc/self/timens_offsets", e))
}
