//! A server in a thread of its own, and requests to it.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use berth_registry_server::setup::Warnings;
use berth_registry_server::{Access, Config, Server, Storage};
use tokio::sync::oneshot;

/// A server that runs until it is dropped.
pub struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// As this configuration says, on a free port, with its content at `root`.
    pub fn start(root: &Path, config: &str) -> Served {
        let text = format!("addr = \"127.0.0.1:0\"\nroot = {root:?}\n{config}");
        let config = Config::parse(&text, root).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let storage = Storage::open(&config.root).unwrap();
                let auth = config.auth(Warnings::default()).unwrap();
                let access = auth.map_or(Access::open(), Access::new);
                let cache = config.cache(&storage, |_| None).unwrap();
                let server = Server::bind(config.addr, storage, access, config.settings.clone());
                let mut server = server.await.unwrap();
                if let Some(cache) = cache {
                    server = server.with_cache(cache);
                }
                if let Some(tls) = config.handshake(Warnings::default()).unwrap() {
                    server = server.with_tls(tls);
                }
                tell.send(server.address()).unwrap();
                let stop = async {
                    let _ = stopped.await;
                };
                server.run(stop).await;
            });
            // What still runs is dropped, as if the process were killed.
            runtime.shutdown_background();
        });
        Served {
            address: told.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// One request without a body.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Reply {
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n",
            self.address
        );
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // A body that is cut may end in an error.
        let _ = stream.read_to_end(&mut bytes);
        Reply::parse(&bytes)
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[])
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Reply {
            status: status.unwrap(),
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(&prefix))
    }

    /// Bytes that the body should have.
    pub fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
