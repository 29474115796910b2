//! Seccomp profiles: Docker's JSON → the specification's rules → a BPF program. Pure.
//!
//! [`resolve_profile`] decides what of a Docker profile holds for one container (its
//! capabilities, the architecture, the kernel); [`compile`] makes the program that the kernel
//! runs at each system call. Both refuse what they do not understand (security: R25).

mod action;
mod arch;
mod builder;
mod compare;
mod compile;
mod error;
mod profile;
mod table;

#[cfg(test)]
mod tests;

pub use action::{ACTIONS, Action};
pub use arch::{ARCHS, Arch, X32_BIT, number};
pub use compare::OPERATORS;
pub use compile::compile;
pub use error::{Error, Result};
pub use profile::{DEFAULT_PROFILE, Target, resolve_profile};

/// One classic BPF instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u16,
    /// Jump distance if true.
    pub jt: u8,
    /// Jump distance if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// At most 4096.
    pub instructions: Vec<Insn>,
    /// Some rule asks a supervisor: a listener is needed.
    pub listener: bool,
}
