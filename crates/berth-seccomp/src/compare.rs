//! Comparisons of 64-bit arguments with 32-bit instructions.
//!
//! Source: seccomp(2), `struct seccomp_data { int nr; u32 arch; u64 ip; u64 args[6]; }`;
//! libseccomp's seccomp_rule_add(3) for the operators.

use berth_oci::spec::SeccompArg;

use crate::Arch;
use crate::builder::{Builder, Label, Test};
use crate::error::{Error, Result};

/// Arguments that the kernel declares 32 bits wide: it never looks at the upper half, so neither
/// must a comparison. Otherwise `socket(1<<32 | AF_ALG, …)` would be "greater than 40" to the
/// filter and AF_ALG to the kernel (security: K7; the same hole as CVE-2019-7303 in `ioctl`).
///
/// Source: the SYSCALL_DEFINE lines of the kernel.
const NARROW: [(&str, &[u32]); 22] = [
    ("bpf", &[0, 2]),
    ("connect", &[0, 2]),
    ("fcntl", &[0, 1]),
    ("fcntl64", &[0, 1]),
    ("getsockopt", &[0, 1, 2]),
    ("io_uring_register", &[0, 1, 3]),
    ("io_uring_setup", &[0]),
    ("ioctl", &[0, 1]),
    ("keyctl", &[0]),
    ("madvise", &[2]),
    ("mount_setattr", &[0, 2]),
    ("open", &[1]),
    ("openat", &[0, 2]),
    ("perf_event_open", &[1, 2, 3]),
    ("personality", &[0]),
    ("prctl", &[0]),
    ("sched_setscheduler", &[0, 1]),
    ("seccomp", &[0, 1]),
    ("setns", &[0, 1]),
    ("setsockopt", &[0, 1, 2, 4]),
    ("socket", &[0, 1, 2]),
    ("socketpair", &[0, 1, 2]),
];

/// Whether only the lower half of an argument counts.
pub fn is_narrow(syscall: &str, index: u32, arch: Arch) -> bool {
    matches!(arch, Arch::X86 | Arch::Arm)
        || NARROW
            .binary_search_by(|(name, _)| (*name).cmp(syscall))
            .is_ok_and(|i| NARROW[i].1.contains(&index))
}

/// libseccomp's names of all operators.
pub const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// An operator, with what it compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    /// `arg & mask == value`.
    Masked {
        mask: u64,
    },
}

/// One condition, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// 0 to 5.
    pub index: u32,
    op: Op,
    value: u64,
}

impl Condition {
    /// Checks a condition of the specification; `syscall` only names the rule in errors.
    ///
    /// # Errors
    /// An unknown operator or an index beyond 5.
    pub fn check(arg: &SeccompArg, syscall: &str) -> Result<Self> {
        if arg.index > 5 {
            return Err(Error::BadArgument {
                index: arg.index,
                syscall: syscall.into(),
            });
        }
        let (op, value) = match arg.op.as_str() {
            "SCMP_CMP_NE" => (Op::Ne, arg.value),
            "SCMP_CMP_LT" => (Op::Lt, arg.value),
            "SCMP_CMP_LE" => (Op::Le, arg.value),
            "SCMP_CMP_EQ" => (Op::Eq, arg.value),
            "SCMP_CMP_GE" => (Op::Ge, arg.value),
            "SCMP_CMP_GT" => (Op::Gt, arg.value),
            "SCMP_CMP_MASKED_EQ" => (Op::Masked { mask: arg.value }, arg.value_two.unwrap_or(0)),
            other => {
                return Err(Error::UnknownOperator {
                    op: other.into(),
                    syscall: syscall.into(),
                });
            }
        };
        Ok(Condition {
            index: arg.index,
            op,
            value,
        })
    }

    /// Writes the comparison: on to `yes` if it holds, to `no` if not.
    pub fn emit(&self, narrow: bool, yes: Label, no: Label, code: &mut Builder) -> Label {
        // The three negations are their opposites with the ways out exchanged.
        match self.op {
            Op::Eq => self.equal(u64::MAX, narrow, yes, no, code),
            Op::Ne => self.equal(u64::MAX, narrow, no, yes, code),
            Op::Masked { mask } => self.equal(mask, narrow, yes, no, code),
            Op::Gt => self.ordered(Test::Gt, narrow, yes, no, code),
            Op::Ge => self.ordered(Test::Ge, narrow, yes, no, code),
            Op::Le => self.ordered(Test::Gt, narrow, no, yes, code),
            Op::Lt => self.ordered(Test::Ge, narrow, no, yes, code),
        }
    }

    fn equal(&self, mask: u64, narrow: bool, yes: Label, no: Label, code: &mut Builder) -> Label {
        let half = |mask: u32, value: u32, offset, yes, code: &mut Builder| {
            let test = code.jump(Test::Eq, value, yes, no);
            let masked = if mask == u32::MAX {
                test
            } else {
                code.and(mask, test)
            };
            code.load(offset, masked)
        };
        let low = half(
            mask as u32,
            self.value as u32,
            low_word(self.index),
            yes,
            code,
        );
        let (high_mask, high) = ((mask >> 32) as u32, (self.value >> 32) as u32);
        if narrow || (high_mask == 0 && high == 0) {
            return low;
        }
        half(high_mask, high, high_word(self.index), low, code)
    }

    fn ordered(
        &self,
        test: Test,
        narrow: bool,
        yes: Label,
        no: Label,
        code: &mut Builder,
    ) -> Label {
        let low_test = code.jump(test, self.value as u32, yes, no);
        let low = code.load(low_word(self.index), low_test);
        if narrow {
            return low;
        }
        let high = (self.value >> 32) as u32;
        let same = code.jump(Test::Eq, high, low, no);
        let more = code.jump(Test::Gt, high, yes, same);
        code.load(high_word(self.index), more)
    }

    /// The plain meaning, which tests hold the compiled form against.
    #[cfg(test)]
    pub fn holds(&self, args: &[u64; 6], narrow: bool) -> bool {
        let cut = |n: u64| if narrow { n & 0xffff_ffff } else { n };
        let (arg, value) = (cut(args[self.index as usize]), cut(self.value));
        match self.op {
            Op::Ne => arg != value,
            Op::Lt => arg < value,
            Op::Le => arg <= value,
            Op::Eq => arg == value,
            Op::Ge => arg >= value,
            Op::Gt => arg > value,
            Op::Masked { mask } => arg & cut(mask) == value,
        }
    }
}

fn low_word(index: u32) -> u32 {
    16 + 8 * index + if cfg!(target_endian = "big") { 4 } else { 0 }
}

fn high_word(index: u32) -> u32 {
    16 + 8 * index + if cfg!(target_endian = "big") { 0 } else { 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_arguments_are_found() {
        assert!(NARROW.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(is_narrow("socket", 0, Arch::X86_64));
        assert!(!is_narrow("clone", 0, Arch::X86_64));
        assert!(is_narrow("clone", 0, Arch::X86));
    }
}
