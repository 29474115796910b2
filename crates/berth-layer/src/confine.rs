//! The unpacker gives up its rights before it looks at the first byte of a layer: should the archive's reader
//! have a hole after all, there is little on the other side of it.
//!
//! | what | to |
//! |---|---|
//! | files | landlock: write below the target, read below the lower layers, nothing else |
//! | system calls | seccomp: a list of what unpacking needs; no exec, sockets, mounts, ptrace, new processes |
//! | capabilities | chown, dac_override, fowner, fsetid, mknod, setfcap |
//! | resources | file size, memory, time of the CPU, open files |
//! | privileges | none can be gained (`no_new_privs`) |

use std::io;
use std::os::fd::OwnedFd;

use berth_sys::landlock::{Access, Ruleset};
use berth_sys::seccomp::{self, Insn};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::{Error, Limits};

/// Memory: the zstd window, the chunks, the paths that are remembered, stacks and the allocator's reserves.
const MEMORY_BYTES: u64 = 2 << 30;
/// A layer of the greatest size at 50 MB a second.
const CPU_SECONDS: u64 = 1400;
const OPEN_FILES: u64 = 1024;

/// Confines this process, which must have one thread only. Returns whether the kernel has landlock.
///
/// # Errors
/// `Confine`. The caller must not go on then.
pub fn confine(target: &OwnedFd, lowers: &[OwnedFd], limits: &Limits) -> Result<bool, Error> {
    rustix::thread::set_no_new_privs(true).map_err(|errno| failed("no_new_privs", errno.into()))?;
    limit(Resource::Fsize, limits.total_bytes)?;
    limit(Resource::As, MEMORY_BYTES)?;
    limit(Resource::Cpu, CPU_SECONDS)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    let landlocked = landlock(target, lowers).map_err(|source| failed("landlock", source))?;
    keep_capabilities(WRITING).map_err(|source| failed("capabilities", source))?;
    seccomp::install(&filter(), 0, false).map_err(|source| failed("seccomp", source))?;
    Ok(landlocked)
}

/// What [`confine_inside`] leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Reading what there is.
    Read,
    /// Changing it.
    Write,
}

/// Confines this process, which must have one thread only and a container's root for its own, to reading or changing
/// files there.
///
/// # Errors
/// `Confine`. The caller must not go on then.
pub fn confine_inside(root: &OwnedFd, rights: Rights) -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true).map_err(|errno| failed("no_new_privs", errno.into()))?;
    limit(Resource::As, MEMORY_BYTES)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    let (access, keep) = match rights {
        Rights::Read => (Access::READ, CapabilitySet::DAC_READ_SEARCH),
        Rights::Write => (Access::READ_WRITE, WRITING),
    };
    let ruleset = Ruleset::new().map_err(|source| failed("landlock", source))?;
    if let Some(mut ruleset) = ruleset {
        let allowed = ruleset.allow(root, access);
        allowed
            .and_then(|()| ruleset.restrict_self())
            .map_err(|source| failed("landlock", source))?;
    }
    keep_capabilities(keep).map_err(|source| failed("capabilities", source))?;
    seccomp::install(&filter(), 0, false)
        .map(drop)
        .map_err(|source| failed("seccomp", source))
}

fn failed(step: &'static str, source: io::Error) -> Error {
    Error::Confine { step, source }
}

fn limit(resource: Resource, most: u64) -> Result<(), Error> {
    let maximum = rustix::process::getrlimit(resource).maximum;
    let most = maximum.map_or(most, |maximum| maximum.min(most));
    rustix::process::setrlimit(
        resource,
        Rlimit {
            current: Some(most),
            maximum: Some(most),
        },
    )
    .map_err(|errno| failed("resource limits", errno.into()))
}

fn landlock(target: &OwnedFd, lowers: &[OwnedFd]) -> io::Result<bool> {
    let Some(mut ruleset) = Ruleset::new()? else {
        return Ok(false);
    };
    ruleset.allow(target, Access::READ_WRITE)?;
    for lower in lowers {
        ruleset.allow(lower, Access::READ)?;
    }
    ruleset.restrict_self()?;
    Ok(true)
}

/// What making files of all owners needs.
const WRITING: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP);

fn keep_capabilities(keep: CapabilitySet) -> io::Result<()> {
    let held = rustix::thread::capabilities(None)?;
    let keep = held.permitted & keep;
    let sets = CapabilitySets {
        effective: keep,
        permitted: keep,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

// Classic BPF. Source: linux/bpf_common.h, linux/seccomp.h (`struct seccomp_data`).
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
/// The lower half of the first argument, on little-endian machines.
const OFFSET_ARGUMENT_0: u32 = 16;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// What unpacking needs, the frequent ones first.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_write,
    libc::SYS_read,
    libc::SYS_futex,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_fchown,
    libc::SYS_fchmod,
    libc::SYS_utimensat,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_fchownat,
    libc::SYS_newfstatat,
    libc::SYS_fsetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fgetxattr,
    libc::SYS_fremovexattr,
    libc::SYS_unlinkat,
    libc::SYS_mknodat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_copy_file_range,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn filter() -> Vec<Insn> {
    let errno = |code: i32| libc::SECCOMP_RET_ERRNO | code as u32;
    let when = |code, k, action| {
        [
            Insn {
                code,
                jt: 0,
                jf: 1,
                k,
            },
            returns(action),
        ]
    };
    let mut program = vec![
        load(OFFSET_ARCH),
        Insn {
            code: JUMP_EQUAL,
            jt: 1,
            jf: 0,
            k: ARCH,
        },
        returns(libc::SECCOMP_RET_KILL_PROCESS),
        load(OFFSET_NUMBER),
    ];
    for number in ALLOWED {
        program.extend(when(JUMP_EQUAL, *number as u32, libc::SECCOMP_RET_ALLOW));
    }
    // glibc falls back to clone, whose flags a filter can see.
    program.extend(when(
        JUMP_EQUAL,
        libc::SYS_clone3 as u32,
        errno(libc::ENOSYS),
    ));
    // What a filter can allow by the first argument alone.
    for (number, test, argument) in [
        // A thread, but no process.
        (libc::SYS_clone, JUMP_ANY_BIT, libc::CLONE_THREAD),
        // The thread's name.
        (libc::SYS_prctl, JUMP_EQUAL, libc::PR_SET_NAME),
    ] {
        program.push(Insn {
            code: JUMP_EQUAL,
            jt: 0,
            jf: 4,
            k: number as u32,
        });
        program.push(load(OFFSET_ARGUMENT_0));
        program.extend(when(test, argument as u32, libc::SECCOMP_RET_ALLOW));
        program.push(returns(errno(libc::EPERM)));
    }
    program.push(returns(errno(libc::EPERM)));
    program
}

fn load(offset: u32) -> Insn {
    Insn {
        code: LOAD,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

fn returns(action: u32) -> Insn {
    Insn {
        code: RETURN,
        jt: 0,
        jf: 0,
        k: action,
    }
}
