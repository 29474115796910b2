//! A program's entry without what std does before `main`: a handler for stack overflows with its own stack,
//! for which it reads `/proc/self/maps`. For a program that lives some milliseconds that is a part of
//! its life. `std::env::args_os` works all the same: glibc passes the arguments to everybody who asks.

use rustix::fs::{Mode, OFlags};

/// Makes a function `fn() -> i32` what the program begins with; the crate is to say `#![no_main]`.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        // SAFETY: the C library calls the one symbol of this name, with these arguments; a second one
        // would be an error of the linker.
        #[unsafe(no_mangle)]
        extern "C" fn main(_: i32, _: *const *const std::ffi::c_char) -> i32 {
            $crate::entry::prepare();
            $main()
        }
    };
}

/// What std does, too: the numbers 0, 1, 2 are taken, so that no file of ours gets one of them, and a
/// closed pipe is an error to be told instead of a signal to die of.
pub fn prepare() {
    for number in 0..3 {
        // SAFETY: F_GETFD reads a flag of whatever is at the number.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
            match rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
                // The lowest free number is this one. It stays open for good.
                Ok(null) => std::mem::forget(null),
                Err(_) => crate::process::exit_now(125),
            }
        }
    }
    // SAFETY: SIG_IGN is no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests {
    /// Twice is as good as once, and nothing changes when the three are open.
    #[test]
    fn open_streams_are_left_alone() {
        let before = rustix::fs::fstat(rustix::stdio::stdin()).unwrap().st_ino;
        super::prepare();
        super::prepare();
        let after = rustix::fs::fstat(rustix::stdio::stdin()).unwrap().st_ino;
        assert_eq!(before, after);
    }
}
