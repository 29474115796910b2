//! Plays the engine: task directories, the shim, and its clients.

#![allow(clippy::unwrap_used)] // this whole module is a test

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use berth_model::task::{LogFile, Pid, RootfsMount, ShimReport, TaskRequest};
use berth_monitor::packet;
use serde_json::{Value, json};
use testkit::attach::{ALL, Client};
use testkit::eventually;
use testkit::programs::monitor;

/// A lower layer with busybox, shared by all tasks.
pub fn busybox() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim-busybox");
        // Made once: a container left by a broken run may still execute it.
        if !root.join("etc/group").exists() {
            testkit::busybox::make_rootfs(&root);
        }
        root
    })
}

/// A task: its directories, and what to ask of the shim.
pub struct Task {
    pub dir: tempfile::TempDir,
    pub id: String,
    pub request: TaskRequest,
    pub spec: Value,
    /// Who starts the shim; else root.
    pub user: Option<(u32, u32)>,
}

impl Task {
    /// A task that runs `script` in busybox's shell.
    pub fn new(script: &str) -> Task {
        Task::with_args(&["/bin/sh", "-c", script])
    }

    pub fn with_args(args: &[&str]) -> Task {
        testkit::programs::need_root();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir().unwrap();
        let id = format!(
            "berth-shim-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        for name in [
            "task",
            "task/bundle",
            "container",
            "container/upper",
            "container/work",
            "log",
        ] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let container = dir.path().join("container");
        let request = TaskRequest {
            held: Vec::new(),
            id: id.clone(),
            bundle: dir.path().join("task/bundle"),
            rootfs: Some(RootfsMount::Overlay {
                lower: vec![busybox().to_owned()],
                upper: container.join("upper"),
                work: container.join("work"),
                userxattr: false,
                volatile: false,
            }),
            rootless: false,
            terminal: false,
            console_size: None,
            stdin: false,
            stdin_once: false,
            log: Some(LogFile {
                path: dir.path().join("log/log.json"),
                max_bytes: 10 << 20,
                max_files: 3,
                attributes: String::new(),
            }),
            receiver: None,
            exit_file: container.join("exit.json"),
            reap: vec![
                "/bin/touch".into(),
                container.join("reaped").to_str().unwrap().into(),
            ],
            monitor: monitor().to_owned(),
            durable: true,
            removing: dir.path().join("task/removing"),
        };
        let namespaces =
            ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({"type": kind}));
        let spec = json!({
            "ociVersion": "1.2.0",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": args,
                "env": ["PATH=/bin", "TERM=xterm"],
                "cwd": "/",
            },
            "hostname": "shim",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            ],
            "linux": {
                "namespaces": namespaces,
                "cgroupsPath": format!("/{id}"),
                "resources": {"pids": {"limit": 100}},
            },
        });
        Task {
            dir,
            id,
            request,
            spec,
            user: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn terminal(mut self) -> Task {
        self.request.terminal = true;
        self.request.stdin = true;
        self.request.console_size = Some((24, 80));
        self.spec["process"]["terminal"] = json!(true);
        self.spec["process"]["consoleSize"] = json!({"height": 24, "width": 80});
        self
    }

    pub fn stdin(mut self) -> Task {
        (self.request.stdin, self.request.stdin_once) = (true, true);
        self
    }

    /// Starts the shim; what it reported last.
    pub fn start(self) -> Running {
        self.start_with(None)
    }

    /// Starts the shim with a foreground client.
    pub fn run(self) -> (Running, Client) {
        let (client, theirs) = Client::foreground();
        (self.start_with(Some(theirs)), client)
    }

    fn start_with(self, client: Option<OwnedFd>) -> Running {
        let mut shim = self.spawn(client);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut shim.stdout.take().unwrap(), &mut text).unwrap();
        let last = text.lines().last().expect("a report");
        let report = serde_json::from_str(last).expect("a report");
        Running {
            task: self,
            shim,
            report,
        }
    }

    /// Writes the files and starts the shim; its standard output is the sync pipe.
    pub fn spawn(&self, client: Option<OwnedFd>) -> Child {
        fs::write(self.path("task/bundle/config.json"), self.spec.to_string()).unwrap();
        fs::write(
            self.path("task/task.json"),
            serde_json::to_vec(&self.request).unwrap(),
        )
        .unwrap();
        let flag = if client.is_some() { "--attached" } else { "" };
        let script = format!(r#"exec "$0" shim {flag} "$1" 3>&1 >/dev/null 4<&0 </dev/null"#);
        let mut command = Command::new("bash");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_berth-runtime")])
            .arg(self.path("task"));
        command
            .stdin(client.map_or(Stdio::null(), Stdio::from))
            .stdout(Stdio::piped());
        if let Some((uid, gid)) = self.user {
            use std::os::unix::process::CommandExt;
            command.uid(uid).gid(gid).env("HOME", "/nonexistent");
        }
        command.spawn().unwrap()
    }
}

/// A task whose shim was started.
pub struct Running {
    pub task: Task,
    pub shim: Child,
    pub report: ShimReport,
}

impl Running {
    /// What runs.
    pub fn pid(&self) -> &Pid {
        match &self.report {
            ShimReport::Started(pid) => pid,
            ShimReport::Failed(failure) => panic!("{failure:?}"),
        }
    }

    /// The exit code and message of a failed start.
    pub fn failure(&mut self) -> (i32, String) {
        self.shim.wait().unwrap();
        match &self.report {
            ShimReport::Failed(failure) => (
                failure.exit_code,
                format!("{}: {}", failure.message, failure.causes.join(": ")),
            ),
            ShimReport::Started(pid) => panic!("it runs: {pid:?}"),
        }
    }

    /// Waits for `exit.json`.
    pub fn exit(&self) -> Value {
        let path = &self.task.request.exit_file;
        eventually("exit.json", || {
            Some(serde_json::from_slice(&fs::read(path).ok()?).unwrap())
        })
    }

    /// Waits for the monitor's end, clean-up included.
    pub fn wait(&mut self) {
        self.shim.wait().unwrap();
    }

    pub fn is_reaped(&self) -> bool {
        self.task.path("container/reaped").exists()
    }

    pub fn is_locked(&self) -> bool {
        fs::File::open(self.task.path("task/shim.lock"))
            .unwrap()
            .try_lock_shared()
            .is_err()
    }

    /// The text of one stream in the log.
    pub fn logged(&self, stream: &str) -> String {
        let text = fs::read_to_string(&self.task.request.log.as_ref().unwrap().path).unwrap();
        let records = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .filter(|record| record["stream"] == stream)
            .map(|r| r["log"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn attach(&self) -> Client {
        let client = Client::connect(&self.task.path("task/shim.sock"));
        client.send(&packet::attach(ALL));
        client
    }

    /// Kills the container, as the engine does when no monitor is left.
    pub fn kill_container(&self) {
        kill(self.pid().pid);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let ShimReport::Started(pid) = &self.report {
            kill(pid.pid);
            eventually("init is dead", || (!is_alive(pid.pid)).then_some(()));
        }
        let _ = self.shim.kill();
        let _ = self.shim.wait();
        remove_cgroups(&self.task.id);
    }
}

/// Whether a process of this number runs (a zombie does not).
pub fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !matches!(
            stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]),
            Some("Z" | "X")
        )
    })
}

pub fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The cgroups that exist for a task.
pub fn cgroups(id: &str) -> Vec<PathBuf> {
    let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") else {
        return Vec::new();
    };
    let roots = hierarchies
        .filter_map(|entry| Some(entry.ok()?.path()))
        .chain([PathBuf::from("/sys/fs/cgroup")]);
    let all = roots.map(|root| root.join(id));
    let mut found: Vec<PathBuf> = all.filter_map(|path| path.canonicalize().ok()).collect();
    found.sort();
    found.dedup();
    found
}

/// Removes a task's cgroups, after their last process.
pub fn remove_cgroups(id: &str) {
    for path in cgroups(id) {
        eventually("the cgroup is empty", || {
            let pids = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
            pids.lines()
                .filter_map(|pid| pid.parse().ok())
                .for_each(kill);
            (fs::remove_dir(&path).is_ok() || !path.exists()).then_some(())
        });
    }
}
