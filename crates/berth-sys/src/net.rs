//! The devices of a network namespace: its loopback, which the kernel makes down, and those that are
//! moved into it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::check;
use crate::netlink::{CREATE, DUMP, Protocol, Request, Socket, attribute};

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

/// Bytes that were sent and the other end has not read (a unix socket), or not acknowledged (TCP).
/// Source: unix(7), tcp(7) (SIOCOUTQ, which is TIOCOUTQ).
///
/// # Errors
/// The kernel's.
pub fn unread_bytes(socket: impl AsFd) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, which lives through the call.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    check(result)?;
    Ok(u32::try_from(bytes).unwrap_or(0))
}

/// Bytes of `struct ifinfomsg` and `struct ifaddrmsg`.
const IFINFO: usize = 16;
const IFADDR: usize = 8;

/// An address, as it is listed and set again.
struct Address {
    fixed: [u8; IFADDR],
    attributes: Vec<(u16, Vec<u8>)>,
}

/// Moves the network device `name` of the caller's namespace into another one and brings it up there, as
/// `new_name` (a `%d` in it becomes the first free number), with its permanent addresses of global scope,
/// which the kernel takes from a device that leaves.
///
/// # Errors
/// The kernel's: `ENODEV`; `EEXIST` when the name is taken; `EPERM` without CAP_NET_ADMIN over both
/// namespaces and CAP_SYS_ADMIN over the new one; `EINVAL` for a device that cannot leave.
pub fn move_device(name: &str, new_name: &str, target: BorrowedFd<'_>) -> io::Result<()> {
    let here = Socket::open(Protocol::Route)?;
    let index = index_of(&here, name)?;
    // Before it goes down: with it go the addresses of IPv6.
    let addresses = addresses(&here, index)?;
    let there = socket_in(target)?;
    let before = links(&there)?;
    // The kernel would move it first and find out then.
    let new_name = c_name(new_name);
    let has_it = |link: &Vec<u8>| attribute(link, IFINFO, libc::IFLA_IFNAME) == Some(&new_name);
    if before.iter().any(has_it) {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    let before: Vec<_> = before.iter().filter_map(|link| number(link)).collect();
    set_up(&here, index, false)?;
    let change = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(index, 0, 0))
        .with(libc::IFLA_IFNAME, &new_name)
        .with(libc::IFLA_NET_NS_FD, &target.as_raw_fd().to_ne_bytes());
    if let Err(error) = here.ask(change) {
        // It stays as it was found.
        let _ = set_up(&here, index, true);
        return Err(error);
    }
    // Its number may be taken there; with a pattern its name is not known either.
    let after = links(&there)?;
    let new = after.iter().filter_map(|link| number(link));
    let new: Vec<_> = new.filter(|index| !before.contains(index)).collect();
    let &[index] = &new[..] else {
        return Err(io::Error::other("several devices came at once"));
    };
    for address in addresses {
        let mut fixed = address.fixed;
        fixed[4..].copy_from_slice(&index.to_ne_bytes());
        let request = Request::new(libc::RTM_NEWADDR, CREATE, &fixed);
        let add = |request: Request, (kind, value): &(u16, Vec<u8>)| request.with(*kind, value);
        there.ask(address.attributes.iter().fold(request, add))?;
    }
    set_up(&there, index, true)
}

/// A socket in another namespace. The caller comes back.
fn socket_in(target: BorrowedFd<'_>) -> io::Result<Socket> {
    let back = File::open("/proc/thread-self/ns/net")?;
    let enter = |namespace| move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network));
    enter(target)?;
    let socket = Socket::open(Protocol::Route);
    enter(back.as_fd())?;
    socket
}

fn index_of(socket: &Socket, name: &str) -> io::Result<i32> {
    let request =
        Request::new(libc::RTM_GETLINK, 0, &ifinfo(0, 0, 0)).with(libc::IFLA_IFNAME, &c_name(name));
    let links = socket.ask(request)?;
    links
        .first()
        .and_then(|link| number(link))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn links(socket: &Socket) -> io::Result<Vec<Vec<u8>>> {
    socket.ask(Request::new(libc::RTM_GETLINK, DUMP, &ifinfo(0, 0, 0)))
}

fn set_up(socket: &Socket, index: i32, up: bool) -> io::Result<()> {
    let bit = libc::IFF_UP as u32;
    let flags = if up { bit } else { 0 };
    let change = Request::new(libc::RTM_NEWLINK, 0, &ifinfo(index, flags, bit));
    socket.ask(change).map(drop)
}

/// The permanent addresses of global scope: others come of themselves, or are the old place's.
fn addresses(socket: &Socket, index: i32) -> io::Result<Vec<Address>> {
    const KEPT: [u16; 3] = [libc::IFA_ADDRESS, libc::IFA_LOCAL, libc::IFA_BROADCAST];
    let listed = socket.ask(Request::new(libc::RTM_GETADDR, DUMP, &[0; IFADDR]))?;
    let ours = listed.iter().filter_map(|body| {
        let fixed: [u8; IFADDR] = *body.first_chunk()?;
        let [_, _, flags, scope, own @ ..] = fixed;
        let permanent = u32::from(flags) & libc::IFA_F_PERMANENT != 0;
        if i32::from_ne_bytes(own) != index || scope != libc::RT_SCOPE_UNIVERSE || !permanent {
            return None;
        }
        let kept = KEPT
            .iter()
            .filter_map(|kind| attribute(body, IFADDR, *kind).map(|value| (*kind, value.to_vec())));
        Some(Address {
            fixed,
            attributes: kept.collect(),
        })
    });
    Ok(ours.collect())
}

/// `struct ifinfomsg`: family, padding, type u16, index i32, flags u32, change u32.
fn ifinfo(index: i32, flags: u32, change: u32) -> [u8; IFINFO] {
    let mut bytes = [0; IFINFO];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..].copy_from_slice(&change.to_ne_bytes());
    bytes
}

fn number(link: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(*link.get(4..)?.first_chunk()?))
}

fn c_name(name: &str) -> Vec<u8> {
    [name.as_bytes(), b"\0"].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_other_end_has_not_read_is_counted() {
        use std::io::{Read, Write};
        let (mut here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(super::unread_bytes(&here).unwrap(), 0);
        here.write_all(b"five.").unwrap();
        // The kernel counts its own overhead, too.
        assert!(super::unread_bytes(&here).unwrap() >= 5);
        there.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(super::unread_bytes(&here).unwrap(), 0);
    }

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

    fn ip(arguments: &str) -> String {
        let output = std::process::Command::new("ip")
            .args(arguments.split(' '))
            .output()
            .unwrap();
        let (out, err) = (&output.stdout, &output.stderr);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(err));
        String::from_utf8_lossy(out).into_owned()
    }

    /// In threads of their own, whose namespaces go with them.
    #[test]
    fn a_device_moves_with_its_addresses() {
        let other = || {
            let namespace = std::thread::spawn(|| {
                crate::process::unshare(libc::CLONE_NEWNET as u64).unwrap();
                std::fs::File::open("/proc/thread-self/ns/net").unwrap()
            });
            namespace.join().unwrap()
        };
        let run = move || {
            crate::process::unshare(libc::CLONE_NEWNET as u64).unwrap();
            ip("link add dev a type veth peer name b");
            ip("address add 10.9.8.7/24 broadcast + dev a");
            ip("address add 10.9.8.6 peer 10.7.7.7 dev a");
            ip("address add 127.0.0.9/32 scope host dev a");
            ip("link set dev a mtu 1400 up");
            ip("link set dev b up");
            ip("address add fd00::7/64 dev a");
            ip("link add dev c type veth peer name d");
            let target = other();
            super::move_device("a", "x%d", target.as_fd()).unwrap();
            super::move_device("c", "c", target.as_fd()).unwrap();
            let missing = super::move_device("a", "a", target.as_fd()).unwrap_err();
            assert_eq!(missing.raw_os_error(), Some(libc::ENODEV));
            let taken = super::move_device("b", "c", target.as_fd()).unwrap_err();
            assert_eq!(taken.raw_os_error(), Some(libc::EEXIST));
            assert!(ip("-o link show dev b").contains("UP"), "left as it was");
            move_into_link_name_space(target.as_fd(), None).unwrap();
            ip("-o address show")
        };
        use rustix::thread::move_into_link_name_space;
        use std::os::fd::AsFd as _;
        let shown = std::thread::spawn(run).join().unwrap();
        for part in [
            "inet 10.9.8.7/24 brd 10.9.8.255 scope global x0",
            "inet 10.9.8.6 peer 10.7.7.7/32 scope global x0",
            "inet6 fd00::7/64 scope global",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("127.0.0.9"), "{shown}");
    }
}
