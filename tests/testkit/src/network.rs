//! Networks as a test sees them: sockets in any network namespace, and two hosts joined by a cable.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Finished;

/// How long a connection may take that nobody refuses.
const CONNECT: Duration = Duration::from_secs(1);

/// The test's own network namespace.
pub fn here() -> PathBuf {
    "/proc/self/ns/net".into()
}

/// Does something in a network namespace, in a thread of its own.
///
/// # Panics
/// When it cannot be entered, or what is done panics.
pub fn inside<T: Send>(namespace: &Path, act: impl FnOnce() -> T + Send) -> T {
    let entered = || {
        let file = File::open(namespace).unwrap_or_else(|e| panic!("{}: {e}", namespace.display()));
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(file.as_fd(), kind).expect("root may");
        act()
    };
    std::thread::scope(|scope| scope.spawn(entered).join().expect("it says why itself"))
}

/// What the server at `address` says to somebody in a namespace; `None`: there is no connection.
pub fn ask(namespace: &Path, address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().expect("an address and a port");
    inside(namespace, || {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT).ok()?;
        stream.set_read_timeout(Some(CONNECT * 4)).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        Some(said).filter(|said| !said.is_empty())
    })
}

/// A server in a namespace: it tells each client its word and the client's address. Ended with this.
pub struct Server {
    end: Arc<AtomicBool>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one; port 0: one that is free.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(namespace: &Path, address: &str, word: &str) -> Server {
        let listener = inside(namespace, || TcpListener::bind(address)).expect("it is free");
        listener.set_nonblocking(true).expect("it is a socket");
        let port = listener.local_addr().expect("it is bound").port();
        let end = Arc::new(AtomicBool::new(false));
        let (ended, word) = (end.clone(), word.to_owned());
        let serve = move || {
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((mut stream, peer)) => drop(write!(stream, "{word} {}", peer.ip())),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        };
        Server {
            end,
            port,
            thread: Some(std::thread::spawn(serve)),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A host and its neighbour: namespaces with names, removed with this.
pub struct Hosts {
    host: String,
    neighbour: String,
}

impl Hosts {
    /// Both with an address of a /24, at the ends of the cable.
    ///
    /// # Panics
    /// When they cannot be made.
    pub fn make(host: &str, neighbour: &str) -> Hosts {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("berth-{what}-{}-{number}", std::process::id());
        let hosts = Hosts {
            host: name("host"),
            neighbour: name("peer"),
        };
        let (a, b) = (&hosts.host, &hosts.neighbour);
        let line = format!(
            "ip netns add {a} && ip netns add {b} && ip -n {a} link set lo up && ip -n {b} link set lo up &&
             ip -n {a} link add cable type veth peer name cable netns {b} &&
             ip -n {a} addr add {host}/24 dev cable && ip -n {b} addr add {neighbour}/24 dev cable &&
             ip -n {a} link set cable up && ip -n {b} link set cable up"
        );
        shell(&mut Command::new("sh"), &line).ok();
        hosts
    }

    /// The host's namespace.
    pub fn host(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.host)
    }

    /// The neighbour's namespace.
    pub fn neighbour(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.neighbour)
    }

    /// A line of shell in a namespace.
    pub fn shell(&self, namespace: &Path, line: &str) -> Finished {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", namespace.display()))
            .args(["--", "sh"]);
        shell(&mut command, line)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in [&self.host, &self.neighbour] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn shell(shell: &mut Command, line: &str) -> Finished {
    Finished::run(shell.args(["-c", line]), b"", Duration::from_secs(60))
}
