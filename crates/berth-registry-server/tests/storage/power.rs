//! The power goes at each step: what is on the disk then is copied while the file system is mounted, with all that
//! is only in its memory left behind, and the copy is mounted.
//!
//! With `data=writeback` the journal does not wait for the data either: what the storage has not synced itself is
//! lost, or worse.

use std::process::Command;

use crate::disk::{Disk, format, run};
use crate::kill::{assert_survived, steps, work_until};

/// N9.
pub fn the_power_goes_at_each_step() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let at = |name: &str| dir.path().join(name);
    format(&at("empty"), 24 << 20);
    let copy = |from: &str, to: &str| {
        run(Command::new("cp")
            .arg("--sparse=always")
            .args([at(from), at(to)]));
    };
    copy("empty", "disk");
    let count = {
        let disk = Disk::file(&at("mounted"), &at("disk"), "ordered");
        steps(&disk.root(), dir.path()).len()
    };
    let stride = if std::env::var_os("BERTH_TEST_FULL").is_some() {
        1
    } else {
        11
    };
    let mut tested = 0;
    for step in (1..=count).step_by(stride) {
        let data = ["ordered", "writeback"][tested % 2];
        copy("empty", "disk");
        let disk = Disk::file(&at("mounted"), &at("disk"), data);
        let acknowledged = work_until(&disk.root(), &at("acknowledged"), step);
        copy("disk", "copy");
        drop(disk);
        let disk = Disk::file(&at("mounted"), &at("copy"), data);
        let when = format!("without power after step {step}, data={data}");
        assert_survived(&disk.root(), acknowledged, dir.path(), &when);
        tested += 1;
    }
    println!("without power after {tested} of {count} steps");
}
