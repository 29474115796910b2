//! A host, its name server and containers: namespaces, a RUN_DIR as the engine would have it, and `dig`.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use berth_dns::keeper::Keeper;
use berth_dns::record::{self, Joined, Names, Task};
use berth_dns::{Resolver, client};
use berth_model::ContainerId;
use berth_model::task::Pid;
use testkit::Finished;
use testkit::network::Hosts;

/// The host's name servers, at its neighbour.
pub const SERVER: &str = "10.77.0.2";
pub const OTHER: &str = "10.77.0.3";

/// What this program is when it is started as `keeper`.
pub fn keeper(run_dir: &Path) -> ExitCode {
    match Keeper::start(run_dir) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(keeper)) => {
            std::io::stdout().write_all(client::READY).unwrap();
            keeper.run().unwrap();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ExitCode::FAILURE
        }
    }
}

/// The host.
pub struct Rig {
    pub hosts: Hosts,
    dir: tempfile::TempDir,
    containers: Cell<u8>,
    /// Of the resolver that runs; ended with this.
    pub keeper: Cell<Option<Child>>,
}

/// A container: a namespace and a process in it, ended with this.
pub struct Container {
    pub id: ContainerId,
    pub namespace: PathBuf,
    name: String,
    init: Child,
}

impl Rig {
    /// A host that asks the servers at [`SERVER`] and [`OTHER`].
    pub fn new() -> Rig {
        let hosts = Hosts::make("10.77.0.1", SERVER);
        let line = format!("ip addr add {OTHER}/24 dev cable");
        hosts.shell(&hosts.neighbour(), &line).ok();
        let dir = tempfile::Builder::new()
            .prefix("berth-dns.")
            .tempdir()
            .unwrap();
        for part in ["run/tasks", "run/networks"] {
            fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        let rig = Rig {
            hosts,
            dir,
            containers: Cell::new(0),
            keeper: Cell::new(None),
        };
        rig.host_asks(&[SERVER]);
        rig
    }

    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The host's resolv.conf from now on.
    pub fn host_asks(&self, servers: &[&str]) {
        let lines = servers
            .iter()
            .map(|server| format!("nameserver {server}\n"));
        fs::write(
            self.dir.path().join("resolv.conf"),
            lines.collect::<String>(),
        )
        .unwrap();
    }

    /// What the engine has to start and to speak to the resolver.
    pub fn resolver<T>(&self, act: impl FnOnce(&Resolver<'_>) -> T) -> T {
        let run_dir = self.run_dir();
        let command = || {
            let mut command = Command::new("nsenter");
            let script = "mount --make-rprivate / && mount --bind \"$1\" /etc/resolv.conf && exec \"$0\" keeper \"$2\"";
            command
                .arg(format!("--net={}", self.hosts.host().display()))
                .args(["unshare", "-m", "sh", "-c", script])
                .arg(std::env::current_exe().unwrap())
                .arg(self.dir.path().join("resolv.conf"))
                .arg(&run_dir);
            command
        };
        let keep = |child| {
            if let Some(mut old) = self.keeper.replace(Some(child)) {
                let _ = old.kill();
                old.wait().unwrap();
            }
        };
        act(&Resolver {
            run_dir: &run_dir,
            command: &command,
            keep: &keep,
        })
    }

    /// A namespace with its init, not served yet.
    pub fn container(&self) -> Container {
        let number = self.containers.get() + 1;
        self.containers.set(number);
        let name = format!("berth-dns-{}-{number}", std::process::id());
        let line = format!("ip netns add {name} && ip -n {name} link set lo up");
        self.hosts.shell(&self.hosts.host(), &line).ok();
        let namespace = Path::new("/run/netns").join(&name);
        let init = Command::new("nsenter")
            .arg(format!("--net={}", namespace.display()))
            .args(["sleep", "1000"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let id = ContainerId::from_bytes([number; 32]);
        let pid = Pid {
            pid: init.id() as i32,
            start_time: berth_sys::pid::start_time(init.id() as i32).unwrap(),
            shim_pid: 1,
            started_at: String::new(),
            cgroups: Vec::new(),
        };
        let task = self.run_dir().join("tasks").join(id.as_str());
        fs::create_dir_all(&task).unwrap();
        write(&task.join("pid.json"), &pid);
        Container {
            id,
            namespace,
            name,
            init,
        }
    }

    /// What a container is called in a network.
    pub fn name(&self, network: &str, container: &Container, names: &[&str], addresses: &[&str]) {
        let names = Names {
            schema: 1,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let dir = record::names(&self.run_dir(), network);
        fs::create_dir_all(&dir).unwrap();
        write(&dir.join(container.id.as_str()), &names);
    }

    /// It leaves the network.
    pub fn unname(&self, network: &str, container: &Container) {
        let path = record::names(&self.run_dir(), network).join(container.id.as_str());
        fs::remove_file(path).unwrap();
    }

    /// A container in networks, that is served.
    pub fn served(&self, task: Task) -> Container {
        let container = self.container();
        self.serve(&container, &task);
        container
    }

    pub fn serve(&self, container: &Container, task: &Task) {
        write(&record::task(&self.run_dir(), container.id.as_str()), task);
        let namespace = File::open(&container.namespace).unwrap();
        self.resolver(|resolver| resolver.look(&container.id, namespace.as_fd()))
            .unwrap();
    }

    /// The process that answers.
    pub fn pid(&self) -> i32 {
        let child = self.keeper.take().unwrap();
        let pid = child.id() as i32;
        self.keeper.set(Some(child));
        pid
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

impl Container {
    /// What `dig` says, with a word for whether and how there was an answer.
    pub fn dig(&self, arguments: &str) -> String {
        let done = self.run(&format!("dig @127.0.0.11 +tries=1 +time=8 {arguments}"));
        done.stdout
    }

    /// The answer's data alone, sorted.
    pub fn short(&self, arguments: &str) -> String {
        let said = self.dig(&format!("+short {arguments}"));
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        lines.join(" ")
    }

    /// The answer's code.
    pub fn code(&self, arguments: &str) -> String {
        let said = self.dig(arguments);
        let code = said
            .split_once("status: ")
            .and_then(|(_, rest)| rest.split_once(','));
        code.unwrap_or_else(|| panic!("{said}")).0.to_owned()
    }

    /// How long the answer took, of which `dig` says this.
    pub fn took(&self, arguments: &str, said: &str) -> Duration {
        let all = self.dig(arguments);
        assert!(all.contains(said), "{said}: {all}");
        let (_, time) = all.split_once("Query time: ").unwrap();
        let time = time.split(' ').next().unwrap().parse().unwrap();
        Duration::from_millis(time)
    }

    /// A line of shell inside.
    pub fn run(&self, line: &str) -> Finished {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.namespace.display()))
            .args(["sh", "-c", line]);
        Finished::run(&mut command, b"", Duration::from_secs(60))
    }

    /// Its init ends.
    pub fn end(&mut self) {
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.end();
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// As the engine does: whole, by a rename.
fn write(path: &Path, value: &impl serde::Serialize) {
    let bytes = serde_json::to_vec(value).unwrap();
    berth_fs::atomic_write(path, &bytes, berth_fs::Durability::Volatile).unwrap();
}

/// In these networks, whose ids are `id-NAME`.
pub fn task(networks: &[&str]) -> Task {
    let joined = |name: &&str| Joined {
        id: format!("id-{name}"),
        name: (*name).to_owned(),
        links: [].into(),
    };
    Task {
        schema: 1,
        networks: networks.iter().map(joined).collect(),
        servers: Vec::new(),
        forward: true,
        ndots: false,
    }
}
