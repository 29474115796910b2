//! The system calls that neither std nor rustix offers safely. The only crate with `unsafe`.
//!
//! Each unsafe block says why it is sound and has a test that runs it. Descriptors are owned or
//! borrowed, never bare numbers, and always close-on-exec.

pub mod bpf;
pub mod fdpass;
pub mod keyring;
pub mod landlock;
pub mod mount;
pub mod net;
pub mod pid;
pub mod process;
pub mod pty;
pub mod seccomp;
pub mod signals;
pub mod spawn;
pub mod userns;
