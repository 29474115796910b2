//! Lists of names, kept from one page to the next: reading and sorting a directory once for each page would take time in
//! proportion to the square of its length.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use berth_fs::Error;

use super::disk;
use crate::sync::lock;

/// Shorter ones are read each time.
const LEAST_NAMES: usize = 200;
/// Longer ones too: they would fill memory.
const MOST_NAMES: usize = 100_000;
/// Directories whose names are kept.
const MOST_LISTS: usize = 8;
/// The kernel's clock for files ticks at least so often, in nanoseconds: two changes that far apart differ in time.
const TICK: i128 = 100_000_000;

/// The names of some directories.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<VecDeque<Listing>>);

#[derive(Debug)]
struct Listing {
    dir: PathBuf,
    stamp: Stamp,
    names: Arc<Vec<String>>,
}

/// A directory as it was when it was read.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    /// Nanoseconds.
    changed: i128,
}

impl Listings {
    /// The names in a directory, sorted by their bytes; none, if it is not there.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn sorted(&self, dir: &Path) -> Result<Arc<Vec<String>>, Error> {
        let Some(stat) = disk::stat(dir)? else {
            return Ok(Arc::default());
        };
        let stamp = Stamp {
            inode: stat.st_ino,
            changed: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        };
        let known = self
            .lock()
            .iter()
            .find(|l| l.dir == dir && l.stamp == stamp)
            .map(|l| l.names.clone());
        if let Some(names) = known {
            return Ok(names);
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let now = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
        let mut names = disk::names(dir)?;
        names.sort_unstable();
        let names = Arc::new(names);
        // What changes in the same tick as before would not show: such a list is of use only once.
        let is_settled = now - stamp.changed > TICK;
        let mut lists = self.lock();
        lists.retain(|l| l.dir != dir);
        if is_settled && (LEAST_NAMES..=MOST_NAMES).contains(&names.len()) {
            lists.truncate(MOST_LISTS - 1);
            lists.push_front(Listing {
                dir: dir.to_owned(),
                stamp,
                names: names.clone(),
            });
        }
        Ok(names)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Listing>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_kept_is_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let lists = Listings::default();
        assert!(lists.sorted(&dir.path().join("none")).unwrap().is_empty());
        for n in 0..LEAST_NAMES {
            std::fs::write(dir.path().join(format!("t{n:04}")), "").unwrap();
        }
        let first = lists.sorted(dir.path()).unwrap();
        assert_eq!(first.len(), LEAST_NAMES);
        assert!(first.is_sorted());
        assert!(lists.lock().is_empty(), "it may change in the same tick");
        std::thread::sleep(std::time::Duration::from_millis(150));
        let kept = lists.sorted(dir.path()).unwrap();
        assert!(Arc::ptr_eq(&kept, &lists.sorted(dir.path()).unwrap()));
        // As fast as can be, each change shows at once.
        for n in 0..300 {
            std::fs::write(dir.path().join(format!("n{n}")), "").unwrap();
            assert_eq!(lists.sorted(dir.path()).unwrap().len(), LEAST_NAMES + n + 1);
        }
    }

    #[test]
    fn few_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let lists = Listings::default();
        for d in 0..MOST_LISTS + 2 {
            let dir = root.path().join(d.to_string());
            std::fs::create_dir(&dir).unwrap();
            for n in 0..LEAST_NAMES {
                std::fs::write(dir.join(n.to_string()), "").unwrap();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(150));
        for d in 0..MOST_LISTS + 2 {
            lists.sorted(&root.path().join(d.to_string())).unwrap();
        }
        assert_eq!(lists.lock().len(), MOST_LISTS);
    }
}
