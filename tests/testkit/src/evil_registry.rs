//! An HTTP/1.1 server that answers as a script says: a registry that lies, stalls, dies, or leads astray.
//!
//! One thread a connection, one answer a request, nothing shared with berth's own code. A [`Content`] is an
//! honest registry's answers, for scripts that lie about one thing only.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was posted.
    pub body: Vec<u8>,
}

impl Recorded {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where the range that is asked for begins.
    pub fn range_start(&self) -> Option<usize> {
        self.range().map(|(start, _)| start)
    }

    /// The range that is asked for: its first byte, and the one after its last, if that is said.
    pub fn range(&self) -> Option<(usize, Option<usize>)> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        let (first, last) = range.split_once('-')?;
        let last: Option<usize> = match last {
            "" => None,
            last => Some(last.parse().ok()?),
        };
        Some((first.parse().ok()?, last.map(|last| last + 1)))
    }
}

/// How the length of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As it is.
    Right,
    /// This, whatever it is.
    Stated(usize),
    /// In chunks.
    Chunked,
    /// Not at all: the connection's end is the body's.
    Close,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Of the status line.
    pub status: u16,
    /// Besides those of the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What is said of its length.
    pub length: Length,
    /// The connection breaks after so many bytes of the body.
    pub cut_at: Option<usize>,
    /// A pause before each byte of the body.
    pub per_byte: Duration,
    /// A pause before each 64 KiB of the body.
    pub per_block: Duration,
    /// After so many bytes of the body nothing more comes.
    pub stall_at: Option<usize>,
    /// A pause before anything.
    pub delay: Duration,
    /// After the body come zeros without end.
    pub endless: bool,
}

impl Reply {
    /// An answer with an empty body.
    pub fn status(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            length: Length::Right,
            cut_at: None,
            per_byte: Duration::ZERO,
            per_block: Duration::ZERO,
            stall_at: None,
            delay: Duration::ZERO,
            endless: false,
        }
    }

    /// 200 with this body.
    pub fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply::status(200)
            .header("content-type", media_type)
            .body(body)
    }

    /// 307 to `location`.
    pub fn redirect(location: &str) -> Reply {
        Reply::status(307).header("location", location)
    }

    /// 401 with this challenge.
    pub fn challenge(challenge: &str) -> Reply {
        Reply::status(401).header("www-authenticate", challenge)
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// The same, its length told so.
    pub fn length(mut self, length: Length) -> Reply {
        self.length = length;
        self
    }

    /// The same, cut after so many bytes of the body.
    pub fn cut_at(mut self, bytes: usize) -> Reply {
        self.cut_at = Some(bytes);
        self
    }
}

/// Blobs and manifests by path, served honestly, ranges included.
#[derive(Debug, Clone, Default)]
pub struct Content(BTreeMap<String, (String, Vec<u8>)>);

impl Content {
    /// Serves `bytes` at `/v2/REPOSITORY/REST`.
    pub fn put(
        &mut self,
        repository: &str,
        rest: &str,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
    ) {
        let path = format!("/v2/{repository}/{rest}");
        self.0.insert(path, (media_type.to_owned(), bytes.into()));
    }

    /// The honest answer.
    pub fn reply(&self, request: &Recorded) -> Reply {
        let Some((media_type, bytes)) = self.0.get(&request.path) else {
            let body = r#"{"errors":[{"code":"NOT_FOUND","message":"no such thing"}]}"#;
            return Reply::status(404).body(body);
        };
        let total = bytes.len();
        match request.range() {
            None => Reply::ok(media_type, bytes.clone()).header("accept-ranges", "bytes"),
            Some((start, end)) if start < total => {
                let end = end.unwrap_or(total).min(total);
                let last = end - 1;
                Reply::status(206)
                    .header("content-type", media_type)
                    .header("content-range", &format!("bytes {start}-{last}/{total}"))
                    .body(&bytes[start..end])
            }
            Some(_) => Reply::status(416),
        }
    }
}

/// The server; it ends when dropped.
pub struct EvilRegistry {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    stop: Arc<AtomicBool>,
}

type Script = dyn Fn(&Recorded) -> Reply + Send + Sync;

impl EvilRegistry {
    /// Starts a server on a free port of 127.0.0.1 that answers as `script` says.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> EvilRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let script: Arc<Script> = Arc::new(script);
        let (seen, ending) = (requests.clone(), stop.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(connection), seen, script) = (connection, seen.clone(), script.clone())
                else {
                    continue;
                };
                let ending = ending.clone();
                // That the client goes away in the middle is often the point.
                std::thread::spawn(move || serve(connection, &script, &seen, &ending));
            }
        });
        EvilRegistry {
            address,
            requests,
            stop,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect("no script panicked").clone()
    }
}

impl Drop for EvilRegistry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    connection: TcpStream,
    script: &Arc<Script>,
    seen: &Mutex<Vec<Recorded>>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    connection.set_write_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(connection.try_clone()?);
    // A TLS handshake: this is a plain server.
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(());
    }
    while let Some(request) = read_request(&mut reader)? {
        seen.lock()
            .expect("no script panicked")
            .push(request.clone());
        let reply = script(&request);
        std::thread::sleep(reply.delay);
        if !write_reply(&connection, &request, &reply, stop)? {
            return connection.shutdown(std::net::Shutdown::Both);
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Recorded>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Recorded {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|v| v.parse().ok());
    request.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// `false`: the connection must end.
fn write_reply(
    mut to: &TcpStream,
    request: &Recorded,
    reply: &Reply,
    stop: &AtomicBool,
) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    match reply.length {
        Length::Right => head += &format!("content-length: {}\r\n", reply.body.len()),
        Length::Stated(length) => head += &format!("content-length: {length}\r\n"),
        Length::Chunked => head += "transfer-encoding: chunked\r\n",
        Length::Close => head += "connection: close\r\n",
    }
    to.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(true);
    }
    let chunked = reply.length == Length::Chunked;
    let piece = |mut to: &TcpStream, bytes: &[u8]| match chunked {
        true => {
            to.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
            to.write_all(bytes)?;
            to.write_all(b"\r\n")
        }
        false => to.write_all(bytes),
    };
    let end = reply
        .cut_at
        .unwrap_or(reply.body.len())
        .min(reply.body.len());
    let size = if reply.per_byte.is_zero() {
        64 << 10
    } else {
        1
    };
    let mut written = 0;
    for bytes in reply.body[..end].chunks(size) {
        std::thread::sleep(reply.per_byte + reply.per_block);
        while reply.stall_at.is_some_and(|at| written >= at) {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        piece(to, bytes)?;
        written += bytes.len();
    }
    if reply.cut_at.is_some() {
        return Ok(false);
    }
    while reply.endless && !stop.load(Ordering::Relaxed) {
        piece(to, &[0; 64 << 10])?;
    }
    if chunked {
        to.write_all(b"0\r\n\r\n")?;
    }
    Ok(matches!(reply.length, Length::Right | Length::Chunked))
}
