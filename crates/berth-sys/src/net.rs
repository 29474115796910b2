//! The loopback of a new network namespace, which the kernel makes down.

use std::io;
use std::os::fd::AsRawFd as _;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::check;

/// Brings `lo` of the caller's network namespace up; with it come 127.0.0.1 and ::1.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over the namespace. Source: netdevice(7), SIOCSIFFLAGS.
pub fn loopback_up() -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: all-zero is a valid `ifreq`: a plain structure of numbers and a byte array.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which lives through the call; its name ends with NUL.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) };
    check(result).map(drop)
}

#[cfg(test)]
mod tests {
    /// In a thread of its own, whose namespace goes with it.
    #[test]
    fn a_new_loopback_comes_up() {
        let flags = std::thread::spawn(|| {
            crate::process::unshare(libc::CLONE_NEWNET as u64).unwrap();
            let reach =
                || std::net::UdpSocket::bind("127.0.0.1:0").and_then(|s| s.connect("127.0.0.1:9"));
            let before = reach().is_ok();
            super::loopback_up().unwrap();
            (before, reach().is_ok())
        });
        assert_eq!(flags.join().unwrap(), (false, true));
    }
}
