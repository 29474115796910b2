//! N10: on a full disk a push fails with its reason, leaves what was there, and removing makes room.

use std::path::Path;

use berth_registry_server::storage::Rules;
use berth_registry_server::{Code, Storage};
use rustix::fs::{FallocateFlags, Mode, OFlags};

use crate::disk::{Disk, format};
use crate::work::{self, NOW, STEPS, push, repository, state, tag};

/// The disk ends wherever it wants: in content, in a manifest, in a directory.
pub fn n10_a_full_disk_is_told_and_can_be_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("mounted");
    let mut reached = [0; STEPS.len() + 1];
    // The ballast is a mebibyte.
    for kib in (1028..1240).step_by(4) {
        let disk = Disk::memory(&at, kib << 10);
        let Ok(storage) = Storage::open(&disk.root()) else {
            panic!("a disk of {kib} KiB is too small to begin with");
        };
        let mut done = 0;
        for step in &STEPS[..6] {
            match step(&storage) {
                Ok(()) => done += 1,
                Err(failure) => {
                    assert_eq!(failure.code, Code::NoSpace, "{kib} KiB: {failure:?}");
                    break;
                }
            }
        }
        reached[done] += 1;
        let when = format!("{kib} KiB, after {done} steps");
        work::assert_sound(&storage, &when);
        assert_eq!(state(&storage), work::expected(done), "{when}");
        empty(&storage, &when);
        std::fs::remove_file(disk.root().join("ballast")).ok();
        if kib > 1100 {
            push(&repository(&storage, "one"), "v1", "a").unwrap();
        }
    }
    assert!(
        reached.iter().filter(|count| **count > 0).count() > 3,
        "{reached:?}"
    );
}

/// Removes all tags, and collects.
fn empty(storage: &Storage, when: &str) {
    for name in storage.repositories(None, 100).unwrap() {
        let repository = repository(storage, &name);
        for text in repository.tags(None, 100).unwrap() {
            let removed = repository.remove_tag(&tag(&text), "me", &Rules::default());
            assert!(removed.unwrap(), "{when}: {text}");
        }
    }
    storage.collect(&NOW, &|_| work::untagged_goes()).unwrap();
    assert!(state(storage).tags.is_empty());
    work::assert_sound(storage, when);
}

/// ext4 wants blocks for names, too. So many are left:
pub fn n10_no_block_is_left() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = dir.path().join("disk");
    for left in [0, 1, 2, 3, 5, 8, 12] {
        format(&file, 16 << 20);
        let disk = Disk::file(&dir.path().join("mounted"), &file, "ordered");
        let storage = Storage::open(&disk.root()).unwrap();
        STEPS[0](&storage).unwrap();
        fill(disk.at(), left);
        let when = format!("{left} blocks left");
        let pushed = push(&repository(&storage, "one"), "v1", "b");
        let done = match pushed {
            Ok(()) => 3,
            Err(failure) => {
                assert_eq!(failure.code, Code::NoSpace, "{when}: {failure:?}");
                1
            }
        };
        assert!(left > 5 || done == 1, "{when}: it is not full at all");
        let one = repository(&storage, "one");
        let other = repository(&storage, "new/one");
        if left == 0 {
            assert_eq!(push(&other, "v1", "a").unwrap_err().code, Code::NoSpace);
        }
        work::assert_sound(&storage, &when);
        assert_eq!(
            state(&storage).tags["one:v1"],
            work::expected(done).tags["one:v1"]
        );
        fill(disk.at(), 0);
        // More than fits into the last block of the history.
        for _ in 0..40 {
            let removed = one.remove_tag(&tag("v1"), "somebody", &Rules::default());
            assert!(removed.unwrap(), "{when}");
            let digest = work::expected(done).tags["one:v1"].clone();
            let back = one.rollback(&tag("v1"), &digest, "somebody", &Rules::default());
            if let Err(failure) = back {
                assert_eq!(failure.code, Code::NoSpace, "{when}");
                break;
            }
        }
        empty(&storage, &when);
        std::fs::remove_file(disk.at().join("filler")).unwrap();
        push(&one, "v1", "b").unwrap();
        work::assert_sound(&storage, &when);
    }
}

/// Takes all blocks but so many.
fn fill(at: &Path, left: u64) {
    let path = at.join("filler");
    let flags = OFlags::RDWR | OFlags::CREATE;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).unwrap();
    let mut step = 256;
    while step > 0 {
        let free = rustix::fs::statvfs(at).unwrap().f_bfree;
        let size = rustix::fs::fstat(&file).unwrap().st_size as u64;
        let fits = free >= left + step;
        if !fits || rustix::fs::fallocate(&file, FallocateFlags::empty(), size, step << 12).is_err()
        {
            step /= 2;
        }
    }
}
