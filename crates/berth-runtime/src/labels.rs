//! Labels of security modules: those that a process takes with its exec (an AppArmor profile, an SELinux label),
//! and that of the files which the runtime mounts. What the host cannot apply is refused, never forgotten.
//!
//! They are written through a procfs of ours, or one that is no other file system's (security: R15), opened while
//! that may be done and written as the last step: hooks are not meant.
//!
//! Source: apparmor(7), proc_pid_attr(5).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use berth_oci::spec::{Linux, Process};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::error::{Error, Result, step};
use crate::mount_target::PROC_MAGIC;
use crate::mounts::{detached, magic};

/// What is asked for and can be applied.
#[derive(Debug, Default)]
pub struct Labels {
    apparmor: Option<String>,
    selinux: Option<String>,
}

/// A label with the file that it goes to.
#[derive(Debug)]
pub struct Label {
    file: OwnedFd,
    text: String,
}

impl Labels {
    /// Asks the host.
    ///
    /// # Errors
    /// [`Error::NoSecurityModule`].
    pub fn new(process: &Process) -> Result<Labels> {
        let given = |label: &Option<String>| label.clone().filter(|label| !label.is_empty());
        let mut labels = Labels {
            apparmor: given(&process.apparmor_profile),
            selinux: given(&process.selinux_label),
        };
        if labels.apparmor.is_some() && !runs_apparmor() {
            if labels.apparmor.as_deref() != Some("unconfined") {
                return Err(Error::NoSecurityModule {
                    what: "an AppArmor profile",
                });
            }
            labels.apparmor = None;
        }
        if labels.selinux.is_some() && !runs_selinux() {
            return Err(Error::NoSecurityModule {
                what: "an SELinux label",
            });
        }
        Ok(labels)
    }

    /// Opens the files of the calling process.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn open(&self) -> Result<Vec<Label>> {
        let mut opened = Vec::new();
        if let Some(profile) = &self.apparmor {
            // Before Linux 5.8 there was one file for whichever module came first.
            let file = match open_own("attr/apparmor/exec") {
                Err(Errno::NOENT) => open_own("attr/exec"),
                other => other,
            };
            opened.push(Label {
                file: file.map_err(|e| step("open the file for an AppArmor profile", e))?,
                text: format!("exec {profile}"),
            });
        }
        if let Some(label) = &self.selinux {
            let file = open_own("attr/exec");
            opened.push(Label {
                file: file.map_err(|e| step("open the file for an SELinux label", e))?,
                text: label.clone(),
            });
        }
        Ok(opened)
    }
}

impl Label {
    /// Lets the next exec take it.
    ///
    /// # Errors
    /// [`Error::Attribute`]: there is no such profile or label, or it may not be taken.
    pub fn apply(&self) -> Result<()> {
        let fail = |source: io::Error| Error::Attribute {
            what: format!("the label `{}`", self.text),
            hint: Some("the profile must be loaded, the label one of the policy's"),
            source,
        };
        match rustix::io::write(&self.file, self.text.as_bytes()) {
            Ok(length) if length == self.text.len() => Ok(()),
            Ok(_) => Err(fail(io::ErrorKind::WriteZero.into())),
            Err(errno) => Err(fail(errno.into())),
        }
    }
}

/// What new file systems are labelled with.
///
/// # Errors
/// [`Error::NoSecurityModule`].
pub fn check_mount_label(linux: &Linux) -> Result<()> {
    match mount_label(linux) {
        Some(_) if !runs_selinux() => Err(Error::NoSecurityModule {
            what: "an SELinux mount label",
        }),
        _ => Ok(()),
    }
}

/// The label of what is mounted, if there is one.
pub(crate) fn mount_label(linux: &Linux) -> Option<&str> {
    linux
        .mount_label
        .as_deref()
        .filter(|label| !label.is_empty())
}

fn runs_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

fn runs_apparmor() -> bool {
    let enabled = std::fs::read("/sys/module/apparmor/parameters/enabled");
    enabled.is_ok_and(|text| text.first() == Some(&b'Y'))
}

/// A file below the calling process's own directory. A user namespace may not have a procfs of its own: then the one
/// that is there must be one, with nothing mounted in it on the way.
fn open_own(file: &str) -> std::result::Result<OwnedFd, Errno> {
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = match detached("proc", &[], 0) {
        Ok(proc) => proc,
        Err(_) => {
            let found = openat2(
                CWD,
                "/proc",
                directory,
                Mode::empty(),
                ResolveFlags::NO_SYMLINKS,
            )?;
            if magic(&found).ok() != Some(PROC_MAGIC) {
                return Err(Errno::NOENT);
            }
            found
        }
    };
    let pid = rustix::process::getpid().as_raw_pid();
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    openat2(&proc, format!("{pid}/{file}"), flags, Mode::empty(), below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a module the file is there and takes nothing: the way to it and the error are the same.
    #[test]
    fn a_label_goes_to_the_processs_own_file() {
        let file = open_own("attr/exec").unwrap();
        let refused = Label {
            file,
            text: "exec no-such-profile".into(),
        };
        let said = refused.apply().unwrap_err();
        assert!(
            said.to_string()
                .contains("the label `exec no-such-profile`")
        );
    }
}
