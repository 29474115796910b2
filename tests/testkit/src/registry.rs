//! A registry on loopback: Debian's docker-registry on a port that was free, and a proxy before it that dies.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::wait::eventually;

/// A running registry, plain HTTP. Ends when dropped.
pub struct Registry {
    /// `127.0.0.1:PORT`, as it stands in references.
    pub host: String,
    server: Child,
}

impl Registry {
    /// Starts one that keeps its data below `directory`.
    ///
    /// # Panics
    /// When docker-registry is not installed or does not answer.
    pub fn start(directory: &Path) -> Registry {
        // Another process may take the port in between: try again.
        for _ in 0..5 {
            let host = format!("127.0.0.1:{}", free_port());
            let config = directory.join("registry.yml");
            let text = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: \"{host}\"}}\n",
                directory.join("registry").display()
            );
            fs::write(&config, text).expect("our own directory");
            let mut command = Command::new("docker-registry");
            command
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut server = command
                .env_clear()
                .spawn()
                .expect("docker-registry is installed");
            let up = eventually("the registry answers or ends", || {
                if server.try_wait().expect("our own child").is_some() {
                    return Some(false);
                }
                TcpStream::connect(&host).is_ok().then_some(true)
            });
            if up {
                return Registry { host, server };
            }
        }
        panic!("no free port for a registry");
    }

    /// Copies an image into it with skopeo: `from` as skopeo names it, `to` as `name:tag`.
    ///
    /// # Panics
    /// When skopeo fails.
    pub fn push(&self, from: &str, to: &str, options: &[&str]) {
        let mut command = Command::new("skopeo");
        command
            .args(["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"])
            .args(options);
        command
            .arg(from)
            .arg(format!("docker://{}/{to}", self.host));
        let output = command.output().expect("skopeo is installed");
        assert!(
            output.status.success(),
            "skopeo: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A server that passes on what another says, up to a number of bytes; then it dies: no answer to anybody.
pub struct DyingProxy {
    /// `127.0.0.1:PORT`.
    pub host: String,
    dead: Arc<AtomicBool>,
}

impl DyingProxy {
    /// Before `host`; dies after `bytes` of its answers.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(host: &str, bytes: u64) -> DyingProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("it listens").to_string();
        let dead = Arc::new(AtomicBool::new(false));
        let (left, upstream) = (Arc::new(AtomicU64::new(bytes)), host.to_owned());
        let state = Arc::clone(&dead);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(&upstream) else {
                    return;
                };
                let (up, down) = (client.try_clone(), server.try_clone());
                let (left, state) = (Arc::clone(&left), Arc::clone(&state));
                std::thread::spawn(move || {
                    pass(
                        up.expect("a socket"),
                        server,
                        &AtomicU64::new(u64::MAX),
                        None,
                    )
                });
                std::thread::spawn(move || {
                    pass(down.expect("a socket"), client, &left, Some(&state))
                });
            }
        });
        DyingProxy { host: own, dead }
    }

    /// Whether it came to that.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, dead: Option<&AtomicBool>) {
    let mut bytes = [0; 16384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let allowed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| {
            Some(n.saturating_sub(count as u64))
        });
        let allowed = allowed.unwrap_or(0).min(count as u64) as usize;
        if to.write_all(&bytes[..allowed]).is_err() || allowed < count {
            if let (true, Some(dead)) = (allowed < count, dead) {
                dead.store(true, Ordering::SeqCst);
            }
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it listens").port()
}
