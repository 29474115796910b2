//! The system calls that neither std nor rustix offers safely. The only crate with `unsafe`.
//!
//! Each unsafe block says why it is sound and has a test that runs it. Descriptors are owned or
//! borrowed, never bare numbers, and always close-on-exec.

pub mod attributes;
pub mod bpf;
pub mod code;
pub mod entry;
pub mod fdpass;
pub mod keyring;
pub mod landlock;
pub mod later;
pub mod mount;
pub mod net;
pub mod netlink;
pub mod overlay;
pub mod pid;
pub mod process;
pub mod pty;
pub mod seccomp;
pub mod signals;
pub mod spawn;
pub mod userns;

/// What a system call returned: less than 0 means that errno says why.
fn check(result: impl Into<libc::c_long>) -> std::io::Result<libc::c_long> {
    let result = result.into();
    if result < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
