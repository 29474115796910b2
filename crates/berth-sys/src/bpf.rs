//! bpf(2), as far as device rules of a cgroup need it: load a program, attach it, find the old ones.
//!
//! Source: bpf(2), linux/bpf.h.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_DETACH: libc::c_long = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
/// Programs of one cgroup that are looked at; the kernel's own bound is 64.
const MAX_ATTACHED: usize = 64;

/// One eBPF instruction: `struct bpf_insn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Destination register in the low four bits, source register in the high four.
    pub regs: u8,
    /// Jump distance or memory offset.
    pub off: i16,
    /// Immediate operand.
    pub imm: i32,
}

/// `union bpf_attr`, zeroed, as words of eight bytes: bigger than any member used here, so the
/// kernel's answers always fit.
type Attr = [u64; 16];
/// How much of it the kernel is told about (every kernel since 4.15 knows the fields used).
const ATTR_BYTES: usize = 64;

fn word(low: u32, high: u32) -> u64 {
    if cfg!(target_endian = "little") {
        u64::from(low) | u64::from(high) << 32
    } else {
        u64::from(high) | u64::from(low) << 32
    }
}

fn bpf(command: libc::c_long, attr: &mut Attr) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is a live, writable, zero-padded buffer of more than ATTR_BYTES bytes; the
    // pointers inside it were put there by the callers below and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), ATTR_BYTES) };
    crate::check(result)
}

fn owned(result: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel just returned this descriptor to us; nobody else knows it. The value of a
    // successful call fits an int. BPF descriptors are close-on-exec from birth.
    unsafe { OwnedFd::from_raw_fd(result as i32) }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// Loads a program of type CGROUP_DEVICE.
///
/// # Errors
/// EPERM without CAP_BPF; EINVAL or EACCES when the verifier refuses the program.
pub fn load_cgroup_device(program: &[Insn]) -> io::Result<OwnedFd> {
    let license = c"Apache-2.0";
    let mut attr: Attr = [0; 16];
    attr[0] = word(BPF_PROG_TYPE_CGROUP_DEVICE, program.len() as u32);
    attr[1] = program.as_ptr() as u64;
    attr[2] = license.as_ptr() as u64;
    bpf(BPF_PROG_LOAD, &mut attr).map(owned)
}

/// Attaches a device program to a cgroup, beside those already there and those of its ancestors
/// (all must allow an access).
///
/// # Errors
/// The kernel's.
pub fn attach_cgroup_device(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr: Attr = [0; 16];
    attr[0] = word(raw(cgroup), raw(program));
    attr[1] = word(BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
    bpf(BPF_PROG_ATTACH, &mut attr).map(drop)
}

/// Takes a device program off a cgroup.
///
/// # Errors
/// ENOENT when it is not attached.
pub fn detach_cgroup_device(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr: Attr = [0; 16];
    attr[0] = word(raw(cgroup), raw(program));
    attr[1] = word(BPF_CGROUP_DEVICE, 0);
    bpf(BPF_PROG_DETACH, &mut attr).map(drop)
}

/// The device programs attached to a cgroup itself.
///
/// # Errors
/// The kernel's; EPERM without CAP_SYS_ADMIN.
pub fn cgroup_device_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut ids = [0u32; MAX_ATTACHED];
    let mut attr: Attr = [0; 16];
    attr[0] = word(raw(cgroup), BPF_CGROUP_DEVICE);
    attr[2] = ids.as_mut_ptr() as u64;
    attr[3] = word(MAX_ATTACHED as u32, 0);
    bpf(BPF_PROG_QUERY, &mut attr)?;
    let count = if cfg!(target_endian = "little") {
        attr[3] as u32
    } else {
        (attr[3] >> 32) as u32
    };
    ids[..(count as usize).min(MAX_ATTACHED)]
        .iter()
        .map(|id| {
            let mut attr: Attr = [0; 16];
            attr[0] = word(*id, 0);
            bpf(BPF_PROG_GET_FD_BY_ID, &mut attr).map(owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const MOV_R0: u8 = 0xb7;
    const EXIT: u8 = 0x95;

    #[test]
    fn a_program_loads_and_the_verifier_refuses_nonsense() {
        let allow = [
            Insn {
                code: MOV_R0,
                regs: 0,
                off: 0,
                imm: 1,
            },
            Insn {
                code: EXIT,
                regs: 0,
                off: 0,
                imm: 0,
            },
        ];
        load_cgroup_device(&allow).expect("tests run as root");
        assert!(
            load_cgroup_device(&allow[1..]).is_err(),
            "r0 is not set at the exit"
        );
    }

    #[test]
    fn attach_query_detach() {
        let path = format!(
            "/sys/fs/cgroup/unified/berth-bpf-test-{}",
            std::process::id()
        );
        let path = if std::path::Path::new("/sys/fs/cgroup/unified").exists() {
            path
        } else {
            path.replace("/unified", "")
        };
        std::fs::create_dir(&path).expect("tests run as root");
        let cgroup = std::fs::File::open(&path).unwrap();
        let allow = [
            Insn {
                code: MOV_R0,
                regs: 0,
                off: 0,
                imm: 1,
            },
            Insn {
                code: EXIT,
                regs: 0,
                off: 0,
                imm: 0,
            },
        ];
        let program = load_cgroup_device(&allow).unwrap();
        let before = cgroup_device_programs(cgroup.as_fd()).unwrap().len();
        attach_cgroup_device(cgroup.as_fd(), program.as_fd()).unwrap();
        let during = cgroup_device_programs(cgroup.as_fd()).unwrap();
        detach_cgroup_device(cgroup.as_fd(), during[0].as_fd()).unwrap();
        let after = cgroup_device_programs(cgroup.as_fd()).unwrap().len();
        std::fs::remove_dir(&path).unwrap();
        assert_eq!((before, during.len(), after), (0, 1, 0));
    }
}
