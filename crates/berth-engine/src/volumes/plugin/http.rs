//! One question over HTTP on a Unix socket, with a deadline for all of it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Bytes of an answer, its head included; real ones are below 10 KiB.
const ANSWER_BYTES: usize = 1 << 20;
/// What plugins speak.
const TYPE: &str = "application/vnd.docker.plugins.v1.2+json";

/// Posts `body` and gives back the answer's.
///
/// # Errors
/// `TimedOut`; `InvalidData` for what is no answer; the plugin's words for a status of failure.
pub(super) fn post(
    socket: &Path,
    path: &str,
    body: &str,
    patience: Duration,
) -> io::Result<Vec<u8>> {
    let end = Instant::now() + patience;
    let mut stream = connect(socket)?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: plugin\r\nAccept: {TYPE}\r\nContent-Type: {TYPE}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(request.as_bytes()).map_err(late)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        if let Some(done) = parse(&answer, false)? {
            return done;
        }
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error)),
        }
        if answer.len() > ANSWER_BYTES {
            return Err(invalid("the answer is too long"));
        }
    }
    parse(&answer, true)?.unwrap_or_else(|| Err(invalid("the answer ends too early")))
}

/// Never waits: whose queue is full serves nobody.
fn connect(socket: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let made = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&made, &SocketAddrUnix::new(socket)?)?;
    let stream = UnixStream::from(made);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The body of an answer, once it is whole; `ended`: there is no more to come.
fn parse(answer: &[u8], ended: bool) -> io::Result<Option<io::Result<Vec<u8>>>> {
    let Some(head_end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..head_end]).map_err(|_| invalid("no HTTP"))?;
    let rest = &answer[head_end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let mut words = status.split(' ');
    if !words.next().is_some_and(|word| word.starts_with("HTTP/1.")) {
        return Err(invalid("no HTTP"));
    }
    let code: u16 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let header = |wanted: &str| {
        let mut fields = lines.clone().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    let body = if header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"))
    {
        chunks(rest)?
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| invalid("a bad length"))?;
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        ended.then(|| rest.to_vec())
    };
    Ok(body.map(|body| match code {
        200..=299 => Ok(body),
        // Docker's way: the words are in the answer all the same.
        _ if body.windows(5).any(|five| five == b"\"Err\"") => Ok(body),
        _ => {
            let words = String::from_utf8_lossy(&body).trim().to_owned();
            Err(io::Error::other(format!("status {code}: {words}")))
        }
    }))
}

/// What chunks hold, once the last one is there.
fn chunks(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(line_end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&rest[..line_end]);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid("a bad chunk"))?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            return Ok(Some(body));
        }
        let end = size.checked_add(2).ok_or_else(|| invalid("a bad chunk"))?;
        let Some(chunk) = rest.get(..end) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_all_their_forms() {
        let body = |text: &str, ended| {
            let parsed = parse(text.as_bytes(), ended).unwrap();
            parsed.map(|body| {
                body.map(|body| String::from_utf8(body).unwrap())
                    .map_err(|e| e.to_string())
            })
        };
        let whole = |text: &str| Some(Ok(text.to_owned()));
        assert_eq!(
            body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false),
            whole("{}")
        );
        assert_eq!(
            body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", true),
            None
        );
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\n{}", false), None);
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\n{}", true), whole("{}"));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n";
        assert_eq!(body(chunked, false), None);
        assert_eq!(body(&format!("{chunked}0\r\n\r\n"), false), whole("{}"));
        assert_eq!(
            body("HTTP/1.1 500 X\r\n\r\n{\"Err\":\"no\"}", true),
            whole("{\"Err\":\"no\"}")
        );
        assert_eq!(
            body("HTTP/1.1 404 X\r\n\r\ngone", true),
            Some(Err("status 404: gone".to_owned()))
        );
        assert!(parse(b"SSH-2.0\r\n\r\n", true).is_err());
        assert!(
            parse(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                true
            )
            .is_err()
        );
    }
}
