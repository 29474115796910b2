//! Many clients at once against any registry, for `bench/registry.sh`: plain HTTP/1.1 on kept connections, so that
//! what is measured is the server.
//!
//! ```text
//! load ADDR REPOSITORY push|pull|manifests|tags --clients N --rounds N --bytes N
//! → operation  requests  MB/s  requests/s  p50 ms  p99 ms, tab-separated; a failed request ends it with 1
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use berth_oci::Digest;

/// Blobs that are pulled in turn: of the first that `push` brings.
const KNOWN: u64 = 8;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What is asked for on the command line.
struct Asked {
    address: String,
    repository: String,
    operation: String,
    clients: usize,
    rounds: usize,
    bytes: usize,
}

/// A request, all but sent.
enum Work {
    Push(Vec<u8>),
    Pull(Digest),
    Manifest(u64, Vec<u8>),
    Tags,
}

/// A kept connection.
struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

struct Answer {
    status: u16,
    location: Option<String>,
    link: Option<String>,
    bytes: u64,
    body: Vec<u8>,
}

fn main() -> ExitCode {
    match asked().and_then(|asked| measure(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn asked() -> Result<Asked, Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, repository, operation, options @ ..] = &arguments[..] else {
        return Err("usage: load ADDR REPOSITORY push|pull|manifests|tags [--clients N] [--rounds N] [--bytes N]".into());
    };
    let option = |name: &str, otherwise: usize| -> Result<usize, Failed> {
        let at = options.iter().position(|option| option == name);
        let value = at.and_then(|at| options.get(at + 1));
        Ok(value.map_or(Ok(otherwise), |value| value.parse())?)
    };
    if !["push", "pull", "manifests", "tags"].contains(&operation.as_str()) {
        return Err(format!("no such operation: {operation}").into());
    }
    Ok(Asked {
        address: address.clone(),
        repository: repository.clone(),
        operation: operation.clone(),
        clients: option("--clients", 32)?,
        rounds: option("--rounds", 10)?,
        bytes: option("--bytes", 1 << 20)?,
    })
}

/// Runs the operation in all clients at once, and prints the line.
fn measure(asked: &Asked) -> Result<(), Failed> {
    let prepared = Barrier::new(asked.clients + 1);
    let (begun, done) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..asked.clients)
            .map(|client| {
                let prepared = &prepared;
                scope.spawn(move || work(asked, client, prepared))
            })
            .collect();
        prepared.wait();
        let begun = Instant::now();
        let joined = clients.into_iter().map(|client| client.join());
        let done: Vec<_> = joined.collect();
        (begun.elapsed(), done)
    });
    let (mut times, mut bytes) = (Vec::new(), 0);
    for client in done {
        let (moved, took) = client.map_err(|_| "a client panicked")??;
        bytes += moved;
        times.extend(took);
    }
    let seconds = begun.as_secs_f64();
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    writeln!(
        std::io::stdout(),
        "{}\t{}\t{:.1}\t{:.0}\t{:.2}\t{:.2}",
        asked.operation,
        times.len(),
        bytes as f64 / 1e6 / seconds,
        times.len() as f64 / seconds,
        at(0.5),
        at(0.99)
    )?;
    Ok(())
}

/// One client: the bytes of content that it moved, and how long each request took.
fn work(asked: &Asked, client: usize, prepared: &Barrier) -> Result<(u64, Vec<Duration>), Failed> {
    let seeds = (client * asked.rounds..(client + 1) * asked.rounds).map(|seed| seed as u64);
    // Making content and hashing it is the client's work, and not in the time.
    let ready: Vec<Work> = match asked.operation.as_str() {
        "push" => seeds
            .map(|seed| Work::Push(content(asked.bytes, seed)))
            .collect(),
        "pull" => {
            let known = (0..KNOWN).map(|seed| Digest::of(&content(asked.bytes, seed)));
            let known: Vec<Digest> = known.collect();
            seeds
                .map(|seed| Work::Pull(known[(seed % KNOWN) as usize].clone()))
                .collect()
        }
        "manifests" => seeds
            .map(|seed| Work::Manifest(seed, manifest(seed)))
            .collect(),
        _ => seeds.map(|_| Work::Tags).collect(),
    };
    let connected = Connection::open(&asked.address);
    prepared.wait();
    let (mut connection, mut moved, mut took) = (connected?, 0, Vec::new());
    for work in &ready {
        let begun = Instant::now();
        moved += match work {
            Work::Push(content) => push(&mut connection, &asked.repository, content)?,
            Work::Pull(digest) => pull(&mut connection, &asked.repository, digest, asked.bytes)?,
            Work::Manifest(seed, text) => {
                let path = format!("/v2/{}/manifests/t{seed}", asked.repository);
                let typed = "application/vnd.oci.image.manifest.v1+json";
                let answer = connection.ask("PUT", &path, Some((typed, text)), false)?;
                answer.expect(201)?;
                text.len() as u64
            }
            Work::Tags => tags(&mut connection, &asked.repository)?,
        };
        took.push(begun.elapsed());
    }
    Ok((moved, took))
}

fn push(connection: &mut Connection, repository: &str, content: &[u8]) -> Result<u64, Failed> {
    let start = format!("/v2/{repository}/blobs/uploads/");
    let answer = connection.ask("POST", &start, None, false)?.expect(202)?;
    let place = answer.location.ok_or("an upload without a place")?;
    let place = place.split_once("//").map_or(place.as_str(), |(_, rest)| {
        &rest[rest.find('/').unwrap_or(0)..]
    });
    let joint = if place.contains('?') { '&' } else { '?' };
    let path = format!("{place}{joint}digest={}", Digest::of(content));
    let typed = Some(("application/octet-stream", content));
    connection.ask("PUT", &path, typed, false)?.expect(201)?;
    Ok(content.len() as u64)
}

fn pull(
    connection: &mut Connection,
    repository: &str,
    digest: &Digest,
    bytes: usize,
) -> Result<u64, Failed> {
    let path = format!("/v2/{repository}/blobs/{digest}");
    let answer = connection.ask("GET", &path, None, false)?.expect(200)?;
    match answer.bytes == bytes as u64 {
        true => Ok(answer.bytes),
        false => Err(format!("{} bytes instead of {bytes}", answer.bytes).into()),
    }
}

/// All pages of 100.
fn tags(connection: &mut Connection, repository: &str) -> Result<u64, Failed> {
    let mut next = Some(format!("/v2/{repository}/tags/list?n=100"));
    let mut bytes = 0;
    while let Some(path) = next {
        let answer = connection.ask("GET", &path, None, true)?.expect(200)?;
        bytes += answer.body.len() as u64;
        next = answer.link.and_then(|link| {
            let inside = link.split_once('<')?.1.split_once('>')?.0;
            Some(inside[inside.find("/v2/")?..].to_owned())
        });
    }
    Ok(bytes)
}

/// A small manifest that differs by `seed`. Its configuration and layer are what `push --bytes 2` with the first seeds
/// has brought.
fn manifest(seed: u64) -> Vec<u8> {
    let descriptor = |typed: &str, seed: u64| {
        let digest = Digest::of(&content(2, seed));
        format!(r#"{{"mediaType":"{typed}","digest":"{digest}","size":2}}"#)
    };
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}],"annotations":{{"seed":"{seed}"}}}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", 0),
        descriptor("application/vnd.oci.image.layer.v1.tar", 1)
    );
    text.into_bytes()
}

/// Noise, the same for the same seed: what is pulled was pushed by the clients and rounds that count from 0.
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend(state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

impl Connection {
    fn open(address: &str) -> Result<Connection, Failed> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(256 << 10, stream);
        let host = address.to_owned();
        Ok(Connection { stream, host })
    }

    /// Sends a request, reads the answer; its body is kept only if `keep` asks for it.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        content: Option<(&str, &[u8])>,
        keep: bool,
    ) -> Result<Answer, Failed> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if let Some((typed, _)) = content {
            head += &format!("Content-Type: {typed}\r\n");
        }
        head += &format!(
            "Content-Length: {}\r\n\r\n",
            content.map_or(0, |(_, bytes)| bytes.len())
        );
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(content.map_or(&[], |(_, bytes)| bytes))?;
        self.answer(keep)
    }

    fn answer(&mut self, keep: bool) -> Result<Answer, Failed> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).ok_or("no answer")?.parse()?;
        let mut answer = Answer {
            status,
            location: None,
            link: None,
            bytes: 0,
            body: Vec::new(),
        };
        let mut chunked = false;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => answer.bytes = value.parse()?,
                "transfer-encoding" => chunked = value == "chunked",
                "location" => answer.location = Some(value.to_owned()),
                "link" => answer.link = Some(value.to_owned()),
                _ => {}
            }
        }
        if chunked {
            self.chunks(&mut answer)?;
        } else {
            self.take(answer.bytes, keep.then_some(&mut answer.body))?;
        }
        Ok(answer)
    }

    fn chunks(&mut self, answer: &mut Answer) -> Result<(), Failed> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim_end(), 16)?;
            self.take(size, Some(&mut answer.body))?;
            answer.bytes += size;
            self.stream.read_line(&mut line)?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, bytes: u64, into: Option<&mut Vec<u8>>) -> Result<(), Failed> {
        let mut content = (&mut self.stream).take(bytes);
        let read = match into {
            Some(into) => content.read_to_end(into)? as u64,
            None => std::io::copy(&mut content, &mut std::io::sink())?,
        };
        if read < bytes {
            return Err("the connection was closed".into());
        }
        Ok(())
    }
}

impl Answer {
    fn expect(self, status: u16) -> Result<Answer, Failed> {
        match self.status == status {
            true => Ok(self),
            false => Err(format!("status {} instead of {status}", self.status).into()),
        }
    }
}
