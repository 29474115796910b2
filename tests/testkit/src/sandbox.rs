//! A berth of one's own: state directories, cgroup parent, environment; empty at the start, and checked for
//! leaks at the end.
//!
//! ```text
//! /tmp/berth-t.XXXXXX/     short: socket names have 108 bytes
//! ├── root/  run/          --root, --run-dir
//! ├── bin/                 the programs, and `docker` → berth
//! ├── home/                HOME and working directory
//! └── tmp/                 TMPDIR
//! ```

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, Gid, Uid, chown, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::finished::Finished;
use crate::ledger::{self, Ledger, Mark};
use crate::programs;
use crate::pty::Session;
use crate::user::TestUser;
use crate::wait::PATIENCE;

/// Sandboxes that there may be at once.
const NUMBERS: u32 = 256;

/// A place for one test. Dropping it removes all containers and fails the test if anything stays.
pub struct Sandbox {
    directory: tempfile::TempDir,
    /// Of the subnet.
    number: u32,
    /// What makes it ours.
    _number_held: File,
    namespace: Option<PathBuf>,
    /// What an ordinary user finds at `/dev/net/tun`.
    tun: Option<PathBuf>,
    user: Option<TestUser>,
    mark: Mark,
    before: Ledger,
    /// Checks at the end that the store holds no half-done work either.
    check_at_end: bool,
}

impl Sandbox {
    /// berth as root.
    pub fn root() -> Sandbox {
        Sandbox::make(None)
    }

    /// berth as an ordinary user.
    pub fn rootless() -> Sandbox {
        Sandbox::make(Some(TestUser::get()))
    }

    /// As root, then as an ordinary user: for what has to be the same.
    pub fn both() -> [fn() -> Sandbox; 2] {
        [Sandbox::root, Sandbox::rootless]
    }

    fn make(user: Option<TestUser>) -> Sandbox {
        programs::need_root();
        let directory = tempfile::Builder::new()
            .prefix("berth-t.")
            .tempdir_in("/tmp")
            .expect("a directory");
        let path = directory.path().to_owned();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own");
        for name in ["root", "run", "home", "tmp", "bin"] {
            fs::create_dir(path.join(name)).expect("a directory");
            if let (Some(user), false) = (&user, name == "bin") {
                let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
                chown(path.join(name), Some(uid), Some(gid)).expect("root may");
            }
        }
        take_programs(&path.join("bin"), user.is_some());
        let cgroup = path
            .file_name()
            .expect("it has a name")
            .to_string_lossy()
            .replace("-t.", "-test-");
        let bridge = cgroup.replace("berth-test-", "bt");
        let mark = Mark {
            directory: path,
            cgroup,
            bridge,
        };
        let before = Ledger::take(&mark);
        let (number, number_held) = number();
        Sandbox {
            number,
            _number_held: number_held,
            namespace: None,
            tun: None,
            directory,
            user,
            mark,
            before,
            check_at_end: true,
        }
    }

    /// For tests that break things on purpose and cannot leave an empty store.
    pub fn without_final_check(mut self) -> Sandbox {
        self.check_at_end = false;
        self
    }

    /// berth runs in this network namespace.
    pub fn in_namespace(mut self, namespace: PathBuf) -> Sandbox {
        self.namespace = Some(namespace);
        self
    }

    /// The ordinary user finds such a `/dev/net/tun`, whatever the host's is.
    pub fn with_tun(mut self, mode: &str) -> Sandbox {
        let tun = self.path().join("tun");
        let line = format!("mknod -m {mode} {} c 10 200", tun.display());
        self.shell_as_root(&line).ok();
        self.tun = Some(tun);
        self
    }

    /// Whether berth runs as an ordinary user here.
    pub fn is_rootless(&self) -> bool {
        self.user.is_some()
    }

    /// The ordinary user, if any.
    pub fn user(&self) -> Option<&TestUser> {
        self.user.as_ref()
    }

    /// The sandbox's own directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `--root`.
    pub fn state(&self) -> PathBuf {
        self.path().join("root")
    }

    /// `--run-dir`.
    pub fn run_dir(&self) -> PathBuf {
        self.path().join("run")
    }

    /// A directory that berth's user may write; the working directory of commands.
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Name of the cgroup parent, below each hierarchy.
    pub fn cgroup_parent(&self) -> &str {
        &self.mark.cgroup
    }

    /// The bridge's device.
    pub fn bridge(&self) -> &str {
        &self.mark.bridge
    }

    /// The bridge's subnet: another one in each sandbox that is there at the time.
    pub fn subnet(&self) -> String {
        self.other_subnet(0)
    }

    /// A subnet that no other sandbox uses, for a network of the test's own; from 1 to 9.
    pub fn other_subnet(&self, which: u8) -> String {
        format!("10.{}.{}.0/24", 200 + which, self.number)
    }

    /// A file in [`Sandbox::home`] that belongs to berth's user.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        fs::write(&path, content).expect("our own directory");
        self.give(&path);
        path
    }

    /// A directory in [`Sandbox::home`] that belongs to berth's user.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.home().join(name);
        fs::create_dir_all(&path).expect("our own directory");
        self.give(&path);
        path
    }

    fn give(&self, path: &Path) {
        if let Some(user) = &self.user {
            chown(
                path,
                Some(Uid::from_raw(user.uid)),
                Some(Gid::from_raw(user.gid)),
            )
            .expect("root may");
        }
    }

    /// Any program, as berth's user, with berth's environment and nothing else.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match &self.user {
            None => match &self.namespace {
                None => Command::new(program),
                Some(namespace) => {
                    let mut command = Command::new("nsenter");
                    command.arg(format!("--net={}", namespace.display()));
                    command.args(["--", program]);
                    command
                }
            },
            Some(user) => {
                let mut words = Vec::new();
                if let Some(namespace) = &self.namespace {
                    let namespace = format!("--net={}", namespace.display());
                    words.extend(["nsenter".to_owned(), namespace, "--".to_owned()]);
                }
                if let Some(tun) = &self.tun {
                    let script = "mount --make-rprivate / && mount --bind \"$0\" /dev/net/tun && exec \"$@\"";
                    words.extend(["unshare", "-m", "sh", "-c", script].map(str::to_owned));
                    words.push(tun.display().to_string());
                }
                words.push("setpriv".to_owned());
                let mut command = Command::new(&words[0]);
                command
                    .args(&words[1..])
                    .arg(format!("--reuid={}", user.uid))
                    .arg(format!("--regid={}", user.gid));
                command.args(["--clear-groups", "--", program]);
                command
            }
        };
        let bin = self.path().join("bin");
        command
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    bin.display()
                ),
            )
            .env("HOME", self.home())
            .env("TMPDIR", self.path().join("tmp"))
            .env("XDG_RUNTIME_DIR", self.run_dir())
            .env("TERM", "xterm")
            .env("BERTH_ROOT", self.state())
            .env("BERTH_RUN_DIR", self.run_dir())
            .env("BERTH_CGROUP_PARENT", format!("/{}", self.mark.cgroup))
            .env("BERTH_BRIDGE_NAME", &self.mark.bridge)
            .env("BERTH_BRIDGE_SUBNET", self.subnet())
            .current_dir(self.home());
        command
    }

    /// `berth` with these arguments, ready to run.
    pub fn berth_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.path().join("bin/berth").to_string_lossy());
        command.args(arguments);
        command
    }

    /// Runs `berth`.
    pub fn berth(&self, arguments: &[&str]) -> Finished {
        Finished::run(
            &mut self.berth_command(arguments),
            b"",
            Duration::from_secs(60),
        )
    }

    /// Runs `berth` with something on its standard input.
    pub fn berth_with_input(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Finished {
        Finished::run(
            &mut self.berth_command(arguments),
            input.as_ref(),
            Duration::from_secs(60),
        )
    }

    /// Runs a line of shell as docker's user would type it: `docker` is berth.
    pub fn shell(&self, line: &str) -> Finished {
        let mut command = self.command("/bin/sh");
        Finished::run(command.args(["-c", line]), b"", Duration::from_secs(60))
    }

    /// A line of shell as root, whoever berth's user is.
    pub fn shell_as_root(&self, line: &str) -> Finished {
        Finished::run(
            Command::new("/bin/sh").args(["-c", line]),
            b"",
            Duration::from_secs(60),
        )
    }

    /// Starts `berth` and does not wait. Output is piped.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.berth_command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("berth starts")
    }

    /// `berth` on a terminal.
    pub fn session(&self, arguments: &[&str]) -> Session {
        Session::start_for(&self.berth_command(arguments), self.user.as_ref())
    }

    /// Makes the image `busybox`.
    pub fn with_busybox(self) -> Sandbox {
        self.berth(&["image", "bootstrap", "busybox"]).ok();
        self
    }

    /// The store's first image as umoci names it (`LAYOUT:NAME`), and skopeo behind `oci:`.
    ///
    /// # Panics
    /// When there is none.
    pub fn stored_image(&self) -> String {
        let text = fs::read(self.state().join("index.json")).expect("the store has an index");
        let index: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
        let name = &index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"];
        let name = name.as_str().expect("an image with a name");
        format!("{}:{name}", self.state().display())
    }

    /// Writes the store's first image with skopeo, as berth's user, to what skopeo calls `target`.
    pub fn export(&self, target: &str) {
        let mut copy = self.command("skopeo");
        copy.args(["--insecure-policy", "copy", "-q"]);
        copy.arg(format!("oci:{}", self.stored_image())).arg(target);
        Finished::run(&mut copy, b"", PATIENCE).ok();
    }

    /// How many entries a directory of the state has, without the pool of shared files; 0 if it is not there.
    pub fn count(&self, directory: &str) -> usize {
        let entries = fs::read_dir(self.state().join(directory));
        let counted = |entry: &fs::DirEntry| entry.file_name() != ".shared";
        entries.map_or(0, |entries| entries.flatten().filter(counted).count())
    }

    /// The file of a running container's network namespace.
    ///
    /// # Panics
    /// When there is no such container.
    pub fn namespace(&self, name: &str) -> PathBuf {
        let template = "{{.NetworkSettings.SandboxKey}}";
        self.berth(&["inspect", "-f", template, name]).ok().into()
    }

    /// The pid of a running container's monitor, by the container's whole id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn monitor(&self, id: &str) -> u64 {
        let text = fs::read(self.run_dir().join("tasks").join(id).join("pid.json"));
        let pids: serde_json::Value =
            serde_json::from_slice(&text.expect("it runs")).expect("it is JSON");
        pids["shim_pid"].as_u64().expect("a pid")
    }

    /// Processes that belong to this sandbox: monitors, containers.
    pub fn processes(&self) -> Vec<i32> {
        ledger::processes(&self.mark)
    }

    /// Removes all containers; what stays then is a leak.
    fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        let ids = self.berth(&["ps", "-aq", "--no-trunc"]);
        if !ids.stdout.trim().is_empty() {
            let ids: Vec<&str> = ids.stdout.split_whitespace().collect();
            let removed = self.berth(&[&["rm", "-f", "-v"], &ids[..]].concat());
            if !removed.status.success() {
                found.push(format!("containers that cannot be removed: {removed}"));
            }
        }
        found.extend(self.remove_networks());
        let check = self.berth(&["fsck"]);
        if !check.status.success() {
            found.push(format!("fsck: {check}"));
        }
        for place in [
            "root/containers",
            "root/names",
            "root/trash",
            "root/ingest",
            "root/leases",
            "run/tasks",
            "run/networks/bridge/addr",
            "tmp",
        ] {
            let entries = fs::read_dir(self.path().join(place))
                .into_iter()
                .flatten()
                .flatten();
            found.extend(entries.map(|entry| format!("file: {}", entry.path().display())));
        }
        found.extend(self.remove_bridge());
        self.end_resolver();
        found.extend(self.leaks());
        found
    }

    /// Removes the networks that the test has made; says what of them stays.
    fn remove_networks(&self) -> Vec<String> {
        let ids = self.berth(&["network", "ls", "-q", "--no-trunc", "-f", "type=custom"]);
        let mut found = Vec::new();
        for id in ids.stdout.split_whitespace() {
            let removed = self.berth(&["network", "rm", id]);
            let bridge = format!("br-{}", &id[..12]);
            if !removed.status.success() || Path::new("/sys/class/net").join(&bridge).exists() {
                found.push(format!("the network {id}, or its bridge: {removed}"));
            }
        }
        found
    }

    /// What a failed test left of its networks, when nobody is there any more who repairs them: the next sandbox with this
    /// number has the same subnets.
    fn sweep_networks(&self) {
        let all = fs::read_dir(self.path().join("root/networks")).into_iter();
        for entry in all.flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(id) = name.get(..12) {
                let line = format!(
                    "ip link delete br-{id}; nft delete table inet berth-br-{id}; nft delete table bridge berth-br-{id}"
                );
                self.shell(&line);
            }
        }
    }

    /// Removes the bridge and its rules; says what of them stays.
    fn remove_bridge(&self) -> Option<String> {
        if self.is_rootless() {
            return None;
        }
        let removed = self.berth(&["internal", "remove-bridge"]);
        let mut list = self.command("nft");
        let tables = Finished::run(list.args(["list", "tables"]), b"", PATIENCE).stdout;
        let clean = removed.status.success() && !tables.contains(&self.mark.bridge);
        (!clean).then(|| format!("the bridge or its rules: {removed} {tables}"))
    }

    /// The resolver stays for some seconds after the last container, for the next one.
    fn end_resolver(&self) {
        for pid in ledger::processes(&self.mark) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains("\0internal\0network\0")
                && let Some(pid) = Pid::from_raw(pid)
            {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    }

    /// What the host has now that it had not before. A clean-up in the background has some time to end.
    fn leaks(&self) -> Vec<String> {
        let end = std::time::Instant::now() + PATIENCE / 4;
        let parent = |entry: &String| {
            entry.starts_with("cgroup: ") && entry.ends_with(&format!("/{}", self.mark.cgroup))
        };
        loop {
            let now = Ledger::take(&self.mark);
            // The parent is not a container's; it goes with the sandbox.
            let leaks: Vec<String> = now
                .since(&self.before)
                .into_iter()
                .filter(|e| !parent(e))
                .collect();
            if leaks.is_empty() || std::time::Instant::now() > end {
                return leaks;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        let leftovers = if failing || !self.check_at_end {
            Vec::new()
        } else {
            self.leftovers()
        };
        if failing || !self.check_at_end {
            self.remove_bridge();
        }
        ledger::sweep(&self.mark);
        if failing {
            self.sweep_networks();
        }
        // A container's own files may be immutable to `TempDir` only by being many: it removes them all.
        assert!(
            failing || leftovers.is_empty(),
            "left behind:\n{}",
            leftovers.join("\n")
        );
    }
}

/// A number that no other sandbox has while this one's file is open: tests run as processes side by side, and one may
/// have several.
fn number() -> (u32, File) {
    let directory = programs::target().join("test-numbers");
    fs::create_dir_all(&directory).expect("a directory");
    let first = std::process::id() % NUMBERS;
    for step in 0..NUMBERS {
        let number = (first + step) % NUMBERS;
        let file = File::create(directory.join(number.to_string())).expect("our own directory");
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return (number, file);
        }
    }
    panic!("{NUMBERS} sandboxes are there at once");
}

/// An ordinary user may not be able to reach the build directory: it gets copies.
fn take_programs(bin: &Path, copy: bool) {
    let from = programs::directory();
    for name in ["berth", "berth-runtime", "berth-monitor"] {
        let (source, target) = (from.join(name), bin.join(name));
        if copy {
            fs::copy(&source, &target).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
        } else {
            symlink(source.canonicalize().unwrap_or(source), &target).expect("a link");
        }
    }
    symlink("berth", bin.join("docker")).expect("a link");
}
