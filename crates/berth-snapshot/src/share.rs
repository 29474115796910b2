//! Large files that several snapshots have are stored once: images that share files, but not layers, share disk.
//!
//! ```text
//! snapshots/.shared/SIZE-MTIME-MODE-UID-GID-N   one more name of the file, and the only one if nobody has it any more
//! snapshots/<chain hex>/shared                  the names there that this snapshot's files have, one a line
//! ```
//!
//! A name's first part finds what may be equal, without any hash; the bytes are compared before a file is replaced by
//! a hard link. So what a crash left torn is harmless there. Files with attributes are left alone.
//!
//! A program in a container must not see two of its files become one: overlay shows inode and number of links of the
//! layer's file. Therefore no stack of layers gets the same inode twice; the next N is tried, which is another copy.
//!
//! All of it is best effort: a file that cannot be linked stays what it is.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use berth_fs::Durability;
use berth_oci::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use crate::Error;
use crate::compare::same_content;
use crate::snapshotter::make_dir;
use crate::store::{Active, Snapshots, names, step};

/// Copies of one content: as many stacks may hold the file that often.
const COPIES: u32 = 4;
/// ext4 allows 65,000 names of a file.
const MOST_LINKS: u64 = 60_000;
pub(crate) const POOL: &str = ".shared";
const LIST: &str = "shared";
/// What a file is called while it takes another's place.
const TEMPORARY: &str = ".berth-share";

impl Snapshots {
    /// Lets these files of a filled snapshot (paths in its tree) share the disk with equal ones of other snapshots.
    /// Returns how many bytes that saves.
    ///
    /// # Errors
    /// `Step`, `Dir`: the list of shared files cannot be kept.
    pub fn share(&self, active: &Active, paths: &[String]) -> Result<u64, Error> {
        let pool_path = self.dir().join(POOL);
        let pool = make_dir(&pool_path)?;
        let target = active.target();
        let tree = berth_fs::open_dir(&target).map_err(|source| step("open", &target, source))?;
        let mut sharing = Sharing {
            pool,
            taken: taken(active.lowers()),
            mine: Vec::new(),
            saved: 0,
        };
        let mut by_dir: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in paths {
            let (dir, name) = path.rsplit_once('/').unwrap_or((".", path));
            by_dir.entry(dir).or_default().push(name);
        }
        for (dir, names) in by_dir {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            // One that a later entry of the archive replaced by something else.
            if let Ok(dir) = berth_fs::open_in_root_no_links(tree.as_fd(), dir, flags) {
                sharing.directory(&dir, &names);
            }
        }
        if !sharing.mine.is_empty() {
            let path = active.dir().join(LIST);
            let list = sharing.mine.join("\n");
            berth_fs::atomic_write(&path, list.as_bytes(), Durability::Volatile)
                .map_err(|source| step("write", &path, source))?;
        }
        Ok(sharing.saved)
    }

    /// The shared files that a snapshot has: names in the pool and bytes on the disk.
    pub fn shared(&self, chain: &Digest) -> Vec<(String, u64)> {
        let tree = self.dir_of(chain).join(LIST);
        let list = fs::read_to_string(tree).unwrap_or_default();
        let lines = list.lines().filter_map(|name| {
            let stat = rustix::fs::lstat(self.dir().join(POOL).join(name)).ok()?;
            Some((name.to_owned(), stat.st_blocks.unsigned_abs() * 512))
        });
        lines.collect()
    }

    /// Removes files that no snapshot has any more. Returns their bytes on the disk.
    ///
    /// # Errors
    /// `Step`, `Dir`.
    pub fn sweep_shared(&self) -> Result<u64, Error> {
        let path = self.dir().join(POOL);
        let pool = make_dir(&path)?;
        let mut freed = 0;
        for name in names(&path)? {
            let Ok(stat) = rustix::fs::statat(&pool, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            // Whoever links to it between the two steps keeps the file: only this name goes.
            if stat.st_nlink == 1 && rustix::fs::unlinkat(&pool, &name, AtFlags::empty()).is_ok() {
                freed += stat.st_blocks.unsigned_abs() * 512;
            }
        }
        Ok(freed)
    }
}

/// The names that the layers below have.
fn taken(lowers: &[PathBuf]) -> HashSet<String> {
    let list = |lower: &PathBuf| fs::read_to_string(lower.with_file_name(LIST)).ok();
    let lists: Vec<String> = lowers.iter().filter_map(list).collect();
    let lines = lists.iter().flat_map(|list| list.lines());
    lines.map(str::to_owned).collect()
}

struct Sharing {
    pool: OwnedFd,
    /// Of the layers below, then ours too.
    taken: HashSet<String>,
    mine: Vec<String>,
    saved: u64,
}

impl Sharing {
    fn directory(&mut self, dir: &OwnedFd, names: &[&str]) {
        let Ok(before) = rustix::fs::fstat(dir) else {
            return;
        };
        // Only its owner can give it its time back.
        let me = rustix::process::geteuid().as_raw();
        if me != 0 && me != before.st_uid {
            return;
        }
        let saved = self.saved;
        for name in names {
            // It stays what it is.
            let _ = self.file(dir.as_fd(), name);
        }
        if self.saved > saved {
            let _ = rustix::fs::futimens(dir, &times(&before));
        }
    }

    fn file(&mut self, dir: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        let file = open(dir, name)?;
        let stat = rustix::fs::fstat(&file)?;
        // Two names in one layer are a link that the image has itself.
        if !is_plain(&file, &stat) || stat.st_nlink != 1 {
            return Ok(());
        }
        for copy in 0..COPIES {
            let key = key(&stat, copy);
            if self.taken.contains(&key) {
                continue;
            }
            match rustix::fs::linkat(dir, name, &self.pool, &key, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::EXIST) => {
                    let known = open(self.pool.as_fd(), &key)?;
                    if !is_same(&file, &stat, &known)? {
                        continue;
                    }
                    replace(self.pool.as_fd(), &key, dir, name)?;
                    self.saved += stat.st_size.unsigned_abs();
                }
                Err(errno) => return Err(errno),
            }
            self.mine.push(key.clone());
            self.taken.insert(key);
            return Ok(());
        }
        Ok(())
    }
}

/// All that a file's inode says and another one of the same content must say, too.
fn key(stat: &Stat, copy: u32) -> String {
    let Stat {
        st_size,
        st_mtime,
        st_mtime_nsec,
        st_mode,
        st_uid,
        st_gid,
        ..
    } = stat;
    let mode = st_mode & 0o7777;
    format!("{st_size}-{st_mtime}.{st_mtime_nsec}-{mode:o}-{st_uid}-{st_gid}-{copy}")
}

fn open(dir: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty()).map(File::from)
}

/// A regular file without attributes of its own.
fn is_plain(file: &File, stat: &Stat) -> bool {
    let attributes = rustix::fs::flistxattr(file, &mut [0u8; 1][..]);
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && matches!(attributes, Ok(0) | Err(Errno::OPNOTSUPP))
}

fn is_same(file: &File, stat: &Stat, known: &File) -> Result<bool, Errno> {
    let other = rustix::fs::fstat(known)?;
    if !is_plain(known, &other) || other.st_nlink >= MOST_LINKS || key(stat, 0) != key(&other, 0) {
        return Ok(false);
    }
    same_content(file, known)
}

/// Puts one more name of the known file in the place of ours.
fn replace(pool: BorrowedFd<'_>, key: &str, dir: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    rustix::fs::linkat(pool, key, dir, TEMPORARY, AtFlags::empty())?;
    rustix::fs::renameat(dir, TEMPORARY, dir, name).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(dir, TEMPORARY, AtFlags::empty());
    })
}

fn times(stat: &Stat) -> Timestamps {
    #[allow(clippy::unnecessary_cast, reason = "the types differ by architecture")]
    let time = |secs, nanos| Timespec {
        tv_sec: secs as i64,
        tv_nsec: nanos as i64,
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

#[cfg(test)]
mod tests;
