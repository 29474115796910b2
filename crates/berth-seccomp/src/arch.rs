//! The architectures that a filter can tell apart.
//!
//! Source: linux/audit.h (`AUDIT_ARCH_*`), asm/unistd.h.

use crate::error::{Error, Result};
use crate::table::{NONE, ROWS};

/// An architecture; the order is that of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arch {
    /// amd64.
    X86_64,
    /// i386.
    X86,
    /// 64-bit registers, 32-bit pointers: calls of amd64 with [`X32_BIT`] in their number.
    X32,
    /// arm64.
    Aarch64,
    /// 32-bit arm.
    Arm,
}

/// libseccomp's names of all architectures, those of other machines included.
pub const ARCHS: [&str; 23] = [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];

/// Set in the number of every x32 call.
pub const X32_BIT: u32 = 0x4000_0000;

impl Arch {
    /// The architecture that this program was compiled for.
    ///
    /// # Errors
    /// When it is none of those known here.
    pub fn native() -> Result<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Arch::X86_64),
            "x86" => Ok(Arch::X86),
            "aarch64" => Ok(Arch::Aarch64),
            "arm" => Ok(Arch::Arm),
            other => Err(Error::UnknownArch { arch: other.into() }),
        }
    }

    /// Whether a machine of this architecture runs programs of the other one.
    pub fn runs(self, other: Arch) -> bool {
        let family = |arch| match arch {
            Arch::X86_64 | Arch::X86 | Arch::X32 => 0,
            Arch::Aarch64 | Arch::Arm => 1,
        };
        family(self) == family(other)
    }

    /// From libseccomp's name; `None` for one of its architectures that is not known here.
    ///
    /// # Errors
    /// A name that libseccomp does not have either.
    pub fn parse(name: &str) -> Result<Option<Arch>> {
        let own = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm];
        match own.into_iter().find(|arch| arch.scmp_name() == name) {
            None if !ARCHS.contains(&name) => Err(Error::UnknownArch { arch: name.into() }),
            found => Ok(found),
        }
    }

    /// libseccomp's name.
    pub fn scmp_name(self) -> &'static str {
        match self {
            Arch::X86_64 => "SCMP_ARCH_X86_64",
            Arch::X86 => "SCMP_ARCH_X86",
            Arch::X32 => "SCMP_ARCH_X32",
            Arch::Aarch64 => "SCMP_ARCH_AARCH64",
            Arch::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// The name that Docker's profiles use in `includes` and `excludes`.
    pub fn docker_name(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::X86 => "x86",
            Arch::X32 => "x32",
            Arch::Aarch64 => "arm64",
            Arch::Arm => "arm",
        }
    }

    /// What the kernel puts into `seccomp_data.arch`.
    pub fn audit(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => 0xc000_003e,
            Arch::X86 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
            Arch::Arm => 0x4000_0028,
        }
    }
}

/// A call's row: its number on each architecture. `after` is the place behind the last one found: names
/// mostly come in the table's order.
pub(crate) fn row(name: &str, after: &mut usize) -> Option<&'static [u32; 5]> {
    let mut next = ROWS[*after..].iter().take(4);
    let place = match next.position(|(known, _)| *known == name) {
        Some(skipped) => *after + skipped,
        None => ROWS
            .binary_search_by(|(known, _)| (*known).cmp(name))
            .ok()?,
    };
    *after = place + 1;
    Some(&ROWS[place].1)
}

/// A call's number on one architecture, without [`X32_BIT`].
pub fn number(name: &str, arch: Arch) -> Option<u32> {
    row(name, &mut 0)
        .map(|r| r[arch as usize])
        .filter(|n| *n != NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_sound() {
        assert!(ROWS.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(
            ROWS.iter().all(|(_, r)| r.iter().any(|n| *n != NONE)
                && r.iter().all(|n| *n == NONE || *n < X32_BIT))
        );
    }

    #[test]
    fn some_numbers_as_everybody_knows_them() {
        assert_eq!(number("read", Arch::X86_64), Some(0));
        assert_eq!(number("execve", Arch::X86_64), Some(59));
        assert_eq!(number("execve", Arch::X32), Some(520));
        assert_eq!(number("socketcall", Arch::X86), Some(102));
        assert_eq!(number("socketcall", Arch::X86_64), None);
        assert_eq!(number("clone3", Arch::Aarch64), Some(435));
        assert_eq!(number("openat", Arch::Arm), Some(322));
        assert_eq!(number("set_tls", Arch::Arm), Some(0xf0005));
        assert_eq!(number("no_such_call", Arch::X86_64), None);
    }
}
