//! Landlock: a process gives up the file system but for what it names.
//!
//! Handles every right that the kernel knows, so that all that is not allowed is refused; network and
//! abstract sockets are refused altogether where the kernel can. Source: landlock(7), linux/landlock.h.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use crate::check;

/// Rights on the file system. Source: linux/landlock.h, `LANDLOCK_ACCESS_FS_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u64);

impl Access {
    /// Read files and list directories.
    pub const READ: Access = Access(READ_FILE | READ_DIR);
    /// All but execution and device controls.
    pub const READ_WRITE: Access = Access(ALL_FS & !(EXECUTE | IOCTL_DEV));
}

const EXECUTE: u64 = 1 << 0;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const IOCTL_DEV: u64 = 1 << 15;
/// Rights 0–15: execute … ioctl_dev (ABI 5).
const ALL_FS: u64 = (1 << 16) - 1;

const RULE_PATH_BENEATH: libc::c_uint = 1;
const CREATE_RULESET_VERSION: libc::c_uint = 1;

/// What each version of the kernel's interface adds.
fn handled(abi: u32) -> RulesetAttr {
    RulesetAttr {
        fs: match abi {
            1 => (1 << 13) - 1,     // execute … make_sym
            2 => (1 << 14) - 1,     // refer
            3 | 4 => (1 << 15) - 1, // truncate
            _ => ALL_FS,            // ioctl_dev
        },
        // Bind and connect on TCP.
        net: if abi >= 4 { 0b11 } else { 0 },
        // Abstract Unix sockets and signals outside.
        scoped: if abi >= 6 { 0b11 } else { 0 },
    }
}

#[repr(C)]
struct RulesetAttr {
    fs: u64,
    net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneathAttr {
    access: u64,
    parent_fd: libc::c_int,
}

/// Rights to be given up by [`Ruleset::restrict_self`], less those allowed.
pub struct Ruleset {
    fd: OwnedFd,
    handled_fs: u64,
}

/// Version of the kernel's interface; `None` if landlock is not built in or not enabled.
pub fn abi() -> Option<u32> {
    // SAFETY: with a null pointer, size 0 and this flag the call only returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<RulesetAttr>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

impl Ruleset {
    /// A ruleset that refuses all the kernel can refuse; `None` if it has no landlock.
    ///
    /// # Errors
    /// As landlock_create_ruleset(2).
    pub fn new() -> io::Result<Option<Ruleset>> {
        let Some(abi) = abi() else { return Ok(None) };
        let attr = handled(abi);
        // An old kernel takes a longer structure if the fields it does not know are 0, and they are.
        // SAFETY: the pointer and size are those of a live structure.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attr,
                size_of::<RulesetAttr>(),
                0 as libc::c_uint,
            )
        };
        let fd = check(fd)?;
        // SAFETY: the kernel gave us this descriptor, close-on-exec, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
        Ok(Some(Ruleset {
            fd,
            handled_fs: attr.fs,
        }))
    }

    /// Allows `access` on `dir` and all below it.
    ///
    /// # Errors
    /// As landlock_add_rule(2).
    pub fn allow(&mut self, dir: impl AsFd, access: Access) -> io::Result<()> {
        let attr = PathBeneathAttr {
            access: access.0 & self.handled_fs,
            parent_fd: dir.as_fd().as_raw_fd(),
        };
        // SAFETY: both descriptors are open for the time of the call, the structure is live.
        let result = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.fd.as_raw_fd(),
                RULE_PATH_BENEATH,
                &raw const attr,
                0 as libc::c_uint,
            )
        };
        check(result).map(drop)
    }

    /// Gives the rights up, for the calling thread and what it starts from now on. Needs
    /// `no_new_privs` (or `CAP_SYS_ADMIN`).
    ///
    /// # Errors
    /// As landlock_restrict_self(2).
    pub fn restrict_self(self) -> io::Result<()> {
        // SAFETY: the descriptor is a ruleset and open for the time of the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_landlock_restrict_self,
                self.fd.as_raw_fd(),
                0 as libc::c_uint,
            )
        };
        check(result).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_thread_keeps_only_what_it_named() {
        let base = std::env::temp_dir().join(format!("berth-landlock-{}", std::process::id()));
        let (inside, read, outside) =
            (base.join("inside"), base.join("read"), base.join("outside"));
        for dir in [&inside, &read, &outside] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("file"), "x").unwrap();
        }
        let (inside2, read2, outside2) = (inside.clone(), read.clone(), outside.clone());
        std::thread::spawn(move || {
            let mut ruleset = Ruleset::new()
                .unwrap()
                .expect("tests need a kernel with landlock");
            ruleset
                .allow(File::open(&inside2).unwrap(), Access::READ_WRITE)
                .unwrap();
            ruleset
                .allow(File::open(&read2).unwrap(), Access::READ)
                .unwrap();
            // As root; without privilege the caller sets no_new_privs first.
            ruleset.restrict_self().unwrap();
            assert!(fs::read(inside2.join("file")).is_ok());
            fs::create_dir(inside2.join("dir")).unwrap();
            fs::rename(inside2.join("file"), inside2.join("dir/file")).unwrap();
            assert!(fs::read(read2.join("file")).is_ok());
            for denied in [
                fs::write(read2.join("file"), "y"),
                fs::read(outside2.join("file")).map(drop),
                fs::write(outside2.join("new"), "y"),
                fs::read_dir("/etc").map(drop),
                std::net::TcpStream::connect("127.0.0.1:9").map(drop),
            ] {
                assert_eq!(denied.unwrap_err().raw_os_error(), Some(libc::EACCES));
            }
        })
        .join()
        .unwrap();
        fs::remove_dir_all(&base).unwrap();
    }
}
