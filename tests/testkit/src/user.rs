//! An ordinary user with subordinate ids, for rootless containers: `berth-test`, made when missing.
//!
//! `make clean-test-user` removes it.

use std::fs;
use std::process::Command;

use crate::programs::need_root;

const NAME: &str = "berth-test";
/// Rootless containers need at least this many subordinate ids.
const IDS: u32 = 65536;

/// An account of the host.
#[derive(Debug, Clone)]
pub struct TestUser {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

impl TestUser {
    /// The user, which is made if it is missing.
    ///
    /// # Panics
    /// When not root, or when Debian's tools fail.
    pub fn get() -> TestUser {
        need_root();
        let lock = fs::File::create("/run/lock/berth-test-user").expect("a lock file");
        lock.lock().expect("the lock");
        let user = TestUser::find(NAME).unwrap_or_else(|| {
            run("useradd", &["--create-home", "--shell", "/bin/sh", NAME]);
            TestUser::find(NAME).expect("useradd has made it")
        });
        for (file, option) in [
            ("/etc/subuid", "--add-subuids"),
            ("/etc/subgid", "--add-subgids"),
        ] {
            let text = fs::read_to_string(file).unwrap_or_default();
            if !text
                .lines()
                .any(|line| line.starts_with(&format!("{NAME}:")))
            {
                let start = free_start(&text);
                run(
                    "usermod",
                    &[option, &format!("{start}-{}", start + IDS - 1), NAME],
                );
            }
        }
        user
    }

    fn find(name: &str) -> Option<TestUser> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        let (uid, gid) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(TestUser {
            name: name.to_owned(),
            uid,
            gid,
        })
    }
}

/// The first id above all ranges that are given to somebody.
fn free_start(subids: &str) -> u32 {
    let ends = subids.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(1).map(str::parse::<u32>);
        Some(fields.next()?.ok()? + fields.next()?.ok()?)
    });
    ends.max().unwrap_or(0).max(100_000)
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_overlap() {
        assert_eq!(free_start(""), 100_000);
        assert_eq!(free_start("a:100000:65536\nb:165536:65536\n"), 231_072);
        assert_eq!(free_start("a:500:10\nnonsense\n"), 100_000);
    }
}
