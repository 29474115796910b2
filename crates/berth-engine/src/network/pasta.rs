//! An ordinary user's network: pasta, of Debian's package passt, one process a container. It translates between a device in
//! the container's namespace and sockets of the user's, needs no right but to open `/dev/net/tun`, and keeps the addresses
//! of clients from elsewhere.
//!
//! ```text
//! engine   pasta.json: ports; a hook in the OCI configuration
//! runtime  the namespace is there, init waits ── hook: `berth internal pasta` ── pasta, which leaves once all is set up
//! end      whoever cleans up kills it, by pasta.pid
//! ```
//! Ports are looked for before it starts, and taken by it: somebody who is faster makes the start fail.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use berth_fs::Durability;
use berth_model::config::{NetworkMode, Protocol};
use berth_model::{ContainerConfig, ContainerId};
use berth_oci::spec::{Hook, Hooks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::{HostPort, ports};
use crate::error::files;
use crate::{Engine, Error, json};

/// Where it is looked for.
const PROGRAMS: [&str; 2] = ["/usr/bin/pasta", "/usr/local/bin/pasta"];
const TUN: &str = "/dev/net/tun";
/// It forwards IPv4.
const REACH: ports::Reach = ports::Reach {
    ipv4: true,
    ipv6: false,
    unless_told: None,
};
/// How long it may take to set up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long its end may take, once it is killed.
const END: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// `pasta.json`: there while the container runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    schema: u32,
    pub(crate) ports: Vec<HostPort>,
}

/// The program, where the user can use it; else what he can do.
pub(crate) fn usable() -> Result<&'static Path, String> {
    let program = PROGRAMS.iter().map(Path::new).find(|path| path.is_file());
    let program = program.ok_or_else(|| {
        "install pasta (Debian's package passt); `--network none` and `--network host` work without"
            .to_owned()
    })?;
    match File::options().read(true).write(true).open(TUN) {
        Ok(_) => Ok(program),
        Err(error) => Err(format!(
            "{TUN}: {error}; root lets users open it by `chmod 0666 {TUN}`, and for good by a line in \
             /etc/udev/rules.d/70-tun.rules: KERNEL==\"tun\", MODE=\"0666\", OPTIONS+=\"static_node=net/tun\""
        )),
    }
}

impl Engine {
    /// The hook that connects a container, if it is to be connected so.
    pub(crate) fn pasta(&self, config: &ContainerConfig) -> Result<Option<Hooks>, Error> {
        if config.network != NetworkMode::Pasta {
            return Ok(None);
        }
        let fail = |message: &str, hint| Error::Invalid {
            message: message.to_owned(),
            hint: Some(hint),
        };
        if !self.options.rootless {
            let hint = "root's containers have bridges: `--network bridge`".to_owned();
            return Err(fail("pasta is for the containers of ordinary users", hint));
        }
        let program = usable().map_err(|hint| fail("pasta cannot be used", hint))?;
        // What a crash has left would have the ports.
        self.end_pasta(&config.id)?;
        // Those that are claimed here are let go again, for pasta.
        let ports = ports::claim(config, &REACH)?.ports;
        let forwarded = Forwarded { schema: 1, ports };
        json::write(
            &self.layout.pasta(&config.id),
            &forwarded,
            Durability::Volatile,
        )?;
        let mut args = ["berth", "internal", "pasta"].map(str::to_owned).to_vec();
        args.push(program.display().to_string());
        args.push(self.layout.pasta_pid(&config.id).display().to_string());
        args.extend(options(&forwarded.ports));
        let hook = Hook {
            path: self.options.berth.clone(),
            args,
            env: Vec::new(),
            timeout: Some(PATIENCE.as_secs()),
        };
        Ok(Some(Hooks {
            create_runtime: vec![hook],
            ..Hooks::default()
        }))
    }

    /// Which ports lead to a container that runs.
    pub(crate) fn forwarded(&self, id: &ContainerId) -> Result<Vec<HostPort>, Error> {
        let forwarded = json::read::<Forwarded>(&self.layout.pasta(id))?;
        Ok(forwarded
            .map(|forwarded| forwarded.ports)
            .unwrap_or_default())
    }

    /// Ends a container's pasta. That there is none is fine.
    pub(crate) fn end_pasta(&self, id: &ContainerId) -> Result<(), Error> {
        let (record, pid) = (self.layout.pasta(id), self.layout.pasta_pid(id));
        if !record.exists() {
            return Ok(());
        }
        end(&pid).map_err(|source| Error::Io {
            action: "end the pasta of",
            path: pid.clone(),
            source,
        })?;
        for file in [pid, record] {
            berth_fs::remove_file(&file, Durability::Volatile).map_err(files("clear the task"))?;
        }
        Ok(())
    }
}

/// Its options for ports. Each kind is named, if only to say that there is none: by itself it would take all that are
/// open inside.
fn options(ports: &[HostPort]) -> Vec<String> {
    let mut options = Vec::new();
    for (flag, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let of_kind = ports.iter().filter(|port| port.protocol == protocol);
        let before = options.len();
        for port in of_kind {
            let numbers = format!("{}:{}", port.host_port, port.container_port);
            let at = match port.host_ip.is_unspecified() {
                true => numbers,
                false => format!("{}/{numbers}", port.host_ip),
            };
            options.extend([flag.to_owned(), at]);
        }
        if options.len() == before {
            options.extend([flag.to_owned(), "none".to_owned()]);
        }
    }
    options
}

/// The hook: connects the namespace of a process. What pasta says when it fails is on standard error.
///
/// # Errors
/// It cannot be started, or says no.
pub fn connect(program: &Path, pid_file: &Path, options: &[String], init: i32) -> io::Result<()> {
    // It gives up rights before it opens the namespace, with which it could not open another process's any more. So the
    // namespace is put over a file, in a mount namespace that ends with us and it.
    berth_sys::process::unshare(berth_sys::process::namespace::MOUNT)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    let namespace = pid_file.with_extension("json");
    rustix::mount::mount_bind(format!("/proc/{init}/ns/net"), &namespace)?;
    let mut command = Command::new(program);
    command
        .args(["--config-net", "--quiet"])
        // The host's own loopback is nobody's inside: neither by the gateway's address, nor by ports.
        .args(["--no-map-gw", "-T", "none", "-U", "none"])
        .args(["--netns-only", "--netns"])
        .arg(&namespace)
        .arg("--pid")
        .arg(pid_file)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let words = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(words.trim().replace('\n', ": ")))
        }
    }
}

/// Kills the process of a file, if it is the one: its command line names the file.
fn end(pid_file: &Path) -> io::Result<()> {
    let text = match std::fs::read_to_string(pid_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(());
    };
    // Asked after it is held: the number cannot change hands any more.
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let name = pid_file.as_os_str().as_encoded_bytes();
    if line.split(|byte| *byte == 0).any(|word| word == name) {
        // It may be ending already.
        let _ = pidfd_send_signal(&held, Signal::KILL);
        poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&END))?;
    }
    Ok(())
}

/// Paths of an ordinary user's network.
impl crate::layout::Layout {
    /// Which ports lead to a container.
    pub fn pasta(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("pasta.json")
    }

    /// The process, as it says itself.
    pub fn pasta_pid(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("pasta.pid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_port_is_named() {
        let port = |protocol, host: &str, host_port| HostPort {
            container_port: 80,
            protocol,
            host_ip: host.parse().unwrap(),
            host_port,
        };
        assert_eq!(options(&[]).join(" "), "-t none -u none");
        let ports = [
            port(Protocol::Tcp, "0.0.0.0", 8080),
            port(Protocol::Tcp, "127.0.0.1", 8081),
            port(Protocol::Udp, "0.0.0.0", 5353),
        ];
        let all = "-t 8080:80 -t 127.0.0.1/8081:80 -u 5353:80";
        assert_eq!(options(&ports).join(" "), all);
    }

    #[test]
    fn only_the_process_that_names_the_file_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pasta.pid");
        end(&file).unwrap();
        let start = |argument: &Path| {
            let mut command = Command::new("sh");
            command
                .args(["-c", "sleep 100; true"])
                .arg(argument)
                .spawn()
                .unwrap()
        };
        let (mut other, mut ours) = (start(Path::new("else")), start(&file));
        std::fs::write(&file, format!("{}\n", other.id())).unwrap();
        end(&file).unwrap();
        assert!(other.try_wait().unwrap().is_none());
        std::fs::write(&file, format!("{}\n", ours.id())).unwrap();
        end(&file).unwrap();
        assert!(!ours.wait().unwrap().success());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
