//! A session keyring of one's own, so that keys of whoever started us stay out of reach.
//!
//! Source: keyctl(2).

use std::ffi::CStr;
use std::io;

use crate::check;

/// Joins a new session keyring called `name`.
///
/// # Errors
/// The kernel's; `ENOSYS` without keyrings, `EDQUOT` over quota.
pub fn join_new_session(name: &CStr) -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: `name` is NUL-terminated and read only.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) };
    check(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> i64 {
        const KEYCTL_GET_KEYRING_ID: libc::c_long = 0;
        const KEY_SPEC_SESSION_KEYRING: libc::c_long = -3;
        // SAFETY: numbers only.
        unsafe {
            libc::syscall(
                libc::SYS_keyctl,
                KEYCTL_GET_KEYRING_ID,
                KEY_SPEC_SESSION_KEYRING,
                0,
            )
        }
    }

    /// Keyrings belong to threads: the rest of the harness keeps its own.
    #[test]
    fn a_new_keyring_is_joined() {
        std::thread::spawn(|| {
            let before = session();
            join_new_session(c"_berth_test").unwrap();
            let after = session();
            assert!(after > 0 && after != before, "{before} -> {after}");
        })
        .join()
        .unwrap();
    }
}
