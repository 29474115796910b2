//! Resource limits of a process.
//!
//! Source: setrlimit(2), config.md "POSIX process".

use std::io;

use berth_oci::spec::Rlimit;
use rustix::process::Resource;

use crate::error::{Error, Result, invalid};

const RESOURCES: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

/// Checks that all names are limits.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub fn check(limits: &[Rlimit]) -> Result<()> {
    limits
        .iter()
        .try_for_each(|limit| resource(&limit.kind).map(drop))
}

/// Sets the limits of the calling process.
///
/// # Errors
/// [`Error::Rlimit`]; a limit is never silently lowered.
pub fn apply(limits: &[Rlimit]) -> Result<()> {
    for limit in limits {
        let value = |number| (number != u64::MAX).then_some(number);
        let new = rustix::process::Rlimit {
            current: value(limit.soft),
            maximum: value(limit.hard),
        };
        rustix::process::setrlimit(resource(&limit.kind)?, new).map_err(|errno| Error::Rlimit {
            kind: limit.kind.clone(),
            soft: limit.soft,
            hard: limit.hard,
            source: io::Error::from(errno),
        })?;
    }
    Ok(())
}

fn resource(name: &str) -> Result<Resource> {
    match RESOURCES.iter().find(|(known, _)| *known == name) {
        Some((_, resource)) => Ok(*resource),
        None => invalid(format!("`{name}` is no resource limit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_and_inverted_limits_are_errors() {
        let limit = |kind: &str, soft, hard| Rlimit {
            kind: kind.into(),
            soft,
            hard,
        };
        assert!(check(&[limit("RLIMIT_NOFILE", 1, 1)]).is_ok());
        assert!(check(&[limit("NOFILE", 1, 1)]).is_err());
        assert!(apply(&[limit("RLIMIT_CORE", 2, 1)]).is_err());
    }
}
