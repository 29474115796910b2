//! Actions and their numbers. Source: linux/seccomp.h, seccomp(2).

use crate::error::{Error, Result};

/// The greatest errno that the kernel returns; it would clamp silently.
const MAX_ERRNO: u32 = 4095;
const EPERM: u32 = 1;

/// What happens to a call: the value that a filter returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action(u32);

/// libseccomp's names of all actions, as `features` lists them.
pub const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

impl Action {
    /// The call runs.
    pub const ALLOW: Action = Action(0x7fff_0000);
    /// The process dies with SIGSYS.
    pub const KILL_PROCESS: Action = Action(0x8000_0000);
    /// The thread dies with SIGSYS.
    pub const KILL_THREAD: Action = Action(0);
    /// A supervisor decides.
    pub const NOTIFY: Action = Action(0x7fc0_0000);
    /// The call is logged and runs.
    pub const LOG: Action = Action(0x7ffc_0000);

    /// The call fails with an errno.
    pub const fn errno(errno: u32) -> Action {
        Action(0x0005_0000 | errno)
    }

    /// From libseccomp's name. `errno` goes with ERRNO and TRACE alone (EPERM when left out).
    ///
    /// # Errors
    /// An unknown name, or an errno that is out of range or out of place.
    pub fn parse(name: &str, errno: Option<u32>) -> Result<Action> {
        let data = errno.unwrap_or(EPERM);
        let (action, takes_errno) = match name {
            "SCMP_ACT_ALLOW" => (Action::ALLOW, false),
            "SCMP_ACT_ERRNO" => (Action::errno(data), true),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => (Action::KILL_THREAD, false),
            "SCMP_ACT_KILL_PROCESS" => (Action::KILL_PROCESS, false),
            "SCMP_ACT_TRAP" => (Action(0x0003_0000), false),
            "SCMP_ACT_TRACE" => (Action(0x7ff0_0000 | data), true),
            "SCMP_ACT_LOG" => (Action::LOG, false),
            "SCMP_ACT_NOTIFY" => (Action::NOTIFY, false),
            other => {
                return Err(Error::UnknownAction {
                    action: other.into(),
                });
            }
        };
        match errno {
            Some(errno) if errno > MAX_ERRNO || !takes_errno => Err(Error::BadErrno {
                errno,
                action: name.into(),
            }),
            _ => Ok(action),
        }
    }

    /// The filter's return value.
    pub fn value(self) -> u32 {
        self.0
    }

    /// How strict the action is: 0 is the strictest. The kernel ranks the answers of several
    /// filters in the same way (seccomp(2)).
    pub fn leniency(self) -> u8 {
        match self.0 & 0xffff_0000 {
            0x8000_0000 => 0,
            0x0000_0000 => 1,
            0x0003_0000 => 2,
            0x0005_0000 => 3,
            0x7fc0_0000 => 4,
            0x7ff0_0000 => 5,
            0x7ffc_0000 => 6,
            _ => 7,
        }
    }

    /// Whether the call is refused by an errno.
    pub(crate) fn is_errno(self) -> bool {
        self.0 & 0xffff_0000 == 0x0005_0000
    }
}
