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
        $crate::without_unwinding!();
    };
}

/// A static program that ends at a panic never unwinds, but std and the C library have it all linked in:
/// the unwinder, and a reader of debug information for the backtrace (a quarter of a megabyte), which a
/// stripped file has not. They are left out when what they stand on is here, and does nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! without_unwinding {
    () => {
        $crate::without_unwinding!(
            _Unwind_Resume _Unwind_SetGR _Unwind_SetIP _Unwind_GetIPInfo _Unwind_GetRegionStart
            _Unwind_GetTextRelBase _Unwind_GetDataRelBase _Unwind_GetLanguageSpecificData
            __gcc_personality_v0
        );

        // SAFETY: as `main`; the caller only looks at the result: the end of the stack.
        #[cfg(all(panic = "abort", target_feature = "crt-static"))]
        #[unsafe(no_mangle)]
        extern "C" fn _Unwind_Backtrace() -> i32 {
            5
        }
    };
    ($($name:ident)*) => {$(
        // SAFETY: as `main`; only the unwinder would call it.
        #[cfg(all(panic = "abort", target_feature = "crt-static"))]
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            $crate::process::exit_now(134)
        }
    )*};
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
