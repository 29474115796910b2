//! The entry: from the stack that the kernel hands over to [`crate::main`].
//!
//! Source: System V ABI, "Initial Stack and Register State": argc, argv…, NULL, envp…, NULL, auxv.

use core::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    entry = sym entry,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {entry}",
    "brk #1",
    entry = sym entry,
);

/// The program's arguments and environment, which live as long as the process.
#[derive(Clone, Copy)]
pub struct CommandLine {
    argc: usize,
    argv: *const *const c_char,
}

impl CommandLine {
    /// The arguments, the program's name first.
    pub fn arguments(&self) -> impl Iterator<Item = &'static CStr> + use<> {
        let line = *self;
        (0..line.argc).map(move |index| {
            // SAFETY: the kernel put argc pointers to NUL-terminated strings there; nobody writes them.
            unsafe { CStr::from_ptr(*line.argv.add(index)) }
        })
    }

    /// The argument vector from `index` on, NULL at its end, as execve takes it.
    pub fn tail(&self, index: usize) -> *const *const c_char {
        // SAFETY: index ≤ argc stays within the array, whose entry argc is NULL.
        unsafe { self.argv.add(index.min(self.argc)) }
    }

    /// What follows `prefix`, which ends with `=`, in the environment; nothing, if it is not there.
    pub fn variable(&self, prefix: &[u8]) -> &'static [u8] {
        let mut entry = self.environment();
        loop {
            // SAFETY: the environment is an array of pointers to strings with NULL at its end; nobody writes them.
            let text = unsafe {
                if (*entry).is_null() {
                    return b"";
                }
                CStr::from_ptr(*entry)
            };
            if let Some(value) = text.to_bytes().strip_prefix(prefix) {
                return value;
            }
            // SAFETY: this entry is not the NULL at the end.
            entry = unsafe { entry.add(1) };
        }
    }

    /// The environment, NULL at its end.
    pub fn environment(&self) -> *const *const c_char {
        // SAFETY: the environment follows the argument vector and its NULL.
        unsafe { self.argv.add(self.argc + 1) }
    }
}

extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: called once by `_start` with the initial stack pointer: argc, then argv.
    let line = unsafe {
        CommandLine {
            argc: *stack,
            argv: stack.add(1).cast(),
        }
    };
    crate::main(line)
}
