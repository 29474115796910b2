//! Numbers of the system calls.

// Source: arch/x86/entry/syscalls/syscall_64.tbl.
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const GETPID: usize = 39;
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const LSEEK: usize = 8;
    pub const MMAP: usize = 9;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const MADVISE: usize = 28;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const GETSOCKOPT: usize = 55;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const CLOSE_RANGE: usize = 436;
    pub const FSYNC: usize = 74;
    pub const FTRUNCATE: usize = 77;
    pub const GETEUID: usize = 107;
    pub const PRCTL: usize = 157;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const WAITID: usize = 247;
    pub const OPENAT: usize = 257;
    pub const UNLINKAT: usize = 263;
    pub const PPOLL: usize = 271;
    pub const ACCEPT4: usize = 288;
    pub const SIGNALFD4: usize = 289;
    pub const RENAMEAT2: usize = 316;
}

// Source: include/uapi/asm-generic/unistd.h.
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    pub const SOCKET: usize = 198;
    pub const CONNECT: usize = 203;
    pub const GETPID: usize = 172;
    pub const CLOSE_RANGE: usize = 436;
    pub const IOCTL: usize = 29;
    pub const UNLINKAT: usize = 35;
    pub const FTRUNCATE: usize = 46;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const LSEEK: usize = 62;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
    pub const FSYNC: usize = 82;
    pub const EXIT_GROUP: usize = 94;
    pub const WAITID: usize = 95;
    pub const CLOCK_GETTIME: usize = 113;
    pub const RT_SIGACTION: usize = 134;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const PRCTL: usize = 167;
    pub const GETEUID: usize = 175;
    pub const GETSOCKOPT: usize = 209;
    pub const SENDMSG: usize = 211;
    pub const RECVMSG: usize = 212;
    pub const EXECVE: usize = 221;
    pub const MMAP: usize = 222;
    pub const MADVISE: usize = 233;
    pub const ACCEPT4: usize = 242;
    pub const WAIT4: usize = 260;
    pub const RENAMEAT2: usize = 276;
}
