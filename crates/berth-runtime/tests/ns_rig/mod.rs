//! What the tests of namespaces share: kinds, processes whose namespaces are joined, ordinary users.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // this whole module is a test

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use testkit::{Finished, TestUser, eventually};

use crate::rig::Bundle;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    User,
    Mount,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Time,
}

/// In this order, of which tests know that the first is the user namespace and the second the mount one.
pub const KINDS: [Kind; 8] = [
    Kind::User,
    Kind::Mount,
    Kind::Pid,
    Kind::Network,
    Kind::Ipc,
    Kind::Uts,
    Kind::Cgroup,
    Kind::Time,
];

impl Kind {
    /// The configuration's word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Mount => "mount",
            other => other.file(),
        }
    }

    /// The name below `/proc/PID/ns`.
    pub fn file(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Mount => "mnt",
            Kind::Pid => "pid",
            Kind::Network => "net",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Cgroup => "cgroup",
            Kind::Time => "time",
        }
    }
}

/// How a container gets a namespace.
#[derive(Debug, Clone)]
pub enum Way {
    New,
    Join(String),
}

/// The path of a process's namespace.
pub fn spec_of(pid: i32, kind: Kind) -> String {
    format!("/proc/{pid}/ns/{}", kind.file())
}

/// The namespaces of a process, as links show them.
pub fn ids_of(pid: i32) -> BTreeMap<Kind, String> {
    let id = |kind| {
        let link = std::fs::read_link(spec_of(pid, kind)).unwrap();
        (kind, link.to_str().unwrap().to_owned())
    };
    KINDS.into_iter().map(id).collect()
}

/// The namespaces that a container has printed.
pub fn inside(text: &str) -> BTreeMap<Kind, String> {
    let of = |kind: Kind| {
        let prefix = format!("{}:[", kind.file());
        let line = text.lines().find(|line| line.starts_with(&prefix));
        (
            kind,
            line.unwrap_or_else(|| panic!("no {prefix} in {text}"))
                .to_owned(),
        )
    };
    KINDS.into_iter().map(of).collect()
}

/// Replaces the namespaces; the example's name is for a new uts namespace only.
pub fn set_namespaces(bundle: &mut Bundle, list: &[(Kind, Way)]) {
    let entry = |(kind, way): &(Kind, Way)| match way {
        Way::New => json!({"type": kind.word()}),
        Way::Join(path) => json!({"type": kind.word(), "path": path}),
    };
    bundle.config["linux"]["namespaces"] = list.iter().map(entry).collect();
    let new_uts = |(kind, way): &(Kind, Way)| *kind == Kind::Uts && matches!(way, Way::New);
    bundle.config["hostname"] = json!(if list.iter().any(new_uts) {
        "berth"
    } else {
        ""
    });
    bundle.open_up();
}

/// A new one of each kind, with maps, or (`user` is false) of each but the user namespace.
pub fn all_new(bundle: &mut Bundle, user: bool) {
    set_namespaces(bundle, &KINDS.map(|k| (k, Way::New))[usize::from(!user)..]);
    if user {
        bundle.map_ids();
    }
}

/// A new one of each kind, but for the user namespace, and `other` in the place of one.
pub fn new_but(kind: Kind, other: Option<Way>) -> Vec<(Kind, Way)> {
    let mut list = KINDS.map(|k| (k, Way::New))[1..].to_vec();
    list.retain(|(each, _)| *each != kind);
    list.extend(other.map(|way| (kind, way)));
    list
}

pub fn map(entries: &[(u32, u32, u32)]) -> Value {
    let entry = |(inside, outside, size): &(u32, u32, u32)| json!({"containerID": inside, "hostID": outside, "size": size});
    entries.iter().map(entry).collect()
}

/// Sets the clocks of a new time namespace.
pub fn offsets(bundle: &mut Bundle, monotonic: Value, boottime: Value) {
    bundle.config["linux"]["timeOffsets"] = json!({"monotonic": monotonic, "boottime": boottime});
}

/// What a container prints: its namespaces, one a line.
pub const PRINT: &str =
    "for n in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done";

/// A process with namespaces of its own. It ends with the value.
pub struct Helper(Child);

impl Helper {
    /// All but user and pid.
    pub fn all() -> Helper {
        Helper::start(Command::new("unshare").args(["-miuTCn", "--propagation", "private"]))
    }

    /// A mount namespace like the host's, which belongs to the user namespace of `owner`, or (0) the host's.
    pub fn mount(owner: i32) -> Helper {
        if owner == 0 {
            return Helper::start(Command::new("unshare").args(["-m", "--propagation", "private"]));
        }
        let target = format!("--target={owner}");
        let enter = [
            &target,
            "--user",
            "--setuid=0",
            "--setgid=0",
            "unshare",
            "-m",
        ];
        Helper::start(Command::new("nsenter").args(enter))
    }

    fn start(command: &mut Command) -> Helper {
        let child = command
            .args(["sh", "-c", "echo; exec sleep 1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut helper = Helper(child);
        let mut out = helper.0.stdout.take().unwrap();
        // Its namespaces are there when it says so.
        assert_eq!(std::io::Read::read(&mut out, &mut [0; 1]).unwrap(), 1);
        helper
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bundle of `user`, with the runtime's own example for him.
pub fn rootless(user: &TestUser, script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    // The user may not reach the directory that the build is in.
    let program = bundle.path().join("berth-runtime");
    std::fs::copy(crate::rig::runtime(), &program).unwrap();
    bundle.program = program;
    for field in ["uidMappings", "gidMappings"] {
        let own = if field == "uidMappings" {
            user.uid
        } else {
            user.gid
        };
        bundle.config["linux"][field] = map(&[(0, own, 1)]);
    }
    // All that `spec --rootless` has.
    let kinds = KINDS[..6].iter();
    set_namespaces(
        &mut bundle,
        &kinds.map(|k| (*k, Way::New)).collect::<Vec<_>>(),
    );
    bundle.config["linux"]["resources"] = Value::Null;
    bundle.config["process"]["rlimits"] = json!([]);
    own_tree(&bundle, user);
    bundle
}

fn own_tree(bundle: &Bundle, user: &TestUser) {
    let done = Command::new("chown")
        .args(["-hR", &format!("{}:{}", user.uid, user.gid)])
        .arg(bundle.path())
        .status()
        .unwrap();
    assert!(done.success());
}

fn of_user(bundle: &Bundle, user: &TestUser, args: &[&str]) -> Command {
    let mut command = bundle.command(args);
    command
        .uid(user.uid)
        .gid(user.gid)
        .env_remove("XDG_RUNTIME_DIR");
    command
}

/// Runs the runtime as `user`, to its end.
pub fn as_user(bundle: &Bundle, user: &TestUser, args: &[&str]) -> Finished {
    let mut command = of_user(bundle, user, args);
    Finished::run(&mut command, b"", crate::rig::LIMIT)
}

/// Starts the container in the background, as `user`.
pub fn start_as_user(bundle: &Bundle, user: &TestUser) {
    let started = of_user(bundle, user, &["run", "-d", "c"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(started.success());
    eventually("the program", || {
        let state = as_user(bundle, user, &["state", "c"]);
        state.stdout.contains("running").then_some(())
    });
}

/// Runs the runtime as root of a user namespace with the subordinate ids of `user`.
pub fn as_root_of_a_namespace(bundle: &Bundle, user: &TestUser, args: &[&str]) -> Finished {
    let inner = of_user(bundle, user, args);
    let mut command = Command::new(inner.get_program());
    command
        .args(["unshare", "--"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(bundle.path())
        .uid(user.uid)
        .gid(user.gid);
    Finished::run(&mut command, b"", crate::rig::LIMIT)
}

/// The first subordinate id of a user.
pub fn sub_ids(file: &str, user: &TestUser) -> u32 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{}:", user.name)));
    line.unwrap().split(':').nth(1).unwrap().parse().unwrap()
}
