//! A verb and its client: frames in, frames out, until the verb ends or the client is gone.
//!
//! ```text
//! this thread   start ─ wait for the child ─ rest of its output ─ exit code
//! reader        frames: input → queue, signals → the child, sizes → its terminal; the end of it all → kill
//! feeder        queue → the child's input, `taken` back
//! outputs       one a pipe, and one the terminal
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use berth_model::command::{Down, FRAME_MAX, Start, Up, WINDOW};
use berth_sys::pty;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::child::{self, Launch};

/// How long the first frame may take.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long the output of what has ended is waited for: somebody else may hold it open.
const REST_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes that are read of an output at once: with its head a frame, and no more than that.
const PIECE_BYTES: usize = 32 << 10;

/// To the client, from several threads.
#[derive(Clone)]
struct Client {
    stream: Arc<Mutex<UnixStream>>,
    /// How many are at it: a client that reads slowly keeps them.
    sending: Arc<AtomicUsize>,
}

impl Client {
    fn send(&self, down: &Down) -> io::Result<()> {
        self.sending.fetch_add(1, Ordering::Relaxed);
        // What is written is whole frames, whoever panics.
        let sent = self.lock().write_all(&down.frame());
        self.sending.fetch_sub(1, Ordering::Relaxed);
        sent
    }

    fn lock(&self) -> MutexGuard<'_, UnixStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one verb.
pub(super) fn run(stream: UnixStream, launch: &Launch) {
    // A client that breaks off before anything runs needs no answer.
    let Ok(reader) = stream.try_clone() else {
        return;
    };
    let client = Client {
        stream: Arc::new(Mutex::new(stream)),
        sending: Arc::default(),
    };
    let last = match first(&reader).and_then(|start| serve(reader, &client, launch, &start)) {
        Ok(code) => Down::Exit(code),
        Err(error) => Down::Failed(format!("the daemon could not run it: {error}")),
    };
    _ = client.send(&last);
    _ = client.lock().shutdown(Shutdown::Both);
}

fn first(mut stream: &UnixStream) -> io::Result<Start> {
    stream.set_read_timeout(Some(START_PATIENCE))?;
    let up = Up::read(&mut stream).map_err(io::Error::other)?;
    stream.set_read_timeout(None)?;
    match up {
        Some(Up::Start(start)) => Ok(*start),
        _ => Err(io::Error::other("nothing was asked for")),
    }
}

/// Runs the verb to its end; gives its exit code.
fn serve(stream: UnixStream, client: &Client, launch: &Launch, start: &Start) -> io::Result<i32> {
    let mut started = child::start(launch, start)?;
    let process = Process(Arc::new(pidfd_open(
        Pid::from_child(&started.child),
        PidfdFlags::empty(),
    )?));
    let (queue, queued) = mpsc::channel();
    if let Some(input) = started.input.take() {
        let client = client.clone();
        thread::spawn(move || feed(input, &queued, &client));
    }
    let terminal = match &started.terminal {
        Some(terminal) => Some(terminal.try_clone()?),
        None => None,
    };
    let ended = process.clone();
    thread::spawn(move || {
        follow(stream, &queue, &process, terminal.as_ref());
        // The client is gone, or speaks nonsense: its verb ends as it would with a client that was killed.
        process.send(Signal::KILL);
    });
    let [stdout, stderr] = started.outputs;
    // What is no terminal of the client's is a pipe: then only the other output comes here.
    let screen = started.terminal;
    let screen = screen.map(|terminal| (File::from(terminal), Kind::of(start)));
    let outputs = [
        stdout.map(|file| (file, Kind::Output)),
        stderr.map(|file| (file, Kind::Errors)),
        screen,
    ];
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (file, kind) in outputs.into_iter().flatten() {
        let (client, process) = (client.clone(), ended.clone());
        threads.push(thread::spawn(move || {
            if pass(file, kind, &client).is_err() {
                process.send(Signal::KILL);
            }
        }));
    }
    for (number, file) in (0..).zip(started.files) {
        let client = client.clone();
        threads.push(thread::spawn(move || {
            _ = pass(file, Kind::File(number), &client);
        }));
    }
    let status = started.child.wait()?;
    drop(started._held);
    let mut end = Instant::now() + REST_PATIENCE;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < end {
        if client.sending.load(Ordering::Relaxed) > 0 {
            // Not somebody else's output: the client's own pace.
            end = Instant::now() + REST_PATIENCE;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    })
}

/// The child, whoever has its number later.
#[derive(Clone)]
struct Process(Arc<OwnedFd>);

impl Process {
    fn send(&self, signal: Signal) {
        // One that has ended needs no signal.
        _ = pidfd_send_signal(&*self.0, signal);
    }
}

/// Frames of the client, until it is gone.
fn follow(
    mut stream: UnixStream,
    queue: &Sender<Option<Vec<u8>>>,
    process: &Process,
    terminal: Option<&OwnedFd>,
) {
    while let Ok(Some(up)) = Up::read(&mut stream) {
        match up {
            // Nobody reads it: that is its end for the feeder, too.
            Up::Input(bytes) => _ = queue.send(Some(bytes)),
            Up::InputEnd => _ = queue.send(None),
            Up::Signal(number) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    process.send(signal);
                }
            }
            Up::Resize(size) => {
                if let Some(terminal) = terminal {
                    // A size that cannot be set leaves the old one.
                    _ = pty::resize(terminal, size.rows, size.columns);
                }
            }
            Up::Start(_) => return,
        }
    }
}

/// The client's input, to the child.
fn feed(mut input: File, queued: &Receiver<Option<Vec<u8>>>, client: &Client) {
    while let Ok(Some(bytes)) = queued.recv() {
        // One that does not read any more loses what comes, as behind a pipe; the client may go on sending.
        let taken = u32::try_from(bytes.len().min(WINDOW)).unwrap_or(u32::MAX);
        _ = input.write_all(&bytes);
        if client.send(&Down::Taken(taken)).is_err() {
            return;
        }
    }
}

/// Where an output goes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Output,
    Errors,
    File(u32),
}

impl Kind {
    /// Of the terminal: to the client's output, or to its error output if that alone is its terminal.
    fn of(start: &Start) -> Kind {
        match start.terminal {
            [_, false, true] => Kind::Errors,
            _ => Kind::Output,
        }
    }
}

/// Passes an output on to its end.
fn pass(mut file: File, kind: Kind, client: &Client) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES.min(FRAME_MAX - 4)];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A terminal says so when its last user is gone. Source: pty(7).
            Err(_) => return Ok(()),
        };
        let bytes = buffer[..count].to_vec();
        client.send(&match kind {
            Kind::Output => Down::Output(bytes),
            Kind::Errors => Down::Errors(bytes),
            Kind::File(number) => Down::File(number, bytes),
        })?;
    }
}
