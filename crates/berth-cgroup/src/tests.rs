//! On the real host, as root: each test works below a parent of its own and leaves nothing.
//! Conversions for v2, whose controllers a hybrid host does not have, are tested as values.

mod devices;
mod lifecycle;
mod limits;
mod update;
mod usage;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use berth_oci::spec::{Cpu, DeviceRule, Memory, Pids, Resources};

use super::*;

/// A parent cgroup that goes when the test ends, however it ends.
struct Parent(String);

impl Parent {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Parent(format!("/berth-test-{}-{number}", std::process::id()))
    }

    fn leaf(&self) -> String {
        format!("{}/leaf", self.0)
    }

    /// Every directory of this parent that exists in any hierarchy.
    fn dirs(&self) -> Vec<PathBuf> {
        let layout = Layout::detect().unwrap();
        let all = layout.all();
        all.map(|h| h.mount.join(&self.0[1..]))
            .filter(|p| p.exists())
            .collect()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        for dir in self.dirs() {
            let cgroup = Cgroup::open(&[dir]).unwrap();
            let _ = cgroup.kill();
            let _ = cgroup.remove();
        }
    }
}

/// The whole cgroup at once, or nothing.
fn create_in(
    layout: &Layout,
    path: &str,
    resources: &Resources,
    options: &Options,
) -> Result<Cgroup> {
    let (mut cgroup, mut rest) = Cgroup::begin_in(layout, path, resources, options)?;
    match cgroup.complete(&mut rest, resources, options) {
        Ok(()) => Ok(cgroup),
        Err(error) => {
            let _ = cgroup.remove();
            rest.undo();
            Err(error)
        }
    }
}

fn create_at(path: &str, resources: &Resources, options: &Options) -> Result<Cgroup> {
    create_in(&Layout::detect()?, path, resources, options)
}

/// A process that is killed when the test ends.
struct Sleeper(Child);

impl Sleeper {
    fn start(script: &str) -> Self {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Sleeper(child)
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn create(parent: &Parent, resources: &Resources) -> Result<Cgroup> {
    create_at(&parent.leaf(), resources, &Options::default())
}

fn limits() -> Resources {
    Resources {
        memory: Some(Memory {
            limit: Some(64 << 20),
            swap: Some(128 << 20),
            ..Memory::default()
        }),
        cpu: Some(Cpu {
            shares: Some(512),
            quota: Some(50_000),
            period: Some(100_000),
            ..Cpu::default()
        }),
        pids: Some(Pids { limit: Some(100) }),
        devices: docker_devices(),
        ..Resources::default()
    }
}

fn docker_devices() -> Vec<DeviceRule> {
    let rule = |allow, kind: &str, major, minor, access: &str| DeviceRule {
        allow,
        kind: Some(kind.into()),
        major,
        minor,
        access: Some(access.into()),
    };
    vec![
        rule(false, "a", None, None, "rwm"),
        rule(true, "c", Some(1), Some(3), "rwm"),
        rule(true, "c", Some(1), Some(5), "r"),
    ]
}

fn limit(cgroup: &Cgroup, name: &str) -> Option<u64> {
    cgroup
        .limits()
        .unwrap()
        .into_iter()
        .find(|l| l.name == name)
        .and_then(|l| l.value)
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a script in a cgroup; exit code 0 is true.
fn succeeds(cgroup: &Cgroup, script: &str) -> bool {
    let script = format!("read x; {script}");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    cgroup.add(child.id() as i32).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap().success()
}

fn resources(set: impl FnOnce(&mut Resources)) -> Resources {
    let mut resources = Resources::default();
    set(&mut resources);
    resources
}

fn value(cgroup: &Cgroup, file: &str) -> String {
    let text = cgroup.dir_with(file).expect(file).read(file).unwrap();
    text.trim().to_owned()
}

fn root_disk() -> (i64, i64) {
    let disk = std::fs::read_dir("/sys/block").unwrap();
    let dev = disk
        .filter_map(|d| std::fs::read_to_string(d.ok()?.path().join("dev")).ok())
        .next()
        .expect("a block device");
    let (major, minor) = dev.trim().split_once(':').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}
