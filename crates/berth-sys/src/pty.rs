//! Pseudo-terminals: a pair opened without ever looking up `/dev/pts/N` by name (security: R14).
//!
//! Source: pty(7), ioctl_tty(2) (TIOCGPTPEER).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// A pseudo-terminal.
#[derive(Debug)]
pub struct Pair {
    /// The side of the terminal emulator.
    pub master: OwnedFd,
    /// The side of the program.
    pub slave: OwnedFd,
}

const FLAGS: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);

/// Opens a pair of the host's `/dev/pts`.
///
/// # Errors
/// The kernel's.
pub fn open() -> Result<Pair, Errno> {
    pair(rustix::pty::openpt(FLAGS)?)
}

/// Opens a pair of the devpts instance whose root `devpts` is.
///
/// # Errors
/// The kernel's.
pub fn open_in(devpts: BorrowedFd<'_>) -> Result<Pair, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    pair(rustix::fs::openat(devpts, "ptmx", flags, Mode::empty())?)
}

fn pair(master: OwnedFd) -> Result<Pair, Errno> {
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, FLAGS)?;
    Ok(Pair { master, slave })
}

/// Sets the size in characters.
///
/// # Errors
/// The kernel's; `ENOTTY` when it is no terminal.
pub fn resize(terminal: impl AsFd, rows: u16, columns: u16) -> Result<(), Errno> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(terminal, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_talks_and_has_a_size() {
        let pair = open().unwrap();
        resize(&pair.master, 40, 100).unwrap();
        let size = rustix::termios::tcgetwinsize(&pair.slave).unwrap();
        assert_eq!((size.ws_row, size.ws_col), (40, 100));
        rustix::io::write(&pair.slave, b"hello\n").unwrap();
        let mut buffer = [0; 16];
        let length = rustix::io::read(&pair.master, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"hello\r\n");
    }

    #[test]
    fn a_pair_of_a_private_instance() {
        use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
        let fs = rustix::mount::fsopen("devpts", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        rustix::mount::fsconfig_set_string(&fs, "ptmxmode", "0666").unwrap();
        rustix::mount::fsconfig_create(&fs).expect("tests run as root");
        let root =
            rustix::mount::fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
                .unwrap();
        let pair = open_in(root.as_fd()).unwrap();
        assert!(rustix::termios::isatty(&pair.slave));
        assert!(
            rustix::fs::accessat(
                &root,
                "0",
                rustix::fs::Access::EXISTS,
                rustix::fs::AtFlags::empty()
            )
            .is_ok()
        );
    }
}
