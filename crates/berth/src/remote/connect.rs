//! The way to a daemon: a socket, ssh's pipes, or TLS; and the request that makes a stream of it.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use berth_model::command::{PATH, PROTOCOL};

use super::host::{Host, Ssh};
use super::{Remote, tls};
use crate::ui::diagnostic::Failure;

/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 << 10;
/// Bytes of what a daemon says when it refuses.
const MAX_MESSAGE: u64 = 64 << 10;
/// Seconds that ssh tries.
const SSH_PATIENCE_S: u32 = 30;

/// Both directions.
pub struct Connection {
    /// From the daemon.
    pub read: BufReader<Box<dyn Read + Send>>,
    /// To it.
    pub write: Box<dyn Write + Send>,
    /// ssh, if that is the way.
    _ssh: Option<Waited>,
}

/// Goes to the daemon.
///
/// # Errors
/// It is not there, or not to be reached this way.
pub fn connect(remote: &Remote) -> Result<Connection, Failure> {
    let unreachable = |error: &io::Error| {
        Failure::of(error).within(format!("cannot reach the daemon at {}", remote.host))
    };
    match &remote.host {
        Host::Unix(path) => {
            let stream = UnixStream::connect(path).map_err(|error| {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "members of its group may use it; they are root by it".to_owned()
                    }
                    _ => format!(
                        "`berth daemon --host {}` starts one there; without a host none is needed",
                        remote.host
                    ),
                };
                unreachable(&error).hint(hint)
            })?;
            both(stream, None).map_err(|error| unreachable(&error))
        }
        Host::Tcp(host, port) => {
            let stream = tls::connect(host, *port, &remote.tls).map_err(|failure| {
                failure.within(format!("cannot reach the daemon at {}", remote.host))
            })?;
            both(stream, None).map_err(|error| unreachable(&error))
        }
        Host::Ssh(ssh) => {
            let mut child = command(ssh).spawn().map_err(|error| {
                unreachable(&error).hint("ssh is needed: Debian's openssh-client")
            })?;
            let (Some(read), Some(write)) = (child.stdout.take(), child.stdin.take()) else {
                return Err(Failure::new("ssh has no pipes"));
            };
            Ok(Connection {
                read: BufReader::new(Box::new(read)),
                write: Box::new(write),
                _ssh: Some(Waited(child)),
            })
        }
    }
}

fn both(stream: UnixStream, ssh: Option<Waited>) -> io::Result<Connection> {
    Ok(Connection {
        read: BufReader::new(Box::new(stream.try_clone()?)),
        write: Box::new(stream),
        _ssh: ssh,
    })
}

/// `ssh … -- HOST berth [--host unix://SOCKET] system dial-stdio`.
fn command(ssh: &Ssh) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-T", "-o", &format!("ConnectTimeout={SSH_PATIENCE_S}")]);
    if let Some(user) = &ssh.user {
        command.args(["-l", user]);
    }
    if let Some(port) = ssh.port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", &ssh.host, "berth"]);
    if let Some(socket) = &ssh.socket {
        // A shell reads it there.
        let quoted = socket.replace('\'', "'\\''");
        command.arg(format!("--host 'unix://{quoted}'"));
    }
    command.args(["system", "dial-stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A child that is ended with this.
struct Waited(Child);

impl Drop for Waited {
    fn drop(&mut self) {
        // It ends by itself with its pipes, and one that hangs must not hold us up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks for the stream.
///
/// # Errors
/// The other side is no berth, or refuses.
pub fn upgrade(connection: &mut Connection, host: &Host) -> Result<(), Failure> {
    let broke = |error: &io::Error| {
        Failure::of(error).within(format!("the daemon at {host} does not answer"))
    };
    // The name is what docker's clients say where there is none; a server behind TCP knows its own.
    let name = match host {
        Host::Tcp(host, port) => format!("{host}:{port}"),
        _ => "localhost".to_owned(),
    };
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: berth/{}\r\nConnection: Upgrade\r\n\
         Upgrade: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    let sent = connection.write.write_all(request.as_bytes());
    sent.and_then(|()| connection.write.flush())
        .map_err(|error| broke(&error))?;
    let mut answer = head(&mut connection.read).map_err(|error| broke(&error))?;
    if answer.status == 101 {
        return Ok(());
    }
    let mut body = Vec::new();
    let length = answer.length.unwrap_or(MAX_MESSAGE).min(MAX_MESSAGE);
    // What cannot be read of it was not needed to know that it refuses.
    let _ = (&mut connection.read).take(length).read_to_end(&mut body);
    if answer.server.is_empty() && answer.length.is_some() {
        // dockerd says who it is where it has something to say.
        let asked = format!("GET /_ping HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let asked = connection.write.write_all(asked.as_bytes());
        let pong = asked.and_then(|()| head(&mut connection.read));
        answer.server = pong.map(|head| head.server).unwrap_or_default();
    }
    Err(refused(host, &answer, &body))
}

struct Head {
    status: u16,
    server: String,
    length: Option<u64>,
}

fn head(read: &mut impl Read) -> io::Result<Head> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match read.read(&mut byte)? {
            0 if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => break,
            _ => bytes.push(byte[0]),
        }
        if bytes.len() > MAX_HEAD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its answer has no end",
            ));
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let status = match first.strip_prefix("HTTP/1.") {
        Some(rest) => rest.split(' ').nth(1).and_then(|word| word.parse().ok()),
        None => None,
    };
    let status = status
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
    let mut found = Head {
        status,
        server: String::new(),
        length: None,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "server" => found.server = value.trim().to_owned(),
            "content-length" => found.length = value.trim().parse().ok(),
            _ => {}
        }
    }
    Ok(found)
}

fn refused(host: &Host, head: &Head, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let message = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|document| Some(document.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| text.trim().to_owned());
    match head.status {
        404 if head.server.to_ascii_lowercase().starts_with("berth") => Failure::new(format!(
            "the berth at {host} is too old for this: {message}"
        )),
        404 | 405 if head.server.starts_with("Docker") => Failure::new(format!(
            "the daemon at {host} is not berth's but docker's"
        ))
        .hint(
            "berth's own verbs need a `berth daemon` there; the docker command speaks to this one",
        ),
        404 | 405 => Failure::new(format!("the daemon at {host} is not berth's")),
        status => Failure::new(match message.as_str() {
            "" => format!("the daemon at {host} refuses ({status})"),
            message => format!("the daemon at {host} refuses: {message}"),
        }),
    }
}

/// Copies standard input to the daemon's socket and back: what ssh runs on the daemon's side.
///
/// # Errors
/// There is no daemon.
pub fn dial_stdio(path: &Path) -> Result<(), Failure> {
    let stream = UnixStream::connect(path).map_err(|error| {
        Failure::of(&error)
            .within(format!(
                "cannot reach the daemon at unix://{}",
                path.display()
            ))
            .hint("`berth daemon` starts one")
    })?;
    let up = stream.try_clone().map_err(|error| Failure::of(&error))?;
    std::thread::spawn(move || {
        // However it ends, the other side is told so.
        let _ = io::copy(&mut io::stdin().lock(), &mut &up);
        let _ = up.shutdown(std::net::Shutdown::Write);
    });
    let mut out = io::stdout().lock();
    let mut read = &stream;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match read.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => out
                .write_all(&buffer[..count])
                .and_then(|()| out.flush())
                .map_err(|error| Failure::of(&error).within("cannot write to standard output"))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::of(&error).within("the daemon's connection broke")),
        }
    }
}
