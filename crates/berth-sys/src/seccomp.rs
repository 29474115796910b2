//! Installing a seccomp filter.
//!
//! Source: seccomp(2).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// One classic BPF instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    /// Operation.
    pub code: u16,
    /// Jump distance if true.
    pub jt: u8,
    /// Jump distance if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// Actions other than allow are logged.
pub const FLAG_LOG: u32 = 1 << 1;
/// Speculative store bypass is left as it is.
pub const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// Wait killably for the answer of a listener (Linux 5.19).
pub const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

const FLAG_NEW_LISTENER: u32 = 1 << 3;

#[repr(C)]
struct Program {
    len: u16,
    filter: *const Insn,
}

/// Puts the filter on this thread and all its future children, for ever. Needs no_new_privs or
/// CAP_SYS_ADMIN. With `listener`, returns the descriptor that user notifications arrive on.
///
/// # Errors
/// `EACCES`, `EINVAL` (a bad program), `ENOMEM` (too many), `EBUSY` (there is a listener already).
pub fn install(program: &[Insn], flags: u32, listener: bool) -> io::Result<Option<OwnedFd>> {
    let Ok(len) = u16::try_from(program.len()) else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    let filter = Program {
        len,
        filter: program.as_ptr(),
    };
    let flags = if listener {
        flags | FLAG_NEW_LISTENER
    } else {
        flags
    };
    // SAFETY: `filter` points to `len` instructions which outlive the call; the kernel checks them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        )
    };
    let fd = crate::check(result)?;
    // SAFETY: with FLAG_NEW_LISTENER the result is a new descriptor that is ours.
    Ok(listener.then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

/// Whether the kernel knows a flag (0: none).
pub fn knows(flag: u32) -> bool {
    // One that is about waiting is refused without a listener.
    let flags = match flag {
        FLAG_WAIT_KILLABLE_RECV => flag | FLAG_NEW_LISTENER,
        other => other,
    };
    // SAFETY: without a program the kernel changes nothing: it looks at the flags, then misses the program.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            std::ptr::null::<Program>(),
        )
    };
    crate::check(result).is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: u16 = 0x20;
    const JUMP_EQ: u16 = 0x15;
    const RETURN: u16 = 0x06;

    #[test]
    fn flags_are_known_or_not() {
        for flag in [0, FLAG_LOG, FLAG_SPEC_ALLOW, FLAG_WAIT_KILLABLE_RECV] {
            assert!(knows(flag), "{flag}: Linux 5.19 has it");
        }
        assert!(!knows(1 << 20));
        assert_eq!(rustix::process::getpriority_process(None).map(drop), Ok(()));
    }

    /// The filter is on one thread only, and threads of the harness end with their test.
    #[test]
    fn a_filtered_call_fails() {
        let program = [
            Insn {
                code: LOAD,
                jt: 0,
                jf: 0,
                k: 0,
            },
            Insn {
                code: JUMP_EQ,
                jt: 0,
                jf: 1,
                k: libc::SYS_getpriority as u32,
            },
            Insn {
                code: RETURN,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_ERRNO | libc::EDOM as u32,
            },
            Insn {
                code: RETURN,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_ALLOW,
            },
        ];
        std::thread::spawn(move || {
            assert!(rustix::process::getpriority_process(None).is_ok());
            assert!(
                install(&program, 0, true)
                    .expect("tests run as root")
                    .is_some()
            );
            assert_eq!(
                rustix::process::getpriority_process(None),
                Err(rustix::io::Errno::DOM)
            );
            assert!(
                install(&program[..1], 0, false).is_err(),
                "no return at the end"
            );
        })
        .join()
        .unwrap();
    }
}
