//! When an image was used last: the modification time of its manifest's file, which nothing else needs.
//!
//! It is set to the clock's time by hand, not by the kernel, whose file times lag some milliseconds: what was used
//! after a moment must look so.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_oci::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::{Error, Store};

impl Store {
    /// Notes that the image with this manifest (or index) is used now. That it is not here changes nothing.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn touch(&self, digest: &Digest) -> Result<(), Error> {
        touch(&self.blob_path(digest))
    }

    pub(crate) fn touch_index(&self) -> Result<(), Error> {
        touch(&self.index_path())
    }

    /// When the image with this manifest (or index) was pulled, loaded, named or run last. `None`: it is not here.
    pub fn last_used(&self, digest: &Digest) -> Option<SystemTime> {
        let stat = rustix::fs::lstat(self.blob_path(digest)).ok()?;
        let since = Duration::new(stat.st_mtime.try_into().ok()?, stat.st_mtime_nsec as u32);
        UNIX_EPOCH.checked_add(since)
    }
}

fn touch(path: &Path) -> Result<(), Error> {
    let now = clock_gettime(ClockId::Realtime);
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        last_modification: now,
    };
    match rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(source) => {
            let path = path.to_owned();
            Err(berth_fs::Error::Write { path, source }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_told_by_the_clock() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let digest = lease.put("text/plain", b"x").unwrap().digest;
        for _ in 0..100 {
            let before = SystemTime::now();
            store.touch(&digest).unwrap();
            let used = store.last_used(&digest).unwrap();
            assert!((before..=SystemTime::now()).contains(&used));
        }
        store.touch(&Digest::of(b"absent")).unwrap();
        assert_eq!(store.last_used(&Digest::of(b"absent")), None);
    }
}
