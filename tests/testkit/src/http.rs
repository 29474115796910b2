//! A client of HTTP/1.1 over a unix socket that shows what really comes: no library between, nothing repaired.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body, its transfer coding undone.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body {:?}", self.text()))
    }

    /// The body as JSON, one value a line.
    ///
    /// # Panics
    /// When a line is none.
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
            })
            .collect()
    }

    /// The failure's text.
    pub fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Itself, if the status is this one.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// A connection with a head that came; what follows is the caller's to read.
#[derive(Debug)]
pub struct Open {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The rest of the connection.
    pub stream: BufReader<UnixStream>,
}

/// Sends a request and reads the head of the answer.
///
/// # Panics
/// When nobody listens, or what comes is no HTTP.
pub fn open(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Open {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str("Host: docker\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let own_length = headers.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    });
    if !own_length && (!body.is_empty() || method != "GET") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream
        .write_all(head.as_bytes())
        .expect("it takes the head");
    // A server that refuses the head need not take the body.
    _ = stream.write_all(body);
    let mut stream = BufReader::new(stream);
    let (status, headers) = read_head(&mut stream);
    Open {
        status,
        headers,
        stream,
    }
}

fn read_head(stream: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            assert!(line.trim_end().is_empty(), "no header: {line:?}");
            return (status, headers);
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// One request, and the whole answer.
///
/// # Panics
/// As [`open`]; when the body breaks off.
pub fn request(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut open = open(socket, method, path, headers, body);
    let value = |name: &str| {
        let mut found = open.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.clone())
    };
    let mut body = Vec::new();
    let bodiless = method == "HEAD" || matches!(open.status, 101 | 204 | 304);
    if bodiless {
    } else if value("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        while let Some(chunk) = open.chunk() {
            body.extend(chunk);
        }
    } else if let Some(length) = value("content-length") {
        body.resize(length.parse().expect("a length"), 0);
        open.stream.read_exact(&mut body).expect("the whole body");
    } else {
        open.stream
            .read_to_end(&mut body)
            .expect("a body until the end");
    }
    Answer {
        status: open.status,
        headers: open.headers,
        body,
    }
}

impl Open {
    /// The next chunk of a chunked body; `None` at its end.
    ///
    /// # Panics
    /// When the body breaks off.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a chunk's length");
        let length = usize::from_str_radix(line.trim_end(), 16);
        let length = length.unwrap_or_else(|_| panic!("no chunk's length: {line:?}"));
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).expect("the whole chunk");
        assert!(
            chunk.ends_with(b"\r\n"),
            "a chunk has another length than it says"
        );
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// The next frame of a multiplexed stream: which output, and its bytes; `None` at the end.
    ///
    /// # Panics
    /// When it is no frame.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 8];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(head[1..4], [0, 0, 0], "no frame: {head:?}");
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).expect("a whole frame");
        Some((head[0], bytes))
    }

    /// All that comes in frames until the end, by output.
    pub fn frames(&mut self) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some((output, bytes)) = self.frame() {
            if output == 2 {
                err.extend(bytes)
            } else {
                out.extend(bytes)
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(out), text(err))
    }
}
