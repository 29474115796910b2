//! The container's first process: one straight line from its birth to its program.
//!
//! Until the exec it dies with its maker, shows itself to nobody, and tells every failure over the
//! sync socket.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use berth_cgroup::Cgroup;
use berth_model::task::RootfsMount;
use berth_oci::spec::{Linux, Spec, State};
use berth_sys::process::{exit_now, namespace, unshare};
use rustix::process::Signal;

use crate::cgroup_entry::Entry;
use crate::error::{Error, Result, step};
use crate::mount_options::root_propagation;
use crate::mounts::{self, Context, Mounted};
use crate::namespaces::Plan;
use crate::process::{Prepared, Stdio, hide_from_others, place_stdio, place_terminal};
use crate::rootfs::{self, Root};
use crate::state::wait_for_start;
use crate::sync::Sync;
use crate::{devices, hooks, id_maps, labels, masks, sysctl};

/// All that init needs, made before it is born.
#[derive(Debug)]
pub struct Init<'a> {
    pub(crate) spec: &'a Spec,
    /// Of the spec.
    pub(crate) linux: &'a Linux,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: RootfsMount,
    pub(crate) namespaces: Plan,
    pub(crate) process: Prepared,
    pub(crate) stdio: Stdio,
    pub(crate) console_size: Option<(u16, u16)>,
    pub(crate) in_user_namespace: bool,
    pub(crate) no_pivot: bool,
    pub(crate) no_new_keyring: bool,
    /// Wait until somebody writes here.
    pub(crate) fifo: Option<OwnedFd>,
    /// For hooks that run inside.
    pub(crate) state: State,
}

impl Init<'_> {
    /// Runs to the exec; returns only a failure.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn run(&self, sync: &Sync, cgroup: &Cgroup) -> Result<Infallible> {
        let entry = Entry::new(sync, &self.namespaces, cgroup);
        self.settle(&entry)?;
        let (root, mounted) = self.make_root(&entry)?;
        entry.enter()?;
        let slave = self.terminal(&root, &mounted, sync)?;
        self.hooks_outside(&root, sync)?;
        self.enter(root, mounted)?;
        sysctl::apply(&self.linux.sysctl, self.namespaces.own)?;
        match &slave {
            Some(slave) => place_terminal(slave.as_fd())?,
            None => place_stdio(&self.stdio)?,
        }
        drop(slave);
        let program = self.process.become_user(sync)?;
        self.wait_for_start(sync)?;
        let error = match self.hooks_inside() {
            Ok(()) => self.process.exec(&program, sync),
            Err(error) => error,
        };
        match &self.fifo {
            Some(fifo) => tell_start(fifo, &error),
            None => Err(error),
        }
    }

    /// Identity, cgroups, namespaces, names.
    fn settle(&self, entry: &Entry<'_>) -> Result<()> {
        let plan = &self.namespaces;
        if plan.held {
            // Until the maps are written this process is nobody.
            entry.wait()?;
        }
        let made_by_maker = plan.needs_maker();
        if plan.new_user() && !made_by_maker {
            id_maps::become_root(self.process.user())?;
        }
        // After the change of user, which would undo both.
        die_with_the_runtime()?;
        hide_from_others()?;
        if !made_by_maker {
            self.process.set_oom_score()?;
        }
        if plan.goes_ahead() {
            unshare(plan.new_late()).map_err(|source| Error::Clone { source })?;
        } else {
            entry.enter()?;
        }
        if !made_by_maker {
            plan.join_all()?;
        }
        if self.namespaces.new & namespace::NETWORK != 0 {
            // The kernel makes it down; programs expect 127.0.0.1 to answer.
            berth_sys::net::loopback_up().map_err(|e| step("bring the loopback up", e))?;
        }
        rustix::process::setsid().map_err(|e| step("make a session", e))?;
        if !self.no_new_keyring {
            // Keys of whoever started us are none of the container's business; a kernel without any is fine.
            let _ = berth_sys::keyring::join_new_session(c"_ses");
        }
        rustix::process::umask(rustix::fs::Mode::empty());
        if !self.spec.hostname.is_empty() {
            rustix::system::sethostname(self.spec.hostname.as_bytes())
                .map_err(|e| step("set the host name", e))?;
        }
        if !self.spec.domainname.is_empty() {
            rustix::system::setdomainname(self.spec.domainname.as_bytes())
                .map_err(|e| step("set the domain name", e))?;
        }
        Ok(())
    }

    fn make_root(&self, entry: &Entry<'_>) -> Result<(Root, Mounted)> {
        let plan = &self.namespaces;
        let propagation = root_propagation(self.linux.rootfs_propagation.as_deref())?;
        let root = Root::set_up(&self.rootfs, propagation)?;
        let context = Context {
            bundle: &self.bundle,
            own_cgroup_namespace: plan.own_cgroup,
            own_pid: plan.new & namespace::PID != 0 || plan.join_pid.is_some(),
            own_ipc: plan.own.ipc,
            ahead: &plan.ahead,
            label: labels::mount_label(self.linux),
            entry,
        };
        let mounted = mounts::make_all(&root, &self.spec.mounts, &context)?;
        devices::make_all(&root, &mounted, self.spec, self.in_user_namespace)?;
        Ok((root, mounted))
    }

    /// Opens the terminal, sends its master off, returns its slave.
    fn terminal(&self, root: &Root, mounted: &Mounted, sync: &Sync) -> Result<Option<OwnedFd>> {
        if !matches!(self.stdio, Stdio::Terminal) {
            return Ok(None);
        }
        let pair = devices::open_terminal(root, Some(mounted))?;
        if let Some((rows, columns)) = self.console_size {
            berth_sys::pty::resize(&pair.master, rows, columns)
                .map_err(|e| step("size the terminal", e))?;
        }
        sync.send_fd(b'T', pair.master.as_fd())?;
        Ok(Some(pair.slave))
    }

    /// Hooks that see the host's root, once the namespaces are there.
    fn hooks_outside(&self, root: &Root, sync: &Sync) -> Result<()> {
        let Some(all) = &self.spec.hooks else {
            return Ok(());
        };
        let outside = !all.prestart.is_empty() || !all.create_runtime.is_empty();
        if let RootfsMount::Bind { source } = &self.rootfs
            && (outside || !all.create_container.is_empty())
            && !self.no_pivot
        {
            root.show_at(source)?;
        }
        if outside {
            sync.send(b'H')?;
            sync.wait_go()?;
        }
        let state = self.state_inside("creating");
        hooks::run_all("createContainer", &all.create_container, &state, None)
    }

    /// Hooks that see the container's root, and have the program's environment unless they bring their own.
    fn hooks_inside(&self) -> Result<()> {
        let Some(all) = self
            .spec
            .hooks
            .as_ref()
            .filter(|all| !all.start_container.is_empty())
        else {
            return Ok(());
        };
        let state = self.state_inside("created");
        let env = self
            .spec
            .process
            .as_ref()
            .map(|process| process.env.as_slice());
        hooks::run_all("startContainer", &all.start_container, &state, env)
    }

    /// With the pid as the container sees it. Source: runtime.md "State".
    fn state_inside(&self, status: &str) -> State {
        State {
            status: status.to_owned(),
            pid: Some(rustix::process::getpid().as_raw_pid()),
            ..self.state.clone()
        }
    }

    /// Covers what must be covered and changes into the root.
    fn enter(&self, root: Root, mounted: Mounted) -> Result<()> {
        // Missing, it is made, as long as that can be.
        if let Err(source) = root.make_dir(self.process.cwd()) {
            let read_only = source.raw_os_error() == Some(rustix::io::Errno::ROFS.raw_os_error());
            // A magic link or a loop is for chdir to refuse, with the name of what it is.
            if !read_only && source.raw_os_error() != Some(rustix::io::Errno::LOOP.raw_os_error()) {
                return Err(Error::Cwd {
                    path: self.process.cwd().to_owned(),
                    source,
                });
            }
        }
        mounted.make_read_only()?;
        masks::make_read_only(&root, &mounted, &self.linux.readonly_paths)?;
        masks::mask(&root, &mounted, &self.linux.masked_paths)?;
        if self.spec.root.as_ref().is_some_and(|root| root.readonly) {
            root.make_read_only()?;
        }
        match self.namespaces.outside() {
            Some(outside) => root.enter_detached(outside)?,
            None => root.enter(self.no_pivot)?,
        }
        rootfs::set_final_propagation(root_propagation(self.linux.rootfs_propagation.as_deref())?)
    }

    fn wait_for_start(&self, sync: &Sync) -> Result<()> {
        if self.fifo.is_some() {
            // From here on the container lives without its maker.
            rustix::process::set_parent_process_death_signal(None)
                .map_err(|e| step("live without the runtime", e))?;
        }
        self.process.tell_ready(sync)?;
        // It stays open until the exec: `start` waits for that.
        let Some(fifo) = &self.fifo else {
            return sync.wait_go();
        };
        wait_for_start(fifo.as_fd()).map_err(|e| step("wait for the start", e))
    }
}

/// Has the kernel kill this process when its parent ends. A change of user undoes it.
///
/// # Errors
/// [`Error::Step`].
pub(crate) fn die_with_the_runtime() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| step("ask to die with the runtime", e))
}

/// The end of an init whose maker is gone: `start` waits at the other end of the fifo.
fn tell_start(fifo: &OwnedFd, error: &Error) -> ! {
    let failure = error.to_failure();
    let json = crate::json::write(&failure).unwrap_or_default();
    // What is longer than a pipe holds is cut, and is a failure without its words to whoever reads it.
    let _ = rustix::io::write(fifo, &json);
    exit_now(failure.exit_code)
}
