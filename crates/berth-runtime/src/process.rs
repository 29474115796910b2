//! From root in the container to the program: the steps that `run` and `exec` share. What can be
//! prepared (strings, filters, sets) is prepared before the process is made.
//!
//! The order is what makes it safe: limits and the bounding set while we may, then the user, then
//! capabilities exactly as asked, then the filter; every descriptor but 0, 1, 2 is closed by the exec
//! itself (security: P3, R5, R6, R11, R19). The filter is the last step, so that a profile need not
//! allow what this runtime does, but only what the program does.
//!
//! Source: config.md "Process"; credentials(7), capabilities(7).

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use berth_oci::spec::{Linux, Process, User};
use berth_sys::process::{Strings, close_on_exec_from, execve, place_fd};
use rustix::fs::{Access, AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::process::DumpableBehavior;

use crate::attributes::Attributes;
use crate::caps::Sets;
use crate::environment::{Environment, c_string, strings};
use crate::error::{Error, Result, step};
use crate::filter::Filter;
use crate::labels::{Label, Labels};
use crate::sync::Sync;
use crate::{rlimits, validate};

/// Standard input, output and error of the program.
#[derive(Debug)]
pub enum Stdio {
    /// The runtime's own.
    Inherit,
    /// These.
    Fds {
        /// Standard input.
        stdin: OwnedFd,
        /// Standard output.
        stdout: OwnedFd,
        /// Standard error.
        stderr: OwnedFd,
    },
    /// A new terminal, whose master goes to the caller.
    Terminal,
}

/// A process, ready to be entered.
#[derive(Debug)]
pub struct Prepared {
    process: Process,
    args: Strings,
    env: Environment,
    caps: Sets,
    filter: Option<Filter>,
    pub(crate) attributes: Attributes,
    labels: Labels,
    /// Descriptors from 3 on that the program shall have.
    pub preserve_fds: u32,
}

/// What is left to be executed.
#[derive(Debug)]
pub struct Program {
    path: CString,
    env: Strings,
    labels: Vec<Label>,
}

impl Prepared {
    /// Checks and prepares; some of it is the container's.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`], [`Error::Seccomp`], [`Error::Unsupported`].
    pub fn new(process: &Process, linux: &Linux) -> Result<Prepared> {
        validate::process(process)?;
        rlimits::check(&process.rlimits)?;
        Ok(Prepared {
            args: strings(&process.args)?,
            env: Environment::new(&process.env)?,
            caps: process
                .capabilities
                .as_ref()
                .map(Sets::parse)
                .unwrap_or_default(),
            filter: linux.seccomp.as_ref().map(Filter::compile).transpose()?,
            attributes: Attributes::new(process, linux)?,
            labels: Labels::new(process)?,
            process: process.clone(),
            preserve_fds: 0,
        })
    }

    /// Warns of capabilities that it asks for and will not have.
    ///
    /// # Errors
    /// The kernel's.
    pub fn warn_of_capabilities(&self, new_user: bool) -> Result<()> {
        self.caps.warn_of_what_lacks(new_user)
    }

    /// Initial size of the terminal: rows and columns.
    pub fn console_size(&self) -> Option<(u16, u16)> {
        self.process
            .console_size
            .map(|size| (size.height, size.width))
    }

    /// Whom it runs as.
    pub fn user(&self) -> &User {
        &self.process.user
    }

    /// The working directory.
    pub fn cwd(&self) -> &str {
        &self.process.cwd
    }

    /// Sets this process's share of the kernel's badness, through the host's procfs.
    ///
    /// # Errors
    /// [`Error::Step`]: lowering needs CAP_SYS_RESOURCE.
    pub fn set_oom_score(&self) -> Result<()> {
        let Some(score) = self.process.oom_score_adj else {
            return Ok(());
        };
        let file = rustix::fs::open(
            "/proc/self/oom_score_adj",
            rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC,
            Mode::empty(),
        );
        file.and_then(|file| rustix::io::write(file, score.to_string().as_bytes()))
            .map(drop)
            .map_err(|errno| Error::Attribute {
                what: format!("oom_score_adj to {score}"),
                hint: (errno == Errno::ACCESS).then_some(
                    "to go below what the caller has needs CAP_SYS_RESOURCE: ask for no less than that",
                ),
                source: errno.into(),
            })
    }

    /// Everything up to the point where only the exec is left; the program is found, too.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn become_user(&self, sync: &Sync) -> Result<Program> {
        let process = &self.process;
        rlimits::apply(&process.rlimits)?;
        own_stdio(process.user.uid)?;
        self.attributes.apply()?;
        if process.no_new_privileges {
            rustix::thread::set_no_new_privs(true).map_err(|e| step("set no_new_privs", e))?;
        }
        let env = Strings::new(self.env.for_user(process.user.uid)?);
        let labels = self.labels.open()?;
        let early = self.change_dir();
        self.caps.drop_bounding()?;
        self.change_user()?;
        self.caps.apply(self.filter_needs_privilege())?;
        if early.is_err() {
            // A directory that root may not enter (a user's, on a network file system).
            self.change_dir()?;
        }
        check_cwd(&process.cwd)?;
        rustix::process::umask(Mode::from_raw_mode(
            process.user.umask.unwrap_or(0o022) & 0o777,
        ));
        let program = Program {
            path: self.find_program()?,
            env,
            labels,
        };
        close_on_exec_from(3 + self.preserve_fds)
            .map_err(|e| step("mark the descriptors close-on-exec", e))?;
        // Whoever takes the listener is there only as long as the container is being made.
        self.install_filter(sync, true)?;
        Ok(program)
    }

    /// Tells the parent that only the exec is left.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn tell_ready(&self, sync: &Sync) -> Result<()> {
        match &self.filter {
            Some(filter) if filter.asks_about_sending() => sync.ready_by_write(),
            _ => sync.send(b'R'),
        }
    }

    /// Without no_new_privs a filter takes CAP_SYS_ADMIN. It is kept until then, and ends with the exec:
    /// what a program gets does not come from its maker's permitted set. Source: capabilities(7).
    fn filter_needs_privilege(&self) -> bool {
        self.filter.is_some() && !self.process.no_new_privileges
    }

    fn install_filter(&self, sync: &Sync, listener: bool) -> Result<()> {
        match &self.filter {
            Some(filter) if filter.notifies() == listener => filter.install(sync),
            _ => Ok(()),
        }
    }

    /// Becomes the program; returns only the failure.
    pub fn exec(&self, program: &Program, sync: &Sync) -> Error {
        if let Err(error) = self.last_steps(program, sync) {
            return error;
        }
        let source = execve(&program.path, &self.args, &program.env);
        Error::Exec {
            program: self.process.args[0].clone(),
            source,
        }
    }

    fn last_steps(&self, program: &Program, sync: &Sync) -> Result<()> {
        berth_sys::signals::reset_all();
        rustix::process::set_parent_process_death_signal(None)
            .map_err(|e| step("clear the death signal", e))?;
        program.labels.iter().try_for_each(Label::apply)?;
        self.install_filter(sync, false)
    }

    fn change_dir(&self) -> Result<()> {
        let path = &self.process.cwd;
        rustix::process::chdir(path.as_str()).map_err(|e| Error::Cwd {
            path: path.clone(),
            source: e.into(),
        })
    }

    fn change_user(&self) -> Result<()> {
        let user = &self.process.user;
        let groups: Vec<Gid> = user
            .additional_gids
            .iter()
            .map(|gid| Gid::from_raw(*gid))
            .collect();
        rustix::thread::set_keep_capabilities(true)
            .map_err(|e| step("keep the capabilities", e))?;
        match rustix::thread::set_thread_groups(&groups) {
            // A user namespace in which nobody may; there is nothing to set either.
            Err(Errno::PERM) if groups.is_empty() && setgroups_denied() => {}
            other => other.map_err(|e| step("set the additional groups", e))?,
        }
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(|e| step("set the group", e))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(|e| step("set the user", e))?;
        // A change of user made the process dumpable by that user again, or not: say it.
        hide_from_others()?;
        rustix::thread::set_keep_capabilities(false)
            .map_err(|e| step("forget to keep the capabilities", e))
    }

    fn find_program(&self) -> Result<CString> {
        let program = &self.process.args[0];
        let exec = |errno: Errno| Error::Exec {
            program: program.clone(),
            source: errno.into(),
        };
        if program.contains('/') {
            return match executable(program) {
                Ok(()) => c_string(program),
                Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::NotFound {
                    program: program.clone(),
                    place: ": no such file or directory",
                }),
                Err(errno) => Err(exec(errno)),
            };
        }
        let mut denied = false;
        for directory in self.env.path.split(':') {
            let candidate = if directory.is_empty() {
                format!("./{program}")
            } else {
                format!("{directory}/{program}")
            };
            match executable(&candidate) {
                Ok(()) => return c_string(&candidate),
                Err(Errno::ACCESS) => denied = true,
                Err(_) => {}
            }
        }
        if denied {
            Err(exec(Errno::ACCESS))
        } else {
            Err(Error::NotFound {
                program: program.clone(),
                place: " in $PATH",
            })
        }
    }
}

/// Keeps other processes from looking into this one, although they may be root of the same
/// namespaces: neither memory nor descriptors nor `/proc/PID/exe` (security: R1, R7). Until the exec.
///
/// # Errors
/// The kernel's.
pub fn hide_from_others() -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| step("hide the process from others", e))
}

/// Puts the program's standard input, output and error in their places.
///
/// # Errors
/// The kernel's.
pub fn place_stdio(stdio: &Stdio) -> Result<()> {
    if let Stdio::Fds {
        stdin,
        stdout,
        stderr,
    } = stdio
    {
        for (number, file) in [stdin, stdout, stderr].into_iter().enumerate() {
            place_fd(file.as_fd(), number as i32)
                .map_err(|e| step("place the standard streams", e))?;
        }
    }
    Ok(())
}

/// Makes `slave` the controlling terminal and all three standard streams.
///
/// # Errors
/// The kernel's.
pub fn place_terminal(slave: BorrowedFd<'_>) -> Result<()> {
    rustix::process::ioctl_tiocsctty(slave).map_err(|e| step("take the terminal", e))?;
    for number in 0..3 {
        place_fd(slave, number).map_err(|e| step("place the terminal", e))?;
    }
    Ok(())
}

/// Gives the standard streams to the program's user, so that `/dev/stdout` can be opened again.
/// Only pipes, sockets and the container's terminal: not devices or files of the host.
fn own_stdio(uid: u32) -> Result<()> {
    use rustix::stdio::{stderr, stdin, stdout};
    for (number, stream) in [stdin(), stdout(), stderr()].into_iter().enumerate() {
        let Ok(stat) = rustix::fs::fstat(stream) else {
            continue;
        };
        if is_null(&stat) {
            own_null(number as i32)?;
            continue;
        }
        const PTY_MAJOR: u32 = 136;
        let ours = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Fifo | FileType::Socket => true,
            FileType::CharacterDevice => {
                (PTY_MAJOR..PTY_MAJOR + 8).contains(&rustix::fs::major(stat.st_rdev))
            }
            _ => false,
        };
        if !ours || stat.st_uid == uid {
            continue;
        }
        match rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), None) {
            // Ids that a user namespace does not have, file systems that keep none.
            Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS | Errno::NOSYS) => {}
            Err(errno) => return Err(step("give the standard streams to the user", errno)),
        }
    }
    Ok(())
}

fn is_null(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == rustix::fs::makedev(1, 3)
}

/// Puts the container's `/dev/null`, if it has one, in the place of the host's: whose mode, by way of the
/// descriptor, the container's root could change for all.
fn own_null(number: i32) -> Result<()> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Ok(null) = rustix::fs::open("/dev/null", flags | OFlags::CLOEXEC, Mode::empty()) else {
        return Ok(());
    };
    match rustix::fs::fstat(&null) {
        Ok(stat) if is_null(&stat) => {
            place_fd(null.as_fd(), number).map_err(|e| step("place the standard streams", e))
        }
        _ => Ok(()),
    }
}

/// R11: a working directory outside the root has a name that does not begin with `/`.
fn check_cwd(path: &str) -> Result<()> {
    match rustix::process::getcwd(Vec::new()) {
        Ok(real) if real.as_bytes().starts_with(b"/") => Ok(()),
        _ => Err(Error::CwdOutside {
            path: path.to_owned(),
        }),
    }
}

fn executable(path: &str) -> std::result::Result<(), Errno> {
    let stat = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::ACCESS);
    }
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

fn setgroups_denied() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}
