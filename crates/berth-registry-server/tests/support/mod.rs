//! A registry on a free port of this process, and a client that says exactly what it is told to.
#![allow(dead_code)] // each test file takes another part
#![allow(clippy::unwrap_used)] // it is for tests

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use berth_oci::Digest;
use berth_registry_server::settings::AccessLog;
use berth_registry_server::{Access, Server, Settings, Storage};
use tokio::sync::oneshot;

/// A registry; it is stopped when dropped.
pub struct Served {
    pub address: SocketAddr,
    pub root: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// In which all may do all.
    pub fn open() -> Served {
        Served::start(quiet(), Access::open())
    }

    pub fn start(settings: Settings, access: Access) -> Served {
        Served::start_with(settings, access, |server| server)
    }

    pub fn start_with(
        settings: Settings,
        access: Access,
        with: impl FnOnce(Server) -> Server,
    ) -> Served {
        let root = tempfile::tempdir().unwrap();
        let storage = Storage::open(&root.path().join("registry")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(any, storage, access, settings);
        let server = with(runtime.block_on(server).unwrap());
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(server.run(async { _ = stopped.await }));
        });
        Served {
            address,
            root,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).unwrap())
    }

    /// One request on a connection of its own.
    pub fn ask(&self, line: &str) -> Reply {
        self.connect().ask(line)
    }

    /// As [`Served::ask`], with headers (lines) and a body.
    pub fn send(&self, line: &str, headers: &str, body: &[u8]) -> Reply {
        self.connect().send(line, headers, body)
    }

    /// Puts a blob, the short way.
    pub fn blob(&self, name: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let line = format!("POST /v2/{name}/blobs/uploads/?digest={digest}");
        assert_eq!(self.send(&line, "", content).status, 201);
        digest
    }

    /// Puts a manifest with one layer.
    pub fn image(&self, name: &str, reference: &str, layer: &[u8]) -> (Digest, Vec<u8>) {
        let (config, layer) = (
            self.blob(name, b"{}"),
            (self.blob(name, layer), layer.len()),
        );
        let manifest = manifest(&config, &[layer], "");
        let reply = self.send(
            &format!("PUT /v2/{name}/manifests/{reference}"),
            &format!("Content-Type: {MANIFEST}\r\n"),
            &manifest,
        );
        assert_eq!(reply.status, 201, "{}", reply.text());
        (Digest::of(&manifest), manifest)
    }

    /// The value of this metric.
    pub fn metric(&self, name: &str) -> u64 {
        let reply = self.ask("GET /metrics");
        let text = reply.text();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(key, _)| *key == name);
        found.map_or(0, |(_, value)| value.parse().unwrap())
    }

    /// Asks the server to stop, and waits until it has.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Asks the server to stop.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Settings that keep the tests' output short.
pub fn quiet() -> Settings {
    Settings {
        access_log: AccessLog::Off,
        ..Settings::default()
    }
}

/// A manifest; `more` are members that it has besides, each with a comma after it.
pub fn manifest(config: &Digest, layers: &[(Digest, usize)], more: &str) -> Vec<u8> {
    let layer = |(digest, size): &(Digest, usize)| {
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    };
    let layers: Vec<String> = layers.iter().map(layer).collect();
    let layers = layers.join(",");
    let config = format!(
        r#"{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}}"#
    );
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}",{more}"config":{config},"layers":[{layers}]}}"#
    )
    .into_bytes()
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn over(stream: TcpStream) -> Client {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    pub fn ask(&mut self, line: &str) -> Reply {
        self.send(line, "", b"")
    }

    pub fn send(&mut self, line: &str, headers: &str, body: &[u8]) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let length = match method {
            "GET" | "HEAD" => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        self.head(line, &format!("{headers}{length}"));
        // Who refuses a body may close before it has come.
        _ = self.stream.write_all(body);
        let reply = self.reply(method == "HEAD");
        let reply = reply.unwrap_or_else(|| panic!("no answer to {method} {path}"));
        assert_eq!(
            reply.header("x-content-type-options"),
            Some("nosniff"),
            "{line}"
        );
        reply
    }

    /// Only the head of a request.
    pub fn head(&mut self, line: &str, headers: &str) {
        let head = format!("{line} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        self.stream.write_all(head.as_bytes()).unwrap();
    }

    /// The next answer; `None`: the connection has ended.
    pub fn reply(&mut self, is_head: bool) -> Option<Reply> {
        let end = loop {
            match self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
        };
        if status == 100 {
            return self.reply(is_head);
        }
        let length = reply
            .header("content-length")
            .map_or(0, |n| n.parse().unwrap());
        if !is_head && status != 204 && status != 304 {
            while self.buffer.len() < length {
                self.fill()?;
            }
            reply.body = self.buffer.drain(..length).collect();
        }
        Some(reply)
    }

    fn fill(&mut self) -> Option<()> {
        let mut some = [0; 64 << 10];
        match self.stream.read(&mut some) {
            Ok(0) | Err(_) => None,
            Ok(n) => {
                self.buffer.extend_from_slice(&some[..n]);
                Some(())
            }
        }
    }

    /// Whether the server ends the connection, having said nothing more.
    pub fn is_closed(&mut self) -> bool {
        let mut some = [0; 1];
        self.buffer.is_empty() && matches!(self.stream.read(&mut some), Ok(0))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| &value[..])
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error, in an answer that is nothing else.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let error = &self.json()["errors"][0];
        assert!(error["message"].is_string());
        error["code"].as_str().unwrap().to_owned()
    }

    /// Status and code of an error.
    pub fn failure(&self) -> (u16, String) {
        (self.status, self.code())
    }

    pub fn strings(&self, member: &str) -> Vec<String> {
        let list = &self.json()[member];
        let strings = list.as_array().unwrap().iter();
        strings
            .map(|one| one.as_str().unwrap().to_owned())
            .collect()
    }

    /// Where the next page is.
    pub fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let target = berth_oci::header::link::next([link].into_iter());
        Some(target.expect("a link to the next page").to_owned())
    }
}
