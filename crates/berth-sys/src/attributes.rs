//! What the kernel keeps of a process that survives an exec: scheduling policy, CPU affinity, I/O priority,
//! memory policy, execution domain.
//!
//! Source: sched_setattr(2), sched_setaffinity(2), ioprio_set(2), set_mempolicy(2), personality(2).

use std::{fmt, io};

use crate::check;

/// A scheduling policy with what belongs to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 (first) to 19, of the policies that share time.
    pub nice: i32,
    /// 1 to 99 (first), of real-time policies.
    pub priority: u32,
    /// Nanoseconds, as the next two: of `SCHED_DEADLINE`.
    pub runtime: u64,
    /// See `runtime`.
    pub deadline: u64,
    /// See `runtime`.
    pub period: u64,
}

/// `struct sched_attr` of linux/sched/types.h, version 1.
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

/// Sets the calling thread's scheduling policy.
///
/// # Errors
/// `EPERM`, `EINVAL`, `EBUSY` (no time left for one more deadline), `EOPNOTSUPP` (utilisation clamps).
pub fn set_scheduling(wanted: &Scheduling) -> io::Result<()> {
    let attr = SchedAttr {
        size: std::mem::size_of::<SchedAttr>() as u32,
        policy: wanted.policy,
        flags: wanted.flags,
        nice: wanted.nice,
        priority: wanted.priority,
        runtime: wanted.runtime,
        deadline: wanted.deadline,
        period: wanted.period,
        util_min: 0,
        util_max: 0,
    };
    // SAFETY: `attr` is a whole sched_attr of the size that it says, only read by the kernel.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) }).map(drop)
}

/// A set of CPUs or memory nodes by number, as wide as its greatest member needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

/// Members are below this: the kernel has at most 8192 CPUs and 1024 nodes.
pub const MAX_BITS: u32 = 8192;

impl fmt::LowerHex for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.0.iter().rev();
        fmt::LowerHex::fmt(words.next().unwrap_or(&0), f)?;
        words.try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl Bits {
    /// Adds a member.
    ///
    /// # Errors
    /// It is not below [`MAX_BITS`].
    pub fn insert(&mut self, number: u32) -> io::Result<()> {
        if number >= MAX_BITS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let word = number as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
        Ok(())
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.0.len() * 8
    }
}

/// The CPUs that the calling thread may use.
///
/// # Errors
/// The kernel's.
pub fn affinity() -> io::Result<Bits> {
    let mut words = vec![0_u64; MAX_BITS as usize / 64];
    let size = words.len() * 8;
    // SAFETY: the kernel writes at most `size` bytes, all of which `words` has.
    let length =
        check(unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size, words.as_mut_ptr()) })?;
    words.truncate(length as usize / 8);
    Ok(Bits(words))
}

/// Sets the CPUs that the calling thread may use.
///
/// # Errors
/// `EINVAL`: none of them is online and in the thread's cgroup.
pub fn set_affinity(cpus: &Bits) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as it is told, all of which `cpus` has.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            0,
            cpus.bytes(),
            cpus.0.as_ptr(),
        )
    };
    check(result).map(drop)
}

/// Sets the I/O priority of the caller's process group: the class in the bits from 13 on, the level below.
///
/// # Errors
/// `EPERM`, `EINVAL`.
pub fn set_io_priority(priority: u32) -> io::Result<()> {
    const IOPRIO_WHO_PGRP: libc::c_int = 2;
    // SAFETY: numbers only.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PGRP, 0, priority) }).map(drop)
}

/// Sets where the calling thread's memory comes from: `MPOL_*` with `MPOL_F_*` flags.
///
/// # Errors
/// `EINVAL` (the mode does not go with the nodes, or none of these has memory), `ENOSYS`.
pub fn set_memory_policy(mode: u32, nodes: &Bits) -> io::Result<()> {
    // The kernel reads one bit less than it is told.
    let bits = nodes.bytes() * 8 + 1;
    let mut words = nodes.0.clone();
    words.push(0);
    // SAFETY: the kernel reads `bits` - 1 bits rounded up to words, all of which `words` has.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, words.as_ptr(), bits) };
    check(result).map(drop)
}

/// Sets the execution domain: `PER_*`.
///
/// # Errors
/// The kernel's.
pub fn set_personality(domain: u32) -> io::Result<()> {
    // SAFETY: a number only; all of the flags that `PER_*` values have are the program's own business.
    check(unsafe { libc::personality(libc::c_ulong::from(domain)) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: &[u32]) -> Bits {
        let mut bits = Bits::default();
        members.iter().for_each(|n| bits.insert(*n).unwrap());
        bits
    }

    /// All of these belong to threads: the rest of the harness keeps its own.
    fn aside(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    fn stat(field: usize) -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        rest.split(' ').nth(field - 3).unwrap().to_owned()
    }

    #[test]
    fn policy_and_nice_value_are_set() {
        aside(|| {
            let batch = Scheduling {
                policy: 3,
                nice: 7,
                ..Scheduling::default()
            };
            set_scheduling(&batch).unwrap();
            assert_eq!((stat(41), stat(19)), ("3".to_owned(), "7".to_owned()));
            let unknown = Scheduling {
                policy: 4,
                ..Scheduling::default()
            };
            assert!(set_scheduling(&unknown).is_err());
        });
    }

    #[test]
    fn affinity_is_set_and_read() {
        aside(|| {
            let all = affinity().unwrap();
            set_affinity(&of(&[0])).unwrap();
            assert_eq!(affinity().unwrap().0[0], 1);
            set_affinity(&of(&[0, MAX_BITS - 1])).unwrap();
            assert!(set_affinity(&of(&[MAX_BITS - 1])).is_err());
            assert!(Bits::default().insert(MAX_BITS).is_err());
            set_affinity(&all).unwrap();
        });
    }

    /// The priority is the process group's: in a group of its own.
    #[test]
    fn an_io_priority_is_the_groups() {
        assert!(set_io_priority(5 << 13).is_err(), "there is no such class");
        // Best effort, level 4: what a process has that never asked.
        set_io_priority(2 << 13 | 4).unwrap();
        // SAFETY: numbers only.
        let got = unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) };
        assert_eq!(got, 2 << 13 | 4);
    }

    #[test]
    fn a_memory_policy_is_the_threads() {
        const BIND: u32 = 2;
        aside(|| {
            set_memory_policy(BIND, &of(&[0])).unwrap();
            let mut mode: libc::c_int = -1;
            // SAFETY: the kernel writes one int to `mode`; the other places are null.
            unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, 0, 0, 0, 0) };
            assert_eq!(mode, BIND as i32);
            set_memory_policy(0, &Bits::default()).unwrap();
            for (mode, nodes) in [
                (BIND, vec![]),
                (BIND, vec![777]),
                (0, vec![0]),
                (99, vec![0]),
            ] {
                assert!(
                    set_memory_policy(mode, &of(&nodes)).is_err(),
                    "{mode} {nodes:?}"
                );
            }
        });
    }

    #[test]
    fn an_execution_domain_shows_in_uname() {
        const LINUX32: u32 = 8;
        aside(|| {
            set_personality(LINUX32).unwrap();
            let machine = rustix::system::uname().machine().to_owned();
            let narrow = ["i686", "armv8l"].map(str::as_bytes);
            assert!(narrow.contains(&machine.to_bytes()), "{machine:?}");
        });
    }
}
