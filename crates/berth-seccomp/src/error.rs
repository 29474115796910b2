//! What can be wrong with a profile. Whatever is not understood is refused: a filter with a hole
//! is none (security: R25).

use berth_model::ErrorKind;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// A refused profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not of the profile's form.
    #[error("parse the seccomp profile")]
    Parse(#[source] serde_json::Error),
    /// No action of libseccomp's.
    #[error("use `{action}` as a seccomp action")]
    UnknownAction {
        /// As given.
        action: String,
    },
    /// No system call of any architecture.
    #[error("restrict the system call `{name}`: no such call is known")]
    UnknownSyscall {
        /// As given.
        name: String,
    },
    /// An architecture for which no filter can be made.
    #[error("filter the architecture `{arch}`: it is not known")]
    UnknownArch {
        /// As given.
        arch: String,
    },
    /// An operator that is none of libseccomp's.
    #[error("compare with `{op}` in a rule for `{syscall}`")]
    UnknownOperator {
        /// As given.
        op: String,
        /// The rule's first system call.
        syscall: String,
    },
    /// Calls have six arguments, 0 to 5.
    #[error("compare argument {index} in a rule for `{syscall}`: calls have arguments 0 to 5")]
    BadArgument {
        /// As given.
        index: u32,
        /// The rule's first system call.
        syscall: String,
    },
    /// An errno where the action returns none, or one out of range.
    #[error("return errno {errno} with `{action}`")]
    BadErrno {
        /// As given.
        errno: u32,
        /// The action.
        action: String,
    },
    /// A combination of fields that means nothing.
    #[error("understand the seccomp profile: {why}")]
    Contradiction {
        /// What is wrong.
        why: &'static str,
    },
    /// The kernel takes at most 4096 instructions.
    #[error("compile the seccomp profile: {instructions} instructions, the kernel takes 4096")]
    TooLong {
        /// What it would need.
        instructions: usize,
    },
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::UnknownArch { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidInput,
        }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownAction { .. } => {
                Some("the actions are SCMP_ACT_ALLOW, _ERRNO, _KILL, _KILL_PROCESS, _KILL_THREAD, _TRAP, _TRACE, _LOG and _NOTIFY".into())
            }
            Error::UnknownSyscall { .. } => Some("check its spelling: a rule that forbids nothing would go unnoticed".into()),
            _ => None,
        }
    }
}
