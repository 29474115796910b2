//! A unix socket to listen at.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode};
use tokio::net::UnixListener;

/// The group whose members may use the engine, if it exists. They are root by it.
const GROUP: &str = "berth";

/// The socket's name; it goes with this, if it is still that socket's.
#[derive(Debug)]
pub(crate) struct Name {
    path: PathBuf,
    identity: (u64, u64),
}

/// A socket that never had other rights than it is to have: it is made where nobody else gets, then moved
/// (security: D15). A socket that lies at `path` is replaced.
pub(crate) fn unix(path: &Path) -> io::Result<(UnixListener, Name)> {
    if let Ok(there) = path.symlink_metadata()
        && !there.file_type().is_socket()
    {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let private = directory.join(format!(".listen-{}", std::process::id()));
    // Of one with our number that was killed.
    match std::fs::remove_dir_all(&private) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let listener = place(&private.join("s"), path);
    // The first failure is the one to tell.
    let removed = std::fs::remove_dir_all(&private);
    let listener = listener?;
    removed?;
    let found = path.symlink_metadata()?;
    let name = Name {
        path: path.to_owned(),
        identity: (found.dev(), found.ino()),
    };
    Ok((listener, name))
}

/// A unix socket that listens already; its name and rights are its opener's.
pub(crate) fn given(socket: &OwnedFd) -> io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::from(socket.try_clone()?);
    // What it is not is found here, not at the first client.
    listener.local_addr()?;
    if !rustix::net::sockopt::socket_acceptconn(socket)? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn place(made: &Path, path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(made)?;
    // An ordinary user's is his own.
    if let Some(group) = group().filter(|_| rustix::process::geteuid().is_root()) {
        let group = Some(Gid::from_raw(group));
        rustix::fs::chownat(CWD, made, None, group, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    // Nobody else gets into the directory: what has this name is the socket.
    rustix::fs::chmodat(CWD, made, Mode::from_raw_mode(0o660), AtFlags::empty())?;
    std::fs::rename(made, path)?;
    Ok(listener)
}

/// The group's number.
fn group() -> Option<u32> {
    let text = std::fs::read_to_string("/etc/group").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(GROUP)?.strip_prefix(':'))?;
    line.split(':').nth(1)?.parse().ok()
}

impl Drop for Name {
    fn drop(&mut self) {
        let there = self.path.symlink_metadata();
        if there.is_ok_and(|there| (there.dev(), there.ino()) == self.identity) {
            // What cannot be removed is replaced by the next one.
            _ = std::fs::remove_file(&self.path);
        }
    }
}
