//! The service manager's protocols, by hand: a datagram that says how it goes, and sockets that it opened for us.
//!
//! Source: sd_notify(3), sd_listen_fds(3).

use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::Error;

/// The first descriptor that a service manager passes.
const FIRST: i32 = 3;
/// More than anybody passes.
const MOST: i32 = 64;

/// Tells the service manager a state (`READY=1`, `STOPPING=1`). `socket`: the value of `NOTIFY_SOCKET`.
///
/// # Errors
/// [`Error::Socket`].
pub fn notify(socket: &str, state: &str) -> Result<(), Error> {
    let failed = |error: rustix::io::Errno| Error::Socket(error.into());
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        None => SocketAddrUnix::new(socket),
    };
    let sender = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(failed)?;
    rustix::net::sendto(
        &sender,
        state.as_bytes(),
        SendFlags::NOSIGNAL,
        &address.map_err(failed)?,
    )
    .map(drop)
    .map_err(failed)
}

/// The sockets that were opened for us, by the values of `LISTEN_PID` and `LISTEN_FDS`. To be taken once, before
/// anything else opens files.
pub fn inherited_sockets(pid: Option<&str>, count: Option<&str>) -> Vec<OwnedFd> {
    // One that is not open is none.
    numbers(pid, count)
        .filter_map(|number| berth_sys::process::inherited_fd(number).ok())
        .collect()
}

/// They are meant for one process: not for its parents or children.
fn numbers(pid: Option<&str>, count: Option<&str>) -> Range<i32> {
    let ours = pid.and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let count = count
        .and_then(|count| count.parse::<i32>().ok())
        .filter(|count| ours && (0..=MOST).contains(count));
    FIRST..FIRST + count.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn the_manager_hears() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        notify(path.to_str().unwrap(), "READY=1").unwrap();
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        assert!(notify("/no/such/socket", "READY=1").is_err());
    }

    #[test]
    fn sockets_of_others_are_not_taken() {
        let own = std::process::id().to_string();
        for (pid, count, wanted) in [
            (Some(own.as_str()), Some("2"), 3..5),
            (Some("1"), Some("2"), 3..3),
            (None, Some("2"), 3..3),
            (Some(own.as_str()), None, 3..3),
            (Some(own.as_str()), Some("-1"), 3..3),
            (Some(own.as_str()), Some("9999"), 3..3),
        ] {
            assert_eq!(numbers(pid, count), wanted, "{pid:?} {count:?}");
        }
    }
}
