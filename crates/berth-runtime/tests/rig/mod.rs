//! Bundles, the runtime's binary, and what must not be left behind. Needs root and busybox-static.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // this whole module is a test

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::ledger::{Ledger, Mark};
use testkit::{Finished, eventually};

/// How long one command may take.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Root's id outside, in the user namespaces of tests.
const SUB_ID: u32 = 100_000;

/// The binary under test: the static one when the environment names it.
pub fn runtime() -> PathBuf {
    // In a virtual machine (tests/vm) only the environment names it.
    let built = option_env!("CARGO_BIN_EXE_berth-runtime");
    let named = std::env::var_os("BERTH_RUNTIME").map(PathBuf::from);
    named
        .or(built.map(PathBuf::from))
        .expect("BERTH_RUNTIME names it")
}

/// A bundle with busybox, its own state root and cgroup parent; checks for leaks when it goes.
pub struct Bundle {
    pub dir: tempfile::TempDir,
    pub config: Value,
    /// The binary that [`Bundle::command`] runs.
    pub program: PathBuf,
    mark: Mark,
    before: Ledger,
}

impl Bundle {
    /// The runtime's own example, without a terminal, running `script` in busybox's shell.
    pub fn new(script: &str) -> Bundle {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests run as root"
        );
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroup = format!("berth-rt-{}-{number}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let mark = Mark {
            // It makes no network.
            bridge: "none".to_owned(),
            directory: dir.path().to_owned(),
            cgroup: cgroup.clone(),
        };
        let before = Ledger::take(&mark);
        testkit::busybox::make_rootfs(&dir.path().join("rootfs"));
        let made = Command::new(runtime())
            .arg("spec")
            .arg("-b")
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(made.success());
        let text = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sh", "-c", script]);
        config["linux"]["cgroupsPath"] = json!(format!("/{cgroup}/c"));
        Bundle {
            dir,
            config,
            program: runtime(),
            mark,
            before,
        }
    }

    /// The same with a root file system that can be written.
    pub fn writable(script: &str) -> Bundle {
        let mut bundle = Bundle::new(script);
        bundle.config["root"]["readonly"] = json!(false);
        bundle
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn rootfs(&self, file: &str) -> PathBuf {
        self.dir.path().join("rootfs").join(file)
    }

    /// A program or script of the image's.
    pub fn executable(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.rootfs(file), content).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.rootfs(file), mode).unwrap();
    }

    /// Lets whoever is root of a user namespace come to the root file system.
    pub fn open_up(&self) {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(), mode).unwrap();
    }

    /// Maps of ids that no user of the host has.
    pub fn map_ids(&mut self) {
        for field in ["uidMappings", "gidMappings"] {
            self.config["linux"][field] =
                json!([{"containerID": 0, "hostID": SUB_ID, "size": 65_536}]);
        }
    }

    /// Gives the container a user namespace, and its root file system to that one's root.
    pub fn user_namespace(&mut self) {
        self.map_ids();
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "user"}));
        self.open_up();
        let chown =
            |path: &Path| std::os::unix::fs::lchown(path, Some(SUB_ID), Some(SUB_ID)).unwrap();
        chown(&self.rootfs(""));
        for entry in std::fs::read_dir(self.rootfs("")).unwrap() {
            chown(&entry.unwrap().path());
        }
    }

    /// Leaves the container in the host's namespace of a kind (the configuration's word).
    pub fn without_namespace(&mut self, kind: &str) {
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != kind);
    }

    /// Replaces the mount at a destination, or adds one.
    pub fn mount(&mut self, mount: Value) {
        let list = self.config["mounts"].as_array_mut().unwrap();
        list.retain(|m| m["destination"] != mount["destination"]);
        list.push(mount);
    }

    /// One more mount, also at a destination that has one.
    pub fn add_mount(&mut self, mount: Value) {
        self.config["mounts"].as_array_mut().unwrap().push(mount);
    }

    pub fn remove_mount(&mut self, destination: &str) {
        self.config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|m| m["destination"] != destination);
    }

    /// Leaves `/dev` to the image, with all that is mounted there.
    pub fn without_dev(&mut self) {
        for destination in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            self.remove_mount(destination);
        }
    }

    /// Lets the runtime run inside: the tests' own build is dynamic, the real one is not.
    pub fn with_libraries(&mut self) {
        for path in ["/lib", "/lib64", "/usr/lib"] {
            if Path::new(path).exists() {
                self.mount(
                    json!({"destination": path, "source": path, "options": ["rbind", "ro"]}),
                );
            }
        }
    }

    /// Sets bounding, effective and permitted.
    pub fn caps(&mut self, caps: &[&str]) {
        for set in ["bounding", "effective", "permitted"] {
            self.config["process"]["capabilities"][set] = json!(caps);
        }
    }

    /// A command of the runtime on this bundle's state root.
    pub fn command(&self, args: &[&str]) -> Command {
        // In one step: a command that was started before may be reading it.
        let new = self.path().join("config.json.new");
        std::fs::write(&new, self.config.to_string()).unwrap();
        std::fs::rename(new, self.path().join("config.json")).unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg("--root")
            .arg(self.path().join("state"))
            .args(args)
            .current_dir(self.path());
        command
    }

    /// Runs a command of the runtime to its end.
    pub fn call(&self, args: &[&str]) -> Finished {
        Finished::run(&mut self.command(args), b"", LIMIT)
    }

    /// `run`s the container to its end.
    pub fn run(&self) -> Finished {
        self.call(&["run", "c"])
    }

    /// Runs a verb after which the container lives on: of the test's streams it gets standard error only.
    #[track_caller]
    pub fn leaving(&self, args: &[&str]) {
        let status = self
            .command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}");
    }

    /// Makes the container and no more.
    #[track_caller]
    pub fn create(&self) {
        self.leaving(&["create", "c"]);
    }

    /// Starts the container in the background.
    #[track_caller]
    pub fn start(&self) {
        self.leaving(&["run", "-d", "c"]);
    }

    /// Runs a verb under strace with these options, what it traces in `trace`. Nothing that is left running holds
    /// the caller: its output goes nowhere.
    pub fn traced(&self, options: &[&str], args: &[&str]) {
        let plain = self.command(args);
        let status = Command::new("strace")
            .args(["-qq", "-o"])
            .arg(self.path().join("trace"))
            .args(options)
            .arg(plain.get_program())
            .args(plain.get_args())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.expect("strace is installed");
    }

    /// Waits for the container's end.
    #[track_caller]
    pub fn stopped(&self) {
        eventually("the end", || {
            (self.state()["status"] == "stopped").then_some(())
        });
    }

    /// What `state` says.
    pub fn state(&self) -> Value {
        serde_json::from_str(self.call(&["state", "c"]).ok()).unwrap()
    }

    /// The processes, mounts and cgroups that are there and were not.
    pub fn leaks(&self) -> Vec<String> {
        let left = Ledger::take(&self.mark).since(&self.before);
        let states = std::fs::read_dir(self.path().join("state"))
            .into_iter()
            .flatten();
        let states = states.map(|s| format!("state: {}", s.unwrap().path().display()));
        // The parent of the cgroups is whoever named it to remove.
        let parent = format!("/{}", self.mark.cgroup);
        left.into_iter()
            .filter(|l| !l.ends_with(&parent) && !l.starts_with("link:"))
            .chain(states)
            .collect()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let leaks = self.leaks();
        testkit::ledger::sweep(&self.mark);
        if !std::thread::panicking() {
            assert!(leaks.is_empty(), "left behind: {leaks:#?}");
        }
    }
}
