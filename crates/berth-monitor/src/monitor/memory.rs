//! The four memory routines that compiled code calls and that libc would supply.
//!
//! They must not be compiled into calls to themselves: hence string instructions on x86_64 and
//! volatile accesses elsewhere.

#![allow(clippy::missing_safety_doc)] // C's own contracts

#[cfg(target_arch = "x86_64")]
mod bytes {
    use core::arch::asm;

    #[inline(always)]
    pub unsafe fn forward(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller vouches for both ranges; the direction flag is clear by the ABI.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    pub unsafe fn fill(to: *mut u8, value: u8, count: usize) {
        // SAFETY: the caller vouches for the range; the direction flag is clear by the ABI.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value,
                options(nostack, preserves_flags));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod bytes {
    #[inline(always)]
    pub unsafe fn forward(to: *mut u8, from: *const u8, count: usize) {
        for at in 0..count {
            // SAFETY: the caller vouches for both ranges.
            unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) }
        }
    }

    #[inline(always)]
    pub unsafe fn fill(to: *mut u8, value: u8, count: usize) {
        for at in 0..count {
            // SAFETY: the caller vouches for the range.
            unsafe { to.add(at).write_volatile(value) }
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: C's contract for memcpy.
    unsafe { bytes::forward(to, from, count) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= count {
        // SAFETY: C's contract for memmove; `to` does not begin inside the source, so forward is right.
        unsafe { bytes::forward(to, from, count) };
    } else {
        for at in (0..count).rev() {
            // SAFETY: C's contract for memmove.
            unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) }
        }
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    // SAFETY: C's contract for memset.
    unsafe { bytes::fill(to, value as u8, count) };
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for at in 0..count {
        // SAFETY: C's contract for memcmp.
        let (a, b) = unsafe { (left.add(at).read_volatile(), right.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: C's contract for bcmp.
    unsafe { memcmp(left, right, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: C's contract for strlen.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
