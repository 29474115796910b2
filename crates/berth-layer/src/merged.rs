//! Reading one file of an image or a container as its programs would see it, without mounting anything:
//! `/etc/passwd` for `USER name`, say.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::path::split;
use crate::view::{Found, View};

/// As the kernel's own limit on links in one path.
const LINKS: usize = 40;

/// The content of the regular file at `path` (`etc/passwd`) in the merged view of `layers` (topmost first).
/// Links are followed inside the view. `None`: there is no such file.
///
/// # Errors
/// `FBIG` for more than `max_bytes`, `INVAL` for what is not a regular file, `LOOP` for too many links.
pub fn read_merged(
    layers: Vec<OwnedFd>,
    path: &str,
    max_bytes: usize,
) -> Result<Option<Vec<u8>>, Errno> {
    match resolve(&mut View::new(layers), path.as_bytes())? {
        None => Ok(None),
        Some((clean, Found::Other(dir, stat)))
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile =>
        {
            read(dir.as_fd(), split(&clean).1, max_bytes).map(Some)
        }
        Some(_) => Err(Errno::INVAL),
    }
}

/// What `path` leads to in the view with all links followed, and its clean path. `None`: nothing is there.
///
/// # Errors
/// `LOOP` for too many links.
pub(crate) fn resolve(view: &mut View, path: &[u8]) -> Result<Option<(Vec<u8>, Found)>, Errno> {
    let mut ahead: VecDeque<Vec<u8>> = parts(path);
    let mut at: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        match name.as_slice() {
            b"." => continue,
            b".." => {
                at.pop();
                continue;
            }
            _ => at.push(name),
        }
        let clean = at.join(&b'/');
        let (dir, stat) = match view.find(&clean)? {
            None => return Ok(None),
            Some(Found::Dir) => continue,
            Some(Found::Other(dir, stat)) => (dir, stat),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            let found = Some((clean, Found::Other(dir, stat)));
            return Ok(found.filter(|_| ahead.is_empty()));
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        let target = rustix::fs::readlinkat(&dir, split(&clean).1, Vec::new())?;
        at.pop();
        if target.as_bytes().starts_with(b"/") {
            at.clear();
        }
        for part in parts(target.as_bytes()).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    Ok(Some((at.join(&b'/'), Found::Dir)))
}

/// What [`main`] ends with when there is no such file.
pub const ABSENT: u8 = 4;

/// `berth internal read PATH MAX_BYTES LAYER…`, for a rootless engine: a container may have closed a directory to
/// the user outside that its own root can read. The content goes to standard output.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let path = args.next().and_then(|path| path.into_string().ok());
    let max_bytes = args.next().and_then(|max| max.to_str()?.parse().ok());
    let (Some(path), Some(max_bytes)) = (path, max_bytes) else {
        return complain(Errno::INVAL);
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let layers: Result<Vec<_>, _> = args
        .map(|layer| rustix::fs::open(&layer, flags, Mode::empty()))
        .collect();
    match layers.and_then(|layers| read_merged(layers, &path, max_bytes)) {
        Ok(Some(content)) => match std::io::stdout().write_all(&content) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => complain(Errno::PIPE),
        },
        Ok(None) => ExitCode::from(ABSENT),
        Err(errno) => complain(errno),
    }
}

fn complain(errno: Errno) -> ExitCode {
    // Standard error is the only place to complain to.
    let _ = writeln!(std::io::stderr(), "{errno}");
    ExitCode::FAILURE
}

fn parts(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

fn read(dir: std::os::fd::BorrowedFd<'_>, name: &[u8], max_bytes: usize) -> Result<Vec<u8>, Errno> {
    // Without waiting: it may have become a fifo meanwhile.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    if stat.st_size as u64 > max_bytes as u64 {
        return Err(Errno::FBIG);
    }
    let mut content = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let length = rustix::io::read(&file, &mut chunk)?;
        if length == 0 {
            return Ok(content);
        }
        content.extend_from_slice(&chunk[..length]);
        if content.len() > max_bytes {
            return Err(Errno::FBIG);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn layers(dirs: &[&tempfile::TempDir]) -> Vec<OwnedFd> {
        dirs.iter()
            .map(|dir| OwnedFd::from(std::fs::File::open(dir.path()).unwrap()))
            .collect()
    }

    #[test]
    fn what_a_program_inside_would_read() {
        let (top, low) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(low.path().join("etc")).unwrap();
        std::fs::write(low.path().join("etc/passwd"), "low").unwrap();
        let read = |path: &str, max| read_merged(layers(&[&top, &low]), path, max);
        assert_eq!(read("etc/passwd", 9), Ok(Some(b"low".to_vec())));
        assert_eq!(read("etc/passwd", 2), Err(Errno::FBIG));
        assert_eq!(read("etc/none", 9), Ok(None));
        assert_eq!(read("etc", 9), Err(Errno::INVAL));
        std::fs::create_dir(top.path().join("etc")).unwrap();
        symlink("/x/../real", top.path().join("etc/passwd")).unwrap();
        std::fs::create_dir(top.path().join("x")).unwrap();
        std::fs::write(low.path().join("real"), "linked").unwrap();
        assert_eq!(read("etc/passwd", 9), Ok(Some(b"linked".to_vec())));
        symlink("loop", top.path().join("loop")).unwrap();
        assert_eq!(read("loop", 9), Err(Errno::LOOP));
        symlink("../../../../../../etc/hostname", top.path().join("out")).unwrap();
        assert_eq!(
            read("out", 9999),
            Ok(None),
            "the host has one, the view has not"
        );
    }

    #[test]
    fn an_opaque_directory_hides_what_is_below() {
        let (top, low) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&top, &low] {
            std::fs::create_dir(dir.path().join("etc")).unwrap();
        }
        std::fs::write(low.path().join("etc/passwd"), "low").unwrap();
        let mark = |name: &str| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(top.path().join("etc"), name, b"y", flags).unwrap();
        };
        mark("trusted.overlay.opaque");
        assert_eq!(
            read_merged(layers(&[&top, &low]), "etc/passwd", 9),
            Ok(None)
        );
    }
}
